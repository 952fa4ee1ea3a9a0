package wait

import (
	"errors"
	"sync"
	"sync/atomic"
)

// A Turn is a lock that is passed on in order of arrival, and whose waiters can be
// cancelled. Its zero value is free.
//
//	free ──► held        by who takes it: a swap, mu not needed
//	held ──► free        by the holder, a swap as well
//	held ──► contended   under mu, by who is about to queue
//	contended ──► contended, held or free   under mu, by the holder, who hands the
//	                     turn to the first in the queue: held if nobody is left
//	                     behind that one, free if all had been cancelled
//
// Nobody is queued unless the state is contended. As the turn is handed over and
// never set free while somebody queues, nobody overtakes. It is a sync.Mutex's
// fast path without its second system: half the price of a mutex around a flag.
//
// A Turn can be taken in the name of a task, by the methods that end in As: then its state says
// which task holds it, and only that passes it on. Otherwise nobody knows whose it is, and any
// goroutine passes it on. A Turn is used in one of the two ways.
type Turn struct {
	state atomic.Uint64 // a TurnState

	mu    sync.Mutex
	queue List
}

// A TurnState is one word, so that taking a Turn and passing it on is one swap each: half of
// what a mutex around a pointer costs. It is the number of the task that holds the turn, shifted,
// and flags.
type TurnState uint64

const (
	held uint64 = 1 << iota
	contended
	shut // nobody queues any more; from Close on, under mu, in any of the states above
)

const holderShift = 3

// heldBy is the state of a turn that o holds and nobody queues for. o is nil for nobody in
// particular, and for goroutines of no task.
func heldBy(o *Owner) uint64 {
	if o == nil {
		return held
	}
	return o.ID<<holderShift | held
}

// Held reports whether somebody holds the turn.
func (s TurnState) Held() bool { return uint64(s)&held != 0 }

// HeldBy reports whether o holds the turn.
func (s TurnState) HeldBy(o *Owner) bool { return uint64(s)&^(contended|shut) == heldBy(o) }

// Holder is the number of the task that holds the turn, 0 for none.
func (s TurnState) Holder() uint64 { return uint64(s) >> holderShift }

// ErrTurnClosed is returned by Take if it would have to queue for a closed Turn.
var ErrTurnClosed = errors.New("curio: nobody queues here any more")

// dismissed is put into the Slot of the waiters that were queued when the turn was closed.
type dismissed struct{}

// State returns what t is like now.
func (t *Turn) State() TurnState { return TurnState(t.state.Load()) }

// Look calls see with t's queue, which does not change meanwhile, and returns t's state.
func (t *Turn) Look(see func(queue *List)) TurnState {
	t.mu.Lock()
	defer t.mu.Unlock()
	see(&t.queue)
	return t.State()
}

// Queued is how many wait for the turn.
func (t *Turn) Queued() (n int) {
	t.Look(func(queue *List) { n = queue.Len() })
	return n
}

// Try takes the turn if it is free, and reports whether it has. It waits for nobody.
func (t *Turn) Try() bool { return t.TryAs(nil) }

// TryAs is Try in the name of o.
func (t *Turn) TryAs(o *Owner) bool {
	return t.state.CompareAndSwap(0, heldBy(o)) || t.state.Load() == shut && t.state.CompareAndSwap(shut, shut|heldBy(o))
}

// EachQueued calls fn for each waiter in the queue, under the turn's mutex.
func (t *Turn) EachQueued(fn func(w *Waiter)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := t.queue.First(); w != nil; w = t.queue.Next(w) {
		fn(w)
	}
}

// Take waits for the turn at place. op and object are what a waiting task is shown
// to do.
func (t *Turn) Take(place Place, op string, object any) error {
	if t.Try() {
		return nil
	}
	return t.wait(nil, place, op, object)
}

// TakeAs is Take in the name of the task of place.
func (t *Turn) TakeAs(place Place, op string, object any) error {
	me := place.Owner()
	if t.TryAs(me) {
		return nil
	}
	return t.wait(me, place, op, object)
}

