package core_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// Three ask for the same key, two of them with little patience, and one for another key that asks
// for the first. Whatever is cancelled, two functions for a key never run at the same time.
func TestEverywhereSharedCalls(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var s fixture.Calls
		place := new(alone)
		stays := func(ctx context.Context) (int, error) {
			if err := place.stay(ctx); err != nil {
				return 0, err
			}
			return 1, place.stay(ctx)
		}
		do := func(ctx context.Context, key string, fn fixture.Racer) error {
			v, err := fixture.Asks(&s, key, fn)(ctx)
			if err == nil && v != 1 {
				return fmt.Errorf("it gets %d", v)
			}
			return err
		}
		patient := func(ctx context.Context) error { return do(ctx, "a", stays) }
		impatient := func(ctx context.Context) error {
			if _, err := curio.IgnoreAfter(ctx, time.Millisecond/2, patient); err != nil {
				return err
			}
			return patient(ctx)
		}
		nested := func(ctx context.Context) error {
			return do(ctx, "b", func(ctx context.Context) (int, error) { return 1, patient(ctx) })
		}
		return fixture.Team(ctx, impatient, patient, impatient, nested)
	})
}

// The first function fails, the next ones succeed or are cancelled.
func TestEverywhereOnce(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var o curio.Once[int]
		place := new(alone)
		tries := 0
		do := func(ctx context.Context) error {
			v, err := o.Do(ctx, func(ctx context.Context) (int, error) {
				if err := place.stay(ctx); err != nil {
					return 0, err
				}
				if tries++; tries == 1 {
					return 0, fixture.ErrBoom
				}
				return 1, nil
			})
			if err == nil && v != 1 {
				return fmt.Errorf("it gets %d", v)
			}
			return err
		}
		retries := func(ctx context.Context) error {
			err := do(ctx)
			if errors.Is(err, fixture.ErrBoom) {
				err = do(ctx)
			}
			return err
		}
		return fixture.Team(ctx, retries, retries, retries)
	})
}

// Two take the ticks of one Ticker, one of them by a Select: none is lost, whatever is cancelled.
func TestEverywhereTicker(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		start := time.Now()
		ticker := curio.NewTicker(time.Millisecond, curio.BurstTicks)
		var taken fixture.Roll[time.Time]
		err := fixture.Team(ctx, func(ctx context.Context) error {
			for range 3 {
				tick, err := ticker.Next(ctx)
				if err != nil {
					return err
				}
				taken.Add(tick)
			}
			return nil
		}, func(ctx context.Context) error {
			for range 3 {
				var tick time.Time
				if _, err := curio.Select(ctx, ticker.NextCase(&tick), new(curio.Event).WaitCase()); err != nil {
					return err
				}
				taken.Add(tick)
			}
			return nil
		})
		var last time.Duration
		for _, tick := range taken.All() {
			last = max(last, tick.Sub(start))
		}
		if want := time.Duration(len(taken.All())) * time.Millisecond; last != want {
			return fmt.Errorf("the last tick is the one of %v, not %v", last, want)
		}
		return err
	})
}
