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

// forEver is a context that is never done.
var forEver = context.Background()

// Two senders, and a subscriber of each kind. The one with SlowWait sees all that was sent, the
// others what was kept for them.
func TestEverywhereBroadcast(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var b curio.Broadcast[int]
		defer b.Close()
		sum := 0
		subscribed := curio.NewSemaphore(0)
		listens := func(slow curio.SlowPolicy, heard func(v int)) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				s := b.Subscribe(ctx, 1, slow) // ends with the task
				subscribed.Release(ctx)
				for v, err := range s.All(ctx) {
					if _, lagged := errors.AsType[*curio.LaggedError](err); err != nil && !lagged && err != curio.ErrSubscriptionDropped {
						return err
					}
					heard(v)
					if err := pause(ctx); err != nil {
						return err
					}
				}
				return nil
			}
		}
		sends := func(ctx context.Context) error {
			for i := range 2 {
				if err := b.Send(ctx, 1+i); err != nil {
					return err
				}
			}
			return nil
		}
		ignore := func(int) {}
		err := fixture.Team(ctx, func(ctx context.Context) error {
			if err := subscribed.AcquireN(ctx, 3); err != nil {
				return err
			}
			if err := fixture.Team(ctx, fixture.Nothing, sends, sends); err != nil {
				return err
			}
			b.Close()
			return nil
		}, listens(curio.SlowWait, func(v int) { sum += v }), listens(curio.SlowSkip, ignore), listens(curio.SlowDrop, ignore))
		if err == nil && (sum != 6 || b.Subscribers() != 0) {
			return fmt.Errorf("what was heard is %d in sum; %v", sum, &b)
		}
		return err
	})
}

// Send and Receive by a Select: a value goes to all or to nobody.
func TestEverywhereBroadcastSelect(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var b curio.Broadcast[int]
		one, other := b.Subscribe(ctx, 1, curio.SlowWait), b.Subscribe(forEver, 9, curio.SlowWait)
		defer one.Close()
		defer other.Close()
		sent := 0
		err := fixture.Team(ctx, fixture.Nothing, func(ctx context.Context) error {
			defer b.Close()
			for i := range 3 {
				if _, err := curio.Select(ctx, b.SendCase(i), curio.AfterCase(time.Hour)); err != nil {
					return err
				}
				sent++
			}
			return nil
		}, func(ctx context.Context) error {
			for {
				switch _, err := curio.Select(ctx, curio.AfterCase(time.Hour), one.ReceiveCase(nil)); {
				case err == curio.ErrBroadcastClosed:
					return nil
				case err != nil:
					return err
				}
				if err := pause(ctx); err != nil {
					return err
				}
			}
		})
		if other.Len() != sent {
			return fmt.Errorf("%d were sent, and received are %d", sent, other.Len())
		}
		return err
	})
}

// A task that waits for changes sees the last one.
func TestEverywhereWatch(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var w curio.Watch[int]
		waits := func(ctx context.Context) error {
			for v, err := range w.Changes(ctx) {
				if err != nil || v == 3 {
					return err
				}
			}
			return nil
		}
		chooses := func(ctx context.Context) error {
			for v, version := 0, uint64(0); v < 3; {
				if _, err := curio.Select(ctx, w.WaitCase(version, &v, &version), curio.AfterCase(time.Hour)); err != nil {
					return err
				}
			}
			return nil
		}
		return fixture.Team(ctx, func(ctx context.Context) error {
			for i := range 4 {
				if err := pause(ctx); err != nil {
					return err
				}
				w.Set(i)
			}
			return nil
		}, waits, chooses, waits)
	})
}
