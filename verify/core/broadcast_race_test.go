package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What can happen to a broadcast at the same moment is made to happen, often. The histories of
// senders and subscribers that run freely must be those of one order in which values went to all.

// A caster is a broadcast, ours or what one would write without it.
type caster interface {
	subscribe(capacity int, slow curio.SlowPolicy) (receive func(ctx context.Context) (int, error), leave func())
	send(ctx context.Context, v int) error
	close()
}

type ourCaster struct{ curio.Broadcast[int] }

func (o *ourCaster) subscribe(capacity int, slow curio.SlowPolicy) (receive func(ctx context.Context) (int, error), leave func()) {
	s := o.Subscribe(forEver, capacity, slow)
	return s.Receive, s.Close
}

func (o *ourCaster) send(ctx context.Context, v int) error { return o.Send(ctx, v) }

func (o *ourCaster) close() { o.Close() }

// naiveCaster is a channel for each subscriber, under a mutex.
type naiveCaster struct {
	mu  sync.Mutex
	chs []chan int
}

func (n *naiveCaster) subscribe(capacity int, _ curio.SlowPolicy) (receive func(ctx context.Context) (int, error), leave func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ch := make(chan int, capacity)
	n.chs = append(n.chs, ch)
	return func(ctx context.Context) (int, error) {
		v, err := curio.Receive(ctx, ch)
		if err != nil {
			err = curio.ErrBroadcastClosed
		}
		return v, err
	}, func() {}
}

func (n *naiveCaster) send(ctx context.Context, v int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ch := range n.chs {
		if err := curio.Send(ctx, ch, v); err != nil {
			return err
		}
	}
	return nil
}

func (n *naiveCaster) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, ch := range n.chs {
		close(ch)
	}
}

const castSenders, castSends = 3, 12

const castSubscribers = 5

// A castHistory is what several senders and subscribers have done with a caster.
type castHistory struct {
	caster
	leavers      bool                      // some subscribers leave before the end
	begun, ended [castSenders]atomic.Int32 // how many Sends each sender has begun, and ended
	sent         [castSenders][castSends]bool
	subscribers  [castSubscribers]castSubscriber // the first subscribed before all Sends, with SlowWait
}

// A castSubscriber is what one subscriber has seen: values, and skips as negative numbers.
type castSubscriber struct {
	slow          curio.SlowPolicy
	before, after [castSenders]int32 // how many Sends had ended before it subscribed, and begun after
	seen          []int
	end           error // nil if it left
}

// cast lets senders and subscribers run freely. Some Sends are cut short, some subscribers leave.
func cast(ctx context.Context, c caster, leavers bool) (*castHistory, error) {
	h := &castHistory{caster: c, leavers: leavers}
	return h, curio.Group(ctx, func(ctx context.Context, all *curio.TaskGroup[struct{}]) error {
		all.Go(h.subscriber(0))
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
			for sender := range castSenders {
				g.Go(func(ctx context.Context) error { return h.sends(ctx, sender) })
			}
			for i := 1; i < castSubscribers; i++ {
				g.Go(func(context.Context) error { fixture.Spin(); all.Go(h.subscriber(i)); return nil })
			}
			return nil
		})
		c.close()
		return err
	})
}

func (h *castHistory) sends(ctx context.Context, sender int) error {
	for i := range castSends {
		h.begun[sender].Add(1)
		send := func(ctx context.Context) error { return h.send(ctx, sender*castSends+i+1) }
		var err error
		if rand.IntN(3) == 0 {
			err = curio.TimeoutAfter(ctx, time.Duration(rand.IntN(5000)), send)
		} else {
			err = send(ctx)
		}
		h.sent[sender][i] = err == nil
		h.ended[sender].Add(1)
		fixture.Spin()
	}
	return nil
}

