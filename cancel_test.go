package curio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// tidy sleeps until it is cancelled, and then cleans up for d.
func tidy(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		err := sleeper(ctx)
		_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, d) })
		return err
	}
}

// C1: the current operation fails; Cancel returns after the end, and did it.
func TestCancelEndsTheOperationAndWaits(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var seen error
		task := curio.Go(ctx, func(ctx context.Context) error {
			seen = sleeper(ctx)
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
			return seen
		})
		synctest.Wait()
		start := time.Now()
		did, err := task.Cancel(ctx)
		if !did || err != nil || !task.Terminated() || !task.Cancelled() {
			f.Errorf("Cancel: %v, %v; %v, cancelled %v", did, err, task, task.Cancelled())
		}
		f.elapsed(start, time.Minute)
		is(f, "operation", seen, taskCancelled...)
		// T7: again, and of one that has ended.
		if did, err := task.Cancel(ctx); did || err != nil {
			f.Errorf("second Cancel: %v, %v", did, err)
		}
	})
}

// C2, C3: CancelNow does not wait; a later Cancel does, and says that it was not it.
func TestCancelNow(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Go(ctx, tidy(time.Minute))
		synctest.Wait()
		start := time.Now()
		if !task.CancelNow() || task.Terminated() || !task.Cancelled() {
			f.Errorf("%v, cancelled %v", task, task.Cancelled())
		}
		if task.CancelNow() {
			f.Error("the second CancelNow says that it was it")
		}
		f.elapsed(start, 0)
		if did, err := task.Cancel(ctx); did || err != nil || !task.Terminated() {
			f.Errorf("Cancel: %v, %v, %v", did, err, task)
		}
		f.elapsed(start, time.Minute)
		_, err := task.Join(ctx)
		var failed *curio.TaskError
		if !errors.As(err, &failed) || failed.Task != task.AnyTask {
			f.Errorf("Join: %v", err)
		}
		is(f, "Join", err, taskCancelled...)
	})
}

// C4, in our meaning: children are cancelled with their parent's context, by
// themselves; the order in which they end is up to who joins whom.
func TestCancelReachesDescendants(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var order []string
		parent := curio.Go(ctx, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error {
				grandchild := curio.Go(ctx, func(ctx context.Context) error {
					err := sleeper(ctx)
					order = append(order, "grandchild")
					return err
				})
				err := sleeper(ctx)
				_ = curio.DisableCancellation(ctx, grandchild.Wait)
				order = append(order, "child")
				return err
			})
			err := sleeper(ctx)
			_ = curio.DisableCancellation(ctx, child.Wait)
			order = append(order, "parent")
			return err
		})
		synctest.Wait()
		_, _ = parent.Cancel(ctx)
		order = append(order, "canceller")
		if got := strings.Join(order, " "); got != "grandchild child parent canceller" {
			f.Errorf("order: %s", got)
		}
	})
}

// A daemon keeps the values of its context and not its cancellation; a child outlives
// a parent that has ended by itself, and is still under its context.
func TestWhatCancellationReaches(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var daemon, child *curio.Task[struct{}]
		parent := curio.Go(ctx, func(ctx context.Context) error {
			daemon = curio.Go(ctx, sleeper, curio.Daemon())
			child = curio.Go(ctx, sleeper)
			return sleeper(ctx)
		})
		synctest.Wait()
		_, _ = parent.Cancel(ctx)
		synctest.Wait()
		is(f, "child", child.Err(), taskCancelled...)
		if daemon.Terminated() || daemon.Cancelled() {
			f.Errorf("the daemon was cancelled: %v", daemon)
		}

		grand := curio.Go(ctx, func(ctx context.Context) error {
			parent := curio.Go(ctx, func(ctx context.Context) error { child = curio.Go(ctx, sleeper); return nil })
			_, _ = parent.Join(ctx)
			return sleeper(ctx)
		})
		synctest.Wait()
		if child.Terminated() {
			f.Fatalf("the child ended with its parent: %v", child.Err())
		}
		_, _ = grand.Cancel(ctx)
		synctest.Wait()
		is(f, "orphan", child.Err(), taskCancelled...)
	})
}

