package wait

import (
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

	mu    sync.Mutex
	queue List
}

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
	taken := t.takeOrQueue(w)
	if !taken && !w.Wait() {
		t.mu.Lock()
		t.queue.Remove(w)
		t.mu.Unlock()
		w.Free()
		return place.Failure()
	}
	w.Free()
	return nil
}

// takeOrQueue takes the turn if it has become free, and puts w in the queue if
// not.
func (t *Turn) takeOrQueue(w *Waiter) (taken bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.state.Load() != contended {
		if t.state.CompareAndSwap(free, held) {
			return true
		}
		t.state.CompareAndSwap(held, contended)
	}
	t.queue.Push(w)
	return false
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
