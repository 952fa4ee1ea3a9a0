package process

import (
	"syscall"
	"unsafe"
)

const (
	byPid    = 1
	wNoHang  = 0x1
	wExited  = 0x4
	wStopped = 0x8
	wNoWait  = 0x20
)

// A siginfo is a siginfo_t, as it is after waitid: signal, errno, code, pid, uid, status.
type siginfo [32]int32

func (h Handle) peek(options int) (info siginfo, err error) {
	err = ignoreEINTR(func() syscall.Errno {
		info = siginfo{}
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(h.Pid),
			uintptr(unsafe.Pointer(&info)), uintptr(options|wNoHang|wNoWait), 0, 0)
		return errno
	})
	return info, err
}

// HasEnded reports whether the child has ended and its status is still there to be collected. The error
// is ECHILD if it has ended and somebody else has the status. The call also tells of a stopped child,
// although it was not asked for that.
func (h Handle) HasEnded() (ended bool, err error) {
	info, err := h.peek(wExited)
	return err == nil && hasEnded(info[2]), err
}

// IsStopped reports whether the child is stopped.
func (h Handle) IsStopped() bool {
	info, err := h.peek(wStopped)
	return err == nil && info[2] == cldStopped
}

// RusageUnit is how many bytes the unit of Rusage.Maxrss has.
const RusageUnit = 1