// subscriber subscribes, and returns what the subscriber does then.
func (h *castHistory) subscriber(i int) func(ctx context.Context) error {
	s := &h.subscribers[i]
	if i > 1 {
		s.slow = slowPolicies[rand.IntN(3)]
	}
	for i := range s.before {
		s.before[i] = h.ended[i].Load()
	}
	receive, leave := h.subscribe(1+rand.IntN(3), s.slow)
	for i := range s.after {
		s.after[i] = h.begun[i].Load()
	}
	stay := 1000
	if h.leavers && i > 0 && rand.IntN(3) == 0 {
		stay = rand.IntN(castSenders * castSends)
	}
	return func(ctx context.Context) error {
		defer leave()
		for range stay {
			v, err := receive(ctx)
			if lagged, ok := errors.AsType[*curio.LaggedError](err); ok {
				v, err = -int(lagged.Skipped), nil
			}
			if s.end = err; err != nil {
				return nil
			}
			s.seen = append(s.seen, v)
			fixture.Spin()
		}
		return nil
	}
}

// problem says what is wrong with a history, "" for nothing.
func (h *castHistory) problem() string {
	order := h.subscribers[0].seen
	at := map[int]int{}
	for i, v := range order {
		at[v] = i
	}
	n := 0
	for sender, sent := range h.sent {
		last := -1
		for i, ok := range sent {
			where, seen := at[sender*castSends+i+1]
			switch {
			case seen != ok:
				return fmt.Sprintf("value %d of sender %d: Send says %v, and the one who sees all says %v", i, sender, ok, seen)
			case seen && where < last:
				return fmt.Sprintf("the values of sender %d come in another order", sender)
			case seen:
				last = where
				n++
			}
		}
	}
	if n != len(order) {
		return fmt.Sprintf("%d were sent, and received are %v", n, order)
	}
	for i, s := range h.subscribers {
		if problem := s.problem(order, at); problem != "" {
			return fmt.Sprintf("subscriber %d, with %v: %s; it has seen %v and then %v, of %v", i, s.slow, problem, s.seen, s.end, order)
		}
	}
	return ""
}

// problem says what is wrong with what s has seen of all that was sent, in this order.
func (s *castSubscriber) problem(order []int, at map[int]int) string {
	first, next := -1, -1 // positions in the order, -1 for not known yet
	skipped := 0
	for _, v := range s.seen {
		where, known := at[v]
		switch {
		case v < 0 && s.slow != curio.SlowSkip:
			return "it must not skip"
		case v < 0:
			skipped += -v
			continue
		case !known:
			return fmt.Sprintf("%d was never sent to all", v)
		case next < 0:
			first = where - skipped
		case where != next+skipped:
			return fmt.Sprintf("%d comes at %d, after %d and %d skipped", v, where, next-1, skipped)
		}
		next, skipped = where+1, 0
	}
	switch {
	case s.end == curio.ErrBroadcastClosed && next >= 0 && next != len(order):
		return "it was closed before the end"
	case s.end != nil && s.end != curio.ErrBroadcastClosed && !(s.end == curio.ErrSubscriptionDropped && s.slow == curio.SlowDrop):
		return "it ended otherwise"
	case s.end == curio.ErrBroadcastClosed && next < 0:
		first = len(order)
	case next < 0:
		return "" // it left before it has seen anything
	}
	for v, where := range at {
		sender, i := (v-1)/castSends, int32((v-1)%castSends)
		if i < s.before[sender] && where >= first {
			return fmt.Sprintf("%d was sent before it subscribed", v)
		}
		if i >= s.after[sender] && where < first {
			return fmt.Sprintf("%d was sent after it subscribed", v)
		}
	}
	return ""
}

// castAndCheck returns what is wrong with what happens.
func castAndCheck(ctx context.Context, t *testing.T, c caster, leavers bool) string {
	h, err := cast(ctx, c, leavers)
	if err != nil {
		t.Error(err)
	}
	return h.problem()
}

