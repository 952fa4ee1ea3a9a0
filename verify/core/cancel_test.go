package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// C1: the current operation fails; Cancel returns after the end, and did it.
func TestCancelEndsTheOperationAndWaits(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var seen error
		task := curio.Go(ctx, func(ctx context.Context) error {
			seen = fixture.Sleeper(ctx)
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
			return seen
		})
		synctest.Wait()
		start := time.Now()
		did, err := task.Cancel(ctx)
		if !did || err != nil || !task.Terminated() || !task.Cancelled() {
			f.Errorf("Cancel: %v, %v; %v, cancelled %v", did, err, task, task.Cancelled())
		}
		f.Elapsed(start, time.Minute)
		fixture.Is(f, "operation", seen, fixture.TaskCancelled...)
		// T7: again, and of one that has ended.
		if did, err := task.Cancel(ctx); did || err != nil {
			f.Errorf("second Cancel: %v, %v", did, err)
		}
	})
}

// C2, C3: CancelNow does not wait; a later Cancel does, and says that it was not it.
func TestCancelNow(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, fixture.Tidy(time.Minute))
		synctest.Wait()
		start := time.Now()
		if !task.CancelNow() || task.Terminated() || !task.Cancelled() {
			f.Errorf("%v, cancelled %v", task, task.Cancelled())
		}
		if task.CancelNow() {
			f.Error("the second CancelNow says that it was it")
		}
		f.Elapsed(start, 0)
		if did, err := task.Cancel(ctx); did || err != nil || !task.Terminated() {
			f.Errorf("Cancel: %v, %v, %v", did, err, task)
		}
		f.Elapsed(start, time.Minute)
		_, err := task.Join(ctx)
		var failed *curio.TaskError
		if !errors.As(err, &failed) || failed.Task != task.AnyTask {
			f.Errorf("Join: %v", err)
		}
		fixture.Is(f, "Join", err, fixture.TaskCancelled...)
	})
}

// C4, in our meaning: children are cancelled with their parent's context, by
// themselves; the order in which they end is up to who joins whom.
func TestCancelReachesDescendants(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var order []string
		parent := curio.Go(ctx, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error {
				grandchild := curio.Go(ctx, func(ctx context.Context) error {
					err := fixture.Sleeper(ctx)
					order = append(order, "grandchild")
					return err
				})
				err := fixture.Sleeper(ctx)
				_ = curio.DisableCancellation(ctx, grandchild.Wait)
				order = append(order, "child")
				return err
			})
			err := fixture.Sleeper(ctx)
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var daemon, child *curio.Task[struct{}]
		parent := curio.Go(ctx, func(ctx context.Context) error {
			daemon = curio.Go(ctx, fixture.Sleeper, curio.Daemon())
			child = curio.Go(ctx, fixture.Sleeper)
			return fixture.Sleeper(ctx)
		})
		synctest.Wait()
		_, _ = parent.Cancel(ctx)
		synctest.Wait()
		fixture.Is(f, "child", child.Err(), fixture.TaskCancelled...)
		if daemon.Terminated() || daemon.Cancelled() {
			f.Errorf("the daemon was cancelled: %v", daemon)
		}

		grand := curio.Go(ctx, func(ctx context.Context) error {
			parent := curio.Go(ctx, func(ctx context.Context) error { child = curio.Go(ctx, fixture.Sleeper); return nil })
			_, _ = parent.Join(ctx)
			return fixture.Sleeper(ctx)
		})
		synctest.Wait()
		if child.Terminated() {
			f.Fatalf("the child ended with its parent: %v", child.Err())
		}
		_, _ = grand.Cancel(ctx)
		synctest.Wait()
		fixture.Is(f, "orphan", child.Err(), fixture.TaskCancelled...)
	})
}

// C5: a task that is ready to run is not disturbed, and hit at its next operation.
func TestCancelOfATaskThatIsReady(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
		fixture.Is(f, "next operation", task.Err(), fixture.TaskCancelled...)
	})
}