// C5: a task that is ready to run is not disturbed, and hit at its next operation.
func TestCancelOfATaskThatIsReady(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(chan struct{})
		task := curio.Go(ctx, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, time.Second); err != nil {
				f.Errorf("the sleep was over: %v", err)
			}
			<-gate
			return curio.Sleep(ctx, 0)
		})
		_ = curio.Sleep(ctx, 2*time.Second)
		task.CancelNow()
		close(gate)
		_ = task.Wait(ctx)
		is(f, "next operation", task.Err(), taskCancelled...)
	})
}

// C6, C7: a Cancel under a timeout gives up waiting, the task stays cancelled; a
// second one does not disturb its clean-up, and waits.
func TestCancelUnderTimeout(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Go(ctx, tidy(time.Minute))
		synctest.Wait()
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			did, err := task.Cancel(ctx)
			if !did {
				f.Error("not cancelled")
			}
			is(f, "Cancel", err, taskTimeout...)
			return err
		})
		is(f, "timeout", err, taskTimeout...)
		f.elapsed(start, time.Second)
		if task.Terminated() || !task.Cancelled() {
			f.Errorf("%v, cancelled %v", task, task.Cancelled())
		}
		if did, err := task.Cancel(ctx); did || err != nil {
			f.Errorf("second Cancel: %v, %v", did, err)
		}
		f.elapsed(start, time.Minute)
	})
}

// C9, C18: a task that cancels itself does not wait for itself: it gets the
// cancellation at once, and at its next operation.
func TestCancelOneself(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			did, err := curio.CurrentTask(ctx).Cancel(ctx, errBoom)
			if !did {
				f.Error("not cancelled")
			}
			because(f, "Cancel", err, errBoom, taskCancelled...)
			return curio.Sleep(ctx, 0)
		})
		_ = task.Wait(ctx)
		because(f, "task", task.Err(), errBoom, taskCancelled...)

		task = curio.Go(ctx, func(ctx context.Context) error {
			if !curio.CurrentTask(ctx).CancelNow() {
				f.Error("not cancelled")
			}
			return curio.Sleep(ctx, 0)
		})
		_ = task.Wait(ctx)
		is(f, "task", task.Err(), taskCancelled...)
	})
}

type customError struct{ code int }

func (e *customError) Error() string { return fmt.Sprint("custom ", e.code) }

// C10–C12: the reason arrives as the identical value, by every way.
func TestCancelWithReason(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		reason := &customError{7}
		var seen, check, cause error
		task := curio.Go(ctx, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error { return sleeper(ctx) })
			seen = sleeper(ctx)
			check, cause = curio.CheckCancellation(ctx), context.Cause(ctx)
			_ = curio.DisableCancellation(ctx, child.Wait)
			return child.Err()
		})
		synctest.Wait()
		_, _ = task.Cancel(ctx, reason)
		for what, err := range map[string]error{"operation": seen, "check": check, "Cause": cause, "child's operation": task.Err()} {
			var got *customError
			if errors.As(err, &got) || errors.Is(err, reason) {
				f.Errorf("%s: the reason is taken for the error: %v", what, err)
			}
			is(f, what, err, taskCancelled...)
			if who, ok := curio.WhoCancelled(err); !ok || who.Reason != error(reason) {
				f.Errorf("%s: reason %v", what, who.Reason)
			}
			if !strings.Contains(err.Error(), "custom 7") {
				f.Errorf("%s: the text does not say why: %v", what, err)
			}
		}
	})
}

