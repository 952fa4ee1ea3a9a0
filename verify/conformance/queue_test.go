package conformance

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/curio-go/curio"
)

// An order says how items stand in a queue. The first is the one that is got next.
//
// Items are runes, and a state has them as a string, which can be compared and is never
// changed in place. No two items of a history are the same.
type order func(items string, added rune) string

func firstIn(items string, added rune) string { return items + string(added) }
func lastIn(items string, added rune) string  { return string(added) + items }

// smallest puts equal items in order of arrival.
func smallest(items string, added rune) string {
	at := strings.IndexFunc(items, func(r rune) bool { return rank(int64(r)) > rank(int64(added)) })
	if at < 0 {
		return items + string(added)
	}
	return items[:at] + string(added) + items[at:]
}

// rank is the priority of an item. Many items are equal.
func rank(item int64) int64 { return item % 3 }

func byRank(a, b int64) int { return cmp.Compare(rank(a), rank(b)) }

// A queueState is the state of a queue.
type queueState struct {
	items  string
	closed bool
	undone int // items that were put and not reported by TaskDone
}

// stepQueue is the model of a queue of at most bound items, or any number if it is 0.
// It has no waiters: an item that was handed to one who waited was put and then got, and
// an item of one who waited for room was put right after another was got.
func stepQueue(bound int, in order) func(queueState, call, answer) (queueState, bool) {
	return func(s queueState, c call, a answer) (queueState, bool) {
		items := utf8.RuneCountInString(s.items)
		isFull := bound > 0 && items >= bound
		switch c.verb {
		case put, tryPut:
			return s.put(c, a, isFull, in)
		case get, tryGet:
			return s.get(c, a)
		case shut:
			return queueState{s.items, true, s.undone}, a.end == done
		case taskDone:
			return queueState{s.items, s.closed, s.undone - 1}, a.end == done && s.undone > 0
		case join:
			return s, a.end == done && s.undone == 0
		case length:
			return s, a.n == int64(items)
		case full:
			return s, a.n == truth(isFull).n
		case readable:
			return s, a.end == done && a.n == truth(items > 0 || s.closed).n
		}
		return s, false
	}
}

func (s queueState) put(c call, a answer, full bool, in order) (queueState, bool) {
	switch a.end {
	case done:
		return queueState{in(s.items, rune(c.n)), false, s.undone + 1}, !s.closed && !full
	case closed:
		return s, s.closed
	case isFull:
		return s, c.verb == tryPut && full && !s.closed
	}
	return s, false
}

func (s queueState) get(c call, a answer) (queueState, bool) {
	switch a.end {
	case done:
		first, size := utf8.DecodeRuneInString(s.items)
		return queueState{s.items[size:], s.closed, s.undone}, size > 0 && a.n == int64(first)
	case closed:
		return s, s.closed && s.items == ""
	case isEmpty:
		return s, c.verb == tryGet && !s.closed && s.items == ""
	}
	return s, false
}

// A queue is any of the queues.
type queue interface {
	Put(context.Context, int64) error
	TryPut(int64) error
	Get(context.Context) (int64, error)
	TryGet() (int64, error)
	Len() int
	Full() bool
	TaskDone()
	Join(context.Context) error
	Close()
	Snapshot() curio.Snapshot
}

func queueTrial(q queue, bound int, in order, rnd *rand.Rand) *trial {
	_, polled := q.(described)
	chooser := &queueChooser{putting: 3 + rnd.IntN(5), polled: polled}
	return &trial{
		model:  model(queueState{}, stepQueue(bound, in)),
		do:     func(ctx context.Context, c call) answer { return doQueue(ctx, q, c) },
		choose: chooser.choose,
		undo: func(c call, a answer) []call {
			if (c.verb == get || c.verb == tryGet) && a.end == done {
				return []call{{verb: taskDone}}
			}
			return nil
		},
		nudge: chooser.nudge,
		audit: func(try func(call) answer) {
			try(call{verb: length})
			for try(call{verb: tryGet}).end == done {
			}
		},
		left: func() string { return remains(q.Snapshot()) },
	}
}

func doQueue(ctx context.Context, q queue, c call) answer {
	switch c.verb {
	case put:
		return ended(q.Put(ctx, c.n))
	case tryPut:
		return ended(q.TryPut(c.n))
	case get:
		return item(q.Get(ctx))
	case tryGet:
		return item(q.TryGet())
	case length:
		return number(int64(q.Len()))
	case full:
		return truth(q.Full())
	case taskDone:
		q.TaskDone()
	case join:
		return ended(q.Join(ctx))
	case shut:
		q.Close()
	case readable:
		return poll(q.(described))
	}
	return answer{end: done}
}

// item is the answer of a Get. One that fails must not return an item as well.
func item(n int64, err error) answer {
	a := ended(err)
	if a.n = n; err != nil && n != 0 {
		a.end, a.err = wrong, fmt.Errorf("item %d comes with the error %w", n, err)
	}
	return a
}

// A queueChooser has a preference for Put or for Get, so that in some histories producers
// wait, and in others consumers.
type queueChooser struct {
	putting int  // of ten
	polled  bool // the queue has a descriptor
	items   atomic.Int64
}

func (q *queueChooser) choose(c *client) call {
	putting := c.rnd.IntN(10) < q.putting
	switch n := c.rnd.IntN(40); {
	case n == 0 && c.rnd.IntN(8) == 0:
		return call{verb: shut}
	case n < 3:
		return call{verb: length}
	case n < 5:
		return call{verb: full}
	case n < 7:
		return call{verb: join, hasty: true}
	case n < 12 && q.polled:
		return call{verb: readable}
	case n < 17 && putting:
		return call{verb: tryPut, n: q.items.Add(1)}
	case n < 17:
		return call{verb: tryGet}
	case putting:
		return call{verb: put, n: q.items.Add(1)}
	}
	return call{verb: get}
}

// nudge ends the waits of single clients first, so that the history is not all about a
// closed queue.
func (q *queueChooser) nudge(round int) call {
	switch {
	case round > 20:
		return call{verb: shut}
	case round%2 == 0:
		return call{verb: tryPut, n: q.items.Add(1)}
	}
	return call{verb: tryGet}
}
