package process

const (
	byPid    = 0
	wNoHang  = 0x1
	wStopped = 0x2
	wNoWait  = 0x8
	wExited  = 0x10
)

// A siginfo is a siginfo_t, as it is after wait6: signal, errno, code, pid, uid, status.
type siginfo [32]int32

// HasEnded reports whether the child has ended and its status is still there to be collected. The error
// is ECHILD if it has ended and somebody else has the status.
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
const RusageUnit = 1024
