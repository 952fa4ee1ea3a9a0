package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// S5, S6, S7, S8, S9: each form of timeout, relative and absolute, around a sleep.
func TestTimeoutForms(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		in := func(d time.Duration) time.Time { return curio.Clock(ctx).Add(d) }
		start := time.Now()
		is(f, "TimeoutAfter", curio.TimeoutAfter(ctx, time.Second, sleeper), taskTimeout...)
		is(f, "TimeoutAt", curio.TimeoutAt(ctx, in(time.Second), sleeper), taskTimeout...)

		expired, err := curio.IgnoreAfter(ctx, time.Second, sleeper)
		if !expired || err != nil {
			f.Errorf("IgnoreAfter: %v, %v", expired, err)
		}
		expired, err = curio.IgnoreAt(ctx, in(time.Second), sleeper)
		if !expired || err != nil {
			f.Errorf("IgnoreAt: %v, %v", expired, err)
		}
		inner, cancel := curio.WithTimeout(ctx, time.Second)
		is(f, "WithTimeout", curio.Sleep(inner, time.Hour), taskTimeout...)
		cancel()
		f.elapsed(start, 5*time.Second)
	})
}

// A timeout says in its error how long it was. What wraps the expiry, what comes from another
// timeout and what IgnoreAfter leaves stay as they are.
func TestTimeoutTellsItsLength(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var scope curio.CancelScope
		scope.SetTimeout(time.Second)
		wrapped := func(ctx context.Context) error { return fmt.Errorf("reading: %w", sleeper(ctx)) }
		for what, c := range map[string]struct {
			err  error
			text string
		}{
			"TimeoutAfter": {curio.TimeoutAfter(ctx, 1500*time.Millisecond, sleeper), "curio: timed out after 1.5s"},
			"TimeoutAt":    {curio.TimeoutAt(ctx, time.Now().Add(90*time.Second-time.Microsecond), sleeper), "curio: timed out after 1m30s"},
			"Err": {curio.TimeoutAfter(ctx, 20*time.Microsecond, func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}), "curio: timed out after 20µs"},
			"of none":        {curio.TimeoutAfter(ctx, 0, sleeper), "curio: timed out"},
			"of less":        {curio.TimeoutAfter(ctx, -time.Second, sleeper), "curio: timed out"},
			"in a scope":     {scope.Run(ctx, sleeper), "curio: timed out after 1s"},
			"its own":        {scope.Err(), "curio: timed out"},
			"wrapped":        {curio.TimeoutAfter(ctx, time.Second, wrapped), "reading: curio: timed out"},
			"of a timeout":   {curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, sleeper) }), "curio: uncaught timeout, which an inner timeout should have handled: curio: timed out"},
			"of the outside": {curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Minute, sleeper) }), "curio: timed out after 1s"},
		} {
			if c.err == nil || c.err.Error() != c.text {
				f.Errorf("%s: %v, want %s", what, c.err, c.text)
			}
		}
	})
}

// S10: what is in time leaves nothing behind, in any form, and passes the
// function's error through, the identical one.
func TestTimeoutNotReached(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		for _, want := range []error{nil, errBoom, curio.ErrTaskCancelled} {
			fn := func(ctx context.Context) error {
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				return want
			}
			at := time.Now().Add(time.Hour)
			if err := curio.TimeoutAfter(ctx, 2*time.Second, fn); err != want {
				f.Errorf("TimeoutAfter: %v, want %v", err, want)
			}
			if err := curio.TimeoutAt(ctx, at, fn); err != want {
				f.Errorf("TimeoutAt: %v, want %v", err, want)
			}
			if expired, err := curio.IgnoreAfter(ctx, 2*time.Second, fn); expired || err != want {
				f.Errorf("IgnoreAfter: %v, %v, want %v", expired, err, want)
			}
			if expired, err := curio.IgnoreAt(ctx, at, fn); expired || err != want {
				f.Errorf("IgnoreAt: %v, %v, want %v", expired, err, want)
			}
			if err := curio.Sleep(ctx, 10*time.Second); err != nil {
				f.Errorf("a later sleep: %v", err)
			}
		}
		f.nothingUnder(ctx)
	})
}

// M7, M15, W-T1: no timeout is none, in every form, and the outer one stays.
func TestNoTimeout(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		fine := func(ctx context.Context) error { return curio.Sleep(ctx, 1000*time.Hour) }
		if err := curio.TimeoutAfter(ctx, curio.NoTimeout, fine); err != nil {
			f.Error(err)
		}
		if expired, err := curio.IgnoreAfter(ctx, curio.NoTimeout, fine); expired || err != nil {
			f.Error(expired, err)
		}
		inner, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
		if _, ok := inner.Deadline(); ok {
			f.Error("there is a deadline")
		}
		cancel()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, curio.NoTimeout, sleeper)
			is(f, "inside", err, outerTimeout...)
			return err
		})
		is(f, "outside", err, taskTimeout...)

		err = curio.TimeoutAfter(ctx, curio.NoTimeout, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, sleeper)
		})
		is(f, "an uncaught one inside of none", err, uncaught...)
	})
}