// C6, C7: a Cancel under a timeout gives up waiting, the task stays cancelled; a
// second one does not disturb its clean-up, and waits.
func TestCancelUnderTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, fixture.Tidy(time.Minute))
		synctest.Wait()
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			did, err := task.Cancel(ctx)
			if !did {
				f.Error("not cancelled")
			}
			fixture.Is(f, "Cancel", err, fixture.TaskTimeout...)
			return err
		})
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		if task.Terminated() || !task.Cancelled() {
			f.Errorf("%v, cancelled %v", task, task.Cancelled())
		}
		if did, err := task.Cancel(ctx); did || err != nil {
			f.Errorf("second Cancel: %v, %v", did, err)
		}
		f.Elapsed(start, time.Minute)
	})
}

// C9, C18: a task that cancels itself does not wait for itself: it gets the
// cancellation at once, and at its next operation.
func TestCancelOneself(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			did, err := curio.CurrentTask(ctx).Cancel(ctx, fixture.ErrBoom)
			if !did {
				f.Error("not cancelled")
			}
			fixture.Because(f, "Cancel", err, fixture.ErrBoom, fixture.TaskCancelled...)
			return curio.Sleep(ctx, 0)
		})
		_ = task.Wait(ctx)
		fixture.Because(f, "task", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)

		task = curio.Go(ctx, func(ctx context.Context) error {
			if !curio.CurrentTask(ctx).CancelNow() {
				f.Error("not cancelled")
			}
			return curio.Sleep(ctx, 0)
		})
		_ = task.Wait(ctx)
		fixture.Is(f, "task", task.Err(), fixture.TaskCancelled...)
	})
}

// C10–C12: the reason arrives as the identical value, by every way.
func TestCancelWithReason(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		reason := &fixture.CustomError{Code: 7}
		var seen, check, cause error
		task := curio.Go(ctx, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error { return fixture.Sleeper(ctx) })
			seen = fixture.Sleeper(ctx)
			check, cause = curio.CheckCancellation(ctx), context.Cause(ctx)
			_ = curio.DisableCancellation(ctx, child.Wait)
			return child.Err()
		})
		synctest.Wait()
		_, _ = task.Cancel(ctx, reason)
		for what, err := range map[string]error{"operation": seen, "check": check, "Cause": cause, "child's operation": task.Err()} {
			var got *fixture.CustomError
			if errors.As(err, &got) || errors.Is(err, reason) {
				f.Errorf("%s: the reason is taken for the error: %v", what, err)
			}
			fixture.Is(f, what, err, fixture.TaskCancelled...)
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		done := curio.Spawn(ctx, fixture.Returns(1))
		_ = done.Wait(ctx)
		stuck := curio.Go(ctx, fixture.Sleeper)
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
					fixture.Is(f, "NextDone", err, fixture.TaskCancelled...)
					_, err = g.NextResult(ctx)
					fixture.Is(f, "NextResult", err, fixture.TaskCancelled...)
					fixture.Is(f, "group's Join", g.Join(ctx), fixture.TaskCancelled...)
					return err
				}),
			} {
				fixture.Is(f, what, err, fixture.TaskCancelled...)
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
			quick := curio.Spawn(ctx, fixture.Returns(4))
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) { _ = fixture.Sleeper(ctx); return 5, nil })
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error { _ = fixture.Sleeper(ctx); return fixture.ErrBoom })
		synctest.Wait()
		if did, err := task.Cancel(ctx); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		if err := task.Err(); err != fixture.ErrBoom {
			f.Errorf("the task ended with %v", err)
		}
	})
}

// W-T2: a task that never has to wait can be cancelled.
func TestCancelOfALoopThatNeverWaits(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		done := curio.Spawn(ctx, fixture.Returns(1))
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
			fixture.Is(f, "loop", task.Err(), fixture.TaskCancelled...)
		}
	})
}
