package curio_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// shielded is a task that runs fn under a shield, and then returns what a blocking
// call after it says.
func shielded(fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := curio.DisableCancellation(ctx, fn); err != nil {
			return err
		}
		return curio.Sleep(ctx, 0)
	}
}

// D1, D3: inside of a shield, operations complete although the task has been
// cancelled, a check reports what is held back, and the canceller waits.
func TestShieldHoldsCancellationBack(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, shielded(func(ctx context.Context) error {
			if err := curio.CheckCancellation(ctx); err != nil {
				f.Errorf("before the cancellation: %v", err)
			}
			if err := curio.Sleep(ctx, time.Second); err != nil {
				f.Errorf("the operation that was cut short: %v", err)
			}
			fixture.Because(f, "check", curio.CheckCancellation(ctx), fixture.ErrBoom, fixture.TaskCancelled...)
			if err := ctx.Err(); err != nil {
				f.Errorf("the shield's own context has ended: %v", err)
			}
			return curio.Sleep(ctx, time.Second)
		}))
		synctest.Wait()
		start := time.Now()
		if did, err := task.Cancel(ctx, fixture.ErrBoom); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		f.Elapsed(start, 2*time.Second)
		fixture.Because(f, "after the shield", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
	})
}

// D2: a check right after the shield reports it without blocking.
func TestCheckAfterShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			return curio.CheckCancellation(ctx)
		})
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		fixture.Is(f, "check", task.Err(), fixture.TaskCancelled...)
	})
}

// D4: a window without a shield is refused.
func TestWindowWithoutShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		called := false
		window := func(ctx context.Context) error { called = true; return nil }
		fixture.Is(f, "no shield", curio.EnableCancellation(ctx, window), curio.ErrNotShielded)
		fixture.Is(f, "no task", curio.EnableCancellation(context.Background(), window), curio.ErrNotShielded)
		_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.EnableCancellation(ctx, func(ctx context.Context) error {
				fixture.Is(f, "window in a window", curio.EnableCancellation(ctx, window), curio.ErrNotShielded)
				return nil
			})
		})
		if called {
			f.Error("the function was called all the same")
		}
	})
}

// D5: a window lets the cancellation in; the shielded code goes on, and after the
// shield it is in force again.
func TestWindowInShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, shielded(func(ctx context.Context) error {
			err := curio.EnableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
			fixture.Because(f, "in the window", err, fixture.ErrBoom, fixture.TaskCancelled...)
			if err := curio.Sleep(ctx, time.Second); err != nil {
				f.Errorf("the shielded code after the window: %v", err)
			}
			err = curio.EnableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 0) })
			fixture.Because(f, "in a second window", err, fixture.ErrBoom, fixture.TaskCancelled...)

			return curio.EnableCancellation(ctx, func(ctx context.Context) error {
				return curio.DisableCancellation(ctx, func(ctx context.Context) error {
					fixture.Because(f, "check in a shield in a window in a shield", curio.CheckCancellation(ctx), fixture.ErrBoom, fixture.TaskCancelled...)
					return curio.Sleep(ctx, time.Second)
				})
			})
		}))
		synctest.Wait()
		start := time.Now()
		_, _ = task.Cancel(ctx, fixture.ErrBoom)
		f.Elapsed(start, 2*time.Second)
		fixture.Because(f, "after the shield", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
	})
}

// A window lets timeouts in too, and they are seen as what they are.
func TestTimeoutThroughWindow(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, shielded(func(ctx context.Context) error {
			err := curio.EnableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
			fixture.Is(f, "in the window", err, fixture.TaskTimeout...)
			err = curio.EnableCancellation(ctx, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper)
			})
			fixture.Is(f, "in a timeout in the window", err, fixture.OuterTimeout...)
			return nil
		}))
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)
	})
}

// In a window whose surroundings are a standard context's, that one is let in.
func TestForeignContextThroughWindow(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cancel(fixture.ErrBoom) })
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			err := curio.EnableCancellation(ctx, fixture.Sleeper)
			fixture.Because(f, "in the window", err, fixture.ErrBoom, fixture.ScopeCancelled...)
			return curio.Sleep(ctx, time.Second)
		})
		if err != nil {
			f.Error(err)
		}
		fixture.Because(f, "after the shield", curio.Sleep(ctx, 0), fixture.ErrBoom, fixture.ScopeCancelled...)
	})
}

// A cancellation error returned by hand from nested shields is an error like any
// other, and cancels nobody. (What became of D6 to D8.)
func TestReturningCancellationFromShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			err := curio.DisableCancellation(ctx, func(context.Context) error { return curio.ErrTaskCancelled })
			if e := curio.CheckCancellation(ctx); e != nil {
				f.Errorf("pending: %v", e)
			}
			return err
		})
		if err != curio.ErrTaskCancelled {
			f.Errorf("got %v", err)
		}
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Error(err)
		}
	})
}

