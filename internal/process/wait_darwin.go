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

func (h Handle) peek(options int) (info siginfo, err error) {
	err = ignoreEINTR(func() syscall.Errno {
		info = siginfo{}
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(h.Pid),
			uintptr(unsafe.Pointer(&info)), uintptr(options|wNoHang|wNoWait), 0, 0)
		return errno
	})
	return info, err
}

// RusageUnit is how many bytes the unit of Rusage.Maxrss has.
const RusageUnit = 1
