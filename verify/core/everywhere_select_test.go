package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// A producer that puts where there is room, and a consumer that gets from both queues until it
// is told to stop, under a lock that both wait for by a Select.
func TestEverywhereSelect(t *testing.T) {
	for _, channel := range []bool{false, true} {
		t.Run(fmt.Sprintf("channel=%v", channel), func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				one, other, stop := curio.NewQueue[int](1), curio.NewQueue[int](1), new(curio.Event)
				var l curio.Lock
				var more []curio.Case
				if channel {
					more = append(more, curio.ReceiveCase(make(chan int), nil))
				}
				choose := func(ctx context.Context, cases ...curio.Case) (int, error) {
					return curio.Select(ctx, append(cases, more...)...)
				}
				locked := func(ctx context.Context) error {
					if _, err := choose(ctx, l.AcquireCase(), curio.AfterCase(time.Hour)); err != nil {
						return err
					}
					defer l.Release(ctx)
					return pause(ctx)
				}
				return fixture.Team(ctx, func(ctx context.Context) error {
					for i := range 3 {
						if _, err := choose(ctx, one.PutCase(i), other.PutCase(i)); err != nil {
							return err
						}
						if err := locked(ctx); err != nil {
							return err
						}
					}
					stop.Set()
					return nil
				}, func(ctx context.Context) error {
					for {
						var v int
						i, err := choose(ctx, one.GetCase(&v), other.GetCase(&v), stop.WaitCase())
						if err != nil || i == 2 {
							return err
						}
						if err := locked(ctx); err != nil {
							return err
						}
					}
				})
			})
		})
	}
}

// Each racer acquires a unit. A loser that has one gives it back.
func TestEverywhereRace(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		units := curio.NewSemaphore(2)
		takes := func(ctx context.Context) (int, error) {
			if err := pause(ctx); err != nil {
				return 0, err
			}
			return 1, curio.DisableCancellation(ctx, units.Acquire)
		}
		give := func(int) { units.Release(ctx) }
		failsInTheEnd := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, fixture.ErrBoom
		}
		_, err := curio.Race(ctx, []fixture.Racer{takes, fixture.Fails, takes, failsInTheEnd}, give)
		if err == nil {
			give(1)
		}
		if units.Value() != 2 || units.Size() != 2 {
			return fmt.Errorf("the units are wrong: %v", units)
		}
		return err
	})
}
