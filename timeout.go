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
// returns that error, TimeoutAfter returns ErrTaskTimeout; in every other case it
// returns what fn does.
//
// A d of 0 or less has expired before fn starts. If fn never blocks, it completes
// all the same. A blocking call in fn that fails when an outer deadline has expired as
// well fails with ErrTimeoutCancellation, and so does TimeoutAfter if fn returns that.
//
// If fn returns the ErrTaskTimeout of a timeout inside of this one, which that
// one's caller should have handled, the error is ErrUncaughtTimeout.
//
// The context ends when fn returns: tasks spawned with it are then cancelled.
func TimeoutAfter(ctx context.Context, d time.Duration, fn func(context.Context) error) error {
	return timeout(ctx, deadline(d), fn)
}

// TimeoutAt is TimeoutAfter with a point in time.
func TimeoutAt(ctx context.Context, at time.Time, fn func(context.Context) error) error {
	return timeout(ctx, wait.Until(at), fn)
}

// IgnoreAfter is TimeoutAfter for when it is no error to run out of time: if fn
// was cut short by this very deadline, expired is true and err is nil. The expiry
// of an outer timeout is not ignored.
func IgnoreAfter(ctx context.Context, d time.Duration, fn func(context.Context) error) (expired bool, err error) {
	return ignore(ctx, deadline(d), fn)
}

// IgnoreAt is IgnoreAfter with a point in time.
func IgnoreAt(ctx context.Context, at time.Time, fn func(context.Context) error) (expired bool, err error) {
	return ignore(ctx, wait.Until(at), fn)
}

// WithTimeout is TimeoutAfter for straight-line code, in the manner of
// context.WithTimeout, at a fraction of the cost. Blocking calls with the context
// that it returns end with ErrTaskTimeout when d has passed. cancel ends the
// context and must be called.
func WithTimeout(ctx context.Context, d time.Duration) (_ context.Context, cancel context.CancelFunc) {
	s := wait.NewTimeout(ctx, deadline(d))
	return s, s.Close
}

func deadline(d time.Duration) int64 {
	if d == NoTimeout {
		return 0
	}
	return wait.After(d)
}

func timeout(ctx context.Context, at int64, fn func(context.Context) error) error {
	return within(wait.NewTimeout(ctx, at), at, fn)
}

// within calls fn in the timeout s, which expires at the time at, and ends it.
func within(s *wait.Scope, at int64, fn func(context.Context) error) error {
	defer s.Close()
	err := fn(s)
	switch {
	case err != nil:
		return whose(s, at, err)
	case at != 0 && wait.Now() >= at:
		kernelOf(s).log().Warn("curio: a function took longer than its timeout and succeeded",
			"task", CurrentTask(s).Path(), "late", time.Duration(wait.Now()-at))
	}
	return nil
}

// whose says what err, returned by the function under the timeout s, is outside
// of s.
func whose(s *wait.Scope, at int64, err error) error {
	e := expiry(err, s.Owner())
	switch {
	case e == nil:
		return err
	case e.Cause().IsOf(s):
		if e.IsOwn() {
			return err // with all that was wrapped around it
		}
		return e.Cause().Own()
	case !e.IsOwn():
		return err // an outer one's
	case at != 0 && wait.Now() >= at: // an inner one's, and s has expired since
		return s.Expire()
	}
	return uncaught{err.Error()}
}

// expiry finds in err a timeout that expired in o's own code. One that another
// task ended with is an error like any other.
func expiry(err error, o *wait.Owner) *wait.Error {
	if e, ok := err.(*wait.Error); ok && e.Cause().Kind == wait.Expired && e.Cause().Inside(o) {
		return e
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		return expiry(err.Unwrap(), o)
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			if e := expiry(inner, o); e != nil {
				return e
			}
		}
	}
	return nil
}

func ignore(ctx context.Context, at int64, fn func(context.Context) error) (expired bool, err error) {
	s := wait.NewTimeout(ctx, at)
	err = within(s, at, fn)
	if e := expiry(err, s.Owner()); e != nil && e.IsOwn() && e.Cause().IsOf(s) {
		return true, nil
	}
	return false, err
}
