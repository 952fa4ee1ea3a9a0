package poll

import (
	"syscall"
	"unsafe"
)

const atBirth = syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC

// Socket is socket(2): a descriptor that is non-blocking and closed on exec.
func Socket(family, typ, proto int) (int, error) {
	fd, err := syscall.Socket(family, typ|atBirth, proto)
	if err != nil {
		return -1, err
	}
	return aboveStdio(fd)
}

// Socketpair is socketpair(2).
func Socketpair(family, typ, proto int) ([2]int, error) {
	pair, err := syscall.Socketpair(family, typ|atBirth, proto)
	if err != nil {
		return pair, err
	}
	return pairAboveStdio(pair)
}

// pollfd is struct pollfd of <poll.h>, where these are its values as well.
type pollfd struct {
	fd      int32
	events  int16
	revents int16
}

const (
	pollIn   = 0x1
	pollOut  = 0x4
	pollNval = 0x20
)

// ready asks whether a read or write of fd would not wait. ppoll(2) and not
// poll(2), which arm64 does not have. With a timeout of zero it never waits.
func ready(fd int, write bool) (bool, syscall.Errno) {
	p := pollfd{fd: int32(fd), events: pollIn}
	if write {
		p.events = pollOut
	}
	for {
		n, errno := pollNow(&p)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return false, errno
		case p.revents&pollNval != 0:
			return false, syscall.EBADF
		default:
			return n > 0, 0
		}
	}
}

func pollNow(p *pollfd) (int, syscall.Errno) {
	var now syscall.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return int(n), errno
}
