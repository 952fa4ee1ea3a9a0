package curio

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// This file is about queues that are closed by their last producer.
//
// Queue.producers counts the seats whose queue is set. Producers counts them, under the queue's
// mutex, and the code that takes the queue out of a seat counts one less, under the same mutex.
// That is Close, or the cleanup of a Producer that has become garbage. So each is counted once,
// however often it is closed.

// A Producer is one of several handles for putting items into a queue. When the last of them is
// closed, the queue is closed, so the consumers' loops end when the last producer has ended, and no
// producer needs to know of the others. Queue.Producers makes them; the zero value is closed. A
// Producer must not be copied. All methods are safe for concurrent use.
//
// Give one to each task that produces, and let the task close it with defer:
//
//	for i, p := range jobs.Producers(len(sources)) {
//		g.Go(func(ctx context.Context) error {
//			defer p.Close()
//			return sources[i].copyTo(ctx, p)
//		})
//	}
//
// A Producer that is garbage counts as closed, because nothing can use it any more. An example is
// the Producer of a task that was cancelled before its function was called. This may take minutes,
// and does not happen in a testing/synctest bubble, so do not rely on it in place of Close.
//
// It does for a Queue what clones of a MemorySendChannel do in Trio, and of an mpsc::Sender in
// Tokio.
type Producer[T any] struct {
	_    noCopy
	seat *seat[T] // nil in the zero value
}

// A seat is what is left of a Producer that is garbage.
type seat[T any] struct {
	q atomic.Pointer[Queue[T]] // nil when closed, so that a closed Producer keeps no items
}

// Producers returns n new producers of the queue. Each of them must be closed, and closing the last
// one closes the queue. If n is 0 and the queue has no other open producer, the queue is closed at
// once, because there is nothing to wait for. Producers does not wait.
//
// Make all producers that are needed in one call. The task of a producer may make more while its own
// producer is open. If the last producer has closed the queue, Producers panics unless n is 0: the
// new producers come too late, and what they put would be lost. If Queue.Close has closed the queue,
// the new producers are refused like all others. Producers panics if n is negative.
func (q *Queue[T]) Producers(n int) []*Producer[T] {
	mustNotBeNegative("Producers", int64(n))
	var woken wait.Batch
	q.mu.Lock()
	if q.finished && n > 0 {
		q.mu.Unlock()
		panic("curio: Producers of a queue that its last producer has closed; make all of them in one call, or more while one is open")
	}
	q.producers += n
	if q.producers == 0 {
		woken = q.finishLocked()
	}
	q.mu.Unlock()
	woken.Wake()

	all := make([]*Producer[T], n)
	for i := range all {
		p := &Producer[T]{seat: new(seat[T])}
		p.seat.q.Store(q)
		if !wait.InBubble() { // a cleanup runs outside, and must not wake what is inside
			runtime.AddCleanup(p, (*seat[T]).forgotten, p.seat)
		}
		all[i] = p
	}
	return all
}

// finishLocked closes the queue, unless somebody else has closed it.
func (q *Queue[T]) finishLocked() wait.Batch {
	if !q.closed {
		q.finished = true
	}
	return q.closeLocked()
}

// Close closes the producer. If it is the last open one, it closes the queue too, as [Queue.Close]
// does. Close never blocks. Closing it again does nothing. A Put of this producer that waits at that
// time, in another task, goes on waiting, unless the queue is closed.
func (p *Producer[T]) Close() {
	if p.seat != nil {
		p.seat.close()
	}
}

func (s *seat[T]) close() {
	q := s.q.Swap(nil)
	if q == nil {
		return
	}
	var woken wait.Batch
	q.mu.Lock()
	q.producers--
	if q.producers == 0 {
		woken = q.finishLocked()
	}
	q.mu.Unlock()
	woken.Wake()
}

// forgotten is called when the Producer has become garbage. The runtime calls it in a goroutine
// that runs the cleanups of the whole program. The comparison of a priority queue may hold the
// mutex for long, so the queue is closed in another one.
func (s *seat[T]) forgotten() {
	if s.q.Load() != nil {
		go s.close()
	}
}

// queue returns the queue, nil if the producer is closed.
func (p *Producer[T]) queue() *Queue[T] {
	if p.seat == nil {
		return nil
	}
	return p.seat.q.Load()
}

// Put puts v as [Queue.Put] does. If the producer or the queue is closed, the error is
// ErrQueueClosed, and v was not put. If ctx is done first, or already, the error is ctx's error, and
// v was not put. A task that waits is in the state QUEUE_PUT.
func (p *Producer[T]) Put(ctx context.Context, v T) error {
	defer runtime.KeepAlive(p) // while it waits, the producer is no garbage
	if q := p.queue(); q != nil {
		return q.Put(ctx, v)
	}
	if _, err := wait.At(ctx); err != nil {
		return err
	}
	return ErrQueueClosed
}

// TryPut puts v if there is room. If not, the error is ErrQueueFull, or ErrQueueClosed if the
// producer or the queue is closed.
func (p *Producer[T]) TryPut(v T) error {
	defer runtime.KeepAlive(p)
	if q := p.queue(); q != nil {
		return q.TryPut(v)
	}
	return ErrQueueClosed
}

// PutCase returns the case of a [Select] that puts v. If the producer or the queue has been closed,
// the case is ready, with ErrQueueClosed.
func (p *Producer[T]) PutCase(v T) Case {
	return Case{&producerCase[T]{putCase[T]{p.queue(), v}, p}}
}

// A producerCase is a putCase that looks whether its producer is open, and keeps it from being
// garbage.
type producerCase[T any] struct {
	putCase[T]
	p *Producer[T]
}

func (c *producerCase[T]) try(me *wait.Owner, began int64) (done bool, err error) {
	if c.p.queue() == nil {
		return true, ErrQueueClosed
	}
	return c.putCase.try(me, began)
}