// A duration or a time that is hardly one is as good as never, or has passed.
func TestTimeoutExtremes(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		second := func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) }
		for _, d := range []time.Duration{curio.NoTimeout - 1, 1 << 62} {
			if err := curio.TimeoutAfter(ctx, d, second); err != nil {
				f.Errorf("%v: %v", d, err)
			}
		}
		for _, at := range []time.Time{{}, time.Unix(-1<<40, 0)} {
			is(f, at.String(), curio.TimeoutAt(ctx, at, second), taskTimeout...)
		}
		if err := curio.TimeoutAt(ctx, time.Unix(1<<40, 0), second); err != nil {
			f.Error(err)
		}
		for _, d := range []time.Duration{0, -1, -time.Hour, -1 << 63} {
			is(f, d.String(), curio.TimeoutAfter(ctx, d, second), taskTimeout...)
		}
	})
}

// M14: a timeout of 0 or less fires at the first operation; a function without any
// completes. It has expired before the function starts, for all to see.
func TestTimeoutOfZero(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		for _, d := range []time.Duration{0, -time.Second} {
			err := curio.TimeoutAfter(ctx, d, func(ctx context.Context) error {
				select {
				case <-ctx.Done():
				default:
					f.Error("Done is not closed")
				}
				if err := ctx.Err(); err != context.DeadlineExceeded {
					f.Errorf("Err is %v", err)
				}
				is(f, "operation", curio.Sleep(ctx, 0), taskTimeout...)
				return nil
			})
			if err != nil {
				f.Errorf("the function succeeded, and it is %v", err)
			}
		}
		if logged := f.Journal.take(msgLate); len(logged) != 0 {
			f.Errorf("the function could not be in time, and it is logged: %v", logged)
		}
	})
}

// M8: a function that takes too long without any operation completes; it is
// logged, and the next operation outside is not hit.
func TestLateFunctionCompletes(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, func(context.Context) error {
			time.Sleep(3 * time.Second)
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		logged := f.Journal.take(msgLate)
		if len(logged) != 1 || logged[0].level != slog.LevelWarn || logged[0].attrs["late"] != 2*time.Second {
			f.Errorf("logged: %v", logged)
		}
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Error(err)
		}
	})
}

// M9: sleep and timeout that end at the same moment end one wait, once.
func TestSleepAndTimeoutAtTheSameMoment(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		for range 100 {
			start := time.Now()
			err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			if err != nil && !errors.Is(err, curio.ErrTaskTimeout) {
				f.Error(err)
			}
			f.elapsed(start, time.Second)
			if err := curio.Sleep(ctx, time.Second); err != nil {
				f.Errorf("the next sleep: %v", err)
			}
			f.elapsed(start, 2*time.Second)
		}
		f.Journal.take(msgLate)
	})
}

// M12, M13: whose timeout is ignored.
func TestIgnoreIgnoresItsOwn(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Hour, sleeper)
			is(f, "inside", err, outerTimeout...)
			return err
		})
		if !expired || err != nil {
			f.Errorf("outer ignore: %v, %v", expired, err)
		}

		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			expired, err := curio.IgnoreAfter(ctx, time.Hour, sleeper)
			if expired {
				f.Error("the inner ignore says that it has expired")
			}
			is(f, "inner ignore", err, outerTimeout...)
			return err
		})
		is(f, "outside", err, taskTimeout...)

		expired, err = curio.IgnoreAfter(ctx, time.Hour, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, sleeper)
		})
		if expired {
			f.Error("an uncaught inner timeout was taken for its own")
		}
		is(f, "uncaught in ignore", err, uncaught...)
	})
}

// Nor is the timeout of another task ignored, nor a cancellation whose reason
// happens to be a timeout.
func TestIgnoreDoesNotIgnoreOthers(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		failing := func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, sleeper) }

		child := curio.Go(ctx, failing)
		expired, err := curio.IgnoreAfter(ctx, time.Hour, func(ctx context.Context) error {
			_, err := child.Join(ctx)
			return err
		})
		var failed *curio.TaskError
		if expired || !errors.As(err, &failed) {
			f.Errorf("a child's timeout: expired %v, error %v", expired, err)
		}
		is(f, "child", child.Err(), taskTimeout...)

		victim := curio.Go(ctx, func(ctx context.Context) error {
			expired, err := curio.IgnoreAfter(ctx, time.Hour, sleeper)
			if expired || !errors.Is(err, curio.ErrTaskCancelled) {
				f.Errorf("cancelled because of a timeout: expired %v, error %v", expired, err)
			}
			return err
		})
		synctest.Wait()
		_, _ = victim.Cancel(ctx, child.Err())
		if !victim.Cancelled() {
			f.Error("not cancelled")
		}
	})
}

