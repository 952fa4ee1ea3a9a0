package curio

import (
	"runtime"

	"github.com/curio-go/curio/internal/wait"
)

// This file makes the operations of a queue cases of a Select.

// GetCase returns the case of a [Select] that gets an item, and stores it in *to when it takes
// effect. If to is nil, the item is dropped. If the queue has been closed and no item is left, the
// case is ready, with ErrQueueClosed.
func (q *Queue[T]) GetCase(to *T) Case { return Case{&getCase[T]{q, to}} }

type getCase[T any] struct {
	q  *Queue[T]
	to *T
}

func (c *getCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	c.q.mu.Lock()
	v, done, err := c.q.getLocked()
	if !done {
		c.q.mu.Unlock()
		return false, nil
	}
	c.store(v, err)
	return true, err
}

func (c *getCase[T]) store(v T, err error) {
	if c.to != nil && err == nil {
		*c.to = v
	}
}

func (c *getCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	q := c.q
	w.For("QUEUE_GET", q)
	cellOf[T](w)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.items.len() > 0 || q.closed {
		return false
	}
	q.getters.Push(w)
	return true
}

func (c *getCase[T]) leave(w *wait.Waiter) {
	c.q.getters.Leave(w, &c.q.mu)
	cellOf[T](w).leave(w)
}

func (c *getCase[T]) take(w *wait.Waiter) (done bool, err error) {
	cell := cellOf[T](w)
	v, refused := cell.item, cell.refused
	cell.leave(w)
	if refused {
		return true, ErrQueueClosed
	}
	c.store(v, nil)
	return true, nil
}

// PutCase returns the case of a [Select] that puts v. If the queue has been closed, the case is
// ready, with ErrQueueClosed. While v waits for room, it is not in the queue.
func (q *Queue[T]) PutCase(v T) Case { return Case{&putCase[T]{q, v}} }

type putCase[T any] struct {
	q *Queue[T]
	v T
}

func (c *putCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	c.q.mu.Lock()
	done, err = c.q.putLocked(c.v)
	if !done {
		c.q.mu.Unlock()
	}
	return done, err
}

func (c *putCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	q := c.q
	w.For("QUEUE_PUT", q)
	cellOf[T](w).item = c.v
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || !q.fullLocked() || !q.getters.Empty() {
		return false
	}
	q.putters.Push(w)
	return true
}

func (c *putCase[T]) leave(w *wait.Waiter) {
	c.q.putters.Leave(w, &c.q.mu)
	cellOf[T](w).leave(w)
}

func (c *putCase[T]) take(w *wait.Waiter) (done bool, err error) {
	return true, cellOf[T](w).served(w)
}

// served ends the wait of the putter w, which has been served.
func (c *cell[T]) served(w *wait.Waiter) error {
	panicked, exited, refused := c.panicked, c.exited, c.refused
	c.leave(w)
	switch {
	case panicked != nil:
		panic(panicked)
	case exited:
		runtime.Goexit()
	case refused:
		return ErrQueueClosed
	}
	return nil
}
