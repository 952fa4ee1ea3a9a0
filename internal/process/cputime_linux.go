package process

import (
	"syscall"
	"time"
	"unsafe"
)

const (
	clockOwn = 2 // CLOCK_PROCESS_CPUTIME_ID
	clockOf  = 2 // what the clock of another process has in its lowest bits, below the process id
)

// ProcessorTimeOf returns how much processor time another process has used, without its children. The error
// is EINVAL if there is none with that id.
func ProcessorTimeOf(pid int) (time.Duration, error) {
	var t syscall.Timespec
	clock := int32(^pid<<3 | clockOf)
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0, errno
	}
	return time.Duration(t.Nano()), nil
}

// A CPUTimer sends a signal to this process when it has used some processor time. It belongs to the process
// until that ends, and no child inherits it.
type CPUTimer struct{ id int32 }

// A sigevent is struct sigevent. It is as large on all processors.
type sigevent struct {
	value  uintptr
	signal int32
	notify int32 // 0 is SIGEV_SIGNAL
	_      [64 - 8 - unsafe.Sizeof(uintptr(0))]byte
}

// NewCPUTimer returns a timer for sig, which may be SIGKILL. It is not set.
func NewCPUTimer(sig syscall.Signal) (*CPUTimer, error) {
	event := sigevent{signal: int32(sig)}
	t := new(CPUTimer)
	_, _, errno := syscall.RawSyscall(syscall.SYS_TIMER_CREATE, clockOwn, uintptr(unsafe.Pointer(&event)),
		uintptr(unsafe.Pointer(&t.id)))
	if errno != 0 {
		return nil, errno
	}
	return t, nil
}

// Set has the signal sent after the process has used d more, and each time after it has used again more
// after that. If d is 0 it is sent no more.
func (t *CPUTimer) Set(d, again time.Duration) error {
	value := [2]syscall.Timespec{syscall.NsecToTimespec(int64(again)), syscall.NsecToTimespec(int64(d))}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_TIMER_SETTIME, uintptr(t.id), 0, uintptr(unsafe.Pointer(&value)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