// The timeout of a child, seen by Join, is not an uncaught one of this task.
func TestTimeoutOfAChildIsAnErrorLikeAnyOther(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, sleeper) })
			_, err := child.Join(ctx)
			return err
		})
		var failed *curio.TaskError
		if !errors.As(err, &failed) || errors.Is(err, curio.ErrUncaughtTimeout) {
			f.Errorf("got %v", err)
		}
	})
}

// What the function wrapped around the error is kept when it is the timeout's own.
func TestTimeoutKeepsWhatWasWrapped(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			return fmt.Errorf("reading x: %w", errors.Join(errBoom, curio.Sleep(ctx, time.Hour)))
		})
		is(f, "wrapped", err, append(taskTimeout, errBoom)...)
		err = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			return fmt.Errorf("reading y: %w", curio.TimeoutAfter(ctx, time.Second, sleeper))
		})
		is(f, "wrapped, uncaught", err, uncaught...)
	})
}

// M17, W-T3: the outer deadline is in force while the inner one is cleaned up.
func TestOuterDeadlineDuringInnerCleanUp(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, 2*time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Second, sleeper)
			is(f, "inner", err, taskTimeout...)
			err = curio.Sleep(ctx, 10*time.Second) // slow cleanup
			is(f, "clean-up", err, taskTimeout...)
			return err
		})
		is(f, "outer", err, taskTimeout...)
		f.elapsed(start, 2*time.Second)
	})
}

// M18, W-T2: a loop of operations that never have to wait ends too.
func TestTimeoutOfALoopThatNeverWaits(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
		done := curio.Spawn(ctx, returns(1))
		_ = done.Wait(ctx)
		err := curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			for {
				if _, err := done.Join(ctx); err != nil {
					return err
				}
			}
		})
		is(f, "loop of joins", err, taskTimeout...)

		err = curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			for curio.CheckCancellation(ctx) == nil {
			}
			return ctx.Err()
		})
		is(f, "loop of checks", err, taskTimeout...)
	})
}

// The function that WithTimeout returns may be called more than once, as that of
// the context package, and ends nothing but its own context.
func TestWithTimeoutCancelTwice(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		sibling := curio.Go(ctx, sleeper)
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		child := curio.Go(inner, sleeper)
		synctest.Wait()
		cancel()
		_ = child.Wait(ctx)
		synctest.Wait()
		cancel()
		is(f, "a task in it", child.Err(), taskCancelled...)
		is(f, "an operation in it", curio.Sleep(inner, 0), scopeCancelled...)
		if n := curio.ScopeOf(ctx).Children(); n != 1 {
			f.Errorf("%d children are left, want the sibling", n)
		}
		if err := curio.Sleep(ctx, time.Second); err != nil || sibling.Terminated() {
			f.Errorf("outside of it: %v, %v", err, sibling)
		}
		_, _ = sibling.Cancel(ctx)
	})
}

// A timeout that was never ended ends with its task.
func TestWithTimeoutForgotten(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var inner context.Context
		var cancel context.CancelFunc
		task := curio.Go(ctx, func(ctx context.Context) error {
			inner, cancel = curio.WithTimeout(ctx, time.Hour)
			return nil
		})
		_, _ = task.Join(ctx)
		synctest.Wait()
		if inner.Err() == nil {
			f.Error("its context has not ended")
		}
		sibling := curio.Go(ctx, sleeper)
		cancel()
		if n := curio.ScopeOf(ctx).Children(); n != 1 {
			f.Errorf("%d children, want the sibling", n)
		}
		_, _ = sibling.Cancel(ctx)
	})
}

// The context of a timeout ends with the function, and tasks in it with that.
func TestTimeoutEndsItsTasks(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var child *curio.Task[struct{}]
		var kept context.Context
		_ = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			kept = ctx
			child = curio.Go(ctx, sleeper)
			return nil
		})
		_ = child.Wait(ctx)
		is(f, "child", child.Err(), taskCancelled...)
		is(f, "operation in the context that was kept", curio.Sleep(kept, 0), scopeCancelled...)
		if err := kept.Err(); err != context.Canceled {
			f.Errorf("its Err is %v", err)
		}
	})
}

// Timeouts outside of tasks work the same.
func TestTimeoutWithoutTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := curio.TimeoutAfter(t.Context(), time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Hour, sleeper)
			is(t, "inner", err, outerTimeout...)
			return err
		})
		is(t, "outer", err, taskTimeout...)
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}
