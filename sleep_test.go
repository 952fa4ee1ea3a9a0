package curio_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// S1, S2, S3, S16: a sleep lasts as long as it should, by the clock.
func TestSleep(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start, clock := time.Now(), curio.Clock(ctx)
		if err := curio.Sleep(ctx, 500*time.Millisecond); err != nil {
			f.Error(err)
		}
		f.Elapsed(start, 500*time.Millisecond)
		if d := curio.Clock(ctx).Sub(clock); d != 500*time.Millisecond {
			f.Errorf("by the clock it took %v", d)
		}
		at := curio.Clock(ctx).Add(time.Second)
		now, err := curio.WakeAt(ctx, at)
		if err != nil || !now.Equal(at) || !curio.Clock(ctx).Equal(now) {
			f.Errorf("WakeAt: %v, %v, want %v", now, err, at)
		}
		now, err = curio.WakeAt(ctx, at.Add(-time.Hour)) // is over
		if err != nil || !now.Equal(at) {
			f.Errorf("WakeAt in the past: %v, %v", now, err)
		}
		f.Elapsed(start, 1500*time.Millisecond)
	})
}

// The same by the wall, once: never too early.
func TestSleepInRealTime(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for range 100 {
			clock, start := curio.Clock(ctx), time.Now()
			const d = 50 * time.Microsecond
			if err := curio.Sleep(ctx, d); err != nil || time.Since(start) < d || curio.Clock(ctx).Sub(clock) < d {
				f.Errorf("%v, %v; %v", time.Since(start), curio.Clock(ctx).Sub(clock), err)
			}
			at := curio.Clock(ctx).Add(d)
			if now, err := curio.WakeAt(ctx, at); err != nil || now.Before(at) {
				f.Errorf("WakeAt %v: %v, %v", at, now, err)
			}
		}
	})
}

// Work at a fixed rate does not drift.
func TestWakeAtDoesNotDrift(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := curio.Clock(ctx)
		next := start
		for range 10 {
			next = next.Add(time.Second)
			now, err := curio.WakeAt(ctx, next)
			if err != nil || !now.Equal(next) {
				f.Errorf("woke at %v, want %v; %v", now, next, err)
			}
			time.Sleep(300 * time.Millisecond) // work
		}
		if d := curio.Clock(ctx).Sub(start); d != 10300*time.Millisecond {
			f.Errorf("took %v", d)
		}
	})
}

// S4: a sleeping task can be cancelled, in either form.
func TestSleepCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		a := curio.Go(ctx, fixture.Sleeper)
		b := curio.Go(ctx, func(ctx context.Context) error {
			now, err := curio.WakeAt(ctx, time.Now().Add(time.Hour))
			if !now.Equal(start.Add(time.Second)) {
				f.Errorf("WakeAt returned %v", now)
			}
			return err
		})
		_ = curio.Sleep(ctx, time.Second)
		_, _ = a.Cancel(ctx)
		_, _ = b.Cancel(ctx)
		fixture.Is(f, "Sleep", a.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "WakeAt", b.Err(), fixture.TaskCancelled...)
		f.Elapsed(start, time.Second)
	})
}

// S15: a sleep of no time, or less, returns at once, and has not blocked.
func TestSleepOfZero(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start, cycles := time.Now(), curio.CurrentTask(ctx).Cycles()
		for _, d := range []time.Duration{0, -1, -time.Hour, -1 << 63} {
			if err := curio.Sleep(ctx, d); err != nil {
				f.Errorf("%v: %v", d, err)
			}
		}
		f.Elapsed(start, 0)
		if n := curio.CurrentTask(ctx).Cycles(); n != cycles {
			f.Errorf("it blocked %d times", n-cycles)
		}
	})
}

// A sleep of more time than there is.
func TestSleepForEver(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, d := range []time.Duration{1<<63 - 1, 1 << 62} {
			task := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, d) })
			_ = curio.Sleep(ctx, 1000*time.Hour)
			if task.State() != "TIME_SLEEP" {
				f.Errorf("%v: %v", d, task)
			}
			_, _ = task.Cancel(ctx)
		}
	})
}

// S11, S13: a loop of sleeps of no time lets others run, and can be cancelled.
func TestSleepOfZeroStarvesNobody(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var loops []*curio.Task[struct{}]
		for range 8 {
			loops = append(loops, curio.Go(ctx, func(ctx context.Context) error {
				for {
					if err := curio.Sleep(ctx, 0); err != nil {
						return err
					}
				}
			}))
		}
		var turns atomic.Int32
		other := curio.Go(ctx, func(ctx context.Context) error {
			for range 10 {
				turns.Add(1)
				if err := curio.Sleep(ctx, 100*time.Microsecond); err != nil {
					return err
				}
			}
			return nil
		})
		err := curio.TimeoutAfter(ctx, 30*time.Second, other.Wait)
		if err != nil || turns.Load() != 10 {
			f.Errorf("%d turns, %v", turns.Load(), err)
		}
		for _, loop := range loops {
			if did, err := loop.Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
		}
	})
}

// S12: two tasks that wake each other for ever do not starve a third. (With groups,
// as this package's only hand-over; queues have their own test.)
func TestPingPongStarvesNobody(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		pingPong := curio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := curio.Spawn(ctx, fixture.Returns(1)).Join(ctx); err != nil {
					return err
				}
			}
		})
		third := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Millisecond) })
		if err := curio.TimeoutAfter(ctx, 30*time.Second, third.Wait); err != nil {
			f.Error(err)
		}
		_, _ = pingPong.Cancel(ctx)
	})
}

// S14: sleepers wake in the order of their times, also those that sleep to the same
// moment, whatever the order in which they began.
func TestSleepersWakeInOrder(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var mu sync.Mutex
		var order []string
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for i, seconds := range []int{5, 1, 3, 3, 2, 4, 1} {
				g.Spawn(func(ctx context.Context) (int, error) {
					err := curio.Sleep(ctx, time.Duration(seconds)*time.Second)
					mu.Lock()
					defer mu.Unlock()
					order = append(order, fmt.Sprint(seconds))
					return i, err
				})
			}
			return nil
		})
		if got := strings.Join(order, ""); err != nil || got != "1123345" {
			f.Errorf("order %s, %v", got, err)
		}
	})
}

// A waiter and an alarm are used again: a sleep that was cut short must not end the
// next one.
func TestSleepAfterSleepCutShort(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for range 100 {
			start := time.Now()
			fixture.Is(f, "cut", curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.Sleep(ctx, 1500*time.Millisecond)
			}), fixture.TaskTimeout...)
			if err := curio.Sleep(ctx, 2*time.Second); err != nil {
				f.Error(err)
			}
			f.Elapsed(start, 3*time.Second)
		}
	})
}

// Goroutines that a task has shared its context with sleep beside it.
func TestSleepInSharedContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					start := time.Now()
					d := time.Duration(i+1) * time.Second
					if err := curio.Sleep(ctx, d); i < 5 && (err != nil || time.Since(start) != d) {
						f.Errorf("%v: %v, %v", d, time.Since(start), err)
					} else if i > 5 {
						fixture.Is(f, "cancelled", err, fixture.TaskCancelled...)
					}
				})
			}
			wg.Wait()
			return curio.Sleep(ctx, 0)
		})
		_ = curio.Sleep(ctx, 5500*time.Millisecond)
		_, _ = task.Cancel(ctx)
		fixture.Is(f, "task", task.Err(), fixture.TaskCancelled...)
		synctest.Wait()
	})
}
