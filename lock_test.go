package curio_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// L6: three tasks get the lock in the order in which they ask, and the lock says so.
func TestLock(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		var was []bool
		var order []int
		var tasks []*curio.Task[struct{}]
		for i := range 3 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				was = append(was, l.Locked())
				return l.Do(ctx, func(ctx context.Context) error {
					order = append(order, i)
					if h := l.Snapshot().Holders; len(h) != 1 || h[0] != fixture.HolderOf(curio.CurrentTask(ctx), 1) {
						f.Errorf("held by %v", h)
					}
					return curio.Sleep(ctx, time.Second)
				})
			}))
			synctest.Wait()
		}
		for _, task := range tasks {
			_, _ = task.Join(ctx)
		}
		if !slices.Equal(order, []int{0, 1, 2}) || !slices.Equal(was, []bool{false, true, true}) || l.Locked() {
			f.Errorf("order %v, locked was %v and is %v", order, was, l.Locked())
		}
	})
}

// L22: the text of a lock, in each of its states.
func TestLockString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		says := func(want string) {
			f.Helper()
			if got := fmt.Sprint(&l); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
		}
		says("Lock()")
		fixture.Succeed(l.Acquire(ctx))
		me := "held by task " + curio.CurrentTask(ctx).Path()
		says("Lock(" + me + ")")
		for range 2 {
			curio.Go(ctx, l.Acquire)
		}
		synctest.Wait()
		says("Lock(" + me + ", 2 waiting)")
		for _, w := range l.Snapshot().Waiters {
			w.Task.CancelNow()
		}
		synctest.Wait()
		l.Release(ctx)
		fixture.Succeed(l.Acquire(context.Background()))
		says("Lock(held by a goroutine of no task)")
		l.Release(context.Background())

		ended := curio.Go(ctx, l.Acquire) // and never releases it
		_, _ = ended.Join(ctx)
		says(fmt.Sprintf("Lock(held by task %d (ended))", ended.ID()))
		if h := l.Snapshot().Holders; len(h) != 1 || h[0] != (curio.Holder{ID: ended.ID(), N: 1}) {
			f.Errorf("held by %v", h)
		}
		fixture.Panics(f, fmt.Sprintf("task %d (ended)", ended.ID()), func() { l.Release(ctx) })
	})
}

// TryAcquire never waits, does not ask whether its context is alive, and does not
// overtake.
func TestLockTryAcquire(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		dead, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		for _, l := range []curio.Locker{new(curio.Lock), new(curio.RLock), new(curio.RWLock)} {
			if !l.TryAcquire(dead) {
				f.Errorf("%T: could not be had", l)
			}
			again := l.TryAcquire(ctx)
			if _, recursive := l.(*curio.RLock); recursive != again {
				f.Errorf("%T: the second time is %v", l, again)
			}
			waiter := curio.Go(ctx, func(ctx context.Context) error {
				if l.TryAcquire(ctx) {
					f.Errorf("%T: a second task could have it", l)
				}
				return l.Acquire(ctx)
			})
			synctest.Wait()
			if again {
				l.Release(dead)
			}
			l.Release(dead)
			if l.TryAcquire(ctx) {
				f.Errorf("%T: overtook the one that waits", l)
			}
			_, _ = waiter.Join(ctx)
		}
	})
}

// Who asks for a Lock that it holds waits for itself, until its context ends.
func TestLockTwice(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, l := range []curio.Locker{new(curio.Lock), new(curio.RWLock)} {
			err := l.Do(ctx, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, l.Acquire) })
			fixture.Is(f, "asked twice", err, fixture.TaskTimeout...)
			if s := l.Snapshot(); len(s.Holders)+len(s.Waiters) != 0 {
				f.Errorf("left is %v", s)
			}
		}
	})
}
