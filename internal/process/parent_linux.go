package process

import "syscall"

const setDeathSignal = 1 // PR_SET_PDEATHSIG

// SignalAtParentsDeath has the system send sig to this process when the thread that has started it ends: prctl(2). It holds
// for the calling thread, and so as long as that lives: call it on the first thread of the process, as an init
// function is. It is too late if the parent has gone already.
func SignalAtParentsDeath(sig syscall.Signal) error {
	return ignoreEINTR(func() syscall.Errno {
		_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setDeathSignal, uintptr(sig), 0)
		return errno
	})
}
