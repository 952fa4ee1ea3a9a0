package wait

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Cause is why a scope was cancelled: what, who, where, when and why. It is
// made once, shared by every scope below and every error that comes of it, and
// never changed.
//
// Errors are kept for a long time, in logs and results. So a Cause identifies its scope and
// its task by numbers: pointers would keep both in memory.
type Cause struct {
	Kind   CauseKind
	Named  bool         // Reason is the name of a deadline: errors.Is finds it, see Error.Is
	late   bool         // a deadline that passed
	By     fmt.Stringer // names the task that did it, nil for none; does not keep it in memory
	PC     uintptr      // the call that did it
	Reason error        // why, if somebody said
	At     int64

	of     uint64     // identity of the scope that was itself cancelled, 0 for a foreign cause
	task   uint64     // ID of that scope's task, 0 for none
	around *[4]uint64 // set for an expiry: see timeoutsAround
	views  [len(sentinels)]Error
}

// CauseKind is what happened.
type CauseKind uint8

// What can end a scope.
const (
	Cancelled CauseKind = iota // somebody called Cancel
	Expired                    // its deadline came
	Failed                     // a member of the group failed
	Essential                  // an essential task failed
	Shutdown                   // the kernel shuts down
	Ended                      // the function that the scope was made for has returned
	Foreign                    // a context that is not ours ended
	Asked                      // it, or a scope around it, was asked to stop
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
	c := &Cause{Kind: kind, Reason: reason, At: Now()}
	if s != nil {
		c.of = s.identity()
		if s.owner != nil {
			c.task = s.owner.ID
		}
	}
	for i := range c.views {
		c.views[i] = Error{kind: sentinels[i], cause: c}
	}
	return c
}

// expired is the cause of s when its deadline has come, however late that is noticed.
func expired(s *Scope) *Cause {
	c := NewCause(s, Expired, s.limitName())
	c.At, c.late, c.Named = s.Expires(), true, c.Reason != nil
	c.around = s.timeoutsAround()
	return c
}

