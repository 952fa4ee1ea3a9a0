package poll

import "syscall"

// Dup returns a duplicate of fd, closed on exec: fcntl(2) with F_DUPFD_CLOEXEC. It belongs
// to the caller, and its number is never that of a standard stream. The two share
// everything except the number, including the blocking mode. Each of them is registered
// separately in the runtime's poller.
func Dup(fd int) (int, error) {
	if !IsFD(fd) {
		return -1, syscall.EBADF
	}
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, firstFree)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return -1, errno
		}
	}
}

// Dup returns a duplicate of the descriptor.
func (f *FD) Dup() (fd int, err error) {
	fd = -1
	f.Distrust() // the code that gets it may set any option
	err = f.Control(func(sysfd int) (err error) {
		fd, err = Dup(sysfd)
		return err
	})
	return fd, err
}
