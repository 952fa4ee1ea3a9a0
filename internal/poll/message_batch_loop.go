//go:build !(linux && (amd64 || arm64))

package poll

import "syscall"

// batchHeaders is empty: each message is its own.
type batchHeaders struct{}

func (*batchHeaders) prepare([]Message) {}
func (*batchHeaders) clear()            {}

// receive receives the messages that are there. The system reports an error only once, so
// an error that comes after a message is kept for the next call, as recvmmsg(2) does.
func (b *Batch) receive(fd int) (int, syscall.Errno) {
	for i := range b.Messages {
		m := &b.Messages[i]
		n, errno := receive(fd, m)
		if errno != 0 {
			if i > 0 {
				if errno != syscall.EAGAIN {
					b.late = errno
				}
				return i, 0
			}
			return 0, errno
		}
		m.N = n
		m.received()
	}
	return len(b.Messages), 0
}

// send is one message: the caller goes on.
func (b *Batch) send(fd, first int) (int, syscall.Errno) {
	n, errno := send1(fd, &b.Messages[first])
	if errno != 0 {
		return 0, errno
	}
	b.Messages[first].N = n
	return 1, 0
}