// timeoutsAround returns the identities of the innermost timeouts around s in the same
// task, so that they can tell an expiry inside them from an old one that somebody has kept.
// It is called once per expiry, so it does not go all the way up: a function more than four
// timeouts further out takes the expiry for an old one.
func (s *Scope) timeoutsAround() *[4]uint64 {
	var ids [4]uint64
	n := 0
	p := s
	for range 16 * len(ids) {
		if p.kind == Task || p.kind == Kernel || n == len(ids) {
			break
		}
		if p = p.parent.Load(); p == nil {
			break
		}
		if p.kind == Timeout {
			ids[n] = p.identity()
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &ids
}

// lastIdentity is the identity that was given out last.
var lastIdentity atomic.Uint64

// identity returns a number that no other scope has. It is made on the first call, as most
// scopes end without anybody asking.
func (s *Scope) identity() uint64 {
	id := s.id.Load()
	if id == 0 {
		s.id.CompareAndSwap(0, lastIdentity.Add(1))
		id = s.id.Load()
	}
	return id
}

// foreignCause returns why ctx, a context that is not ours, is done. If it ended with a
// scope of ours that it was derived from, that scope's cause counts; derived is the
// innermost such scope. Otherwise ctx.Err says whether it is a cancellation or a deadline.
// context.Cause is only a reason: programs cancel because of somebody else's timeout.
func foreignCause(ctx context.Context, derived *Scope) *Cause {
	reason := context.Cause(ctx)
	if c := derived.causeIn(reason); c != nil {
		return c
	}
	c := NewCause(nil, Foreign, reason)
	c.late = errors.Is(ctx.Err(), context.DeadlineExceeded)
	c.Named = c.late
	return c
}

// causeIn returns the cause of s, or of a scope further out, with which a foreign context that
// was derived from s has ended; nil if it has ended by itself. reason is its context.Cause.
func (s *Scope) causeIn(reason error) *Cause {
	if e, ok := reason.(*Error); ok && s.endedBy(e.cause) {
		return e.cause
	}
	return nil
}

// endedBy reports whether c is the cause of s or of a scope further out.
func (s *Scope) endedBy(c *Cause) bool {
	for p := s; p != nil; p = p.parent.Load() {
		if p.cause.Load() == c {
			return true
		}
	}
	return false
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
	errElsewhere = &sentinel{
		text: "curio: timed out",
		is:   []error{context.DeadlineExceeded},
	}
)

// What a cause looks like depends on where one stands.
const (
	asTask  = iota // in a task that was cancelled
	asOwn          // directly in the timeout that expired
	asInner        // in another timeout inside of that one
	asScope        // in what was cancelled without its task being cancelled
	asForeign
	asElsewhere // a timeout of another task, or of this one long ago
)

var sentinels = [...]*sentinel{
	errTaskCancelled, errTaskTimeout, errTimeoutCancellation, errScopeCancelled, errForeignTimeout, errElsewhere,
}

// An Error is a cause as seen from some scope. All those who see the same share
// one, so that failing costs no allocation.
//
// It unwraps to nothing. The reason for a cancellation is for people to read, and
// WhoCancelled returns it. If errors.Is found the reason, a task that is cancelled because
// another one met io.EOF would take that for the end of its own file.
type Error struct {
	kind  *sentinel
	cause *Cause
	after time.Duration // how long the timeout was, 0 if that is not known
}

// Is reports whether target is one of the errors that e stands for. The name of a deadline
// is one of them: a limit's name, or the cause given to context.WithTimeoutCause. A name is
// not a reason, but says which deadline it is. Even so, it never makes e the caller's own
// timeout.
//
// A task that the deadline of a foreign context has ended was cancelled, but its context's
// Err is context.DeadlineExceeded, so that matches too.
func (e *Error) Is(target error) bool {
	c := e.cause
	return target == e.kind || e.kind.Is(target) ||
		c.Named && !isEnding(target) && errors.Is(c.Reason, target) ||
		c.Kind == Foreign && c.late && target == context.DeadlineExceeded
}

// isEnding reports whether target is an error by which a caller recognises that its own
// context, task or timeout has ended.
func isEnding(target error) bool {
	switch target {
	case errCancelled, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded:
		return true
	}
	s, ok := target.(*sentinel)
	return ok && slices.Contains(sentinels[:], s)
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
	if e.after > 0 {
		text += " after " + rounded(e.after).String()
	}
	switch c.Kind {
	case Ended:
		text += ": the function that the context was made for has returned"
	case Shutdown:
		text += " by the shutdown of its kernel"
	case Failed:
		text += " because a member of its group failed"
	case Essential:
		text += " because an essential task failed"
	}
	if by := c.Who(); by != "" {
		text += " by " + by
	}
	if where := c.Where(); where != "" {
		text += " at " + where
	}
	if c.Reason != nil {
		text += ": " + strings.TrimPrefix(c.Reason.Error(), "curio: ")
	}
	return text
}

// Text is a By whose text is known beforehand.
type Text string

func (t Text) String() string { return string(t) }

// Who: the name of the task that cancelled, "" for none.
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
func (c *Cause) IsOf(s *Scope) bool { return c.of != 0 && c.of == s.id.Load() }

// Inside reports whether c is the expiry of a timeout that was set inside of s, in the
// same task.
func (c *Cause) Inside(s *Scope) bool {
	id := s.id.Load()
	return id != 0 && c.around != nil && slices.Contains(c.around[:], id)
}

// EndedAround reports whether c has cancelled a scope around s.
func (c *Cause) EndedAround(s *Scope) bool { return s.parent.Load().endedBy(c) }

// Late reports whether c is a deadline that has passed, no matter who set it.
func (c *Cause) Late() bool { return c.late }

// Task returns the ID of the task whose scope was cancelled, 0 for none.
func (c *Cause) Task() uint64 { return c.task }

// Own returns c as it looks directly in the timeout that expired or was cancelled.
func (c *Cause) Own() error {
	if c.Kind == Expired {
		return &c.views[asOwn]
	}
	return &c.views[asScope]
}

// OwnAfter is Own, for an expiry, with the length of the timeout in its text. The causes
// themselves do not know it: that would make every scope larger.
func (c *Cause) OwnAfter(d time.Duration) error {
	return &Error{kind: errTaskTimeout, cause: c, after: d}
}

// rounded is d with four or five digits: a length that was worked out from a point in time is a
// little less than was meant.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for unit <= d/10_000 {
		unit *= 10
	}
	return d.Round(unit)
}

