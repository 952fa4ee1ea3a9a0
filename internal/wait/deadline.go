package wait

import "time"

// This file is for waits in a call that nothing but a deadline gets a goroutine out of: in the
// runtime's poller, or in a net.Conn. A deadline is the descriptor's or the connection's, not the
// operation's. So the waiter decides whose it is:
//
//	scope                                operation
//	claims the waiter                    returns from the call, for whatever reason
//	sets the deadline to the past        tries to claim the waiter
//	wakes the waiter                       won:  no deadline was set, none will be
//	  (these two are InterruptBy)          lost: sleeps until the waiter is woken,
//	                                             then clears the deadline
//	                                         (this is EndBy)
//	                                     passes the turn on
//
// A deadline is only ever set between a claim and its wake, and the operation that it is meant
// for holds the turn of its direction all that time. So no other operation meets it. If the call
// has completed all the same, the operation has succeeded.

// Past is a deadline that has expired, whatever the clock says.
var Past = time.Unix(1, 0)

// InterruptBy is how an Interrupter gets the goroutine of w out of its call. set sets a deadline.
// It may fail, because the descriptor or connection has been closed; then nobody stays in a call.
func (w *Waiter) InterruptBy(set func(time.Time) error) {
	_ = set(Past)
	w.Wake()
}

// EndBy is End for a wait that is interrupted by InterruptBy. When it returns, no deadline is set.
func (w *Waiter) EndBy(set func(time.Time) error) (ok bool) {
	ok = w.End() // after this, Interrupt is through
	if !ok {
		_ = set(time.Time{})
	}
	return ok
}
