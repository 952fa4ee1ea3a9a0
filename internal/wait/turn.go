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
type Turn struct {
	state atomic.Uint32

	mu     sync.Mutex
	closed bool
	queue  List
}

// ErrTurnClosed is returned by Take if it would have to queue for a closed Turn.
var ErrTurnClosed = errors.New("curio: nobody queues here any more")

// dismissed is put into the Slot of the waiters that were queued when the turn was closed.
type dismissed struct{}

const (
	free = iota
	held
	contended
)

// Try takes the turn if it is free, and reports whether it has. It waits for nobody.
func (t *Turn) Try() bool { return t.state.CompareAndSwap(free, held) }

// Queued is how many wait for the turn.
func (t *Turn) Queued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queue.Len()
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
	if place.Untrusted() {
		return place.Follow(func(p Place) error { return t.wait(p, op, object) })
	}
	return t.wait(place, op, object)
}

func (t *Turn) wait(place Place, op string, object any) error {
	w := place.Waiter(op, object)
	taken, err := t.takeOrQueue(w)
	if taken || err != nil {
		w.Free()
		return err
	}
	if !w.Wait() {
		t.mu.Lock()
		t.queue.Remove(w)
		t.mu.Unlock()
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

// takeOrQueue takes the turn if it has become free, and puts w in the queue if
// not.
func (t *Turn) takeOrQueue(w *Waiter) (taken bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.state.Load() != contended {
		if t.state.CompareAndSwap(free, held) {
			return true, nil
		}
		if t.closed {
			return false, ErrTurnClosed
		}
		t.state.CompareAndSwap(held, contended)
	}
	if t.closed {
		return false, ErrTurnClosed
	}
	t.queue.Push(w)
	return false, nil
}

// Close sends away all waiters in the queue, and from then on nobody can queue. The holder
// keeps the turn, and may never pass it on. If it does, a caller that finds the turn free
// can take it.
func (t *Turn) Close() {
	var woken Batch
	t.mu.Lock()
	t.closed = true
	for w := t.queue.Pop(); w != nil; w = t.queue.Pop() {
		w.Slot = dismissed{}
		woken.Add(w)
	}
	t.mu.Unlock()
	woken.Wake()
}

// Pass hands the turn to the next, or sets it free.
func (t *Turn) Pass() {
	if t.state.CompareAndSwap(held, free) {
		return
	}
	t.mu.Lock()
	next := t.queue.Pop()
	switch {
	case next == nil:
		t.state.Store(free)
	case t.queue.Empty():
		t.state.Store(held)
	}
	t.mu.Unlock()
	if next != nil {
		next.Wake()
	}
}

// Drain waits until those that hold the turn now, or queue for it, have passed it on. It may
// be called in a testing/synctest bubble although they are outside.
func (t *Turn) Drain(op string, object any) {
	if !t.Try() {
		w := Place{}.Waiter(op, object)
		taken, err := t.takeOrQueue(w)
		if !taken && err == nil {
			w.WaitOutside()
		}
		w.Free()
		if err != nil { // a closed turn has no queue
			return
		}
	}
	t.Pass()
}