// AsTask returns c as it looks in a task that it has cancelled.
func (c *Cause) AsTask() error { return &c.views[asTask] }

// IsOwn reports whether e is a timeout's expiry as seen directly inside of it.
func (e *Error) IsOwn() bool { return e.kind == errTaskTimeout }

// IsPositional reports whether e describes a timeout relative to the caller: as its own, or
// as one around its own. Only code inside that timeout can make sense of it.
func (e *Error) IsPositional() bool {
	return e.kind == errTaskTimeout || e.kind == errTimeoutCancellation
}

// Elsewhere returns e as it looks to code in other timeouts.
func (e *Error) Elsewhere() error { return &e.cause.views[asElsewhere] }

// Failure is the error with which an operation in s ends. It is called when s has
// been cancelled or its deadline has passed.
//
// Of the scopes around s in the same task that have ended, the outermost counts:
// a task that was cancelled reports that and not the timeout that it was in, and
// if two timeouts have expired, the inner one sees that the outer one has. It is
// worked out afresh for each operation, since an outer scope may end later.
func (s *Scope) Failure() error {
	s.look()
	return s.failureBy((*source).endedWithOurs)
}

// failureBy is Failure for a scope that has ended. It uses endedWithOurs to find out about
// the foreign contexts on the way up.
func (s *Scope) failureBy(endedWithOurs func(*source, *Scope) bool) error {
	of := s
	timeouts, inside := 0, 0 // timeouts passed on the way up; the ones among them inside of the outermost
	window := false
	for p := s; p != nil; p = p.outer(&window, endedWithOurs) {
		if at := p.Expires(); at != 0 && p.cause.Load() == nil && Now() >= at {
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
	return &c.views[c.seenFrom(of, inside)]
}

// outer is the next scope outwards that can have cancelled what is in s, within the
// task; nil if there is none.
func (s *Scope) outer(window *bool, endedWithOurs func(*source, *Scope) bool) *Scope {
	if s.kind == Task || s.kind == Kernel {
		return nil
	}
	src := s.sources
	if s.movable() != nil {
		src = src.next
	}
	if s.detached && s.kind != Shield && endedWithOurs(src, s) {
		return s.parent.Load()
	}
	return s.canceller(window)
}

// endedWithOurs reports whether src, a foreign context that ends s, has itself ended with a
// scope of ours that it was derived from.
func (src *source) endedWithOurs(s *Scope) bool {
	if src == nil || src.scope != s || src.derived == nil || src.derived.cause.Load() == nil || src.ctx.Err() == nil {
		return false
	}
	return src.derived.causeIn(context.Cause(src.ctx)) != nil
}

// knownToEndWithOurs is endedWithOurs for a goroutine that must not call a foreign context:
// the one that cancels s and tells its twin why. For such a context the cause that ended s
// first counts.
func (src *source) knownToEndWithOurs(s *Scope) bool {
	if src == nil || src.scope != s || trusted(src.ctx) {
		return src.endedWithOurs(s)
	}
	return src.derived.endedBy(s.cause.Load())
}

// seenFrom is how c looks in scopes under of, which it cancelled, with inside more timeouts
// around them.
func (c *Cause) seenFrom(of *Scope, inside int) int {
	switch {
	case of.kind == Task:
		return asTask
	case c.Kind == Expired && c.IsOf(of) && inside == 0:
		return asOwn
	case c.Kind == Expired:
		return asInner
	case c.late:
		return asForeign
	}
	return asScope
}

// foreignFailure is the error with which an operation ends whose context is a
// foreign one that has ended.
func (p Place) foreignFailure() error {
	if p.scope.causeIn(context.Cause(p.foreign)) != nil {
		return p.scope.Failure() // it ended with the scope it was derived from
	}
	c := foreignCause(p.foreign, p.scope)
	if c.late {
		return &c.views[asForeign]
	}
	return &c.views[asScope]
}
