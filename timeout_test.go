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
	"github.com/curio-go/curio/verify/fixture"
)

// S5, S6, S7, S8, S9: each form of timeout, relative and absolute, around a sleep.
func TestTimeoutForms(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		in := func(d time.Duration) time.Time { return curio.Clock(ctx).Add(d) }
		start := time.Now()
		fixture.Is(f, "TimeoutAfter", curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper), fixture.TaskTimeout...)
		fixture.Is(f, "TimeoutAt", curio.TimeoutAt(ctx, in(time.Second), fixture.Sleeper), fixture.TaskTimeout...)

		expired, err := curio.IgnoreAfter(ctx, time.Second, fixture.Sleeper)
		if !expired || err != nil {
			f.Errorf("IgnoreAfter: %v, %v", expired, err)
		}
		expired, err = curio.IgnoreAt(ctx, in(time.Second), fixture.Sleeper)
		if !expired || err != nil {
			f.Errorf("IgnoreAt: %v, %v", expired, err)
		}
		inner, cancel := curio.WithTimeout(ctx, time.Second)
		fixture.Is(f, "WithTimeout", curio.Sleep(inner, time.Hour), fixture.TaskTimeout...)
		cancel()
		f.Elapsed(start, 5*time.Second)
	})
}

// A timeout says in its error how long it was. What wraps the expiry, what comes from another
// timeout and what IgnoreAfter leaves stay as they are.
func TestTimeoutTellsItsLength(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope curio.CancelScope
		scope.SetTimeout(time.Second)
		wrapped := func(ctx context.Context) error { return fmt.Errorf("reading: %w", fixture.Sleeper(ctx)) }
		for what, c := range map[string]struct {
			err  error
			text string
		}{
			"TimeoutAfter": {curio.TimeoutAfter(ctx, 1500*time.Millisecond, fixture.Sleeper), "curio: timed out after 1.5s"},
			"TimeoutAt":    {curio.TimeoutAt(ctx, time.Now().Add(90*time.Second-time.Microsecond), fixture.Sleeper), "curio: timed out after 1m30s"},
			"Err": {curio.TimeoutAfter(ctx, 20*time.Microsecond, func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}), "curio: timed out after 20µs"},
			"of none":        {curio.TimeoutAfter(ctx, 0, fixture.Sleeper), "curio: timed out"},
			"of less":        {curio.TimeoutAfter(ctx, -time.Second, fixture.Sleeper), "curio: timed out"},
			"in a scope":     {scope.Run(ctx, fixture.Sleeper), "curio: timed out after 1s"},
			"its own":        {scope.Err(), "curio: timed out"},
			"wrapped":        {curio.TimeoutAfter(ctx, time.Second, wrapped), "reading: curio: timed out"},
			"of a timeout":   {curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper) }), "curio: uncaught timeout, which an inner timeout should have handled: curio: timed out"},
			"of the outside": {curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Minute, fixture.Sleeper) }), "curio: timed out after 1s"},
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, want := range []error{nil, fixture.ErrBoom, curio.ErrTaskCancelled} {
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
		f.NothingUnder(ctx)
	})
}

// M7, M15, W-T1: no timeout is none, in every form, and the outer one stays.
func TestNoTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
			err := curio.TimeoutAfter(ctx, curio.NoTimeout, fixture.Sleeper)
			fixture.Is(f, "inside", err, fixture.OuterTimeout...)
			return err
		})
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)

		err = curio.TimeoutAfter(ctx, curio.NoTimeout, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
		})
		fixture.Is(f, "an uncaught one inside of none", err, fixture.Uncaught...)
	})
}

// A duration or a time that is hardly one is as good as never, or has passed.
func TestTimeoutExtremes(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		second := func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) }
		for _, d := range []time.Duration{curio.NoTimeout - 1, 1 << 62} {
			if err := curio.TimeoutAfter(ctx, d, second); err != nil {
				f.Errorf("%v: %v", d, err)
			}
		}
		for _, at := range []time.Time{{}, time.Unix(-1<<40, 0)} {
			fixture.Is(f, at.String(), curio.TimeoutAt(ctx, at, second), fixture.TaskTimeout...)
		}
		if err := curio.TimeoutAt(ctx, time.Unix(1<<40, 0), second); err != nil {
			f.Error(err)
		}
		for _, d := range []time.Duration{0, -1, -time.Hour, -1 << 63} {
			fixture.Is(f, d.String(), curio.TimeoutAfter(ctx, d, second), fixture.TaskTimeout...)
		}
	})
}

// M14: a timeout of 0 or less fires at the first operation; a function without any
// completes. It has expired before the function starts, for all to see.
func TestTimeoutOfZero(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
				fixture.Is(f, "operation", curio.Sleep(ctx, 0), fixture.TaskTimeout...)
				return nil
			})
			if err != nil {
				f.Errorf("the function succeeded, and it is %v", err)
			}
		}
		if logged := f.Journal.Take(fixture.MsgLate); len(logged) != 0 {
			f.Errorf("the function could not be in time, and it is logged: %v", logged)
		}
	})
}

// M8: a function that takes too long without any operation completes; it is
// logged, and the next operation outside is not hit.
func TestLateFunctionCompletes(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, func(context.Context) error {
			time.Sleep(3 * time.Second)
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		logged := f.Journal.Take(fixture.MsgLate)
		if len(logged) != 1 || logged[0].Level != slog.LevelWarn || logged[0].Attrs["late"] != 2*time.Second {
			f.Errorf("logged: %v", logged)
		}
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Error(err)
		}
	})
}

