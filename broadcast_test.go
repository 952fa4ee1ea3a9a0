package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// How a broadcast's operations are cancelled is in the tables of verify/core/sync_test.go and
// verify/core/operations_broadcast_test.go, and any sequence of operations in verify/core/broadcast_model_test.go; here is
// what is particular to it.

var slowPolicies = []curio.SlowPolicy{curio.SlowWait, curio.SlowSkip, curio.SlowDrop}

// forEver is a context that is never done.
var forEver = context.Background()

// A subscriber sees all that is sent from its subscription on, others see the same, and what is
// sent without subscribers is forgotten.
func TestBroadcastFromTheSubscriptionOn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		fixture.SendValues(f, &b, 1, 2, 3)
		one := b.Subscribe(ctx, 10, curio.SlowWait)
		fixture.SendValues(f, &b, 4)
		two := b.Subscribe(ctx, 10, curio.SlowSkip)
		fixture.Succeed(b.Send(ctx, 5))
		fixture.ReceiveValues(f, one, curio.ErrSubscriptionEmpty, 4, 5)
		fixture.ReceiveValues(f, two, curio.ErrSubscriptionEmpty, 5)
		if n := b.Subscribers(); n != 2 || one.Len()+two.Len() != 0 {
			f.Errorf("%d subscribers with %d and %d values", n, one.Len(), two.Len())
		}
		one.Close()
		two.Close()
		fixture.SendValues(f, &b, 6)
		for _, s := range []*curio.Subscription[int]{one, two} {
			fixture.ReceiveValues(f, s, curio.ErrSubscriptionClosed)
		}
	})
}

// A capacity is as much as it says, for any policy, also if it is no power of two.
func TestBroadcastCapacityIsTheRealOne(t *testing.T) {
	for _, capacity := range []int{1, 2, 3, 5, 8, 100} {
		for _, slow := range slowPolicies {
			var b curio.Broadcast[int]
			s := b.Subscribe(forEver, capacity, slow)
			var all []int
			for i := range capacity {
				all = append(all, i)
				fixture.SendValues(t, &b, i)
			}
			err := b.TrySend(capacity)
			switch slow {
			case curio.SlowWait:
				if err != curio.ErrBroadcastFull {
					t.Errorf("TrySend: %v", err)
				}
				fixture.ReceiveValues(t, s, curio.ErrSubscriptionEmpty, all...)
			case curio.SlowSkip:
				lags(t, s, 1)
				fixture.ReceiveValues(t, s, curio.ErrSubscriptionEmpty, append(all[1:], capacity)...)
			case curio.SlowDrop:
				if n := b.Subscribers(); n != 0 || err != nil {
					t.Errorf("%d subscribers, %v", n, err)
				}
				fixture.ReceiveValues(t, s, curio.ErrSubscriptionDropped, all...)
				fixture.ReceiveValues(t, s, curio.ErrSubscriptionDropped)
			}
		}
	}
}

// lags checks that the next that s receives is that it has missed values.
func lags(t testing.TB, s *curio.Subscription[int], skipped uint64) {
	t.Helper()
	v, err := s.TryReceive()
	if lagged, ok := errors.AsType[*curio.LaggedError](err); !ok || lagged.Skipped != skipped || v != 0 {
		t.Errorf("received %d, %v, want that %d are skipped", v, err, skipped)
	}
}

// A subscriber that lags gets the count once, and goes on with the oldest that was kept.
func TestBroadcastSkips(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		s := b.Subscribe(ctx, 3, curio.SlowSkip)
		defer s.Close()
		for i := range 10 {
			fixture.SendValues(f, &b, i)
		}
		lags(f, s, 7)
		fixture.SendValues(f, &b, 10)
		lags(f, s, 1)
		if v, err := s.Receive(ctx); v != 8 || err != nil {
			f.Errorf("received %d, %v", v, err)
		}
		fixture.SendValues(f, &b, 11, 12)
		var v int
		if i, err := curio.Select(ctx, s.ReceiveCase(&v)); i != 0 || !strings.Contains(fmt.Sprint(err), "missed 1 values") || v != 0 {
			f.Errorf("Select: %d, %v, received %d", i, err, v)
		}
		fixture.ReceiveValues(f, s, curio.ErrSubscriptionEmpty, 10, 11, 12)
		for i := range 5 {
			fixture.SendValues(f, &b, i)
		}
		b.Close()
		lags(f, s, 2)
		fixture.ReceiveValues(f, s, curio.ErrBroadcastClosed, 2, 3, 4)
	})
}

