package curio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// L1, L2, U1, U14: who waits sees it set, and can clear it; a wait for one that is set
// returns at once; it can be set more than once.
func TestEvent(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var e curio.Event
		for range 3 {
			waiter := curio.Go(ctx, func(ctx context.Context) error {
				if e.IsSet() {
					f.Error("it is set before anybody has set it")
				}
				if err := e.Wait(ctx); err != nil {
					return err
				}
				if !e.IsSet() {
					f.Error("it is not set after Wait")
				}
				start := time.Now()
				err := e.Wait(ctx)
				f.Elapsed(start, 0)
				e.Clear()
				return err
			})
			synctest.Wait()
			if s := waiter.State(); s != "EVENT_WAIT" {
				f.Errorf("the waiter is %s", s)
			}
			e.Set()
			e.Set() // once more is the same
			if _, err := waiter.Join(ctx); err != nil || e.IsSet() {
				f.Errorf("%v, set: %v", err, e.IsSet())
			}
		}
	})
}

// L5, U5: a wait that succeeds under a timeout is not hit later; one that has timed out
// hangs nobody when the event is set.
func TestEventTimeouts(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var e curio.Event
		curio.Go(ctx, func(ctx context.Context) error {
			for range 2 {
				_ = curio.Sleep(ctx, time.Second)
				e.Set()
			}
			return nil
		})
		start := time.Now()
		if err := curio.TimeoutAfter(ctx, 1500*time.Millisecond, e.Wait); err != nil {
			f.Errorf("first: %v", err)
		}
		e.Clear()
		fixture.Is(f, "too early", curio.TimeoutAfter(ctx, 500*time.Millisecond, e.Wait), fixture.TaskTimeout...)
		if err := e.Wait(ctx); err != nil {
			f.Errorf("second: %v", err)
		}
		f.Elapsed(start, 2*time.Second)
		f.OnlyMain()
	})
}

// L26: set and cleared at once, it wakes all who were waiting and nobody else.
func TestEventSetAndClear(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var e curio.Event
		var tasks []*curio.Task[struct{}]
		for range 10 {
			tasks = append(tasks, curio.Go(ctx, e.Wait))
		}
		synctest.Wait()
		e.Set()
		e.Clear()
		late := curio.Go(ctx, e.Wait)
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		synctest.Wait()
		if s := late.State(); s != "EVENT_WAIT" || e.IsSet() {
			f.Errorf("one that came later is %s, set: %v", s, e.IsSet())
		}
		_, _ = late.Cancel(ctx)
	})
}

// U2–U4: set and waited for by goroutines of any kind.
func TestEventBetweenTasksAndGoroutines(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var there, back curio.Event
		done := make(chan error)
		go func() {
			err := there.Wait(context.Background())
			back.Set()
			done <- err
		}()
		waiter := curio.Go(ctx, back.Wait)
		synctest.Wait()
		there.Set()
		if err := <-done; err != nil {
			f.Errorf("the goroutine: %v", err)
		}
		if _, err := waiter.Join(ctx); err != nil {
			f.Errorf("the task: %v", err)
		}
	})
}

// L22
func TestEventString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var e curio.Event
		says := func(want string) {
			f.Helper()
			if got := fmt.Sprint(&e); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
		}
		says("Event(not set)")
		task := curio.Go(ctx, e.Wait)
		synctest.Wait()
		says("Event(not set, 1 waiting)")
		if s := e.Snapshot(); len(s.Holders) != 0 {
			f.Errorf("held by %v", s.Holders)
		}
		e.Set()
		_, _ = task.Join(ctx)
		says("Event(set)")
		e.Clear()
		says("Event(not set)")
	})
}

// L26: set and cleared at once, it wakes all who were waiting, whoever is cancelled.
func TestRaceEventSetAndClear(t *testing.T) {
	fixture.Race(t, 5000, func(ctx context.Context) {
		var e curio.Event
		var tasks [3]*curio.Task[struct{}]
		for i := range tasks {
			tasks[i] = curio.Go(ctx, e.Wait)
		}
		fixture.WaitUntil(func() bool { return len(e.Snapshot().Waiters) == len(tasks) })
		fixture.AtOnce(
			func() { fixture.Spin(); e.Set(); e.Clear() },
			func() { fixture.Spin(); tasks[1].CancelNow() },
		)
		for _, i := range []int{0, 2, 1} {
			_ = tasks[i].Wait(ctx)
			if err := tasks[i].Err(); err != nil && (i != 1 || !errors.Is(err, curio.ErrTaskCancelled)) {
				t.Errorf("waiter %d: %v", i, err)
			}
		}
	})
}
