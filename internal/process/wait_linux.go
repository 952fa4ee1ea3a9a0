package process

import (
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// The first argument of waitid(2).
const (
	byPid   = 1
	byPidfd = 3
)

const (
	wNoHang  = 0x1
	wStopped = 0x2
	wExited  = 0x4
	wNoWait  = 0x1000000
)

// A siginfo is a siginfo_t, as it is after waitid.
type siginfo [32]int32

// Where its members are.
var codeAt, pidAt = func() (code, pid int) {
	code, pid = 2, 3
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		code = 1
	}
	if unsafe.Sizeof(uintptr(0)) == 8 {
		pid = 4 // what follows is aligned as a pointer
	}
	return code, pid
}()

func (s *siginfo) code() int32   { return s[codeAt] }
func (s *siginfo) pid() int32    { return s[pidAt] }
func (s *siginfo) status() int32 { return s[pidAt+2] }

func (h Handle) waitid(info *siginfo, options int, usage *syscall.Rusage) error {
	by, id := byPid, h.Pid
	if h.FD >= 0 {
		by, id = byPidfd, h.FD
	}
	return ignoreEINTR(func() syscall.Errno {
		*info = siginfo{}
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, uintptr(by), uintptr(id),
			uintptr(unsafe.Pointer(info)), uintptr(options), uintptr(unsafe.Pointer(usage)), 0)
		return errno
	})
}

// HasEnded reports whether the child has ended and its status is still there to be collected. The error
// is ECHILD if it has ended and somebody else has the status.
//
// Of a child that this process traces, the call also reports that it has stopped, although it was not
// asked for that.
func (h Handle) HasEnded() (ended bool, err error) {
	var info siginfo
	err = h.waitid(&info, wExited|wNoHang|wNoWait, nil)
	return err == nil && hasEnded(info.code()), err
}

// Collect takes the child's status, if it has ended. The error is ECHILD if somebody else has it.
func (h Handle) Collect() (s Status, ended bool, err error) {
	if ended, err := h.HasEnded(); !ended { // it must not take from a tracer what is meant for that
		return Status{}, false, err
	}
	var info siginfo
	var usage syscall.Rusage
	if err := h.waitid(&info, wExited|wNoHang, &usage); err != nil || !hasEnded(info.code()) {
		return Status{}, false, err
	}
	s = statusOf(info.code(), info.status())
	s.Usage = usage
	return s, true, nil
}

// IsStopped reports whether the child is stopped.
func (h Handle) IsStopped() bool {
	var info siginfo
	err := h.waitid(&info, wStopped|wNoHang|wNoWait, nil)
	return err == nil && info.pid() != 0 && info.code() == cldStopped
}

// RusageUnit is how many bytes the unit of Rusage.Maxrss has.
const RusageUnit = 1024
