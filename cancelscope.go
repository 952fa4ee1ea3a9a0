package curio

import (
	"context"
	"sync"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A CancelScope runs a function that can be cancelled from outside, and whose deadline can be set,
// moved and removed while it runs. The tasks that the function spawns with its context belong to the
// scope. The zero value is ready for use and has no deadline. A CancelScope is for one call of Run
// and must not be copied. All methods are safe for concurrent use, by tasks and by any goroutine.
// Only Run blocks.
//
// To end a function when nothing has come for a minute, call SetTimeout each time that something
// comes:
//
//	var idle curio.CancelScope
//	idle.SetTimeout(time.Minute)
//	expired, err := idle.Ignore(idle.Run(ctx, func(ctx context.Context) error {
//		for {
//			line, err := lines.ReadLine(ctx)
//			if err != nil {
//				return err
//			}
//			idle.SetTimeout(time.Minute)
//			// …
//		}
//	}))
//
// It is Trio's CancelScope. If nothing has to be moved or cancelled, TimeoutAfter and IgnoreAfter
// are shorter and cost less.
type CancelScope struct {
	mu    sync.Mutex
	begun bool        // Run has been called
	over  bool        // Run has returned
	scope *wait.Scope // of the function; nil before Run and after it

	// What was asked for before Run, and what is left after it.
	cause    *wait.Cause   // nil if c was not cancelled
	deadline time.Time     // the zero time for none
	relative bool          // the deadline is timeout after the call of Run
	timeout  time.Duration // see relative
}

// Run calls fn with a context that is done when c is cancelled or its deadline passes. The blocking
// call that fn is in then fails, and so does each later one. After a deadline, they fail as under
// TimeoutAfter: with ErrTaskTimeout, or with ErrTimeoutCancellation inside another timeout. After
// Cancel, the error is ErrCancelled and context.Canceled, and WhoCancelled answers for it.
//
// If fn returns such an error, or ctx.Err(), Run returns it; Ignore separates it from other
// errors. Everything else is as with TimeoutAfter: what fn has wrapped or joined stays where it
// is, and if fn succeeds, Run returns nil. If c was cancelled before Run, or its deadline has
// passed, fn is called with a context that is done.
//
// The Deadline method of fn's context does not return the deadline of c, because a context's
// deadline must never change. The context is done when fn returns, so tasks spawned with it are then
// cancelled. Run panics if fn is nil, and if it is called a second time.
func (c *CancelScope) Run(ctx context.Context, fn func(context.Context) error) error {
	if fn == nil {
		panic("curio: CancelScope.Run of a nil function")
	}
	c.begin()
	s := wait.NewMovable(ctx)
	defer c.end(s)
	began := wait.Now()
	c.open(s, began)
	err := fn(s)
	length := time.Duration(s.Expires() - began)
	if err == nil {
		sayIfLate(s, length)
		return nil
	}
	err, _ = outside(s, err, true)
	return withLength(s, err, length)
}

// begin refuses a second Run.
func (c *CancelScope) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun {
		panic("curio: CancelScope.Run called a second time; each call needs a CancelScope of its own")
	}
	c.begun = true
}

// open makes s the scope of c, and does what was asked for before. That is one step, so that a
// later SetDeadline is not undone.
func (c *CancelScope) open(s *wait.Scope, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scope = s
	if early := c.cause; early != nil { // it came before the deadline, even if that has passed since then
		cause := wait.NewCause(s, early.Kind, early.Reason)
		cause.PC, cause.At = early.PC, early.At
		s.Cancel(cause)
	}
	switch {
	case c.relative:
		s.Move(dueAfter(now, c.timeout), time.Time{})
	case !c.deadline.IsZero():
		s.Move(wait.Until(c.deadline), c.deadline)
	}
}

// end closes s, and keeps what the methods tell later.
func (c *CancelScope) end(s *wait.Scope) {
	s.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scope, c.over = nil, true
	c.deadline, c.relative = s.MovedTo(), false
	c.cause = nil
	if cause := s.Cause(); cause.IsOf(s) {
		c.cause = cause
	}
}

