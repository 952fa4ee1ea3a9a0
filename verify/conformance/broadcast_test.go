package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/curio-go/curio"
)

// A broadcast under test has two subscriptions, which are there from the beginning.
const (
	subscribers = 2
	capacity    = 2
)

// A subscription is the state of one. Its items are runes, as those of a queue are.
type subscription struct {
	items  string
	missed int64
	end    ending // left or dropped, "" as long as it receives
}

type broadcastState struct {
	closed bool
	subs   [subscribers]subscription
}

// stepBroadcast is the model of a broadcast whose subscribers have chosen these policies. It
// has no waiters, as that of a queue has none.
func stepBroadcast(slow [subscribers]curio.SlowPolicy) func(broadcastState, call, answer) (broadcastState, bool) {
	return func(s broadcastState, c call, a answer) (broadcastState, bool) {
		switch c.verb {
		case send, trySend:
			return s.send(slow, c, a)
		case receive, tryReceive:
			return s.receive(c, a)
		case length:
			return s, a.n == int64(utf8.RuneCountInString(s.subs[c.at].items))
		case leave:
			s.subs[c.at] = subscription{end: left}
			return s, a.end == done
		case shut:
			s.closed = true
			return s, a.end == done
		}
		return s, false
	}
}

// send passes the item to all subscribers, or to none.
func (s broadcastState) send(slow [subscribers]curio.SlowPolicy, c call, a answer) (broadcastState, bool) {
	sent, mustWait := s, false
	for i := range sent.subs {
		sub := &sent.subs[i]
		hasRoom := utf8.RuneCountInString(sub.items) < capacity
		switch {
		case sub.end != "":
		case hasRoom:
			sub.items = firstIn(sub.items, rune(c.n))
		case slow[i] == curio.SlowWait:
			mustWait = true
		case slow[i] == curio.SlowDrop:
			sub.end = dropped
		default:
			_, size := utf8.DecodeRuneInString(sub.items)
			sub.items = firstIn(sub.items[size:], rune(c.n))
			sub.missed++
		}
	}
	switch a.end {
	case done:
		return sent, !s.closed && !mustWait
	case closed:
		return s, s.closed
	case isFull:
		return s, c.verb == trySend && !s.closed && mustWait
	}
	return s, false
}

func (s broadcastState) receive(c call, a answer) (broadcastState, bool) {
	sub := &s.subs[c.at]
	first, size := utf8.DecodeRuneInString(sub.items)
	over := size == 0 && sub.missed == 0
	switch a.end {
	case done:
		sub.items = sub.items[size:]
		return s, size > 0 && sub.missed == 0 && a.n == int64(first)
	case lagged:
		ok := sub.missed > 0 && a.n == sub.missed
		sub.missed = 0
		return s, ok
	case closed:
		return s, s.closed && over && sub.end == ""
	case left, dropped:
		return s, sub.end == a.end && over
	case isEmpty:
		return s, c.verb == tryReceive && !s.closed && over && sub.end == ""
	}
	return s, false
}

// A caster is a broadcast and its subscriptions.
type caster interface {
	Send(context.Context, int64) error
	TrySend(int64) error
	Receive(ctx context.Context, at int) (int64, error)
	TryReceive(at int) (int64, error)
	Len(at int) int
	Leave(at int)
	Close()
	left() string
}

type realCaster struct {
	curio.Broadcast[int64]
	subs [subscribers]*curio.Subscription[int64]
}

func newCaster(slow [subscribers]curio.SlowPolicy) *realCaster {
	b := new(realCaster)
	for i := range b.subs {
		b.subs[i] = b.Subscribe(context.Background(), capacity, slow[i])
	}
	return b
}

func (b *realCaster) Receive(ctx context.Context, at int) (int64, error) {
	return b.subs[at].Receive(ctx)
}
func (b *realCaster) TryReceive(at int) (int64, error) { return b.subs[at].TryReceive() }
func (b *realCaster) Len(at int) int                   { return b.subs[at].Len() }
func (b *realCaster) Leave(at int)                     { b.subs[at].Close() }

func (b *realCaster) left() string {
	var text strings.Builder
	text.WriteString(remains(b.Snapshot()))
	for _, sub := range b.subs {
		text.WriteString(remains(sub.Snapshot()))
	}
	return text.String()
}

// A selectCaster waits by Selects.
type selectCaster struct{ *realCaster }

func (b selectCaster) Send(ctx context.Context, v int64) error { return chosen(ctx, b.SendCase(v)) }

func (b selectCaster) Receive(ctx context.Context, at int) (v int64, err error) {
	err = chosen(ctx, b.subs[at].ReceiveCase(&v))
	return v, err
}

// policies are those of the subscribers of one history.
func policies(rnd *rand.Rand) (slow [subscribers]curio.SlowPolicy) {
	for i := range slow {
		slow[i] = []curio.SlowPolicy{curio.SlowWait, curio.SlowSkip, curio.SlowDrop}[rnd.IntN(3)]
	}
	return slow
}

var allWait = [subscribers]curio.SlowPolicy{curio.SlowWait, curio.SlowWait}

