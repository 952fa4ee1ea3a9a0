//go:build darwin || freebsd

package poll

import (
	"syscall"
	"unsafe"
)

// newborn makes a descriptor non-blocking and closed on exec, gives it another number if it has
// the number of a standard stream, and closes it if that fails. The caller holds syscall.ForkLock
// for reading where a child could inherit it before.
func newborn(fd int) (int, error) {
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return aboveStdio(fd)
}

// newbornPair is newborn for both descriptors of a pair.
func newbornPair(pair [2]int) (_ [2]int, err error) {
	for i, fd := range pair {
		if pair[i], err = newborn(fd); err != nil {
			syscall.Close(pair[1-i])
			return pair, err
		}
	}
	return pair, nil
}

// Socket is socket(2): a descriptor that is non-blocking and closed on exec.
func Socket(family, typ, proto int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Socket(family, typ, proto)
	if err != nil {
		return -1, err
	}
	return newborn(fd)
}

// Socketpair is socketpair(2).
func Socketpair(family, typ, proto int) ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pair, err := syscall.Socketpair(family, typ, proto)
	if err != nil {
		return pair, err
	}
	return newbornPair(pair)
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

// ready asks whether a read or write of fd would not wait. With a timeout of zero
// poll(2) never waits.
func ready(fd int, write bool) (bool, syscall.Errno) {
	p := pollfd{fd: int32(fd), events: pollIn}
	if write {
		p.events = pollOut
	}
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, 0)
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
