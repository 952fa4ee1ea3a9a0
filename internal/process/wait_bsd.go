//go:build darwin || freebsd

package process

import (
	"errors"
	"sync"
	"syscall"
)

// A siginfo is a siginfo_t, as waitid(2) and wait6(2) fill it: signal, errno, code, pid, uid, status.
type siginfo [32]int32

// HasEnded reports whether the child has ended and its status is still there to be collected. The error
// is ECHILD if it has ended and somebody else has the status. On macOS the call also tells of a stopped
// child, although it was not asked for that.
func (h Handle) HasEnded() (ended bool, err error) {
	info, err := h.peek(wExited)
	return err == nil && hasEnded(info[2]), err
}

// IsStopped reports whether the child is stopped.
func (h Handle) IsStopped() bool {
	info, err := h.peek(wStopped)
	return err == nil && info[2] == cldStopped
}

// Collect takes the child's status, if it has ended. The error is ECHILD if somebody else has it.
func (h Handle) Collect() (s Status, ended bool, err error) {
	var status syscall.WaitStatus
	var usage syscall.Rusage
	var pid int
	for {
		pid, err = syscall.Wait4(h.Pid, &status, syscall.WNOHANG, &usage)
		if err != syscall.EINTR {
			break
		}
	}
	switch {
	case err != nil || pid != h.Pid || !status.Exited() && !status.Signaled(): // the last: we trace it, and it is stopped
		return Status{}, false, err
	case status.Signaled():
		s = Status{Code: -1, Signal: status.Signal(), CoreDumped: status.CoreDump()}
	default:
		s = Status{Code: status.ExitStatus()}
	}
	s.Usage = usage
	return s, true, nil
}

// There are no pidfds here.

// OpenPidfd fails.
func OpenPidfd(int) (fd int, err error) { return -1, errors.ErrUnsupported }

// SignalPidfd fails.
func SignalPidfd(int, syscall.Signal) error { return errors.ErrUnsupported }

// SignalGroup fails.
func SignalGroup(int, syscall.Signal) error { return errors.ErrUnsupported }

// MakeNonblocking fails.
func MakeNonblocking(int) error { return errors.ErrUnsupported }

// Pidfds reports whether this system has pidfds.
var Pidfds = sync.OnceValue(func() bool { return false })

// GroupsByPidfd reports whether SignalGroup works.
var GroupsByPidfd = sync.OnceValue(func() bool { return false })
