package curio

import (
	"context"
	"math"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// NoTimeout is a duration that sets no deadline. Deadlines further out stay in force.
const NoTimeout time.Duration = math.MaxInt64

// TimeoutAfter calls fn with a context that expires after d. The blocking call that fn is in then
// fails, and so does each later one: with ErrTaskTimeout, or with ErrTimeoutCancellation if the call
// is in yet another timeout inside. If fn returns that error, or ctx.Err(), then TimeoutAfter
// returns ErrTaskTimeout, with d in its text. Other errors that fn has wrapped or joined with it
// stay where they are. In every other case TimeoutAfter returns what fn returns.
//
// If d is 0 or less, the timeout has expired before fn starts. If fn never blocks, it completes even
// then. If an outer deadline has expired as well, a blocking call in fn fails with
// ErrTimeoutCancellation, and so does TimeoutAfter if fn returns that.
//
// If fn returns the ErrTaskTimeout of a timeout inside this one, which should have been handled
// where it was set, the error is ErrUncaughtTimeout. The timeout of another task, or one that had
// expired before fn was called, is an error like any other: TimeoutAfter's error is then
// context.DeadlineExceeded and not ErrTaskTimeout.
//
// If fn succeeds after the deadline, and is late by at least a tenth of d or a second, whichever is
// less, the kernel logs it.
//
// fn's context is done when fn returns: tasks spawned with it are then cancelled. TimeoutAfter
// panics if fn is nil.
func TimeoutAfter(ctx context.Context, d time.Duration, fn func(context.Context) error) error {
	return timeout(after(ctx, d), d, fn)
}

// TimeoutAt is like TimeoutAfter, but takes a point in time. The context's Deadline returns it.
func TimeoutAt(ctx context.Context, at time.Time, fn func(context.Context) error) error {
	return timeout(wait.NewTimeoutAt(ctx, at), time.Until(at), fn)
}

// IgnoreAfter calls fn as TimeoutAfter does, but running out of time is not an error. expired
// reports whether this very deadline cut fn short, and err is what else fn has returned, or nil. So
// if fn is cut short and its clean-up fails, expired is true and err is that failure. The expiry of
// an outer timeout is not ignored.
func IgnoreAfter(ctx context.Context, d time.Duration, fn func(context.Context) error) (expired bool, err error) {
	return ignore(after(ctx, d), d, fn)
}

// IgnoreAt is like IgnoreAfter, but takes a point in time.
func IgnoreAt(ctx context.Context, at time.Time, fn func(context.Context) error) (expired bool, err error) {
	return ignore(wait.NewTimeoutAt(ctx, at), time.Until(at), fn)
}

// WithTimeout returns a context that expires after d, for straight-line code without a function.
// It works like context.WithTimeout, at a fraction of the cost. Blocking calls with the context
// that it returns fail with ErrTaskTimeout when d has passed. cancel releases the context and
// must be called.
func WithTimeout(ctx context.Context, d time.Duration) (_ context.Context, cancel context.CancelFunc) {
	s := after(ctx, d)
	return s, s.Close
}

// after opens a timeout that expires after d.
func after(ctx context.Context, d time.Duration) *wait.Scope {
	if d == NoTimeout {
		return wait.NewTimeout(ctx, 0)
	}
	return wait.NewTimeout(ctx, wait.After(d))
}

// timeout calls fn in s, a timeout of the duration that d returns, and then closes s.
func timeout(s *wait.Scope, d time.Duration, fn func(context.Context) error) error {
	defer s.Close()
	err := fn(s)
	if err == nil {
		sayIfLate(s, d)
		return nil
	}
	err, _ = outside(s, err, true)
	return withLength(s, err, d)
}

// withLength returns err, which the timeout s of the duration d returns, with that duration in
// its text if err is the expiry of s and nothing else. An error that wraps the expiry stays the
// value that it is.
func withLength(s *wait.Scope, err error, d time.Duration) error {
	if e, ok := err.(*wait.Error); ok && e.IsOwn() && e.Cause().IsOf(s) {
		return e.Cause().OwnAfter(d)
	}
	return err
}

// ignore is timeout, except that the expiry of s is not an error.
func ignore(s *wait.Scope, d time.Duration, fn func(context.Context) error) (expired bool, err error) {
	defer s.Close()
	err = fn(s)
	if err == nil {
		sayIfLate(s, d)
		return false, nil
	}
	err, expired = outside(s, err, false)
	return expired, err
}

// outside returns what err, which the function under the timeout s has returned, is outside
// of s. owned reports whether s's own ending was in it; keep says whether it stays.
func outside(s *wait.Scope, err error, keep bool) (_ error, owned bool) {
	at := s.Expires() // once: a CancelScope's may change at any time
	over := at != 0 && wait.Now() >= at
	own := ownEndingOf(s) // if over, s has ended, by itself or with a scope around it, unless it has just been moved
	over = over && s.Cause() != nil || own.cause != nil
	escaped := false
	err, _ = rewrite(err, func(err error) (error, bool) {
		if !isLeaf(err) {
			return err, false
		}
		e, ok := err.(*wait.Error)
		inside := ok && e.IsOwn() && e.Cause().Inside(s)
		if inside && over {
			err = s.Failure() // it should have been handled, but since then s has ended as well
			e, inside = err.(*wait.Error), false
		}
		switch {
		case own.owns(err) && keep:
			owned = true
			return own.cause.Own(), true
		case own.owns(err):
			owned = true
			return nil, true
		case !ok || !e.IsPositional() || e.Cause().EndedAround(s):
			return err, true // for code further out to handle, or nothing about timeouts
		}
		escaped = escaped || inside
		return e.Elsewhere(), true
	})
	if escaped {
		return &uncaught{err}, owned
	}
	return err, owned
}

// sayIfLate logs that a function under the timeout s, of the duration d, has succeeded too
// late, if it was late enough to be worth mentioning.
func sayIfLate(s *wait.Scope, d time.Duration) {
	at := s.Expires()
	if at == 0 || d <= 0 {
		return
	}
	late := time.Duration(wait.Now() - at)
	if late <= 0 || late < min(d/10, time.Second) {
		return
	}
	kernelOf(s).log().Warn("curio: a function took longer than its timeout and succeeded",
		"task", CurrentTask(s).trail(), "timeout", d, "late", late)
}
