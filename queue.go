package curio

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Errors of a Queue.
var (
	// ErrQueueClosed means that the queue has been closed. A Put returns it at once, and a Get when
	// nothing is left.
	ErrQueueClosed = errors.New("curio: queue is closed")

	// ErrQueueEmpty is returned by a TryGet that finds no item.
	ErrQueueEmpty = errors.New("curio: queue is empty")

	// ErrQueueFull is returned by a TryPut that finds no room.
	ErrQueueFull = errors.New("curio: queue is full")
)

// A Queue passes items from any number of producers to any number of consumers, first in, first out.
// A bounded queue makes producers wait while it is full. Waiting tasks are served in order of
// arrival. The zero value is an empty queue without bound; NewQueue makes one with a bound. A Queue
// must not be copied after first use. All methods are safe for concurrent use, by tasks and by any
// goroutine.
//
// An item is handed over in one step: if Get or Put fails because ctx is done, no item was removed
// or added.
//
// It is Curio's Queue. A task that waits is in the state QUEUE_GET, QUEUE_PUT or
// QUEUE_JOIN.
type Queue[T any] struct {
	max int // how many items fit, 0 for any number

	// While getters wait the queue is empty, and while putters wait it is full. A
	// waiter's slot is a *cell[T] of its own: where a Put leaves the getter's item,
	// and from where a Get fetches the putter's.
	mu         sync.Mutex
	items      items[T]
	getters    wait.List
	putters    wait.List
	joiners    wait.List
	unfinished int   // items that were put and not yet reported by TaskDone
	producers  int   // Producers that have not been closed
	putBy      users // by Put
	gotBy      users // by Get
	closed     bool
	finished   bool       // closed by the last Producer, or as there is none
	flag       *poll.Flag // if FD was called, raised while there is something to get
}

// A cell is where an item changes hands.
type cell[T any] struct {
	item    T
	refused bool // the queue was closed

	// What the comparison of a priority queue did, which is done in the name of the
	// putter.
	panicked any
	exited   bool // runtime.Goexit
}

// cellOf is the cell of w: the one it had in its last wait if that was for the same type.
func cellOf[T any](w *wait.Waiter) *cell[T] {
	c, ok := w.Slot.(*cell[T])
	if !ok {
		c = new(cell[T])
		w.Slot = c
	}
	return c
}

// keptCell is the largest size of an item, in bytes, whose cell a task keeps for its next
// wait.
const keptCell = 256

// leave clears c, the cell of w. If the cell is too large to be kept, it takes it from w.
func (c *cell[T]) leave(w *wait.Waiter) {
	if reflect.TypeFor[T]().Size() > keptCell {
		w.Slot = nil
		return
	}
	*c = cell[T]{}
}

// NewQueue returns a queue for at most max items, or for any number if max is 0. It panics if max is
// negative.
func NewQueue[T any](max int) *Queue[T] {
	mustNotBeNegative("NewQueue", int64(max))
	return &Queue[T]{max: max}
}

// Put appends v. It waits while the queue is full. If ctx is done first, the error is ctx's error.
// If the queue is closed, before or during the wait, the error is ErrQueueClosed. In both cases v
// was not put.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.putBy.note(p.Owner())
	if done, err := q.putLocked(v); done { // has released the mutex
		return err
	}
	return q.waitToPut(p, v)
}

// waitToPut waits to put v. The caller holds the mutex, and waitToPut releases it.
func (q *Queue[T]) waitToPut(p wait.Place, v T) error {
	if p.Untrusted() {
		q.mu.Unlock()
		return p.Follow(func(p wait.Place) error {
			q.mu.Lock()
			if done, err := q.putLocked(v); done {
				return err
			}
			return q.waitToPut(p, v)
		})
	}
	w := p.Waiter("QUEUE_PUT", q)
	c := cellOf[T](w)
	c.item = v
	ok := w.WaitIn(&q.putters, &q.mu)
	if !ok {
		c.leave(w)
		w.Free()
		return p.Failure()
	}
	defer w.Free()
	return c.served(w)
}

// TryPut appends v if there is room. Otherwise the error is ErrQueueFull, or ErrQueueClosed if the
// queue is closed.
func (q *Queue[T]) TryPut(v T) error {
	q.mu.Lock()
	done, err := q.putLocked(v)
	if !done {
		q.mu.Unlock()
		return ErrQueueFull
	}
	return err
}