// Closed comes after all that was sent, also to one that is full, and to one that comes later.
func TestBroadcastClose(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		full, idle := b.Subscribe(ctx, 2, curio.SlowWait), b.Subscribe(ctx, 2, curio.SlowDrop)
		fixture.SendValues(f, &b, 1, 2)
		fixture.ReceiveValues(f, idle, curio.ErrSubscriptionEmpty, 1, 2)
		sending := curio.Go(ctx, func(ctx context.Context) error { return b.Send(ctx, 3) }, curio.ReportCrash(false))
		receiving := curio.Spawn(ctx, idle.Receive, curio.ReportCrash(false))
		synctest.Wait()
		b.Close()
		b.Close()
		_ = sending.Wait(ctx)
		_ = receiving.Wait(ctx)
		if sending.Err() != curio.ErrBroadcastClosed || receiving.Err() != curio.ErrBroadcastClosed {
			f.Errorf("Send: %v; Receive: %v", sending.Err(), receiving.Err())
		}
		if err := errors.Join(b.Send(ctx, 4), b.TrySend(4)); !errors.Is(err, curio.ErrBroadcastClosed) {
			f.Error(err)
		}
		if i, err := curio.TrySelect(ctx, b.SendCase(4)); i != 0 || err != curio.ErrBroadcastClosed {
			f.Errorf("SendCase: %d, %v", i, err)
		}
		fixture.ReceiveValues(f, full, curio.ErrBroadcastClosed, 1, 2)
		fixture.ReceiveValues(f, full, curio.ErrBroadcastClosed)
		fixture.ReceiveValues(f, idle, curio.ErrBroadcastClosed)
		late := b.Subscribe(ctx, 1, curio.SlowWait)
		fixture.ReceiveValues(f, late, curio.ErrBroadcastClosed)
		late.Close()
		fixture.ReceiveValues(f, late, curio.ErrSubscriptionClosed)
	})
}

// What a subscriber leaves behind lets the senders go on, in their order.
func TestBroadcastLeavingWakesSenders(t *testing.T) {
	for what, leave := range map[string]func(s *curio.Subscription[int], cancel func()){
		"Close":       func(s *curio.Subscription[int], _ func()) { s.Close() },
		"scope":       func(_ *curio.Subscription[int], cancel func()) { cancel() },
		"one Receive": func(s *curio.Subscription[int], _ func()) { _, _ = s.TryReceive() },
	} {
		t.Run(what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var b curio.Broadcast[int]
				inner, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
				defer cancel()
				full := b.Subscribe(inner, 1, curio.SlowWait)
				witness := b.Subscribe(ctx, 10, curio.SlowWait)
				defer witness.Close()
				fixture.SendValues(f, &b, 0)
				var senders []*curio.Task[struct{}]
				for i := range 3 {
					senders = append(senders, curio.Go(ctx, func(ctx context.Context) error { return b.Send(ctx, 1+i) }))
					synctest.Wait()
				}
				if err := b.TrySend(9); err != curio.ErrBroadcastFull {
					f.Errorf("TrySend: %v", err)
				}
				senders[1].CancelNow()
				synctest.Wait()
				fixture.ReceiveValues(f, witness, curio.ErrSubscriptionEmpty, 0)
				leave(full, cancel)
				synctest.Wait()
				if what == "one Receive" {
					fixture.ReceiveValues(f, witness, curio.ErrSubscriptionEmpty, 1)
					full.Close()
					fixture.ReceiveValues(f, witness, curio.ErrSubscriptionEmpty, 3)
				} else {
					fixture.ReceiveValues(f, witness, curio.ErrSubscriptionEmpty, 1, 3)
				}
				_ = senders[2].Wait(ctx)
				if len(b.Snapshot().Waiters) > 0 || senders[0].Err() != nil || senders[2].Err() != nil {
					f.Errorf("%v, %v; left is %v", senders[0].Err(), senders[2].Err(), &b)
				}
			})
		})
	}
}

