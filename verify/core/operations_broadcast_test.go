package core_test

import (
	"context"
	"fmt"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// What waits for a broadcast or a watch, in addition to the hurdles of sync_test.go.

func operationsOfBroadcast() []operation {
	never := new(curio.Event)
	return []operation{
		{name: "Subscription.Receive", covers: []string{"Subscription.Receive"}, state: "BROADCAST_RECEIVE", closes: true, begin: subscribed(curio.ErrBroadcastClosed,
			func(ctx context.Context, f *fixture.Fixture, s *curio.Subscription[int]) error {
				v, err := s.Receive(ctx)
				return fixture.NoResult(f, v, err)
			})},
		{name: "Subscription.All", covers: []string{"Subscription.All"}, state: "BROADCAST_RECEIVE", closes: true, begin: subscribed(nil,
			func(ctx context.Context, f *fixture.Fixture, s *curio.Subscription[int]) (failed error) {
				for v, err := range s.All(ctx) {
					if failed != nil {
						f.Errorf("the loop goes on after %v", failed)
					}
					failed = fixture.NoResult(f, v, err)
				}
				return failed
			})},
		{name: "Select of Subscription.Receive", covers: []string{"Select"}, state: "SELECT", closes: true, begin: subscribed(curio.ErrBroadcastClosed,
			func(ctx context.Context, f *fixture.Fixture, s *curio.Subscription[int]) error {
				var v int
				return fixture.NoResult(f, v, fixture.Selected(ctx, 1, never.WaitCase(), s.ReceiveCase(&v)))
			})},
		{name: "Select of Subscription.Receive and a channel", covers: []string{"Select"}, state: "SELECT", closes: true, begin: subscribed(curio.ErrBroadcastClosed,
			func(ctx context.Context, f *fixture.Fixture, s *curio.Subscription[int]) error {
				var v int
				return fixture.NoResult(f, v, fixture.Selected(ctx, 1, curio.ReceiveCase(make(chan int), nil), s.ReceiveCase(&v)))
			})},
		{name: "Broadcast.Send, then closed", covers: []string{"Broadcast.Send"}, state: "BROADCAST_SEND", closes: true, begin: fullBroadcast(
			func(ctx context.Context, b *curio.Broadcast[int]) error { return b.Send(ctx, 2) })},
		{name: "Select of Broadcast.Send, then closed", covers: []string{"Select"}, state: "SELECT", closes: true, begin: fullBroadcast(
			func(ctx context.Context, b *curio.Broadcast[int]) error {
				return fixture.Selected(ctx, 1, never.WaitCase(), b.SendCase(2))
			})},
		{name: "Select of Broadcast.Send and a channel", covers: []string{"Select"}, state: "SELECT", closes: true, begin: fullBroadcast(
			func(ctx context.Context, b *curio.Broadcast[int]) error {
				return fixture.Selected(ctx, 1, curio.ReceiveCase(make(chan int), nil), b.SendCase(2))
			})},
		{name: "Watch.Changes", covers: []string{"Watch.Changes"}, state: "WATCH_WAIT", begin: unchanged(
			func(ctx context.Context, f *fixture.Fixture, w *curio.Watch[int]) (failed error) {
				for v, err := range w.Changes(ctx) {
					if failed != nil {
						f.Errorf("the loop goes on after %v", failed)
					}
					failed = fixture.NoResult(f, v, err)
				}
				return failed
			})},
		{name: "Watch.Wait for a version far ahead", covers: []string{"Watch.Wait"}, state: "WATCH_WAIT", begin: unchanged(
			func(ctx context.Context, f *fixture.Fixture, w *curio.Watch[int]) error {
				v, version, err := w.Wait(ctx, 100)
				if version != 100 {
					f.Errorf("it returns version %d", version)
				}
				return fixture.NoResult(f, v, err)
			})},
	}
}

// subscribed is a subscription to which nothing has been sent. Two subscribers see what is sent
// when the operation has ended: this one and another.
func subscribed(closed error, receive func(context.Context, *fixture.Fixture, *curio.Subscription[int]) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(_ context.Context, f *fixture.Fixture) *blocked {
		b := new(curio.Broadcast[int])
		s, other := b.Subscribe(context.Background(), 1, curio.SlowWait), b.Subscribe(context.Background(), 2, curio.SlowWait)
		isClosed := false
		return &blocked{
			run:   func(ctx context.Context) error { return receive(ctx, f, s) },
			close: func() { b.Close(); isClosed = true }, closed: closed,
			works: func(context.Context) error {
				if w := b.Snapshot().Waiters; len(w) > 0 {
					return fmt.Errorf("%d still wait", len(w))
				}
				if isClosed {
					if err := b.TrySend(1); err != curio.ErrBroadcastClosed {
						return fmt.Errorf("a Send after Close: %w", err)
					}
					return nil
				}
				if err := b.TrySend(7); err != nil {
					return err
				}
				v, err := s.TryReceive()
				w, err2 := other.TryReceive()
				if v != 7 || w != 7 {
					return fmt.Errorf("received are %d, %v and %d, %v", v, err, w, err2)
				}
				return nil
			},
		}
	}
}

// fullBroadcast is a broadcast on which send, which sends 2, waits for a subscriber that keeps a 1. Another
// subscriber must not see what has not been sent.
func fullBroadcast(send func(context.Context, *curio.Broadcast[int]) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(context.Context, *fixture.Fixture) *blocked {
		b := new(curio.Broadcast[int])
		full, other := b.Subscribe(context.Background(), 1, curio.SlowWait), b.Subscribe(context.Background(), 9, curio.SlowWait)
		fixture.Succeed(b.TrySend(1))
		isClosed := false
		return &blocked{
			run:   func(ctx context.Context) error { return send(ctx, b) },
			close: func() { b.Close(); isClosed = true }, closed: curio.ErrBroadcastClosed,
			works: func(context.Context) error {
				for _, s := range []*curio.Subscription[int]{full, other} {
					if v, err := s.TryReceive(); v != 1 || err != nil {
						return fmt.Errorf("received %d, %w", v, err)
					}
				}
				if !isClosed {
					fixture.Succeed(b.TrySend(3))
				}
				for _, s := range []*curio.Subscription[int]{full, other} {
					switch v, err := s.TryReceive(); {
					case isClosed && err != curio.ErrBroadcastClosed:
						return fmt.Errorf("received %d, %w, from what is closed", v, err)
					case !isClosed && (v != 3 || err != nil):
						return fmt.Errorf("received %d, %w, want 3", v, err)
					}
				}
				return nil
			},
		}
	}
}

// unchanged is a watch of which nothing has been set.
func unchanged(wait func(context.Context, *fixture.Fixture, *curio.Watch[int]) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(_ context.Context, f *fixture.Fixture) *blocked {
		w := new(curio.Watch[int])
		return &blocked{
			run: func(ctx context.Context) error { return wait(ctx, f, w) },
			works: func(ctx context.Context) error {
				if n := len(w.Snapshot().Waiters); n > 0 {
					return fmt.Errorf("%d still wait", n)
				}
				version := w.Set(7)
				v, seen, err := w.Wait(ctx, version-1)
				if v != 7 || seen != version {
					return fmt.Errorf("waited for %d in version %d", v, seen)
				}
				return err
			},
		}
	}
}
