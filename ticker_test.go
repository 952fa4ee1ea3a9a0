package curio_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// A timeline is times as how long after a start they are.
func timeline(start time.Time, times []time.Time) (since []time.Duration) {
	for _, t := range times {
		since = append(since, t.Sub(start))
	}
	return since
}

// Ticks that are waited for come at the interval, exactly, whatever the policy, and however long
// the work in between takes as long as it is less than that. The first one comes after an interval.
func TestTicker(t *testing.T) {
	for _, missed := range []curio.MissedTicks{curio.SkipTicks, curio.DelayTicks, curio.BurstTicks} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			start := time.Now()
			ticker := curio.NewTicker(time.Second, missed)
			for i := range 5 {
				tick, err := ticker.Next(ctx)
				want := time.Duration(i+1) * time.Second
				if err != nil || tick.Sub(start) != want {
					f.Errorf("%v: tick %d at %v, %v", missed, i, tick.Sub(start), err)
				}
				f.Elapsed(start, want)
				time.Sleep(time.Duration(i) * 249 * time.Millisecond)
			}
			if text, want := ticker.String(), fmt.Sprintf("Ticker(every 1s, missed: %v)", missed); text != want {
				f.Error(text)
			}
		})
	}
}

// What becomes of ticks that nobody has taken in time, by Next and by a Select.
func TestTickerMissed(t *testing.T) {
	for missed, want := range map[curio.MissedTicks]struct{ due, at []time.Duration }{
		// In tenths of a second, with an interval of ten: first nobody looks for 35, then for
		// each tick there is work of 1.
		curio.SkipTicks:  {due: []time.Duration{30, 40, 50, 60, 70}, at: []time.Duration{35, 40, 50, 60, 70}},
		curio.DelayTicks: {due: []time.Duration{10, 45, 55, 65, 75}, at: []time.Duration{35, 45, 55, 65, 75}},
		curio.BurstTicks: {due: []time.Duration{10, 20, 30, 40, 50}, at: []time.Duration{35, 36, 37, 40, 50}},
	} {
		for name, next := range map[string]func(context.Context, *curio.Ticker) (time.Time, error){
			"Next": func(ctx context.Context, t *curio.Ticker) (time.Time, error) { return t.Next(ctx) },
			"Select": func(ctx context.Context, t *curio.Ticker) (tick time.Time, err error) {
				_, err = curio.Select(ctx, t.NextCase(&tick), new(curio.Event).WaitCase())
				return tick, err
			},
			"All": func(ctx context.Context, t *curio.Ticker) (time.Time, error) {
				for tick, err := range t.All(ctx) {
					return tick, err
				}
				panic("no tick")
			},
		} {
			t.Run(fmt.Sprintf("%v/%s", missed, name), func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					start := time.Now()
					ticker := curio.NewTicker(time.Second, missed)
					time.Sleep(3500 * time.Millisecond)
					var due, at []time.Time
					for range want.due {
						tick, err := next(ctx, ticker)
						if err != nil {
							f.Error(err)
						}
						due, at = append(due, tick), append(at, time.Now())
						time.Sleep(time.Second / 10)
					}
					scale := func(tenths []time.Duration) (all []time.Duration) {
						for _, d := range tenths {
							all = append(all, d*time.Second/10)
						}
						return all
					}
					if got := timeline(start, due); !slices.Equal(got, scale(want.due)) {
						f.Errorf("the ticks are %v", got)
					}
					if got := timeline(start, at); !slices.Equal(got, scale(want.at)) {
						f.Errorf("they are taken at %v", got)
					}
				})
			})
		}
	}
}

