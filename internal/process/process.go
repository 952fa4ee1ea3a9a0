// Package process makes the system calls about child processes that package syscall lacks. It knows
// nothing of waiting: each call returns at once, except for AwaitExec.
//
// A call about a child takes a Handle. With a pidfd it means that child and no other, for ever. With a
// process id alone it means the child as long as nobody has collected its status, which the caller has
// to see to.
package process

import "syscall"

// A Handle says which child is meant.
type Handle struct {
	Pid int
	FD  int // a pidfd, negative for none
}

// A Status is how a child has ended.
type Status struct {
	Code       int            // of exit(2), -1 after a signal
	Signal     syscall.Signal // 0 for none
	CoreDumped bool
	Usage      syscall.Rusage
}

// The values of si_code for SIGCHLD are the same on all systems.
const (
	cldExited  = 1
	cldKilled  = 2
	cldDumped  = 3
	cldStopped = 5
)

func hasEnded(code int32) bool { return code == cldExited || code == cldKilled || code == cldDumped }

// statusOf translates si_code and si_status.
func statusOf(code, status int32) Status {
	if code == cldExited {
		return Status{Code: int(status)}
	}
	return Status{Code: -1, Signal: syscall.Signal(status), CoreDumped: code == cldDumped}
}

// ignoreEINTR calls call until it has not been interrupted.
func ignoreEINTR(call func() syscall.Errno) error {
	for {
		switch errno := call(); errno {
		case syscall.EINTR:
		case 0:
			return nil
		default:
			return errno
		}
	}
}

// Signal sends sig to the child with that process id, or, if pid is negative, to its group.
func Signal(pid int, sig syscall.Signal) error {
	return ignoreEINTR(func() syscall.Errno {
		err := syscall.Kill(pid, sig)
		if err == nil {
			return 0
		}
		return err.(syscall.Errno)
	})
}