// dueAfter returns the time d after now, as readings of wait.Now, 0 for NoTimeout.
func dueAfter(now int64, d time.Duration) int64 {
	if d == NoTimeout {
		return 0
	}
	return wait.Add(now, d)
}

// Cancel cancels the function that Run calls or will call, without waiting for it to end. A reason,
// if one is given, is in the text of the errors, and WhoCancelled returns it, but errors.Is does not
// find it in them. did reports whether this call has cancelled c. did is false if c was cancelled or
// has expired before, if the context around it is done, and after Run.
func (c *CancelScope) Cancel(reason ...error) (did bool) {
	c.mu.Lock()
	s := c.scope
	cause := wait.NewCause(s, wait.Cancelled, nil)
	cause.PC = caller(3)
	if len(reason) > 0 {
		cause.Reason = reason[0]
	}
	if s == nil && !c.over && c.cause == nil {
		c.cause, did = cause, true
	}
	c.mu.Unlock()
	if s != nil && s.Err() == nil { // which looks at the deadline, and at what is around s
		did = s.Cancel(cause)
	}
	return did
}

// SetDeadline sets or replaces the deadline of c. The zero time means no deadline, as in package
// net. A time that has passed ends the function at once. ok is false, and nothing changes, if it is
// too late: the deadline has passed, c was cancelled, the context around it is done, or Run has
// returned.
func (c *CancelScope) SetDeadline(at time.Time) (ok bool) {
	due := int64(0)
	if !at.IsZero() {
		due = wait.Until(at)
	}
	return c.move(due, at, false, 0)
}

// SetTimeout sets the deadline of c to d from now or, before Run, to d from the call of Run.
// NoTimeout removes the deadline. If d is 0 or less, c expires at once. ok is false if it is too
// late, as with SetDeadline.
func (c *CancelScope) SetTimeout(d time.Duration) (ok bool) {
	return c.move(dueAfter(wait.Now(), d), time.Time{}, d != NoTimeout, d)
}

func (c *CancelScope) move(due int64, at time.Time, relative bool, timeout time.Duration) (ok bool) {
	c.mu.Lock()
	s := c.scope
	if s == nil && !c.over && c.cause == nil {
		c.deadline, c.relative, c.timeout, ok = at, relative, timeout, true
	}
	c.mu.Unlock()
	if s != nil {
		ok = s.Move(due, at)
	}
	return ok
}

// Deadline returns the time at which c expires. ok is false if c has no deadline. Before Run, ok is
// also false after SetTimeout, since the time is not known yet.
func (c *CancelScope) Deadline() (at time.Time, ok bool) {
	c.mu.Lock()
	s, at := c.scope, c.deadline
	c.mu.Unlock()
	if s != nil {
		at = s.MovedTo()
	}
	return at, !at.IsZero()
}

// Err returns the error by which c itself has ended the function. It is ErrTaskTimeout if the
// deadline of c has passed. If c was cancelled, it is an error that is ErrCancelled and that
// WhoCancelled answers for. Otherwise Err returns nil, even when the context around c is done, and
// even when the function has returned. The answer does not change any more once Run has returned.
func (c *CancelScope) Err() error {
	if cause := c.ended(); cause != nil {
		return cause.Own()
	}
	return nil
}

// ended returns why c itself has ended, nil if it has not.
func (c *CancelScope) ended() *wait.Cause {
	c.mu.Lock()
	s, cause := c.scope, c.cause
	c.mu.Unlock()
	if s != nil {
		cause = ownEndingOf(s).cause
	}
	return cause
}

// Ignore removes from err, the error that Run has returned, what c itself has ended. ended reports
// whether there was any such error, and rest is what remains of err, or nil. Only the ending of this
// scope is removed: other timeouts and cancellations stay.
//
//	ended, err := scope.Ignore(scope.Run(ctx, fn))
func (c *CancelScope) Ignore(err error) (ended bool, rest error) {
	cause := c.ended()
	if err == nil || cause == nil {
		return false, err
	}
	rest, ended = takeOut(err, func(leaf error) bool {
		e, ok := leaf.(*wait.Error)
		return ok && e.Cause() == cause
	})
	return ended, rest
}