func broadcastTrial(b caster, slow [subscribers]curio.SlowPolicy) *trial {
	var items atomic.Int64
	return &trial{
		model: model(broadcastState{}, stepBroadcast(slow)),
		do:    func(ctx context.Context, c call) answer { return doBroadcast(ctx, b, c) },
		choose: func(c *client) call {
			at := c.rnd.IntN(subscribers)
			switch n := c.rnd.IntN(40); {
			case n == 0 && c.rnd.IntN(8) == 0:
				return call{verb: shut}
			case n == 1 && c.rnd.IntN(4) == 0:
				return call{verb: leave, at: at}
			case n < 4:
				return call{verb: length, at: at}
			case n < 7:
				return call{verb: trySend, n: items.Add(1)}
			case n < 10:
				return call{verb: tryReceive, at: at}
			case n < 21:
				return call{verb: send, n: items.Add(1)}
			}
			return call{verb: receive, at: at}
		},
		undo: func(call, answer) []call { return nil },
		nudge: func(round int) call {
			switch {
			case round > 20:
				return call{verb: shut}
			case round%3 == 0:
				return call{verb: trySend, n: items.Add(1)}
			}
			return call{verb: tryReceive, at: round % subscribers}
		},
		audit: func(try func(call) answer) {
			for at := range subscribers {
				try(call{verb: length, at: at})
				for a := try(call{verb: tryReceive, at: at}); a.end == done || a.end == lagged; {
					a = try(call{verb: tryReceive, at: at})
				}
			}
			try(call{verb: shut})
			for at := range subscribers {
				try(call{verb: tryReceive, at: at})
			}
		},
		left: b.left,
	}
}

func doBroadcast(ctx context.Context, b caster, c call) answer {
	switch c.verb {
	case send:
		return ended(b.Send(ctx, c.n))
	case trySend:
		return ended(b.TrySend(c.n))
	case receive:
		return received(b.Receive(ctx, c.at))
	case tryReceive:
		return received(b.TryReceive(c.at))
	case length:
		return number(int64(b.Len(c.at)))
	case leave:
		b.Leave(c.at)
	case shut:
		b.Close()
	}
	return answer{end: done}
}

// received is the answer of a Receive. The number of a lag is not that of an item.
func received(n int64, err error) answer {
	if err == nil {
		return number(n)
	}
	a := ended(err)
	if n != 0 {
		a.end, a.err = wrong, fmt.Errorf("item %d comes with the error %w", n, err)
	}
	return a
}

func startBroadcast(rnd *rand.Rand) *trial {
	slow := policies(rnd)
	return broadcastTrial(newCaster(slow), slow)
}

func startPatientBroadcast(*rand.Rand) *trial { return broadcastTrial(newCaster(allWait), allWait) }

func TestBroadcast(t *testing.T) { check(t, startBroadcast) }

func TestSelectOfABroadcast(t *testing.T) {
	check(t, func(rnd *rand.Rand) *trial {
		slow := policies(rnd)
		return broadcastTrial(selectCaster{newCaster(slow)}, slow)
	})
}

func TestBrokenBroadcast(t *testing.T) {
	find(t, "is a queue for each subscriber", func(*rand.Rand) *trial { return broadcastTrial(newQueues(), allWait) })
	find(t, "loses the value of a cancelled receiver", late(receive, startPatientBroadcast))
	find(t, "sends the value of a cancelled sender", late(send, startBroadcast))
	find(t, "receives for a dead context", deaf(receive, startBroadcast))
	find(t, "waits for nobody", func(*rand.Rand) *trial {
		return broadcastTrial(newCaster([subscribers]curio.SlowPolicy{curio.SlowWait, curio.SlowSkip}), allWait)
	})
	find(t, "does not tell of a lag", broken(startBroadcast, func(real *trial, ctx context.Context, c call) answer {
		a := real.do(ctx, c)
		if a.end == lagged {
			return real.do(ctx, c)
		}
		return a
	}))
	find(t, "drops what is left when closed", broken(startBroadcast, func(real *trial, ctx context.Context, c call) answer {
		a := real.do(ctx, c)
		if c.verb == shut {
			for at := range subscribers {
				for real.do(ctx, call{verb: tryReceive, at: at}).end == done {
				}
			}
		}
		return a
	}))
}

// A queues is what people build without a Broadcast: a queue for each subscriber, into which
// a sender puts its value one after the other.
type queues [subscribers]*curio.Queue[int64]

func newQueues() (q queues) {
	for i := range q {
		q[i] = curio.NewQueue[int64](capacity)
	}
	return q
}

// as translates what a queue refuses.
func as(err error) error {
	switch {
	case errors.Is(err, curio.ErrQueueClosed):
		return curio.ErrBroadcastClosed
	case errors.Is(err, curio.ErrQueueFull):
		return curio.ErrBroadcastFull
	case errors.Is(err, curio.ErrQueueEmpty):
		return curio.ErrSubscriptionEmpty
	}
	return err
}

func (q queues) Send(ctx context.Context, v int64) error {
	for _, one := range q {
		if err := one.Put(ctx, v); err != nil {
			return as(err)
		}
	}
	return nil
}

func (q queues) TrySend(v int64) error {
	for _, one := range q {
		if err := one.TryPut(v); err != nil {
			return as(err)
		}
	}
	return nil
}

func (q queues) Receive(ctx context.Context, at int) (int64, error) {
	v, err := q[at].Get(ctx)
	return v, as(err)
}

func (q queues) TryReceive(at int) (int64, error) {
	v, err := q[at].TryGet()
	return v, as(err)
}

func (q queues) Len(at int) int { return q[at].Len() }
func (q queues) Leave(int)      {}
func (q queues) left() string   { return "" }

func (q queues) Close() {
	for _, one := range q {
		one.Close()
	}
}
