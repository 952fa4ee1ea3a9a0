package poll

import "syscall"

// The system calls of this package, as functions over descriptor numbers. They go
// on after EINTR, and return EAGAIN for "not yet". What differs between systems is
// in the sys_*.go files, under the same names.

func read(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, err := syscall.Read(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), errnoOf(err)
		}
	}
}

func write(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, err := syscall.Write(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), errnoOf(err)
		}
	}
}