// putLocked puts v if it can be done at once, or fails at once. Then it has released the
// mutex.
func (q *Queue[T]) putLocked(v T) (done bool, err error) {
	if q.closed {
		q.mu.Unlock()
		return true, ErrQueueClosed
	}
	if w := q.getters.Pop(); w != nil {
		cellOf[T](w).item = v
		q.unfinished++
		q.mu.Unlock()
		w.Wake()
		return true, nil
	}
	if q.fullLocked() {
		return false, nil
	}
	if q.items.compare != nil {
		q.pushLocked(v)
	} else {
		q.items.push(v)
	}
	q.unfinished++
	q.flag.Raise()
	q.mu.Unlock()
	return true, nil
}

// pushLocked calls the comparison of a priority queue, which may panic. Then it releases
// the mutex, and nothing has changed.
func (q *Queue[T]) pushLocked(v T) {
	pushed := false
	defer func() {
		if !pushed {
			q.mu.Unlock()
		}
	}()
	q.items.push(v)
	pushed = true
}

func (q *Queue[T]) fullLocked() bool { return q.max > 0 && q.items.len() >= q.max }

// Get removes the first item and returns it. It waits while there is none. If ctx is done first, the
// error is ctx's error, and no item was removed. If the queue has been closed and no item is left,
// the error is ErrQueueClosed.
func (q *Queue[T]) Get(ctx context.Context) (v T, err error) {
	p, err := wait.At(ctx)
	if err != nil {
		return v, err
	}
	q.mu.Lock()
	q.gotBy.note(p.Owner())
	if v, done, err := q.getLocked(); done { // has released the mutex
		return v, err
	}
	return q.waitToGet(p)
}

// getAt is what Get does at p; Get does it without the call.
func (q *Queue[T]) getAt(p wait.Place) (T, error) {
	q.mu.Lock()
	if v, done, err := q.getLocked(); done { // has released the mutex
		return v, err
	}
	return q.waitToGet(p)
}

// waitToGet waits for an item. The caller holds the mutex, and waitToGet releases it.
func (q *Queue[T]) waitToGet(p wait.Place) (v T, err error) {
	if p.Untrusted() {
		q.mu.Unlock()
		return wait.FollowFor(p, q.getAt)
	}
	w := p.Waiter("QUEUE_GET", q)
	c := cellOf[T](w)
	ok := w.WaitIn(&q.getters, &q.mu)
	v = c.item
	refused := c.refused
	c.leave(w)
	w.Free()
	switch {
	case !ok:
		return v, p.Failure()
	case refused:
		return v, ErrQueueClosed
	}
	return v, nil
}

// TryGet removes the first item and returns it, if there is one. Otherwise the error is
// ErrQueueEmpty, or ErrQueueClosed if none can come any more.
func (q *Queue[T]) TryGet() (T, error) {
	q.mu.Lock()
	v, done, err := q.getLocked()
	if !done {
		q.mu.Unlock()
		return v, ErrQueueEmpty
	}
	return v, err
}

// getLocked gets an item if it can be done at once, or fails at once. Then it has
// released the mutex.
func (q *Queue[T]) getLocked() (v T, done bool, err error) {
	if q.items.len() == 0 {
		if q.closed {
			q.mu.Unlock()
			return v, true, ErrQueueClosed
		}
		return v, false, nil
	}
	if q.items.compare != nil {
		return q.getComparedLocked(), true, nil
	}
	var woken wait.Batch
	v = q.items.pop()
	q.refillLocked(&woken)
	q.mu.Unlock()
	woken.Wake()
	return v, true, nil
}

// refillLocked puts items of putters that have waited, after one was got.
func (q *Queue[T]) refillLocked(woken *wait.Batch) {
	for !q.fullLocked() { // more than once only if an item could not be put
		w := q.putters.Pop()
		if w == nil {
			break
		}
		woken.Add(w)
		q.admitLocked(cellOf[T](w))
	}
	if q.items.len() == 0 && !q.closed {
		q.flag.Lower()
	}
}

// getComparedLocked is for a priority queue. Its comparison may panic, or exit the
// goroutine, before anything has changed: the mutex is released all the same.
func (q *Queue[T]) getComparedLocked() T {
	var woken wait.Batch
	defer func() {
		q.mu.Unlock()
		woken.Wake()
	}()
	v := q.items.pop()
	q.refillLocked(&woken)
	return v
}

