package core_test

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What has been received, skipped, refused or left behind is not kept in memory: not by the
// broadcast, by a subscription, by a scope, nor by the waiter that a task keeps for its next wait.
func TestBroadcastKeepsNothingAlive(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[*fixture.Thing]
		s, skips := b.Subscribe(ctx, 2, curio.SlowWait), b.Subscribe(ctx, 1, curio.SlowSkip)
		drain := func() {
			for _, s := range []*curio.Subscription[*fixture.Thing]{s, skips} {
				for _, err := s.TryReceive(); err != curio.ErrSubscriptionEmpty; _, err = s.TryReceive() {
				}
			}
		}
		send := func(v *fixture.Thing) { fixture.Succeed(b.TrySend(v)) }
		fixture.Forgets(f, "received", 1, func(v *fixture.Thing) { send(v); drain() })
		fixture.Forgets(f, "skipped", 1, func(v *fixture.Thing) {
			send(v)
			send(nil)
			_, _ = s.TryReceive()
		})
		drain()
		fixture.Forgets(f, "handed over", 1, func(v *fixture.Thing) {
			receiver := curio.Spawn(ctx, func(ctx context.Context) (bool, error) { w, err := s.Receive(ctx); return w == v, err })
			testutil.Await(f, "BROADCAST_RECEIVE", func() bool { return receiver.State() == "BROADCAST_RECEIVE" })
			send(v)
			if same, err := receiver.Join(ctx); !same || err != nil {
				f.Error(same, err)
			}
			drain()
		})
		send(nil)
		send(nil)
		fixture.Forgets(f, "refused", 1, func(v *fixture.Thing) { _ = b.TrySend(v) })
		fixture.Forgets(f, "timed out", 1, func(v *fixture.Thing) {
			err := curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { return b.Send(ctx, v) })
			fixture.Is(f, "Send", err, fixture.TaskTimeout...)
			f.Journal.Take(fixture.MsgLate)
		})
		fixture.Forgets(f, "let in and received", 1, func(v *fixture.Thing) {
			sender := curio.Go(ctx, func(ctx context.Context) error { return b.Send(ctx, v) })
			testutil.Await(f, "BROADCAST_SEND", func() bool { return sender.State() == "BROADCAST_SEND" })
			drain()
			_, _ = sender.Join(ctx)
			drain()
		})
		fixture.Forgets(f, "closed out", 1, func(v *fixture.Thing) {
			leaving := b.Subscribe(ctx, 1, curio.SlowDrop)
			send(v)
			leaving.Close()
			drain()
			runtime.KeepAlive(leaving)
		})
		fixture.Forgets(f, "without subscribers", 1, func(v *fixture.Thing) { s.Close(); skips.Close(); send(v) })
		runtime.KeepAlive(&b)
		runtime.KeepAlive(s)
		runtime.KeepAlive(skips)
	})
}

// A subscriber that leaves without Close, as its task has ended or its timeout has expired, is kept
// by nobody, nor are the values that it has not received.
func TestBroadcastForgetsSubscribers(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[*fixture.Thing]
		var gone []weak.Pointer[curio.Subscription[*fixture.Thing]]
		var values []weak.Pointer[fixture.Thing]
		subscribes := func(ctx context.Context) error {
			gone = append(gone, weak.Make(b.Subscribe(ctx, 10, curio.SlowWait)))
			v := &fixture.Thing{}
			values = append(values, weak.Make(v))
			fixture.Succeed(b.TrySend(v))
			return nil
		}
		_ = curio.Go(ctx, subscribes).Wait(ctx)
		_ = curio.TimeoutAfter(ctx, time.Hour, subscribes)
		derived, cancel := context.WithCancel(ctx)
		_ = subscribes(derived)
		cancel()
		alive, cancel := context.WithCancel(ctx)
		defer cancel()
		for _, ctx := range []context.Context{ctx, alive} {
			closed := b.Subscribe(ctx, 1, curio.SlowWait)
			gone = append(gone, weak.Make(closed))
			closed.Close()
		}
		testutil.Await(f, "that the subscriptions are garbage", func() bool {
			runtime.GC()
			for _, s := range gone {
				if s.Value() != nil {
					return false
				}
			}
			return !slices.ContainsFunc(values, func(v weak.Pointer[fixture.Thing]) bool { return v.Value() != nil })
		})
		if b.Subscribers() != 0 {
			f.Error(&b)
		}
		runtime.KeepAlive(derived)
	})
}

// A task that subscribes to one broadcast after another does not collect what it leaves behind: at
// the end of each, its scope forgets the subscription.
func TestBroadcastLeavesNothingInTheScope(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		for range 100 {
			for _, ctx := range []context.Context{ctx, derived} {
				var b curio.Broadcast[int]
				drops, skips := b.Subscribe(ctx, 1, curio.SlowDrop), b.Subscribe(ctx, 2, curio.SlowSkip)
				fixture.SendValues(f, &b, 1, 2)
				fixture.ReceiveValues(f, drops, curio.ErrSubscriptionDropped, 1)
				b.Close()
				fixture.ReceiveValues(f, skips, curio.ErrBroadcastClosed, 1, 2)
				b.Subscribe(ctx, 1, curio.SlowWait)
			}
		}
		if n := fixture.ScopeOf(ctx).Waiters(); n != 0 {
			f.Errorf("%d subscriptions are left in the scope", n)
		}
	})
}

// Nor does a standard context collect anything, however long it lives.
func TestBroadcastLeavesNothingInAStandardContext(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		var b curio.Broadcast[int]
		before := heap()
		for range 20_000 {
			b.Subscribe(derived, 1, curio.SlowSkip).Close()
		}
		if more := heap() - before; more > 2 {
			f.Errorf("%d MB are kept", more)
		}
		runtime.KeepAlive(derived)
	})
}

// A Send, a Receive, and a round trip of two tasks that wait for each other allocate nothing.
func TestBroadcastAllocatesNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var there, back curio.Broadcast[int]
		in, out := there.Subscribe(ctx, 1, curio.SlowWait), back.Subscribe(ctx, 3, curio.SlowWait)
		defer in.Close()
		defer out.Close()
		if n := testing.AllocsPerRun(1000, func() {
			fixture.Succeed(back.Send(ctx, math.MaxInt))
			_, _ = out.Receive(ctx)
		}); n != 0 {
			f.Errorf("%v allocations for a Send and a Receive", n)
		}
		echo := curio.Go(ctx, func(ctx context.Context) error {
			for v, err := range in.All(ctx) {
				if err != nil {
					return err
				}
				if err := back.Send(ctx, v); err != nil {
					return err
				}
			}
			return nil
		})
		if n := testing.AllocsPerRun(1000, func() {
			fixture.Succeed(there.Send(ctx, math.MaxInt))
			fixture.Succeed(there.Send(ctx, math.MaxInt)) // most of the time, this one waits
			_, _ = out.Receive(ctx)
			_, _ = out.Receive(ctx)
		}); n != 0 {
			f.Errorf("%v allocations for two round trips", n)
		}
		_, _ = echo.Cancel(ctx)
	})
}
