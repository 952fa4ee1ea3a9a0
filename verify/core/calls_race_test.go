package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// The worst moments of shared calls, of a Once and of a Ticker.

// The last caller leaves, another one comes and the function returns, all at once. The newcomer
// gets a result, its own or the old one's, and never a cancellation; two functions never run at
// the same time.
func TestRaceSharedCallsLeaveJoinEnd(t *testing.T) {
	fixture.Race(t, 5000, func(ctx context.Context) {
		var s fixture.Calls
		var end curio.Event
		var inside, called atomic.Int32
		fn := func(ctx context.Context) (int, error) {
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d are inside", n)
			}
			defer inside.Add(-1)
			n := called.Add(1)
			err := end.Wait(ctx)
			fixture.Spin()
			return int(n), err
		}
		first := curio.Spawn(ctx, fixture.Asks(&s, "a", fn))
		fixture.WaitUntil(func() bool { return called.Load() == 1 })
		var second *curio.Task[int]
		fixture.AtOnce(
			func() { fixture.Spin(); first.CancelNow() },
			func() { fixture.Spin(); second = curio.Spawn(ctx, fixture.Asks(&s, "a", fn)) },
			func() { fixture.Spin(); end.Set() },
		)
		v, err := second.Join(ctx)
		if n := called.Load(); err != nil || v < 1 || v > int(n) || n > 2 {
			t.Errorf("the newcomer gets %d, %v; %d were called", v, err, n)
		}
		v, err = first.Join(ctx)
		if !(v == 1 && err == nil || v == 0 && errors.Is(err, curio.ErrTaskCancelled)) {
			t.Errorf("the first gets %d, %v", v, err)
		}
		fixture.WaitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
	})
}

// A call is cancelled and another one is pending behind it. The last caller of that leaves when the
// first one ends: the second is not called, or it is cancelled; it does not run for nobody.
func TestRaceSharedCallsPendingLeaves(t *testing.T) {
	fixture.Race(t, 3000, func(ctx context.Context) {
		var s fixture.Calls
		var end curio.Event
		begun := make(chan struct{})
		old := curio.Spawn(ctx, fixture.Asks(&s, "a", func(ctx context.Context) (int, error) {
			close(begun)
			return 1, curio.DisableCancellation(ctx, end.Wait)
		}))
		<-begun
		_, _ = old.Cancel(ctx)
		pending := curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.Sleeping))
		fixture.WaitUntil(func() bool { return len(s.Snapshot().Waiters) == 1 })
		fixture.AtOnce(
			func() { fixture.Spin(); end.Set() },
			func() { fixture.Spin(); pending.CancelNow() },
		)
		if _, err := pending.Join(ctx); !errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("it ends with %v", err)
		}
		fixture.WaitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
		if v, err := fixture.Asks(&s, "a", fixture.Returns(2))(ctx); v != 2 || err != nil {
			t.Errorf("the next: %d, %v", v, err)
		}
	})
}

// Callers come, leave, and forget, with few keys: whoever stays gets a result.
func TestRaceSharedCallsCrowd(t *testing.T) {
	fixture.Race(t, 500, func(ctx context.Context) {
		var s curio.SharedCalls[int, int]
		forgets := rand.IntN(2) == 0
		var inside [2]atomic.Int32
		var tasks []*curio.Task[struct{}]
		for range 16 {
			key := rand.IntN(len(inside))
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				fixture.Spin()
				v, _, err := s.Do(ctx, key, func(ctx context.Context) (int, error) {
					if n := inside[key].Add(1); n != 1 && !forgets {
						t.Errorf("%d are inside", n)
					}
					defer inside[key].Add(-1)
					if err := curio.Sleep(ctx, 0); err != nil {
						return 0, err
					}
					fixture.Spin()
					return 1 + key, nil
				})
				if err == nil && v != 1+key {
					t.Errorf("for the key %d it gets %d", key, v)
				}
				return err
			}))
		}
		left := map[int]bool{}
		for range 8 {
			fixture.Spin()
			i := rand.IntN(len(tasks))
			if left[i] = true; forgets && i%2 == 0 {
				s.Forget(i % len(inside))
			}
			tasks[i].CancelNow()
		}
		for i, task := range tasks {
			_ = task.Wait(ctx)
			if err := task.Err(); err != nil && !(left[i] && errors.Is(err, curio.ErrTaskCancelled)) {
				t.Errorf("caller %d, which has left: %v: %v", i, left[i], err)
			}
		}
		fixture.WaitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
	})
}

// Two calls come to ask for each other at the same moment: one of them is refused, and neither
// waits for ever.
func TestRaceSharedCallsCircle(t *testing.T) {
	fixture.Race(t, 2000, func(ctx context.Context) {
		var s, other fixture.Calls
		objects := []*fixture.Calls{&s, &other}[:1+rand.IntN(2)]
		of := func(i int) *fixture.Calls { return objects[i%len(objects)] }
		var both atomic.Int32
		asksOther := func(i int, key, next string) *curio.Task[int] {
			return curio.Spawn(ctx, fixture.Asks(of(i), key, func(ctx context.Context) (int, error) {
				both.Add(1)
				fixture.WaitUntil(func() bool { return both.Load() == 2 })
				fixture.Spin()
				v, err := fixture.Asks(of(i+1), next, fixture.Returns(0))(ctx)
				return v, err
			}))
		}
		a, b := asksOther(0, "a", "b"), asksOther(1, "b", "a")
		_, err := a.Join(ctx)
		_, err2 := b.Join(ctx)
		if !errors.Is(err, curio.ErrRecursiveCall) || !errors.Is(err2, curio.ErrRecursiveCall) {
			t.Errorf("%v, %v", err, err2)
		}
	})
}