func (t *Turn) wait(me *Owner, place Place, op string, object any) error {
	if place.Untrusted() {
		return place.Follow(func(p Place) error { return t.wait(me, p, op, object) })
	}
	if taken, err := t.contend(me); taken || err != nil {
		return err
	}
	w := place.Waiter(op, object)
	if !w.WaitIn(&t.queue, &t.mu) {
		w.Free()
		return place.Failure()
	}
	_, sentAway := w.Slot.(dismissed)
	if sentAway {
		w.Slot = nil
	}
	w.Free()
	if sentAway {
		return ErrTurnClosed
	}
	return nil
}

// contend takes the turn for me if it has become free. If not, and t is not closed, it returns
// with mu locked, and the caller queues.
func (t *Turn) contend(me *Owner) (taken bool, err error) {
	t.mu.Lock()
	for !t.contendLocked() {
		if t.TryAs(me) {
			t.mu.Unlock()
			return true, nil
		}
	}
	if t.state.Load()&shut != 0 {
		t.mu.Unlock()
		return false, ErrTurnClosed
	}
	return false, nil
}

// contendLocked makes the holder look at the queue when it passes the turn on. The result is
// false if nobody holds the turn.
func (t *Turn) contendLocked() bool {
	for {
		switch state := t.state.Load(); {
		case state&held == 0:
			return false
		case state&contended != 0 || t.state.CompareAndSwap(state, state|contended):
			return true
		}
	}
}

// Queue queues w, a node of a choice, for the turn. ok is false if the turn is free. Leave takes
// w off the queue again.
func (t *Turn) Queue(w *Waiter) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ok = t.contendLocked()
	if ok {
		t.queue.Push(w)
	}
	return ok
}

// Leave undoes Queue.
func (t *Turn) Leave(w *Waiter) { t.queue.Leave(w, &t.mu) }

// Close sends away all waiters in the queue, and from then on nobody can queue. The holder
// keeps the turn, and may never pass it on. If it does, a caller that finds the turn free
// can take it.
func (t *Turn) Close() {
	var woken Batch
	t.mu.Lock()
	t.state.Or(shut)
	for w := t.queue.Pop(); w != nil; w = t.queue.Pop() {
		w.Slot = dismissed{}
		woken.Add(w)
	}
	t.mu.Unlock()
	woken.Wake()
}

// Pass hands the turn to the next, or sets it free.
func (t *Turn) Pass() {
	if !t.state.CompareAndSwap(held, 0) {
		t.pass(held, toNobody)
	}
}

// PassAs is Pass in the name of o. ok is false if o does not hold the turn; was is what it was
// like then.
func (t *Turn) PassAs(o *Owner) (was TurnState, ok bool) {
	if !t.FreeAs(o) {
		return t.pass(heldBy(o), toTask)
	}
	return 0, true
}

// FreeAs is PassAs where nobody queues, and does nothing otherwise: for callers that spare the call.
func (t *Turn) FreeAs(o *Owner) (freed bool) { return t.state.CompareAndSwap(heldBy(o), 0) }

func toNobody(*Waiter) uint64    { return held }
func toTask(next *Waiter) uint64 { return heldBy(next.Owner()) }

// pass passes on a turn for which somebody queues, or that is closed. me is the state in which
// the caller holds it, and to returns that in which the next one does.
func (t *Turn) pass(me uint64, to func(next *Waiter) uint64) (was TurnState, ok bool) {
	t.mu.Lock()
	state := t.state.Load()
	if state&^(contended|shut) != me || state == me {
		t.mu.Unlock()
		return TurnState(state), false
	}
	after := state & shut
	next := t.queue.Pop()
	if next != nil {
		after |= to(next)
	}
	if !t.queue.Empty() {
		after |= contended
	}
	t.state.Store(after)
	t.mu.Unlock()
	if next != nil {
		next.Wake()
	}
	return TurnState(state), true
}

// Drain waits until those that hold the turn now, or queue for it, have passed it on. It may
// be called in a testing/synctest bubble although they are outside.
func (t *Turn) Drain(op string, object any) {
	if !t.Try() {
		taken, err := t.contend(nil)
		if err != nil { // a closed turn has no queue
			return
		}
		if !taken {
			w := Place{}.Waiter(op, object)
			t.queue.Push(w)
			t.mu.Unlock()
			w.WaitOutside()
			w.Free()
		}
	}
	t.Pass()
}
