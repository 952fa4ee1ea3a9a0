package process

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// Numbers that package syscall does not have. Since Linux 5.0 they are the same everywhere, apart from
// where an architecture counts from.
var (
	sysPidfdSendSignal = firstNumber() + 424
	sysPidfdOpen       = firstNumber() + 434
)

func firstNumber() uintptr {
	switch {
	case strings.HasPrefix(runtime.GOARCH, "mips64"):
		return 5000
	case strings.HasPrefix(runtime.GOARCH, "mips"):
		return 4000
	}
	return 0
}

// toGroup is PIDFD_SIGNAL_PROCESS_GROUP.
const toGroup = 1 << 2

// OpenPidfd returns a pidfd, which is closed on exec.
func OpenPidfd(pid int) (fd int, err error) {
	r, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

func pidfdSignal(fd int, sig syscall.Signal, flags uintptr) error {
	return ignoreEINTR(func() syscall.Errno {
		_, _, errno := syscall.Syscall6(sysPidfdSendSignal, uintptr(fd), uintptr(sig), 0, flags, 0, 0)
		return errno
	})
}

// SignalPidfd sends sig to the process.
func SignalPidfd(fd int, sig syscall.Signal) error { return pidfdSignal(fd, sig, 0) }

// SignalGroup sends sig to the members of the group that the process leads or, when it has ended, has led.
func SignalGroup(fd int, sig syscall.Signal) error { return pidfdSignal(fd, sig, toGroup) }

// Pidfds reports whether this system has pidfds, and lets us use them.
var Pidfds = sync.OnceValue(func() bool {
	if runtime.GOOS == "android" && !packageOSHasPidfds() { // where to ask may be deadly: SIGSYS instead of an error
		return false
	}
	fd, err := OpenPidfd(syscall.Getpid())
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	_, err = Handle{FD: fd}.HasEnded()
	return err == syscall.ECHILD && SignalPidfd(fd, 0) == nil // we are not our own child
})

// packageOSHasPidfds asks package os, which knows how to survive the question.
func packageOSHasPidfds() bool {
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	return p.WithHandle(func(uintptr) {}) == nil
}

// GroupsByPidfd reports whether SignalGroup works: since Linux 6.9.
var GroupsByPidfd = sync.OnceValue(func() bool {
	fd, err := OpenPidfd(syscall.Getpid())
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	err = SignalGroup(fd, 0) // ESRCH if we lead no group
	return err != syscall.EINVAL && err != syscall.ENOSYS && err != syscall.EPERM
})

// MakeNonblocking sets the mode that a poller wants. A pidfd is shared with nobody.
func MakeNonblocking(fd int) error { return syscall.SetNonblock(fd, true) }