// The kernel of a call is shut down while somebody of another kernel comes: that one gets an error
// or a value, and is not left waiting.
func TestRaceSharedCallsShutdown(t *testing.T) {
	fixture.Race(t, 2000, func(ctx context.Context) {
		var s fixture.Calls
		var end curio.Event
		k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
		ended := make(chan struct{})
		begun := make(chan struct{})
		go func() {
			defer close(ended)
			_ = k.Run(context.Background(), func(ctx context.Context) error {
				_, err := fixture.Asks(&s, "a", func(ctx context.Context) (int, error) { close(begun); return 1, end.Wait(ctx) })(ctx)
				return err
			})
		}()
		<-begun
		var joined *curio.Task[int]
		fixture.AtOnce(
			func() { fixture.Spin(); fixture.Succeed(k.Shutdown(context.Background())) },
			func() { fixture.Spin(); joined = curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.Returns(2))) },
			func() {
				if fixture.Spin(); rand.IntN(2) == 0 {
					end.Set()
				}
			},
		)
		_ = joined.Wait(ctx)
		v, err := joined.Result()
		if !(err == nil && v > 0 || errors.Is(err, curio.ErrTaskCancelled)) {
			t.Errorf("%d, %v", v, err)
		}
		<-ended
	})
}

// Functions fail while those who wait are cancelled: nobody is left waiting, and one success is
// the value for all who come after it.
func TestRaceOnceFailsAndIsCancelled(t *testing.T) {
	fixture.Race(t, 3000, func(ctx context.Context) {
		var o curio.Once[int]
		var inside, called, succeeded atomic.Int32
		success := int32(rand.IntN(8)) // never if nobody comes so far
		fn := func(context.Context) (int, error) {
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d are inside", n)
			}
			defer inside.Add(-1)
			fixture.Spin()
			if called.Add(1) < success {
				return 0, fixture.ErrBoom
			}
			return int(succeeded.Add(1)), nil
		}
		tasks := make([]*curio.Task[int], 6)
		for i := range tasks {
			tasks[i] = curio.Spawn(ctx, func(ctx context.Context) (int, error) { return o.Do(ctx, fn) })
		}
		cancels := make([]func(), 3)
		for i := range cancels {
			cancels[i] = func() { fixture.Spin(); tasks[rand.IntN(len(tasks))].CancelNow() }
		}
		fixture.AtOnce(cancels...)
		for _, task := range tasks {
			v, err := task.Join(ctx)
			if !(err == nil && v == 1 || errors.Is(err, fixture.ErrBoom) || errors.Is(err, curio.ErrTaskCancelled)) {
				t.Errorf("%d, %v", v, err)
			}
		}
		if now := o.Snapshot(); len(now.Holders)+len(now.Waiters) > 0 {
			t.Errorf("left is %v", now)
		}
		v, ok := o.Get()
		if ok != (succeeded.Load() == 1) || ok && v != 1 || succeeded.Load() > 1 {
			t.Errorf("the value is %d, %v; %d have succeeded", v, ok, succeeded.Load())
		}
	})
}

// Several tasks take the ticks of one Ticker faster than it ticks, some of them only to lose them:
// there are as many as the time that has passed has room for.
func TestRaceTicker(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			const interval = 50 * time.Microsecond
			each := testutil.Times(400)
			before := time.Now()
			ticker := curio.NewTicker(interval, curio.BurstTicks)
			after := time.Now()
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for i := range 4 {
					g.Go(func(ctx context.Context) (err error) {
						for n := range each {
							var tick time.Time
							switch (i + n) % 3 {
							case 0:
								tick, err = ticker.Next(ctx)
							case 1:
								_, err = curio.Select(ctx, ticker.NextCase(&tick), curio.AfterCase(time.Hour))
							case 2:
								var other int
								other, err = curio.Select(ctx, ticker.NextCase(&tick), curio.AfterCase(fixture.Tiny()))
								if other == 1 {
									ended := curio.TimeoutAfter(ctx, fixture.Tiny(), func(ctx context.Context) error { tick, err = ticker.Next(ctx); return err })
									if errors.Is(ended, curio.ErrTaskTimeout) {
										tick, err = ticker.Next(ctx)
									}
								}
							}
							if err != nil || tick.IsZero() || time.Until(tick) > 0 {
								return fmt.Errorf("the tick of %v, %v from now: %w", tick, time.Until(tick), err)
							}
						}
						return nil
					})
				}
				return nil
			})
			f.Journal.Take(fixture.MsgLate)
			if err != nil {
				f.Fatal(err)
			}
			taken := 4 * each
			for {
				now := time.Now()
				if _, err := curio.TrySelect(ctx, ticker.NextCase(nil)); err == nil {
					taken++
					continue
				}
				least, most := int(now.Sub(after)/interval), int(time.Since(before)/interval)
				if taken < least || taken > most {
					f.Errorf("there were %d ticks, and should be %d to %d", taken, least, most)
				}
				return
			}
		})
	})
}
