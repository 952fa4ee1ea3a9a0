package wait

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// A Cause is why a scope was cancelled: what, who, where, when and why. It is
// made once, shared by every scope below and every error that comes of it, and
// never changed.
type Cause struct {
	Kind   CauseKind
	By     fmt.Stringer // names the task that did it, nil for none; keeps no task
	PC     uintptr      // the call that did it
	Reason error        // why, if somebody said
	At     int64

	scope *Scope // whose own cancellation it is; nil for one from a foreign context
	views [len(sentinels)]Error
}

// CauseKind is what happened.
type CauseKind uint8

// What can end a scope.
const (
	Cancelled CauseKind = iota // somebody called Cancel
	Expired                    // its deadline came
	Failed                     // a member of the group failed
	Shutdown                   // the kernel shuts down
	Ended                      // the function that the scope was made for has returned
	Foreign                    // a context that is not ours ended
)

// ended is every scope's cause that ends by being closed. It is made once, so it
// cannot say when.
var ended = endedCause()

func endedCause() *Cause {
	c := NewCause(nil, Ended, nil)
	c.At = 0
	return c
}

// NewCause returns a cause for cancelling s.
func NewCause(s *Scope, kind CauseKind, reason error) *Cause {
	c := &Cause{Kind: kind, Reason: reason, At: Now(), scope: s}
	for i := range c.views {
		c.views[i] = Error{kind: sentinels[i], cause: c}
	}
	return c
}

// expired is the cause of s when its deadline has come, however late that is noticed.
func expired(s *Scope) *Cause {
	c := NewCause(s, Expired, nil)
	c.At = s.expires
	return c
}

// foreignCause says why ctx, a context that is not ours, ended. If it ended with
// a scope of ours, that scope's cause is what counts.
func foreignCause(ctx context.Context) *Cause {
	reason := context.Cause(ctx)
	if e, ok := reason.(*Error); ok {
		return e.cause
	}
	return NewCause(nil, Foreign, reason)
}

func (c *Cause) deadline() bool {
	return c.Kind == Expired || c.Kind == Foreign && errors.Is(c.Reason, context.DeadlineExceeded)
}

// A sentinel is one of the errors of this package: what errors.Is compares with.
type sentinel struct {
	text string
	is   []error
}

func (s *sentinel) Error() string { return s.text }

func (s *sentinel) Is(target error) bool {
	return slices.Contains(s.is, target)
}

// Timeout makes ErrTaskTimeout a timeout for package net and its kind.
func (s *sentinel) Timeout() bool { return s.Is(os.ErrDeadlineExceeded) }

// The errors of cancelled operations. The root package exports and documents
// them.
var (
	ErrCancelled error = errCancelled

	ErrTaskCancelled       error = errTaskCancelled
	ErrTaskTimeout         error = errTaskTimeout
	ErrTimeoutCancellation error = errTimeoutCancellation
)

var (
	errCancelled     = &sentinel{text: "curio: cancelled"}
	errTaskCancelled = &sentinel{
		text: "curio: task cancelled",
		is:   []error{errCancelled, context.Canceled},
	}
	errTaskTimeout = &sentinel{
		text: "curio: timed out",
		is:   []error{errCancelled, context.DeadlineExceeded, os.ErrDeadlineExceeded},
	}
	errTimeoutCancellation = &sentinel{
		text: "curio: cancelled by an outer timeout",
		is:   []error{errCancelled, context.DeadlineExceeded},
	}
	errScopeCancelled = &sentinel{
		text: "curio: cancelled",
		is:   []error{errCancelled, context.Canceled},
	}
	errForeignTimeout = &sentinel{
		text: "curio: cancelled by its context",
		is:   []error{errCancelled, context.DeadlineExceeded, os.ErrDeadlineExceeded},
	}
)

// What a cause looks like depends on where one stands.
const (
	asTask  = iota // in a task that was cancelled
	asOwn          // directly in the timeout that expired
	asInner        // in another timeout inside of that one
	asScope        // in what was cancelled without its task being cancelled
	asForeign
)

var sentinels = [...]*sentinel{errTaskCancelled, errTaskTimeout, errTimeoutCancellation, errScopeCancelled, errForeignTimeout}

// An Error is a cause as seen from some scope. All those who see the same share
// one, so that failing costs no allocation.
type Error struct {
	kind  *sentinel
	cause *Cause
}

// Is reports whether target is one of the errors that e stands for.
func (e *Error) Is(target error) bool { return target == e.kind || e.kind.Is(target) }

// Unwrap is the reason that was given. When a member of a group failed, that is its
// error, unless it timed out or the like: its siblings have not.
func (e *Error) Unwrap() error {
	if e.cause.Kind == Failed && errors.Is(e.cause.Reason, ErrCancelled) {
		return nil
	}
	return e.cause.Reason
}