// A subscription ends with whatever its context is of, whether or not anybody closes it.
func TestBroadcastSubscriptionEndsWithItsContext(t *testing.T) {
	type scope struct {
		name string
		run  func(ctx context.Context, subscribe func(ctx context.Context))
	}
	derived := func(derive func(context.Context) (context.Context, context.CancelFunc)) func(context.Context, func(context.Context)) {
		return func(ctx context.Context, subscribe func(ctx context.Context)) {
			inner, cancel := derive(ctx)
			subscribe(inner)
			cancel()
		}
	}
	for _, s := range []scope{
		{"task", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.Go(ctx, func(ctx context.Context) error { subscribe(ctx); return nil }).Wait(ctx)
		}},
		{"task that is cancelled", func(ctx context.Context, subscribe func(ctx context.Context)) {
			task := curio.Go(ctx, func(ctx context.Context) error { subscribe(ctx); return fixture.Sleeper(ctx) })
			synctest.Wait()
			_, _ = task.Cancel(ctx)
		}},
		{"timeout that returns", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { subscribe(ctx); return nil })
		}},
		{"timeout in which nobody waits", func(ctx context.Context, subscribe func(ctx context.Context)) {
			inner, cancel := curio.WithTimeout(ctx, time.Second)
			subscribe(inner)
			_ = curio.Sleep(ctx, time.Hour)
			defer cancel()
		}},
		{"timeout further out", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				inner, cancel := curio.WithTimeout(ctx, time.Hour)
				defer cancel()
				subscribe(inner)
				return fixture.Sleeper(inner)
			})
		}},
		{"group", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.Group(ctx, func(ctx context.Context, _ *curio.TaskGroup[int]) error { subscribe(ctx); return nil })
		}},
		{"shield", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { subscribe(ctx); return nil })
		}},
		{"value", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.Go(ctx, func(ctx context.Context) error {
				subscribe(context.WithValue(ctx, key{"a"}, 1))
				return nil
			}).Wait(ctx)
		}},
		{"another kernel", func(_ context.Context, subscribe func(ctx context.Context)) {
			_ = curio.Run(context.Background(), func(ctx context.Context) error { subscribe(ctx); return nil })
		}},
		{"standard context of a task that ends", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.Go(ctx, func(ctx context.Context) error {
				inner, cancel := context.WithCancel(ctx)
				_ = cancel
				subscribe(inner)
				return nil
			}).Wait(ctx)
		}},
		{"standard context", derived(context.WithCancel)},
		{"standard timeout", func(ctx context.Context, subscribe func(ctx context.Context)) {
			inner, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			subscribe(inner)
			_ = curio.Sleep(ctx, time.Hour)
		}},
		{"standard context of no task", func(_ context.Context, subscribe func(ctx context.Context)) {
			derived(context.WithCancel)(context.Background(), subscribe)
		}},
		{"foreign context", derived(func(ctx context.Context) (context.Context, context.CancelFunc) {
			h := testutil.NewHostile()
			inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
			h.Context = inner
			return h, cancel
		})},
		{"dead task", func(ctx context.Context, subscribe func(ctx context.Context)) {
			_ = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { subscribe(ctx); return nil })
		}},
		{"dead context", func(ctx context.Context, subscribe func(ctx context.Context)) {
			inner, cancel := context.WithCancel(ctx)
			cancel()
			subscribe(inner)
		}},
	} {
		t.Run(s.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var b curio.Broadcast[int]
				var inside *curio.Subscription[int]
				dead := strings.HasPrefix(s.name, "dead")
				var others [2]*curio.Task[int]
				s.run(ctx, func(inner context.Context) {
					inside = b.Subscribe(inner, 1, curio.SlowWait)
					if n := b.Subscribers(); n != 1 != dead {
						f.Errorf("%d subscribers", n)
					}
					fixture.SendValues(f, &b, 1)
					others[0] = curio.Spawn(context.WithoutCancel(ctx), func(ctx context.Context) (int, error) { return 0, b.Send(ctx, 2) })
				})
				synctest.Wait()
				if n := b.Subscribers(); n != 0 {
					f.Errorf("%d subscribers are left", n)
				}
				fixture.ReceiveValues(f, inside, curio.ErrSubscriptionClosed)
				if err := others[0].Wait(ctx); err != nil || others[0].Err() != nil {
					f.Errorf("Send: %v, %v", err, others[0].Err())
				}
				inside.Close()
				if n := curio.ScopeOf(ctx).Waiters(); n > 0 {
					f.Errorf("%d are left waiting", n)
				}
			})
		})
	}
}