// admitLocked puts the item of a putter that has waited. If the comparison of a priority
// queue panics, or exits the goroutine, it is the putter who does. So it is called in a
// goroutine of its own: the caller has an item of the queue, and nobody can stop an exit.
func (q *Queue[T]) admitLocked(c *cell[T]) {
	if q.items.compare == nil || q.items.len() == 0 { // nothing is compared
		q.items.push(c.item)
		q.unfinished++
		return
	}
	var compared sync.WaitGroup
	compared.Add(1)
	go func() {
		c.exited = true // stays true if push neither returns nor panics
		defer compared.Done()
		defer func() {
			if c.panicked = recover(); c.panicked != nil {
				c.exited = false
			}
		}()
		q.items.push(c.item)
		q.unfinished++
		c.exited = false
	}()
	compared.Wait()
}

// Close closes the queue. Nothing can be put any more. Tasks that wait in Put or Get receive
// ErrQueueClosed, and so do later calls of Get when no item is left. Join goes on waiting for the
// items that have not been reported by TaskDone. Closing it again does nothing. Close never blocks.
// It takes no account of open Producers of the queue; if the last producer is to close the queue,
// see Producers.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	woken := q.closeLocked()
	q.mu.Unlock()
	woken.Wake()
}

func (q *Queue[T]) closeLocked() (woken wait.Batch) {
	if q.closed {
		return woken
	}
	q.closed = true
	refuseAll[T](&q.getters, &woken)
	refuseAll[T](&q.putters, &woken)
	q.flag.Raise() // for ever: a Get does not block any more
	return woken
}

// refuseAll takes all waiters off l and tells them that there is nothing to wait for.
func refuseAll[T any](l *wait.List, woken *wait.Batch) {
	for w := l.Pop(); w != nil; w = l.Pop() {
		cellOf[T](w).refused = true
		woken.Add(w)
	}
}

// TaskDone reports that an item that was taken from the queue has been dealt with. It panics if it
// is called more often than items were put.
func (q *Queue[T]) TaskDone() {
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		panic("curio: TaskDone called more often than items were put; call it once for each item that Get returned")
	}
	if q.unfinished--; q.unfinished > 0 {
		q.mu.Unlock()
		return
	}
	q.joiners.WakeAll(&q.mu)
}

// Join waits until TaskDone has been called for every item that was put. If ctx is done first, the
// error is ctx's error.
func (q *Queue[T]) Join(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	return q.join(p)
}

func (q *Queue[T]) join(p wait.Place) error {
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		return nil
	}
	if p.Untrusted() {
		q.mu.Unlock()
		return p.Follow(q.join)
	}
	return p.Block("QUEUE_JOIN", q, &q.joiners, &q.mu)
}

// All returns an iterator that gets items. It ends when the queue has been closed and no item is
// left. If ctx is done, the loop gets ctx's error once, and ends.
//
//	for job, err := range jobs.All(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// Several loops over one queue share its items.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := q.Get(ctx)
			if err == ErrQueueClosed || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Len returns the number of items in the queue.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items.len()
}

// Empty reports whether there is no item in the queue.
func (q *Queue[T]) Empty() bool { return q.Len() == 0 }

// Full reports whether the queue has as many items as its bound allows. A queue without bound is
// never full.
func (q *Queue[T]) Full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fullLocked()
}

// Snapshot returns the tasks that wait for an item, for room, and in Join. A queue has no holders.
func (q *Queue[T]) Snapshot() Snapshot {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.snapshotLocked()
}

func (q *Queue[T]) snapshotLocked() Snapshot {
	waiters := appendWaiters(nil, &q.getters)
	waiters = appendWaiters(waiters, &q.putters)
	return Snapshot{Waiters: appendWaiters(waiters, &q.joiners)}
}

// String returns how many items there are, how many producers are open, whether the queue is closed,
// and how many tasks wait.
func (q *Queue[T]) String() string {
	kind := "Queue"
	switch {
	case q.items.lifo:
		kind = "LIFOQueue"
	case q.items.compare != nil:
		kind = "PriorityQueue"
	}
	q.mu.Lock()
	details := fmt.Sprintf("%d items", q.items.len())
	if q.max > 0 {
		details = fmt.Sprintf("%d of %d items", q.items.len(), q.max)
	}
	if q.producers > 0 {
		details += fmt.Sprintf(", %d producers", q.producers)
	}
	if q.closed {
		details += ", closed"
	}
	s := q.snapshotLocked()
	q.mu.Unlock()
	return s.text(kind, details)
}
