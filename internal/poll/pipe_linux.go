package poll

import "syscall"

// pipeSize is how much a pipe has room for, and so how much one splice(2) moves at most: 64 pieces of
// up to a page each.
const pipeSize = 256 << 10

const (
	setPipeSize = 1031 // F_SETPIPE_SZ

	spliceMove     = 0x1 // SPLICE_F_MOVE
	spliceNonblock = 0x2 // SPLICE_F_NONBLOCK
)

// newPipe makes a pipe of pipeSize. A user that has many gets smaller ones, with which nothing is won.
func newPipe() (pipeEnds, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return pipeEnds{}, err
	}
	fds, err := pairAboveStdio(fds)
	if err != nil {
		return pipeEnds{}, err
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[1]), setPipeSize, pipeSize); errno != 0 {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return pipeEnds{}, errno
	}
	return pipeEnds{fds[0], fds[1]}, nil
}

// splice moves up to n bytes. See OnSplice.
var splice = func(from, to, n int) (int, syscall.Errno) {
	for {
		k, err := syscall.Splice(from, nil, to, nil, n, spliceMove|spliceNonblock)
		switch {
		case err == nil:
			return int(k), 0
		case err != syscall.EINTR:
			return 0, err.(syscall.Errno) // errnoOf allocates
		}
	}
}