// Every history is one of values that go to all, in one order, from the subscription on.
func TestRaceBroadcastHistories(t *testing.T) {
	fixture.TimedRace(t, 300, func(ctx context.Context) {
		var c ourCaster
		if problem := castAndCheck(ctx, t, &c, true); problem != "" {
			t.Error(problem)
		}
		if w := c.Snapshot().Waiters; len(w) > 0 {
			t.Errorf("%v still wait", w)
		}
	})
}

// The same finds what is wrong with a channel for each subscriber: a Send that is cut short has
// reached some of them.
func TestRaceBroadcastHistoriesFindTheNaiveWrong(t *testing.T) {
	found := ""
	fixture.TimedRace(t, 5000, func(ctx context.Context) {
		if found == "" {
			found = castAndCheck(ctx, t, new(naiveCaster), false)
		}
	})
	if found == "" {
		t.Error("nothing was found")
	}
}

// The one that all wait for makes room, leaves, or its scope ends, while the first sender is
// cancelled: a value is sent to all or to nobody, and the second sender comes through.
func TestRaceBroadcastSendersGoOn(t *testing.T) {
	fixture.TimedRace(t, 2000, func(ctx context.Context) {
		var b curio.Broadcast[int]
		inner, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
		full, witness := b.Subscribe(inner, 1, curio.SlowWait), b.Subscribe(ctx, 9, curio.SlowWait)
		fixture.SendValues(t, &b, 1)
		var second *curio.Task[struct{}]
		send := func(v int) func(ctx context.Context) error {
			if rand.IntN(2) == 0 {
				return func(ctx context.Context) error { return b.Send(ctx, v) }
			}
			return func(ctx context.Context) error { return fixture.Selected(ctx, 1, curio.Case{}, b.SendCase(v)) }
		}
		makeRoom := []func(){func() { _, _ = full.TryReceive() }, full.Close, cancel}[rand.IntN(3)]
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() {
			second = curio.Go(ctx, send(3))
			fixture.Spin()
			makeRoom()
		}, send(2))
		full.Close()
		if _, err := second.Join(ctx); err != nil {
			t.Error(err)
		}
		var got []int
		for v, err := witness.TryReceive(); err == nil; v, err = witness.TryReceive() {
			got = append(got, v)
		}
		if slices.Sort(got); slices.Contains(got, 2) != (err == nil) || !slices.Contains(got, 3) || len(b.Snapshot().Waiters) > 0 {
			t.Errorf("Send ended with %v, and sent were %v; left is %v", err, got, &b)
		}
		witness.Close()
		cancel()
	})
}

// A value comes for one that waits, by Receive or by a Select, while that is cancelled: it is
// received, or there for the next.
func TestRaceBroadcastReceive(t *testing.T) {
	for name, receive := range map[string]func(ctx context.Context, s *curio.Subscription[int]) (int, error){
		"Receive": func(ctx context.Context, s *curio.Subscription[int]) (int, error) { return s.Receive(ctx) },
		"Select": func(ctx context.Context, s *curio.Subscription[int]) (v int, err error) {
			_, err = curio.Select(ctx, new(curio.Event).WaitCase(), s.ReceiveCase(&v))
			return v, err
		},
		"Select with a channel": func(ctx context.Context, s *curio.Subscription[int]) (v int, err error) {
			_, err = curio.Select(ctx, curio.ReceiveCase(make(chan int), nil), s.ReceiveCase(&v))
			return v, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.TimedRace(t, 1000, func(ctx context.Context) {
				var b curio.Broadcast[int]
				s, other := b.Subscribe(ctx, 2, curio.SlowWait), b.Subscribe(ctx, 2, curio.SlowSkip)
				got := 0
				err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() { fixture.SendValues(t, &b, 1, 2) }, func(ctx context.Context) (err error) {
					got, err = receive(ctx, s)
					return err
				})
				if err == nil && got == 1 {
					fixture.ReceiveValues(t, s, curio.ErrSubscriptionEmpty, 2)
				} else if fixture.ReceiveValues(t, s, curio.ErrSubscriptionEmpty, 1, 2); err == nil || got != 0 {
					t.Errorf("received %d, %v", got, err)
				}
				fixture.ReceiveValues(t, other, curio.ErrSubscriptionEmpty, 1, 2)
				s.Close()
				other.Close()
			})
		})
	}
}

