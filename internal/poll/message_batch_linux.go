//go:build amd64 || arm64

package poll

import "syscall"

// header is struct mmsghdr.
type header struct {
	hdr syscall.Msghdr
	n   uint32
}

// batchHeaders are the system's form of a Batch.
type batchHeaders []header

func (h *batchHeaders) prepare(messages []Message) {
	*h = (*h)[:0]
	for i := range messages {
		*h = append(*h, header{hdr: messages[i].hdr})
	}
}

func (h *batchHeaders) clear() {
	clear(*h)
	*h = (*h)[:0]
}

// receive is recvmmsg(2).
func (b *Batch) receive(fd int) (int, syscall.Errno) {
	n, errno := callBatch(syscall.SYS_RECVMMSG, fd, b.headers, b.Flags|closedOnExec)
	for i := range n {
		m := &b.Messages[i]
		m.hdr = b.headers[i].hdr
		m.N = int(b.headers[i].n)
		m.received()
	}
	return n, errno
}

// send is sendmmsg(2) from the message first on. If one fails after others were sent
// it returns how many; the next call begins with that one, and tells.
func (b *Batch) send(fd, first int) (int, syscall.Errno) {
	n, errno := callBatch(sysSendmmsg, fd, b.headers[first:], b.Flags|noSignal)
	for i := first; i < first+n; i++ {
		b.Messages[i].N = int(b.headers[i].n)
	}
	return n, errno
}