// D9: a task that cancels itself inside of a shield is hit after it.
func TestCancelOneselfInsideShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, shielded(func(ctx context.Context) error {
			did, err := curio.CurrentTask(ctx).Cancel(ctx, fixture.ErrBoom)
			if !did {
				f.Error("not cancelled")
			}
			fixture.Because(f, "Cancel", err, fixture.ErrBoom, fixture.TaskCancelled...)
			return curio.Sleep(ctx, time.Second)
		}))
		_ = task.Wait(ctx)
		fixture.Because(f, "after the shield", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
	})
}

// D12: a timeout that expires while a shield is inside of it is reported after the
// shield, as its own.
func TestTimeoutExpiresAroundShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, shielded(func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); ok {
				f.Error("the deadline is not hidden")
			}
			if err := curio.Sleep(ctx, 2*time.Second); err != nil {
				f.Errorf("inside: %v", err)
			}
			fixture.Is(f, "check", curio.CheckCancellation(ctx), fixture.TaskTimeout...)
			return nil
		}))
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)
		f.Elapsed(start, 2*time.Second)
	})
}

// D13, other than the original: a timeout wholly inside of a shield does fire, as
// nothing else would bound the clean-up. It leaves nothing behind.
func TestTimeoutInsideShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, time.Hour); err == nil {
				f.Error("not cancelled")
			}
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				fixture.Is(f, "inside", curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper), fixture.TaskTimeout...)
				expired, err := curio.IgnoreAfter(ctx, time.Second, fixture.Sleeper)
				if !expired || err != nil {
					f.Errorf("IgnoreAfter: %v, %v", expired, err)
				}
				return curio.Sleep(ctx, time.Second)
			})
		})
		synctest.Wait()
		start := time.Now()
		_, _ = task.Cancel(ctx)
		f.Elapsed(start, 3*time.Second)
		if err := task.Err(); err != nil {
			f.Error(err)
		}
	})
}

// A timeout between two shields does not reach the inner one, and is held back by
// it like what is further out.
func TestTimeoutBetweenShields(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Second, shielded(func(ctx context.Context) error {
				if err := curio.Sleep(ctx, 2*time.Second); err != nil {
					f.Errorf("in the inner shield: %v", err)
				}
				fixture.Is(f, "check in the inner shield", curio.CheckCancellation(ctx), fixture.TaskTimeout...)
				err := curio.EnableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
				fixture.Is(f, "window in the inner shield", err, fixture.TaskTimeout...)
				return nil
			}))
			fixture.Is(f, "outside of the inner shield", err, fixture.TaskTimeout...)
			return curio.Sleep(ctx, time.Second)
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// A group inside of a shield is under it, members and all.
func TestGroupInsideShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, shielded(func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(fixture.After(time.Second, 1, nil))
				g.Spawn(fixture.After(2*time.Second, 2, nil))
				return nil
			})
		}))
		synctest.Wait()
		start := time.Now()
		_, _ = task.Cancel(ctx)
		f.Elapsed(start, 2*time.Second)
		fixture.Is(f, "after the shield", task.Err(), fixture.TaskCancelled...)
	})
}

// A task spawned under a shield is under it until the function returns.
func TestTaskSpawnedInsideShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var child *curio.Task[int]
		parent := curio.Go(ctx, shielded(func(ctx context.Context) error {
			child = curio.Spawn(ctx, fixture.After(time.Second, 7, nil))
			v, err := child.Join(ctx)
			if v != 7 {
				f.Errorf("the child: %d, %v", v, err)
			}
			child = curio.Spawn(ctx, fixture.Sleeping)
			return nil
		}))
		synctest.Wait()
		_, _ = parent.Cancel(ctx)
		_, err := child.Join(ctx)
		fixture.Is(f, "child left behind", err, fixture.TaskCancelled...)
	})
}

// The panic and the Goexit of a shielded function take the shield down.
func TestShieldAndPanic(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		func() {
			defer func() { _ = recover() }()
			_ = curio.DisableCancellation(ctx, func(context.Context) error { panic(fixture.ErrBoom) })
		}()
		f.NothingUnder(ctx)
	})
}

// Outside of tasks, shields work on standard contexts.
func TestShieldWithoutTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			fixture.Is(t, "check", curio.CheckCancellation(ctx), fixture.ScopeCancelled...)
			return curio.Sleep(ctx, time.Second)
		})
		if err != nil {
			t.Error(err)
		}
		if err := curio.Sleep(ctx, time.Second); !errors.Is(err, curio.ErrCancelled) {
			t.Error(err)
		}
	})
}
