package curio_test

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
)

// The worst moments of shared calls, of a Once and of a Ticker.

// The last caller leaves, another one comes and the function returns, all at once. The newcomer
// gets a result, its own or the old one's, and never a cancellation; two functions never run at
// the same time.
func TestRaceSharedCallsLeaveJoinEnd(t *testing.T) {
	race(t, 5000, func(ctx context.Context) {
		var s calls
		var end curio.Event
		var inside, called atomic.Int32
		fn := func(ctx context.Context) (int, error) {
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d are inside", n)
			}
			defer inside.Add(-1)
			n := called.Add(1)
			err := end.Wait(ctx)
			spin()
			return int(n), err
		}
		first := curio.Spawn(ctx, asks(&s, "a", fn))
		waitUntil(func() bool { return called.Load() == 1 })
		var second *curio.Task[int]
		atOnce(
			func() { spin(); first.CancelNow() },
			func() { spin(); second = curio.Spawn(ctx, asks(&s, "a", fn)) },
			func() { spin(); end.Set() },
		)
		v, err := second.Join(ctx)
		if n := called.Load(); err != nil || v < 1 || v > int(n) || n > 2 {
			t.Errorf("the newcomer gets %d, %v; %d were called", v, err, n)
		}
		v, err = first.Join(ctx)
		if !(v == 1 && err == nil || v == 0 && errors.Is(err, curio.ErrTaskCancelled)) {
			t.Errorf("the first gets %d, %v", v, err)
		}
		waitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
	})
}

// A call is cancelled and another one is pending behind it. The last caller of that leaves when the
// first one ends: the second is not called, or it is cancelled; it does not run for nobody.
func TestRaceSharedCallsPendingLeaves(t *testing.T) {
	race(t, 3000, func(ctx context.Context) {
		var s calls
		var end curio.Event
		begun := make(chan struct{})
		old := curio.Spawn(ctx, asks(&s, "a", func(ctx context.Context) (int, error) {
			close(begun)
			return 1, curio.DisableCancellation(ctx, end.Wait)
		}))
		<-begun
		_, _ = old.Cancel(ctx)
		pending := curio.Spawn(ctx, asks(&s, "a", sleeping))
		waitUntil(func() bool { return len(s.Snapshot().Waiters) == 1 })
		atOnce(
			func() { spin(); end.Set() },
			func() { spin(); pending.CancelNow() },
		)
		if _, err := pending.Join(ctx); !errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("it ends with %v", err)
		}
		waitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
		if v, err := asks(&s, "a", returns(2))(ctx); v != 2 || err != nil {
			t.Errorf("the next: %d, %v", v, err)
		}
	})
}

// Callers come, leave, and forget, with few keys: whoever stays gets a result.
func TestRaceSharedCallsCrowd(t *testing.T) {
	race(t, 500, func(ctx context.Context) {
		var s curio.SharedCalls[int, int]
		forgets := rand.IntN(2) == 0
		var inside [2]atomic.Int32
		var tasks []*curio.Task[struct{}]
		for range 16 {
			key := rand.IntN(len(inside))
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				spin()
				v, _, err := s.Do(ctx, key, func(ctx context.Context) (int, error) {
					if n := inside[key].Add(1); n != 1 && !forgets {
						t.Errorf("%d are inside", n)
					}
					defer inside[key].Add(-1)
					if err := curio.Sleep(ctx, 0); err != nil {
						return 0, err
					}
					spin()
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
			spin()
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
		waitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
	})
}

// Two calls come to ask for each other at the same moment: one of them is refused, and neither
// waits for ever.
func TestRaceSharedCallsCircle(t *testing.T) {
	race(t, 2000, func(ctx context.Context) {
		var s, other calls
		objects := []*calls{&s, &other}[:1+rand.IntN(2)]
		of := func(i int) *calls { return objects[i%len(objects)] }
		var both atomic.Int32
		asksOther := func(i int, key, next string) *curio.Task[int] {
			return curio.Spawn(ctx, asks(of(i), key, func(ctx context.Context) (int, error) {
				both.Add(1)
				waitUntil(func() bool { return both.Load() == 2 })
				spin()
				v, err := asks(of(i+1), next, returns(0))(ctx)
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
	race(t, 2000, func(ctx context.Context) {
		var s calls
		var end curio.Event
		k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
		ended := make(chan struct{})
		begun := make(chan struct{})
		go func() {
			defer close(ended)
			_ = k.Run(context.Background(), func(ctx context.Context) error {
				_, err := asks(&s, "a", func(ctx context.Context) (int, error) { close(begun); return 1, end.Wait(ctx) })(ctx)
				return err
			})
		}()
		<-begun
		var joined *curio.Task[int]
		atOnce(
			func() { spin(); succeed(k.Shutdown(context.Background())) },
			func() { spin(); joined = curio.Spawn(ctx, asks(&s, "a", returns(2))) },
			func() {
				if spin(); rand.IntN(2) == 0 {
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
	race(t, 3000, func(ctx context.Context) {
		var o curio.Once[int]
		var inside, called, succeeded atomic.Int32
		success := int32(rand.IntN(8)) // never if nobody comes so far
		fn := func(context.Context) (int, error) {
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d are inside", n)
			}
			defer inside.Add(-1)
			spin()
			if called.Add(1) < success {
				return 0, errBoom
			}
			return int(succeeded.Add(1)), nil
		}
		tasks := make([]*curio.Task[int], 6)
		for i := range tasks {
			tasks[i] = curio.Spawn(ctx, func(ctx context.Context) (int, error) { return o.Do(ctx, fn) })
		}
		cancels := make([]func(), 3)
		for i := range cancels {
			cancels[i] = func() { spin(); tasks[rand.IntN(len(tasks))].CancelNow() }
		}
		atOnce(cancels...)
		for _, task := range tasks {
			v, err := task.Join(ctx)
			if !(err == nil && v == 1 || errors.Is(err, errBoom) || errors.Is(err, curio.ErrTaskCancelled)) {
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
	watch(t, func() {
		withKernel(t, func(ctx context.Context, f *fixture) {
			const interval = 50 * time.Microsecond
			each := times(400)
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
								other, err = curio.Select(ctx, ticker.NextCase(&tick), curio.AfterCase(tiny()))
								if other == 1 {
									ended := curio.TimeoutAfter(ctx, tiny(), func(ctx context.Context) error { tick, err = ticker.Next(ctx); return err })
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
			f.Journal.take(msgLate)
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
