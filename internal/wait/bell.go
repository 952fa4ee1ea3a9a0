package wait

import "time"

// A Bell calls a function at a time. It is for deadlines that somebody else sets and
// moves, and which are no scope's. Ring must be set before the first use, and the rest
// of the zero value works. Calls of Set and Stop must not overlap.
type Bell struct {
	// Ring is called in a goroutine of its own. A ring that was on its way when the bell
	// was set anew, or stopped, still comes: Ring looks whether it has something to do.
	Ring func()

	timer *time.Timer
}

// Set makes b ring at the given reading of Now, and no more at the time before.
func (b *Bell) Set(at int64) {
	d := time.Duration(at - Now())
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.Ring)
		return
	}
	b.timer.Reset(d)
}

// Stop keeps b from ringing until it is set again.
func (b *Bell) Stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}