// A tick that is taken at the very moment, or an exact number of intervals late.
func TestTickerMissedExactly(t *testing.T) {
	for missed, want := range map[curio.MissedTicks][]time.Duration{
		curio.SkipTicks:  {3 * time.Second, 4 * time.Second},
		curio.DelayTicks: {1 * time.Second, 4 * time.Second},
		curio.BurstTicks: {1 * time.Second, 2 * time.Second},
	} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			start := time.Now()
			ticker := curio.NewTicker(time.Second, missed)
			time.Sleep(3 * time.Second)
			one, err := ticker.Next(ctx)
			other, err2 := ticker.Next(ctx)
			if got := timeline(start, []time.Time{one, other}); !slices.Equal(got, want) || err != nil || err2 != nil {
				f.Errorf("%v: %v, %v, %v", missed, got, err, err2)
			}
		})
	}
}

// A caller that was waiting for the tick may run late, as nobody wakes at once. That is no reason to
// drift, unless it has missed the next tick, too.
func TestTickerWakesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for missed, want := range map[curio.MissedTicks][]time.Duration{
			curio.SkipTicks:  {900, 900, 500, 1000},
			curio.DelayTicks: {900, 1000, 1000, 1000},
			curio.BurstTicks: {900, 900, -1500, 0},
		} {
			ticker := curio.NewTicker(time.Second, missed)
			for i, next := range []time.Duration{
				curio.TakeLate(ticker, 100*time.Millisecond, true),
				curio.TakeLate(ticker, 100*time.Millisecond, false),
				curio.TakeLate(ticker, 2500*time.Millisecond, true),
				curio.TakeLate(ticker, time.Second, true),
			} {
				if next != want[i]*time.Millisecond {
					t.Errorf("%v, %d: the next tick comes after %v, want %v ms", missed, i, next, int64(want[i]))
				}
			}
		}
	})
}

// A wait that ends otherwise takes no tick: a cancellation, a timeout, another case.
func TestTickerLosesNothing(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		ticker := curio.NewTicker(time.Second, curio.BurstTicks)
		waiter := curio.Go(ctx, func(ctx context.Context) error { _, err := ticker.Next(ctx); return err })
		synctest.Wait()
		if waiter.State() != "TIME_SLEEP" {
			f.Errorf("it waits in %s", waiter.State())
		}
		_, _ = waiter.Cancel(ctx)
		fixture.Is(f, "cancelled", waiter.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "timeout", curio.TimeoutAfter(ctx, time.Second/2, func(ctx context.Context) error {
			tick, err := ticker.Next(ctx)
			if !tick.IsZero() {
				f.Errorf("there is a tick, %v", tick)
			}
			return err
		}), fixture.TaskTimeout...)

		var tick time.Time
		var e curio.Event
		e.Set()
		if i, err := curio.Select(ctx, curio.Case{}, e.WaitCase()); i != 1 || err != nil {
			f.Error(i, err)
		}
		if i, err := curio.Select(ctx, ticker.NextCase(&tick), curio.AfterCase(time.Second/10)); i != 1 || err != nil || !tick.IsZero() {
			f.Errorf("case %d, %v, %v", i, err, tick)
		}
		time.Sleep(time.Minute)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, err := ticker.Next(gone) // also if one is due
		fixture.Is(f, "gone", err, fixture.ScopeCancelled...)
		for i := range 60 {
			if i%2 == 0 {
				tick, err = ticker.Next(ctx)
			} else {
				_, err = curio.TrySelect(ctx, ticker.NextCase(&tick))
			}
			if want := time.Duration(i+1) * time.Second; err != nil || tick.Sub(start) != want {
				f.Fatalf("tick %d: %v, %v", i, tick.Sub(start), err)
			}
		}
		if _, err := curio.TrySelect(ctx, ticker.NextCase(nil)); err != curio.ErrNotReady {
			f.Errorf("one too many: %v", err)
		}
	})
}