// A task that receives from a subscription of another task's gets to know of its end.
func TestBroadcastReceiveOfAnothersSubscription(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		s := b.Subscribe(inner, 1, curio.SlowWait)
		var receivers []*curio.Task[int]
		for range 3 {
			receivers = append(receivers, curio.Spawn(ctx, s.Receive, curio.ReportCrash(false)))
			synctest.Wait()
		}
		if got := s.Snapshot().Waiters; len(got) != 3 || got[0] != (curio.Waiter{Task: receivers[0].AnyTask, Op: "BROADCAST_RECEIVE"}) {
			f.Errorf("%v wait", got)
		}
		fixture.SendValues(f, &b, 1)
		cancel()
		for i, task := range receivers {
			_ = task.Wait(ctx)
			v, err := task.Result()
			if (i == 0) != (v == 1 && err == nil) || i > 0 && err != curio.ErrSubscriptionClosed {
				f.Errorf("%d received %d, %v", i, v, err)
			}
		}
	})
}

// A context that misbehaves while it is subscribed with leaves nothing in the broadcast.
func TestBroadcastSubscribeWithHostileContexts(t *testing.T) {
	for deed := range testutil.HostileActs(nil) {
		for _, method := range testutil.HostileMethods {
			for n := 1; n < 50; n++ {
				met := false
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					var b curio.Broadcast[int]
					release := make(chan struct{})
					h := testutil.NewHostile()
					h.At(method, n, testutil.HostileActs(release)[deed])
					var s *curio.Subscription[int]
					base, cancel := context.WithCancel(ctx)
					h.Context = base
					task := curio.Go(ctx, func(context.Context) error {
						s = b.Subscribe(h, 1, curio.SlowWait)
						return nil
					}, curio.ReportCrash(false))
					synctest.Wait()
					if s == nil && b.Subscribers() != 0 {
						f.Error("a subscription is left that nobody has")
					}
					if err := b.TrySend(1); err != nil {
						f.Error(err)
					}
					met = h.HasActed()
					close(release)
					cancel()
					synctest.Wait()
					if n := b.Subscribers(); n != 0 || !task.Terminated() {
						f.Errorf("%d subscriptions are left", n)
					}
					f.Journal.Take("panicked")
				})
				if !met {
					break
				}
			}
		}
	}
}