// Timeout reports whether it is the caller's own time that is up.
func (e *Error) Timeout() bool { return e.kind.Timeout() }

// Temporary is there for net.Error; nothing is gained by trying again.
func (e *Error) Temporary() bool { return false }

// Cause returns what happened.
func (e *Error) Cause() *Cause { return e.cause }

func (e *Error) Error() string {
	c := e.cause
	text := e.kind.text
	switch c.Kind {
	case Ended:
		text += ": the function that the context was made for has returned"
	case Shutdown:
		text += " by the shutdown of its kernel"
	case Failed:
		text += " because a member of its group failed"
	}
	if by := c.Who(); by != "" {
		text += " by " + by
	}
	if where := c.Where(); where != "" {
		text += " at " + where
	}
	if c.Reason != nil {
		text += ": " + c.Reason.Error()
	}
	return text
}

// Text is a By that is known beforehand.
type Text string

func (t Text) String() string { return string(t) }

// Who is the task that cancelled, "" if it was none.
func (c *Cause) Who() string {
	if c.By == nil {
		return ""
	}
	return c.By.String()
}

// Where is the file and line of the call that cancelled, "" if nobody called.
func (c *Cause) Where() string {
	if c.PC == 0 {
		return ""
	}
	f, _ := runtime.CallersFrames([]uintptr{c.PC}).Next()
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// When is the time at which it happened, the zero time if that is not known.
func (c *Cause) When() time.Time {
	if c.At == 0 {
		return time.Time{}
	}
	return Time(c.At)
}

// IsOf reports whether it was s's own deadline or cancellation.
func (c *Cause) IsOf(s *Scope) bool { return c.scope == s }

// Inside reports whether c came from a scope of o's task.
func (c *Cause) Inside(o *Owner) bool { return c.scope != nil && c.scope.owner == o }

// Own returns c as it looks directly in the timeout that expired.
func (c *Cause) Own() error { return &c.views[asOwn] }

// IsOwn reports whether e is a timeout's expiry as seen directly inside of it.
func (e *Error) IsOwn() bool { return e.kind == errTaskTimeout }

// Expire cancels s, whose deadline has passed, and returns the error with which
// an operation in it ends.
func (s *Scope) Expire() error {
	s.expire()
	return s.failure()
}

// failure is the error with which an operation in s ends. It is called when s has
// been cancelled or its deadline has passed.
//
// Of the scopes around s in the same task that have ended, the outermost counts:
// a task that was cancelled reports that and not the timeout that it was in, and
// if two timeouts have expired, the inner one sees that the outer one has. It is
// worked out afresh for each operation, since an outer scope may end later.
func (s *Scope) failure() error {
	if c := s.clock; c != nil && Now() >= c.expires {
		c.expire()
	}
	of := s
	timeouts, inside := 0, 0 // timeouts passed on the way up; those of them inside of the outermost
	window := false
	for p := s; p != nil; p = p.outer(&window) {
		if p.expires != 0 && Now() >= p.expires {
			p.expire()
		}
		if p.cause.Load() != nil {
			of, inside = p, timeouts
		}
		if p.kind == Timeout {
			timeouts++
		}
	}
	c := of.cause.Load()
	if c == nil {
		// A timeout above the task has expired in this moment, and somebody is
		// pushing that down and has not come here yet.
		c = s.clock.cause.Load()
		if s.owner != nil {
			s.owner.Cancel(c) // so that the task has been cancelled, if it ends with this
		}
		return &c.views[asTask]
	}
	return &c.views[c.seenFrom(of, inside)]
}

// outer is the next scope outwards that can have cancelled what is in s, within the
// task; nil if there is none.
func (s *Scope) outer(window *bool) *Scope {
	if s.kind == Task || s.kind == Kernel {
		return nil
	}
	if s.detached && s.kind != Shield && s.base != nil && s.base.Err() != nil && foreignCause(s.base).scope != nil {
		return s.parent.Load() // the context in between is foreign, but has ended with ours
	}
	return s.canceller(window)
}

// seenFrom is how c looks in scopes under of, which it cancelled, with so many
// more timeouts around them.
func (c *Cause) seenFrom(of *Scope, inside int) int {
	switch {
	case of.kind == Task:
		return asTask
	case c.Kind == Expired && c.scope == of && inside == 0:
		return asOwn
	case c.Kind == Expired:
		return asInner
	case c.deadline():
		return asForeign
	}
	return asScope
}

// foreignFailure is the error with which an operation ends whose context is a
// foreign one that has ended.
func (p Place) foreignFailure() error {
	c := foreignCause(p.foreign)
	switch {
	case c.scope != nil && p.scope != nil && p.scope.cause.Load() != nil:
		return p.scope.failure() // it ended with the scope it was derived from
	case c.deadline():
		return &c.views[asForeign]
	}
	return &c.views[asScope]
}