// Each tick goes to one of those who wait, by Next or by a Select, and the others go on waiting.
func TestTickerOfSeveralTasks(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		ticker := curio.NewTicker(time.Second, curio.SkipTicks)
		var taken fixture.Roll[time.Time]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			for i := range 10 {
				g.Go(func(ctx context.Context) (err error) {
					for range 3 {
						var tick time.Time
						if i%2 == 0 {
							tick, err = ticker.Next(ctx)
						} else {
							_, err = curio.Select(ctx, ticker.NextCase(&tick), curio.AfterCase(time.Hour))
						}
						if err != nil {
							return err
						}
						if !tick.Equal(time.Now()) {
							f.Errorf("the tick of %v comes at %v", tick.Sub(start), time.Since(start))
						}
						taken.Add(tick)
					}
					return nil
				})
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		for i, d := range timeline(start, taken.All()) {
			if d != time.Duration(i+1)*time.Second {
				f.Errorf("tick %d was taken at %v", i, d)
			}
		}
		f.Elapsed(start, 30*time.Second)
	})
}

// A loop ends with its context, or by itself, and another loop goes on with the same ticks.
func TestTickerAll(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		ticker := curio.NewTicker(time.Second, curio.SkipTicks)
		var ticks []time.Time
		for tick, err := range ticker.All(ctx) {
			if err != nil {
				f.Error(err)
			}
			if ticks = append(ticks, tick); len(ticks) == 2 {
				break
			}
		}
		var errs []error
		_ = curio.TimeoutAfter(ctx, 2500*time.Millisecond, func(ctx context.Context) error {
			for tick, err := range ticker.All(ctx) {
				if err != nil {
					errs = append(errs, err)
					continue
				}
				ticks = append(ticks, tick)
			}
			return nil
		})
		f.Journal.Take(fixture.MsgLate)
		if got := timeline(start, ticks); !slices.Equal(got, []time.Duration{1e9, 2e9, 3e9, 4e9}) {
			f.Errorf("%v", got)
		}
		if len(errs) != 1 {
			f.Fatalf("the errors are %v", errs)
		}
		fixture.Is(f, "the error", errs[0], fixture.TaskTimeout...)
	})
}

// Far in the future is never.
func TestTickerFarAway(t *testing.T) {
	const centuries = 2 * 100 * 365 * 24 * time.Hour
	for _, missed := range []curio.MissedTicks{curio.SkipTicks, curio.DelayTicks, curio.BurstTicks} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			ticker := curio.NewTicker(math.MaxInt64, missed)
			for range 2 {
				fixture.Is(f, "never", curio.TimeoutAfter(ctx, 1000*time.Hour, func(ctx context.Context) error { _, err := ticker.Next(ctx); return err }), fixture.TaskTimeout...)
				if i, err := curio.Select(ctx, ticker.NextCase(nil), curio.AfterCase(time.Hour)); i != 1 || err != nil {
					f.Errorf("%v: case %d, %v", missed, i, err)
				}
			}
			// The tick after the first one is further away than a clock can tell.
			start := time.Now()
			ticker = curio.NewTicker(centuries, missed)
			if tick, err := ticker.Next(ctx); err != nil || tick.Sub(start) != centuries {
				f.Errorf("%v: %v, %v", missed, tick, err)
			}
			if _, err := curio.TrySelect(ctx, ticker.NextCase(nil)); err != curio.ErrNotReady {
				f.Errorf("%v: %v", missed, err)
			}
		})
	}
}

func TestTickerMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		fixture.Panics(f, "must be positive", func() { curio.NewTicker(0, curio.SkipTicks) })
		fixture.Panics(f, "NewTicker(-1s)", func() { curio.NewTicker(-time.Second, curio.SkipTicks) })
		fixture.Panics(f, "MissedTicks(3)", func() { curio.NewTicker(time.Second, 3) })
		fixture.Panics(f, "NewTicker has not made", func() { _, _ = new(curio.Ticker).Next(ctx) })
		fixture.Panics(f, "NewTicker has not made", func() { new(curio.Ticker).NextCase(nil) })
	})
}

func ExampleTicker() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		ticks := 0
		for _, err := range curio.NewTicker(time.Millisecond, curio.SkipTicks).All(ctx) {
			if err != nil {
				return err
			}
			if ticks++; ticks == 3 {
				break
			}
		}
		fmt.Println(ticks, "ticks")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 3 ticks
	// <nil>
}