// The iterator: it ends at the end, goes on when values were missed, and leaves what it has not
// taken.
func TestBroadcastAll(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		skips, drops, closed := b.Subscribe(ctx, 2, curio.SlowSkip), b.Subscribe(ctx, 2, curio.SlowDrop), b.Subscribe(ctx, 3, curio.SlowWait)
		fixture.SendValues(f, &b, 1, 2, 3)
		all := func(s *curio.Subscription[int]) (text string) {
			for v, err := range s.All(ctx) {
				switch lagged, ok := errors.AsType[*curio.LaggedError](err); {
				case ok:
					text += fmt.Sprintf("-%d ", lagged.Skipped)
				case err != nil:
					text += err.Error()
				default:
					text += fmt.Sprintf("%d ", v)
				}
			}
			return text
		}
		for range closed.All(ctx) {
			break
		}
		if n := closed.Len(); n != 2 {
			f.Errorf("%d values are kept", n)
		}
		closed.Close()
		b.Close()
		for s, want := range map[*curio.Subscription[int]]string{
			skips:  "-1 2 3 ",
			drops:  "1 2 " + curio.ErrSubscriptionDropped.Error(),
			closed: curio.ErrSubscriptionClosed.Error(),
		} {
			if got := all(s); got != want {
				f.Errorf("%v: %q, want %q", s, got, want)
			}
		}
	})
}

// The holders, the waiters, and the text of String.
func TestBroadcastSnapshot(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		var full, quick *curio.Subscription[int]
		slow := curio.Go(ctx, func(ctx context.Context) error {
			full = b.Subscribe(ctx, 2, curio.SlowWait)
			return fixture.Sleeper(ctx)
		}, curio.Name("slow"))
		waiting := curio.Go(ctx, func(ctx context.Context) error {
			quick = b.Subscribe(ctx, 1, curio.SlowSkip)
			for _, err := range quick.All(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}, curio.Name("quick"))
		synctest.Wait()
		fixture.SendValues(f, &b, 1)
		synctest.Wait()
		fixture.SendValues(f, &b, 2)
		sending := curio.Go(ctx, func(ctx context.Context) error { return b.Send(ctx, 3) }, curio.ReportCrash(false))
		synctest.Wait()
		s := b.Snapshot()
		if want := []curio.Holder{fixture.HolderOf(slow.AnyTask, 2)}; !slices.Equal(s.Holders, want) {
			f.Errorf("held up by %v, want %v", s.Holders, want)
		}
		if want := []curio.Waiter{{waiting.AnyTask, "BROADCAST_RECEIVE"}, {sending.AnyTask, "BROADCAST_SEND"}}; !slices.Equal(s.Waiters, want) {
			f.Errorf("%v wait, want %v", s.Waiters, want)
		}
		for object, want := range map[fmt.Stringer]string{
			&b:    "Broadcast(2 subscribers, held by task " + slow.Path() + " (2), 2 waiting)",
			full:  "Subscription(2 of 2 values, SlowWait)",
			quick: "Subscription(0 of 1 values, SlowSkip, 1 waiting)",
		} {
			if got := object.String(); got != want {
				f.Errorf("it is %s, want %s", got, want)
			}
		}
		b.Close()
		_ = sending.Wait(ctx)
		_ = waiting.Wait(ctx)
		_, _ = slow.Cancel(ctx)
		for object, want := range map[fmt.Stringer]string{
			&b:    "Broadcast(closed)",
			full:  "Subscription(0 of 2 values, SlowWait, closed)",
			quick: "Subscription(0 of 1 values, SlowSkip, broadcast closed)",
		} {
			if got := object.String(); got != want {
				f.Errorf("it is %s, want %s", got, want)
			}
		}
	})
}

