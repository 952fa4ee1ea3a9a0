package curio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// L9: a task enters twice; the others wait until it has left twice, and come in in the
// order in which they asked.
func TestRLock(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		start := time.Now()
		var order []int
		var tasks []*curio.Task[struct{}]
		for i := range 3 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				return l.Do(ctx, func(ctx context.Context) error {
					order = append(order, i)
					_ = curio.Sleep(ctx, time.Second)
					err := l.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
					order = append(order, i)
					return errors.Join(err, curio.Sleep(ctx, time.Second))
				})
			}))
			synctest.Wait()
		}
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		f.Elapsed(start, 9*time.Second)
		if !slices.Equal(order, []int{0, 0, 1, 1, 2, 2}) || l.Locked() {
			f.Errorf("order %v; %v", order, &l)
		}
	})
}

// L9, L22: how often it is held, and by whom, is to be seen.
func TestRLockSnapshotAndString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		me := curio.CurrentTask(ctx)
		check := func(n int64, waiting string) {
			f.Helper()
			want := "RLock()"
			switch n {
			case 0:
			case 1:
				want = fmt.Sprintf("RLock(held by task %s%s)", me.Path(), waiting)
			default:
				want = fmt.Sprintf("RLock(held by task %s (%d)%s)", me.Path(), n, waiting)
			}
			if got := l.String(); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
			var holders []curio.Holder
			if n > 0 {
				holders = []curio.Holder{fixture.HolderOf(me, n)}
			}
			if got := l.Snapshot().Holders; !slices.Equal(got, holders) || l.Locked() != (n > 0) {
				f.Errorf("held by %v, want %v; locked: %v", got, holders, l.Locked())
			}
		}
		check(0, "")
		for n := range int64(3) {
			fixture.Succeed(l.Acquire(ctx))
			check(n+1, "")
		}
		waiter := curio.Go(ctx, func(ctx context.Context) error { return l.Do(ctx, fixture.Nothing) })
		synctest.Wait()
		for n := int64(3); n > 0; n-- {
			check(n, ", 1 waiting")
			l.Release(ctx)
		}
		_, _ = waiter.Join(ctx)
		check(0, "")
	})
}

// The lock is the task's, whatever context of its own it uses: inside of timeouts,
// shields and contexts of the standard library.
func TestRLockIsTheTasks(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		foreign, cancel := context.WithCancel(ctx)
		defer cancel()
		err := l.Do(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return l.Do(ctx, func(ctx context.Context) error {
					return curio.DisableCancellation(ctx, func(ctx context.Context) error { return l.Acquire(ctx) })
				})
			})
		})
		if err != nil || !l.TryAcquire(foreign) {
			f.Errorf("%v; %v", err, &l)
		}
		l.Release(foreign)
		l.Release(foreign)
		if l.Locked() {
			f.Errorf("left is %v", &l)
		}
	})
}

// Goroutines with which a task has shared its context own the lock with it.
func TestRLockOfASharedContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		fixture.Succeed(l.Acquire(ctx))
		done := make(chan error)
		go func() { done <- l.Acquire(ctx) }()
		if err := <-done; err != nil {
			f.Error(err)
		}
		l.Release(ctx)
		if !l.Locked() {
			f.Error("it is free after one of two releases")
		}
		l.Release(ctx)
	})
}

// A second Acquire looks whether the context is alive, and takes nothing if not.
func TestRLockAgainWhenCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		fixture.Succeed(l.Acquire(ctx))
		dead, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		fixture.Is(f, "again", l.Acquire(dead), fixture.ScopeCancelled...)
		if n := l.Snapshot().Holders[0].N; n != 1 {
			f.Errorf("it is held %d times", n)
		}
		l.Release(dead)
		if l.Locked() {
			f.Errorf("left is %v", &l)
		}
	})
}

// Who was handed the lock holds it once, however often its predecessor did.
func TestRLockHandOver(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		for range 3 {
			fixture.Succeed(l.Acquire(ctx))
		}
		next := curio.Go(ctx, func(ctx context.Context) error {
			if err := l.Acquire(ctx); err != nil {
				return err
			}
			if h := l.Snapshot().Holders; len(h) != 1 || h[0] != fixture.HolderOf(curio.CurrentTask(ctx), 1) {
				f.Errorf("held by %v", h)
			}
			l.Release(ctx)
			return nil
		})
		synctest.Wait()
		for range 3 {
			if next.Terminated() {
				f.Error("it was handed on too early")
			}
			l.Release(ctx)
		}
		if _, err := next.Join(ctx); err != nil || l.Locked() {
			f.Errorf("%v; %v", err, &l)
		}
	})
}
