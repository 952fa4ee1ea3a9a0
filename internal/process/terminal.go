package process

import (
	"syscall"
	"unsafe"
)

// A size is struct winsize.
type size struct{ rows, columns, x, y uint16 }

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	return ignoreEINTR(func() syscall.Errno {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		return errno
	})
}

// IsOurTerminal reports whether fd is the terminal that controls this process.
func IsOurTerminal(fd int) bool {
	var group int32
	return ioctl(fd, syscall.TIOCGPGRP, unsafe.Pointer(&group)) == nil
}

// Resize sets the size of a terminal.
func Resize(fd int, rows, columns uint16) error {
	s := size{rows: rows, columns: columns}
	return ioctl(fd, syscall.TIOCSWINSZ, unsafe.Pointer(&s))
}

// open is open(2) for a terminal, which does not become ours to be controlled by.
func open(path string, flags int) (fd int, err error) {
	for {
		fd, err = syscall.Open(path, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|flags, 0)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}