// The end of the context ends both the subscription and the Receive with it: the error is the
// context's, in whatever order the two come to know of it.
func TestRaceBroadcastReceiveEndsWithItsContext(t *testing.T) {
	for name, derive := range map[string]func(ctx context.Context) (inner, whose context.Context){
		"scope": func(ctx context.Context) (inner, whose context.Context) { return ctx, ctx },
		"standard context": func(ctx context.Context) (inner, whose context.Context) {
			inner, cancel := context.WithCancel(ctx)
			_ = cancel
			return inner, inner
		},
		"foreign context": func(ctx context.Context) (inner, whose context.Context) {
			h := testutil.NewHostile()
			h.Context = ctx
			return h, h
		},
		"foreign context in a scope": func(ctx context.Context) (inner, whose context.Context) {
			h := testutil.NewHostile()
			h.Context = ctx
			return h, ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.TimedRace(t, 1000, func(ctx context.Context) {
				var b curio.Broadcast[int]
				bySelect, never, full := rand.IntN(2) == 0, new(curio.Event), rand.IntN(2) == 0
				_ = fixture.RaceWait(t, ctx, fixture.Tiny(), func() {}, func(ctx context.Context) error {
					inner, whose := derive(ctx)
					s := b.Subscribe(whose, 2, curio.SlowWait)
					for {
						if full {
							_ = b.TrySend(1)
						}
						var err error
						if bySelect {
							_, err = curio.Select(inner, s.ReceiveCase(nil), never.WaitCase())
						} else {
							_, err = s.Receive(inner)
						}
						if err != nil {
							return err
						}
					}
				})
				fixture.WaitUntil(func() bool { return b.Subscribers() == 0 })
			})
		})
	}
}

// Subscribing, the end of the scope, Close of both, and a Send: whatever comes first, nothing is
// left in the broadcast or in the scope, and nobody hangs.
func TestRaceBroadcastEnds(t *testing.T) {
	fixture.Race(t, 2000, func(ctx context.Context) {
		var b curio.Broadcast[int]
		inner, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
		derived, cancelDerived := context.WithCancel(inner)
		var early, late, foreign *curio.Subscription[int]
		early = b.Subscribe(inner, 1, curio.SlowWait)
		fixture.SendValues(t, &b, 1)
		fixture.AtOnce(
			func() { fixture.Spin(); late = b.Subscribe(inner, 1, curio.SlowDrop) },
			func() { fixture.Spin(); foreign = b.Subscribe(derived, 1, curio.SlowWait) },
			func() { fixture.Spin(); cancel() },
			func() { fixture.Spin(); early.Close() },
			func() {
				if fixture.Spin(); rand.IntN(2) == 0 {
					b.Close()
				}
			},
			func() {
				fixture.Spin()
				if err := b.Send(ctx, 2); err != nil && err != curio.ErrBroadcastClosed {
					t.Error(err)
				}
			},
		)
		cancelDerived()
		fixture.WaitUntil(func() bool { return b.Subscribers() == 0 })
		for _, s := range []*curio.Subscription[int]{early, late, foreign} {
			fixture.WaitUntil(func() bool { // a standard context tells a moment later
				_, err := s.TryReceive()
				return err != nil
			})
			if _, err := s.TryReceive(); err != curio.ErrSubscriptionClosed && err != curio.ErrBroadcastClosed && err != curio.ErrSubscriptionDropped {
				t.Error(err)
			}
		}
		if n := fixture.ScopeOf(inner).Waiters(); n > 0 || len(b.Snapshot().Waiters) > 0 {
			t.Errorf("%d are left in the scope, and %v", n, &b)
		}
		runtime.KeepAlive(derived)
	})
}
