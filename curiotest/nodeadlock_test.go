package curiotest_test

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

// takes takes two locks, the second one when the other task has the first of its own.
func takes(first, second *curio.Lock, mine, others *curio.Event) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return first.Do(ctx, func(ctx context.Context) error {
			mine.Set()
			if err := others.Wait(ctx); err != nil {
				return err
			}
			return second.Do(ctx, func(context.Context) error { return nil })
		})
	}
}

// A deadlock fails the test, which does not hang.
func TestDeadlockIsFound(t *testing.T) {
	both(t, func(t *testing.T) {
		w := observe(t, func(t testing.TB) {
			ctx := curiotest.NoLeaks(t)
			curiotest.NoDeadlock(t, ctx)
			var x, y curio.Lock
			var one, two curio.Event
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				g.Go(takes(&x, &y, &one, &two), curio.Name("there"))
				g.Go(takes(&y, &x, &two, &one), curio.Name("back"))
				return nil
			})
		})
		w.has(t, "deadlock:\n\ttask ", "/there (", "/back (", "LOCK_ACQUIRE Lock 0x", "(held by task ", "nodeadlock_test.go:20\n", "1 more wait for these")
		if len(w.failures) != 1 {
			t.Errorf("%d failures:\n%s", len(w.failures), w.said())
		}
	})
}

// Without one nothing is said, and nothing is left.
func TestNoDeadlockIsFound(t *testing.T) {
	both(t, func(t *testing.T) {
		w := observe(t, func(t testing.TB) {
			ctx := curiotest.NoLeaks(t)
			curiotest.NoDeadlock(t, ctx)
			var x curio.Lock
			var e curio.Event
			holder := curio.Go(ctx, func(ctx context.Context) error { return x.Do(ctx, e.Wait) })
			behind := curio.Go(ctx, func(ctx context.Context) error { return x.Do(ctx, func(context.Context) error { return nil }) })
			if err := curio.Sleep(ctx, 200*time.Millisecond); err != nil {
				t.Error(err)
			}
			e.Set()
			for _, task := range []*curio.AnyTask{holder.AnyTask, behind.AnyTask} {
				if err := task.Wait(ctx); err != nil {
					t.Error(err)
				}
			}
		})
		w.passed(t)
	})
}

// A deadlock in a shield, where no cancellation gets in, is reported once.
func TestDeadlockInAShield(t *testing.T) {
	both(t, func(t *testing.T) {
		w := observe(t, func(t testing.TB) {
			ctx := curiotest.NoLeaks(t)
			curiotest.NoDeadlock(t, ctx)
			x := curio.NewBoundedSemaphore(1)
			stuck := curio.Go(ctx, func(ctx context.Context) error {
				return curio.DisableCancellation(ctx, func(ctx context.Context) error {
					return x.Do(ctx, func(ctx context.Context) error {
						err := x.Acquire(ctx)
						x.Release(ctx)
						return err
					})
				})
			})
			if err := curio.Sleep(ctx, 400*time.Millisecond); err != nil {
				t.Error(err)
			}
			x.Resize(2)
			_ = stuck.Wait(ctx)
		})
		w.has(t, "deadlock:\n\ttask ")
		if len(w.failures) != 1 {
			t.Errorf("%d failures:\n%s", len(w.failures), w.said())
		}
	})
}
