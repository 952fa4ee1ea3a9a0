package process

import (
	"runtime"
	"syscall"
	"unsafe"
)

// Numbers of procctl(2).
const (
	ofProcess      = 0 // P_PID, with the id 0 for the caller
	setDeathSignal = 11
)

// SignalAtParentsDeath has the system send sig to this process when its parent ends: procctl(2). It is too
// late if the parent has gone already.
func SignalAtParentsDeath(sig syscall.Signal) error {
	number := int32(sig)
	return ignoreEINTR(func() (errno syscall.Errno) {
		switch runtime.GOARCH {
		case "386", "arm": // the id has 64 bits, and takes two places
			_, _, errno = syscall.RawSyscall6(syscall.SYS_PROCCTL, ofProcess, 0, 0, setDeathSignal, uintptr(unsafe.Pointer(&number)), 0)
		default:
			_, _, errno = syscall.RawSyscall6(syscall.SYS_PROCCTL, ofProcess, 0, setDeathSignal, uintptr(unsafe.Pointer(&number)), 0, 0)
		}
		return errno
	})
}