// C13: a task that was cancelled fails in every kind of operation, also in one that
// could complete.
func TestPendingCancellation(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		done := curio.Spawn(ctx, returns(1))
		_ = done.Wait(ctx)
		stuck := curio.Go(ctx, sleeper)
		task := curio.Go(ctx, func(ctx context.Context) error {
			_ = curio.CurrentTask(ctx).CancelNow()
			_, wake := curio.WakeAt(ctx, time.Now())
			_, join := done.Join(ctx)
			_, cancel := done.Cancel(ctx)
			_, cancelStuck := stuck.Cancel(ctx)
			for what, err := range map[string]error{
				"Sleep":        curio.Sleep(ctx, time.Hour),
				"Sleep 0":      curio.Sleep(ctx, 0),
				"Sleep -1":     curio.Sleep(ctx, -1),
				"WakeAt":       wake,
				"Join":         join,
				"Wait":         done.Wait(ctx),
				"Cancel":       cancel,
				"Cancel stuck": cancelStuck,
				"Check":        curio.CheckCancellation(ctx),
				"Run":          curio.Run(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 0) }),
				"Group": curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					_, err := g.NextDone(ctx)
					is(f, "NextDone", err, taskCancelled...)
					_, err = g.NextResult(ctx)
					is(f, "NextResult", err, taskCancelled...)
					is(f, "group's Join", g.Join(ctx), taskCancelled...)
					return err
				}),
			} {
				is(f, what, err, taskCancelled...)
			}
			return nil
		})
		_ = task.Wait(ctx)
		_, err := task.Join(ctx)
		if err != nil { // C17
			f.Error(err)
		}
		if !stuck.Cancelled() {
			f.Error("Cancel by a cancelled task cancelled nobody")
		}
	})
}

// C16: cancelled before it started, a task runs to its first operation; without one
// it ends normally.
func TestCancelBeforeTheStart(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		for range 50 {
			ran := false
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				ran = true
				return 3, curio.Sleep(ctx, 0)
			})
			_, _ = task.Cancel(ctx)
			if v, err := task.Result(); !ran || v != 3 || err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
				f.Errorf("ran %v, %d, %v", ran, v, err)
			}
			quick := curio.Spawn(ctx, returns(4))
			_, _ = quick.Cancel(ctx)
			if v, err := quick.Join(ctx); v != 4 || err != nil {
				f.Errorf("without an operation: %d, %v", v, err)
			}
		}
	})
}

// C17: a task that swallows the cancellation: the canceller waits, the result is the
// task's.
func TestCancelSwallowed(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) { _ = sleeper(ctx); return 5, nil })
		synctest.Wait()
		if did, err := task.Cancel(ctx); !did || err != nil || !task.Cancelled() {
			f.Errorf("Cancel: %v, %v; cancelled %v", did, err, task.Cancelled())
		}
		if v, err := task.Join(ctx); v != 5 || err != nil {
			f.Errorf("Join: %d, %v", v, err)
		}
	})
}

// W-T10's other half: an error in the clean-up is the task's, not the canceller's.
func TestErrorInCleanUp(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error { _ = sleeper(ctx); return errBoom })
		synctest.Wait()
		if did, err := task.Cancel(ctx); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		if err := task.Err(); err != errBoom {
			f.Errorf("the task ended with %v", err)
		}
	})
}

// W-T2: a task that never has to wait can be cancelled.
func TestCancelOfALoopThatNeverWaits(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
		done := curio.Spawn(ctx, returns(1))
		_ = done.Wait(ctx)
		loops := []*curio.Task[struct{}]{
			curio.Go(ctx, func(ctx context.Context) error {
				for {
					if _, err := done.Join(ctx); err != nil {
						return err
					}
				}
			}),
			curio.Go(ctx, func(ctx context.Context) error { // S11
				for {
					if err := curio.Sleep(ctx, 0); err != nil {
						return err
					}
				}
			}),
		}
		_ = curio.Sleep(ctx, time.Millisecond)
		for _, task := range loops {
			if did, err := task.Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
			is(f, "loop", task.Err(), taskCancelled...)
		}
	})
}
