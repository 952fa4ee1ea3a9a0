package curio

import (
	"context"
	"math"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// NoTimeout, given to a function of this file as its duration, sets no deadline:
// those further out stay in force.
const NoTimeout time.Duration = math.MaxInt64

// TimeoutAfter calls fn with a context that expires after d. When it does, the
// blocking call that fn is in ends with ErrTaskTimeout, or ErrTimeoutCancellation
// if that call is in yet another timeout, and so does each later one. If fn
// returns that error, or what ctx.Err returns, then TimeoutAfter returns ErrTaskTimeout.
// Other errors that fn has wrapped or joined with it stay where they are. In every other
// case TimeoutAfter returns what fn does.
//
// A d of 0 or less has expired before fn starts. If fn never blocks, it completes
// all the same. A blocking call in fn that fails when an outer deadline has expired as
// well fails with ErrTimeoutCancellation, and so does TimeoutAfter if fn returns that.
//
// If fn returns the ErrTaskTimeout of a timeout inside of this one, which that
// one's caller should have handled, the error is ErrUncaughtTimeout. The timeout of
// another task, or one that had expired before fn was called, is an error like any other:
// what TimeoutAfter returns is context.DeadlineExceeded then and not ErrTaskTimeout.
//
// If fn succeeds after the deadline, late by a tenth of d or by a second, whichever is
// less, the kernel's log says so.
//
// The context ends when fn returns: tasks spawned with it are then cancelled.
func TimeoutAfter(ctx context.Context, d time.Duration, fn func(context.Context) error) error {
	return timeout(after(ctx, d), d, fn)
}

// TimeoutAt is TimeoutAfter with a point in time. The context's Deadline returns it.
func TimeoutAt(ctx context.Context, at time.Time, fn func(context.Context) error) error {
	return timeout(wait.NewTimeoutAt(ctx, at), time.Until(at), fn)
}

// IgnoreAfter is TimeoutAfter for when it is no error to run out of time: expired is true
// if fn was cut short by this very deadline, and err is what fn has returned besides, nil
// for nothing. So if the clean-up of what was cut short fails, expired is true and err is
// that failure. The expiry of an outer timeout is not ignored.
func IgnoreAfter(ctx context.Context, d time.Duration, fn func(context.Context) error) (expired bool, err error) {
	return ignore(after(ctx, d), d, fn)
}

// IgnoreAt is IgnoreAfter with a point in time.
func IgnoreAt(ctx context.Context, at time.Time, fn func(context.Context) error) (expired bool, err error) {
	return ignore(wait.NewTimeoutAt(ctx, at), time.Until(at), fn)
}

// WithTimeout is TimeoutAfter for straight-line code, in the manner of
// context.WithTimeout, at a fraction of the cost. Blocking calls with the context
// that it returns end with ErrTaskTimeout when d has passed. cancel ends the
// context and must be called.
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

// timeout calls fn in s, a timeout of the duration d, and ends it.
func timeout(s *wait.Scope, d time.Duration, fn func(context.Context) error) error {
	defer s.Close()
	err := fn(s)
	if err == nil {
		sayIfLate(s, d)
		return nil
	}
	e := expiryOf(s)
	return outside(s, err, func(leaf error) (error, bool) {
		if !e.owns(leaf) {
			return nil, false
		}
		return e.cause.Own(), true
	})
}

// ignore is timeout for which it is no error that s expires.
func ignore(s *wait.Scope, d time.Duration, fn func(context.Context) error) (expired bool, err error) {
	defer s.Close()
	err = fn(s)
	if err == nil {
		sayIfLate(s, d)
		return false, nil
	}
	e := expiryOf(s)
	err = outside(s, err, func(leaf error) (error, bool) {
		owned := e.owns(leaf)
		expired = expired || owned
		return nil, owned
	})
	return expired, err
}

// outside is what err, returned by the function under the timeout s, is outside of s. own
// says what becomes of s's own expiry, and what that is.
func outside(s *wait.Scope, err error, own func(leaf error) (by error, owned bool)) error {
	escaped := false
	err, _ = rewrite(err, func(err error) (error, bool) {
		if !isLeaf(err) {
			return err, false
		}
		e, ok := err.(*wait.Error)
		inside := ok && e.IsOwn() && e.Cause().Inside(s)
		if inside && s.Expires() != 0 && wait.Now() >= s.Expires() {
			err = s.Expire() // since then s has expired as well, or one further out
			e, inside = err.(*wait.Error), false
		}
		if by, owned := own(err); owned {
			return by, true
		}
		if !ok || !e.IsPositional() || e.Cause().EndedAround(s) {
			return err, true // somebody's further out to handle, or nothing about timeouts
		}
		escaped = escaped || inside
		return e.Elsewhere(), true
	})
	if escaped {
		return &uncaught{err}
	}
	return err
}

// sayIfLate logs that a function under the timeout s, of the duration d, has succeeded
// although it took longer, if that is worth saying.
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
