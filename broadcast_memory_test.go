package curio_test

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/curio-go/curio"
)

// What has been received, skipped, refused or left behind is not kept in memory: not by the
// broadcast, by a subscription, by a scope, nor by the waiter that a task keeps for its next wait.
func TestBroadcastKeepsNothingAlive(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
		var b curio.Broadcast[*thing]
		s, skips := b.Subscribe(ctx, 2, curio.SlowWait), b.Subscribe(ctx, 1, curio.SlowSkip)
		drain := func() {
			for _, s := range []*curio.Subscription[*thing]{s, skips} {
				for _, err := s.TryReceive(); err != curio.ErrSubscriptionEmpty; _, err = s.TryReceive() {
				}
			}
		}
		send := func(v *thing) { succeed(b.TrySend(v)) }
		forgets(f, "received", 1, func(v *thing) { send(v); drain() })
		forgets(f, "skipped", 1, func(v *thing) {
			send(v)
			send(nil)
			_, _ = s.TryReceive()
		})
		drain()
		forgets(f, "handed over", 1, func(v *thing) {
			receiver := curio.Spawn(ctx, func(ctx context.Context) (bool, error) { w, err := s.Receive(ctx); return w == v, err })
			until(f, "BROADCAST_RECEIVE", func() bool { return receiver.State() == "BROADCAST_RECEIVE" })
			send(v)
			if same, err := receiver.Join(ctx); !same || err != nil {
				f.Error(same, err)
			}
			drain()
		})
		send(nil)
		send(nil)
		forgets(f, "refused", 1, func(v *thing) { _ = b.TrySend(v) })
		forgets(f, "timed out", 1, func(v *thing) {
			err := curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { return b.Send(ctx, v) })
			is(f, "Send", err, taskTimeout...)
			f.Journal.take(msgLate)
		})
		forgets(f, "let in and received", 1, func(v *thing) {
			sender := curio.Go(ctx, func(ctx context.Context) error { return b.Send(ctx, v) })
			until(f, "BROADCAST_SEND", func() bool { return sender.State() == "BROADCAST_SEND" })
			drain()
			_, _ = sender.Join(ctx)
			drain()
		})
		forgets(f, "closed out", 1, func(v *thing) {
			leaving := b.Subscribe(ctx, 1, curio.SlowDrop)
			send(v)
			leaving.Close()
			drain()
			runtime.KeepAlive(leaving)
		})
		forgets(f, "without subscribers", 1, func(v *thing) { s.Close(); skips.Close(); send(v) })
		runtime.KeepAlive(&b)
		runtime.KeepAlive(s)
		runtime.KeepAlive(skips)
	})
}

// A subscriber that leaves without Close, as its task has ended or its timeout has expired, is kept
// by nobody, nor are the values that it has not received.
func TestBroadcastForgetsSubscribers(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
		var b curio.Broadcast[*thing]
		var gone []weak.Pointer[curio.Subscription[*thing]]
		var values []weak.Pointer[thing]
		subscribes := func(ctx context.Context) error {
			gone = append(gone, weak.Make(b.Subscribe(ctx, 10, curio.SlowWait)))
			v := &thing{}
			values = append(values, weak.Make(v))
			succeed(b.TrySend(v))
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
		until(f, "that the subscriptions are garbage", func() bool {
			runtime.GC()
			for _, s := range gone {
				if s.Value() != nil {
					return false
				}
			}
			return !slices.ContainsFunc(values, func(v weak.Pointer[thing]) bool { return v.Value() != nil })
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		for range 100 {
			for _, ctx := range []context.Context{ctx, derived} {
				var b curio.Broadcast[int]
				drops, skips := b.Subscribe(ctx, 1, curio.SlowDrop), b.Subscribe(ctx, 2, curio.SlowSkip)
				sends(f, &b, 1, 2)
				receives(f, drops, curio.ErrSubscriptionDropped, 1)
				b.Close()
				receives(f, skips, curio.ErrBroadcastClosed, 1, 2)
				b.Subscribe(ctx, 1, curio.SlowWait)
			}
		}
		if n := curio.ScopeOf(ctx).Waiters(); n != 0 {
			f.Errorf("%d subscriptions are left in the scope", n)
		}
	})
}

// Nor does a standard context collect anything, however long it lives.
func TestBroadcastLeavesNothingInAStandardContext(t *testing.T) {
	withKernel(t, func(ctx context.Context, f *fixture) {
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
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	withKernel(t, func(ctx context.Context, f *fixture) {
		var there, back curio.Broadcast[int]
		in, out := there.Subscribe(ctx, 1, curio.SlowWait), back.Subscribe(ctx, 3, curio.SlowWait)
		defer in.Close()
		defer out.Close()
		if n := testing.AllocsPerRun(1000, func() {
			succeed(back.Send(ctx, math.MaxInt))
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
			succeed(there.Send(ctx, math.MaxInt))
			succeed(there.Send(ctx, math.MaxInt)) // most of the time, this one waits
			_, _ = out.Receive(ctx)
			_, _ = out.Receive(ctx)
		}); n != 0 {
			f.Errorf("%v allocations for two round trips", n)
		}
		_, _ = echo.Cancel(ctx)
	})
}
