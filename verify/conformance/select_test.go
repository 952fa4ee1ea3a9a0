package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/curio-go/curio"
)

// The objects with whose Acquire, Get and Put a Select waits, among cases that are never
// ready: it must be indistinguishable.

// chosen is the error of a Select of c and of two cases that are never ready.
func chosen(ctx context.Context, c curio.Case) error {
	var never curio.Event
	i, err := curio.Select(ctx, never.WaitCase(), c, curio.AfterCase(time.Hour))
	if i != 1 && i != -1 {
		return fmt.Errorf("Select has chosen case %d: %v", i, err)
	}
	return err
}

type selectLock struct{ curio.Lock }

func (l *selectLock) Acquire(ctx context.Context) error { return chosen(ctx, l.AcquireCase()) }

type selectQueue struct{ *curio.Queue[int64] }

func (q selectQueue) Get(ctx context.Context) (v int64, err error) {
	err = chosen(ctx, q.GetCase(&v))
	return v, err
}

func (q selectQueue) Put(ctx context.Context, v int64) error { return chosen(ctx, q.PutCase(v)) }

func TestSelectOfALock(t *testing.T) {
	check(t, func(*rand.Rand) *trial { return lockTrial(new(selectLock), stepLock) })
}

func TestSelectOfAQueue(t *testing.T) {
	check(t, func(rnd *rand.Rand) *trial {
		n := bound(rnd)
		return queueTrial(selectQueue{curio.NewQueue[int64](n)}, n, firstIn, rnd)
	})
}

func TestSelectOfAPriorityQueue(t *testing.T) {
	check(t, func(rnd *rand.Rand) *trial {
		n := bound(rnd)
		return queueTrial(selectQueue{curio.NewPriorityQueue(n, byRank)}, n, smallest, rnd)
	})
}

// Two queues, and Selects over both of them.

const (
	getA, getB     verb = "Get A", "Get B"
	putA, putB     verb = "Put A", "Put B"
	getAny, getYna verb = "Select Get A, Get B", "Select Get B, Get A"
	putAny, swapAB verb = "Select Put A, Put B", "Select Get A, Put B"
	shutA, shutB   verb = "Close A", "Close B"
)

// An option is a case of a Select over two queues.
type option struct {
	queue int
	verb  verb
}

var options = map[verb][]option{
	getA: {{0, get}}, getB: {{1, get}}, putA: {{0, put}}, putB: {{1, put}},
	getAny: {{0, get}, {1, get}}, getYna: {{1, get}, {0, get}},
	putAny: {{0, put}, {1, put}}, swapAB: {{0, get}, {1, put}},
}

// pairState is the state of two queues. The sum of an answer is its index and twice the item.
type pairState [2]queueState

var pairBounds = [2]int{1, 2}

func stepPair(s pairState, c call, a answer) (pairState, bool) {
	switch c.verb {
	case shutA, shutB:
		at := 0
		if c.verb == shutB {
			at = 1
		}
		s[at].closed = true
		return s, a.end == done
	}
	index, item := int(a.n%2), a.n/2
	if index >= len(options[c.verb]) {
		return s, false
	}
	o := options[c.verb][index]
	q := s[o.queue]
	var ok bool
	if o.verb == get {
		q, ok = q.get(call{verb: get}, answer{end: a.end, n: item})
	} else {
		q, ok = q.put(call{verb: put, n: c.n}, answer{end: a.end}, utf8.RuneCountInString(q.items) >= pairBounds[o.queue], firstIn)
	}
	q.undone = 0
	s[o.queue] = q
	return s, ok
}

// A chooser waits for one of the cases.
type chooser func(ctx context.Context, cases []option, queues [2]*curio.Queue[int64], item int64) (index int, got int64, err error)

// bySelect is the chooser to be tested. channel adds a case on a Go channel.
func bySelect(channel bool) chooser {
	return func(ctx context.Context, options []option, queues [2]*curio.Queue[int64], item int64) (index int, got int64, err error) {
		var cases []curio.Case
		for _, o := range options {
			if o.verb == get {
				cases = append(cases, queues[o.queue].GetCase(&got))
			} else {
				cases = append(cases, queues[o.queue].PutCase(item))
			}
		}
		if channel {
			cases = append(cases, curio.ReceiveCase(make(chan int), nil))
		}
		index, err = curio.Select(ctx, cases...)
		return index, got, err
	}
}

// naive is what people build without a Select: a group in which the first wins.
func naive(ctx context.Context, options []option, queues [2]*curio.Queue[int64], item int64) (index int, got int64, err error) {
	type result struct {
		index int
		got   int64
	}
	var won atomic.Pointer[result]
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
		for i, o := range options {
			g.Spawn(func(ctx context.Context) (_ int, err error) {
				r := result{index: i}
				if o.verb == get {
					r.got, err = queues[o.queue].Get(ctx)
				} else {
					err = queues[o.queue].Put(ctx, item)
				}
				if err == nil {
					won.CompareAndSwap(nil, &r)
				}
				return 0, err
			})
		}
		return nil
	}, curio.WaitAny)
	if r := won.Load(); r != nil {
		return r.index, r.got, nil
	}
	return 0, 0, err
}

func pairTrial(choose chooser) *trial {
	queues := [2]*curio.Queue[int64]{curio.NewQueue[int64](pairBounds[0]), curio.NewQueue[int64](pairBounds[1])}
	var items atomic.Int64
	blocking := []verb{getA, getB, putA, putB, getAny, getYna, putAny, swapAB}
	return &trial{
		model: model(pairState{}, stepPair),
		do: func(ctx context.Context, c call) answer {
			switch c.verb {
			case shutA:
				queues[0].Close()
				return answer{end: done}
			case shutB:
				queues[1].Close()
				return answer{end: done}
			}
			index, got, err := choose(ctx, options[c.verb], queues, c.n)
			a := ended(err)
			if a.end == done || a.end == closed {
				a.n = int64(index) + 2*got
			}
			return a
		},
		choose: func(c *client) call {
			if c.rnd.IntN(400) == 0 {
				return call{verb: []verb{shutA, shutB}[c.rnd.IntN(2)]}
			}
			return call{verb: blocking[c.rnd.IntN(len(blocking))], n: items.Add(1)}
		},
		undo: func(call, answer) []call { return nil },
		nudge: func(round int) call {
			return call{verb: []verb{shutA, shutB}[round%2]}
		},
		audit: func(try func(call) answer) {
			for _, v := range []verb{shutA, shutB} {
				try(call{verb: v})
			}
			for _, v := range []verb{getA, getB} {
				for try(call{verb: v}).end == done {
				}
			}
		},
		left: func() string { return remains(queues[0].Snapshot()) + remains(queues[1].Snapshot()) },
	}
}

func TestSelectOverTwoQueues(t *testing.T) {
	t.Run("queues", func(t *testing.T) { check(t, func(*rand.Rand) *trial { return pairTrial(bySelect(false)) }) })
	t.Run("and a channel", func(t *testing.T) { check(t, func(*rand.Rand) *trial { return pairTrial(bySelect(true)) }) })
}

// The naive choice takes from both, now and then.
func TestNaiveSelect(t *testing.T) {
	find(t, "takes effect twice", func(*rand.Rand) *trial { return pairTrial(naive) })
}