// A value is sent, or nobody gets it, however the Send is ended: by Select as well.
func TestBroadcastSendCase(t *testing.T) {
	for _, channel := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			var b curio.Broadcast[int]
			full, witness := b.Subscribe(forEver, 1, curio.SlowWait), b.Subscribe(forEver, 9, curio.SlowWait)
			fixture.SendValues(f, &b, 1)
			var stop curio.Event
			cases := []curio.Case{b.SendCase(2), stop.WaitCase()}
			if channel {
				cases = append(cases, curio.ReceiveCase(make(chan int), nil))
			}
			chooses := func(ctx context.Context) (int, error) { return curio.Select(ctx, cases...) }
			first := curio.Spawn(ctx, chooses)
			synctest.Wait()
			stop.Set()
			if i, err := first.Join(ctx); i != 1 || err != nil {
				f.Errorf("chosen is %d, %v", i, err)
			}
			stop.Clear()
			fixture.ReceiveValues(f, witness, curio.ErrSubscriptionEmpty, 1)
			second := curio.Spawn(ctx, chooses)
			synctest.Wait()
			if v, err := full.TryReceive(); v != 1 || err != nil {
				f.Errorf("received %d, %v", v, err)
			}
			if i, err := second.Join(ctx); i != 0 || err != nil {
				f.Errorf("chosen is %d, %v", i, err)
			}
			fixture.ReceiveValues(f, witness, curio.ErrSubscriptionEmpty, 2)
			fixture.ReceiveValues(f, full, curio.ErrSubscriptionEmpty, 2)
		})
	}
}

// A Go channel among the cases of a receiver: what is sent to it is there for it, or for whoever
// else receives.
func TestBroadcastReceiveCaseBesideAChannel(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		s := b.Subscribe(forEver, 1, curio.SlowWait)
		ch := make(chan int)
		for range 3 {
			var v int
			task := curio.Go(ctx, func(ctx context.Context) error {
				return fixture.Selected(ctx, 1, curio.ReceiveCase(ch, nil), s.ReceiveCase(&v))
			})
			synctest.Wait()
			fixture.SendValues(f, &b, 7)
			if _, err := task.Join(ctx); err != nil || v != 7 {
				f.Errorf("received %d, %v", v, err)
			}
		}
		runtime.KeepAlive(ch)
	})
}

// A Select that sends and receives, or receives twice: one of the cases takes effect, and what it
// sends is not received by the same Select.
func TestBroadcastSelectOfBoth(t *testing.T) {
	for _, channel := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			var b curio.Broadcast[int]
			full, own := b.Subscribe(forEver, 1, curio.SlowWait), b.Subscribe(forEver, 2, curio.SlowWait)
			fixture.SendValues(f, &b, 1)
			fixture.ReceiveValues(f, own, curio.ErrSubscriptionEmpty, 1)
			var one, other int
			cases := []curio.Case{own.ReceiveCase(&one), b.SendCase(2), own.ReceiveCase(&other)}
			if channel {
				cases = append(cases, curio.ReceiveCase(make(chan int), nil))
			}
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return curio.Select(ctx, cases...) })
			synctest.Wait()
			if v, err := full.TryReceive(); v != 1 || err != nil {
				f.Errorf("received %d, %v", v, err)
			}
			if i, err := task.Join(ctx); i != 1 || err != nil || one != 0 || other != 0 {
				f.Errorf("chosen is %d, %v; received %d and %d", i, err, one, other)
			}
			fixture.ReceiveValues(f, own, curio.ErrSubscriptionEmpty, 2)
			task = curio.Spawn(ctx, func(ctx context.Context) (int, error) { return curio.Select(ctx, cases...) })
			synctest.Wait() // full has the 2
			full.Close()
			if i, err := task.Join(ctx); i != 1 || err != nil || one+other != 0 {
				f.Errorf("chosen is %d, %v; received %d and %d", i, err, one, other)
			}
			_, _ = own.TryReceive()
			last := b.Subscribe(forEver, 1, curio.SlowWait)
			fixture.SendValues(f, &b, 3)
			if i, err := curio.Select(ctx, own.ReceiveCase(&one), own.ReceiveCase(&other)); i == 1 && other != 3 || i == 0 && one != 3 || err != nil || one+other != 3 {
				f.Errorf("chosen is %d, %v; received %d and %d", i, err, one, other)
			}
			fixture.ReceiveValues(f, own, curio.ErrSubscriptionEmpty)
			fixture.ReceiveValues(f, last, curio.ErrSubscriptionEmpty, 3)
		})
	}
}

type key struct{ name string }
