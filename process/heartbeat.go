package process

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio"
)

// A heartbeat keeps the Go runtime's monitor awake while a worker is busy.
//
// The monitor is what makes a goroutine that computes give way to others. When all processors of the
// runtime are idle, it goes to sleep, until the next timer, a minute at most, and is woken by system calls,
// but not by the poller (go1.26, sysmon in runtime/proc.go). Our link is read by system calls of which the
// runtime does not know, so a call could come and compute while the monitor sleeps. With one processor, as
// a worker has, nothing else would run then: neither what handles a signal nor what reads the link, for up
// to a minute.
type heartbeat struct {
	isBusy func() bool // a call runs
	beats  atomic.Bool
	calls  atomic.Uint64
	start  curio.Event
}

// interval is how long the monitor may sleep in the middle of a call.
const interval = 50 * time.Millisecond

// begin is called when a call begins, before its goroutine.
func (h *heartbeat) begin() {
	h.calls.Add(1)
	if h.beats.Swap(true) {
		return
	}
	var s syscall.Stat_t
	_ = syscall.Fstat(0, &s) // a system call of which the runtime knows
	h.start.Set()
}

// run beats, which is to have a timer, while there are calls.
func (h *heartbeat) run(ctx context.Context) error {
	for {
		if err := h.start.Wait(ctx); err != nil {
			return err
		}
		h.start.Clear()
		for last := false; !last; {
			before := h.calls.Load()
			if err := curio.Sleep(ctx, interval); err != nil {
				return err
			}
			if before == h.calls.Load() && !h.isBusy() {
				h.beats.Store(false)
				last = before == h.calls.Load() // else one has begun that has seen it beat
			}
		}
	}
}