// M9: sleep and timeout that end at the same moment end one wait, once.
func TestSleepAndTimeoutAtTheSameMoment(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for range 100 {
			start := time.Now()
			err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			if err != nil && !errors.Is(err, curio.ErrTaskTimeout) {
				f.Error(err)
			}
			f.Elapsed(start, time.Second)
			if err := curio.Sleep(ctx, time.Second); err != nil {
				f.Errorf("the next sleep: %v", err)
			}
			f.Elapsed(start, 2*time.Second)
		}
		f.Journal.Take(fixture.MsgLate)
	})
}

// M12, M13: whose timeout is ignored.
func TestIgnoreIgnoresItsOwn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper)
			fixture.Is(f, "inside", err, fixture.OuterTimeout...)
			return err
		})
		if !expired || err != nil {
			f.Errorf("outer ignore: %v, %v", expired, err)
		}

		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			expired, err := curio.IgnoreAfter(ctx, time.Hour, fixture.Sleeper)
			if expired {
				f.Error("the inner ignore says that it has expired")
			}
			fixture.Is(f, "inner ignore", err, fixture.OuterTimeout...)
			return err
		})
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)

		expired, err = curio.IgnoreAfter(ctx, time.Hour, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
		})
		if expired {
			f.Error("an uncaught inner timeout was taken for its own")
		}
		fixture.Is(f, "uncaught in ignore", err, fixture.Uncaught...)
	})
}

// Nor is the timeout of another task ignored, nor a cancellation whose reason
// happens to be a timeout.
func TestIgnoreDoesNotIgnoreOthers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		failing := func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper) }

		child := curio.Go(ctx, failing)
		expired, err := curio.IgnoreAfter(ctx, time.Hour, func(ctx context.Context) error {
			_, err := child.Join(ctx)
			return err
		})
		var failed *curio.TaskError
		if expired || !errors.As(err, &failed) {
			f.Errorf("a child's timeout: expired %v, error %v", expired, err)
		}
		fixture.Is(f, "child", child.Err(), fixture.TaskTimeout...)

		victim := curio.Go(ctx, func(ctx context.Context) error {
			expired, err := curio.IgnoreAfter(ctx, time.Hour, fixture.Sleeper)
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper) })
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			return fmt.Errorf("reading x: %w", errors.Join(fixture.ErrBoom, curio.Sleep(ctx, time.Hour)))
		})
		fixture.Is(f, "wrapped", err, append(fixture.TaskTimeout, fixture.ErrBoom)...)
		err = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			return fmt.Errorf("reading y: %w", curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper))
		})
		fixture.Is(f, "wrapped, uncaught", err, fixture.Uncaught...)
	})
}

// M17, W-T3: the outer deadline is in force while the inner one is cleaned up.
func TestOuterDeadlineDuringInnerCleanUp(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, 2*time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			fixture.Is(f, "inner", err, fixture.TaskTimeout...)
			err = curio.Sleep(ctx, 10*time.Second) // slow cleanup
			fixture.Is(f, "clean-up", err, fixture.TaskTimeout...)
			return err
		})
		fixture.Is(f, "outer", err, fixture.TaskTimeout...)
		f.Elapsed(start, 2*time.Second)
	})
}

// M18, W-T2: a loop of operations that never have to wait ends too.
func TestTimeoutOfALoopThatNeverWaits(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		done := curio.Spawn(ctx, fixture.Returns(1))
		_ = done.Wait(ctx)
		err := curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			for {
				if _, err := done.Join(ctx); err != nil {
					return err
				}
			}
		})
		fixture.Is(f, "loop of joins", err, fixture.TaskTimeout...)

		err = curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			for curio.CheckCancellation(ctx) == nil {
			}
			return ctx.Err()
		})
		fixture.Is(f, "loop of checks", err, fixture.TaskTimeout...)
	})
}

// The function that WithTimeout returns may be called more than once, as that of
// the context package, and ends nothing but its own context.
func TestWithTimeoutCancelTwice(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		sibling := curio.Go(ctx, fixture.Sleeper)
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		child := curio.Go(inner, fixture.Sleeper)
		synctest.Wait()
		cancel()
		_ = child.Wait(ctx)
		synctest.Wait()
		cancel()
		fixture.Is(f, "a task in it", child.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "an operation in it", curio.Sleep(inner, 0), fixture.ScopeCancelled...)
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
		sibling := curio.Go(ctx, fixture.Sleeper)
		cancel()
		if n := curio.ScopeOf(ctx).Children(); n != 1 {
			f.Errorf("%d children, want the sibling", n)
		}
		_, _ = sibling.Cancel(ctx)
	})
}

// The context of a timeout ends with the function, and tasks in it with that.
func TestTimeoutEndsItsTasks(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var child *curio.Task[struct{}]
		var kept context.Context
		_ = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			kept = ctx
			child = curio.Go(ctx, fixture.Sleeper)
			return nil
		})
		_ = child.Wait(ctx)
		fixture.Is(f, "child", child.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "operation in the context that was kept", curio.Sleep(kept, 0), fixture.ScopeCancelled...)
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
			err := curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper)
			fixture.Is(t, "inner", err, fixture.OuterTimeout...)
			return err
		})
		fixture.Is(t, "outer", err, fixture.TaskTimeout...)
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}
