package signal

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/signals"
)

// A Queue holds signals that have arrived, in order of arrival, until they are received with Get.
// It holds each kind of signal at most once, so that a flood of one kind uses no memory and
// displaces no signal of another kind. [NewQueue] makes a Queue, and the zero value cannot be used.
// Call Close when it is no longer needed. A Queue must not be copied. It is safe for concurrent
// use. If several tasks call Get, each signal goes to one of them; if several tasks must each see
// all signals, give each its own Queue.
//
// It is Curio's SignalQueue. A task that waits is in the state SIGNAL_GET.
type Queue struct {
	sigs []syscall.Signal

	mu      sync.Mutex
	pending []syscall.Signal // no two of a kind
	closed  bool
	line    curio.WaitList[syscall.Signal] // what is given is 0 when the queue is closed
}

// NewQueue returns a [Queue] of the given signals that arrive from now on. It panics if there are
// no signals, or if one of them cannot be caught; see the package documentation.
func NewQueue(sigs ...os.Signal) *Queue {
	q := &Queue{sigs: mustCatch("NewQueue", sigs)}
	q.line.Mutex, q.line.State, q.line.Object, q.line.Serve = &q.mu, "SIGNAL_GET", q, q.serve
	signals.Subscribe((*subscriber)(q), q.sigs...)
	return q
}

// mustCatch returns the signals, each once, or panics if nobody can wait for one of them.
func mustCatch(call string, sigs []os.Signal) (list []syscall.Signal) {
	if len(sigs) == 0 {
		panic("curio/signal: " + call + " without a signal; name those to wait for")
	}
	for _, sig := range sigs {
		s, err := signals.Check(sig)
		if err != nil {
			panic(fmt.Sprintf("curio/signal: %s: %v", call, err))
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

type subscriber Queue

func (s *subscriber) Deliver(sig syscall.Signal) {
	q := (*Queue)(s)
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.pending, sig) {
		q.pending = append(q.pending, sig)
		q.serve()
	}
}

// serve gives the signals that are there to those who wait.
func (q *Queue) serve() {
	for len(q.pending) > 0 && q.line.Hand(q.pending[0]) {
		q.pending = slices.Delete(q.pending, 0, 1)
	}
	if q.closed && len(q.pending) == 0 {
		q.line.HandAll(0)
	}
}

// Get waits for a signal and removes it from the queue. If ctx is done first, it returns ctx's
// error and has removed no signal. After Close, Get still returns signals that arrived before; then
// the error is curio.ErrQueueClosed.
func (q *Queue) Get(ctx context.Context) (os.Signal, error) {
	sig, err := q.line.Wait(ctx, 0)
	return taken(sig, err)
}

// TryGet removes a signal from the queue without waiting. If there is none, the error is
// curio.ErrQueueEmpty, or curio.ErrQueueClosed after Close.
func (q *Queue) TryGet() (os.Signal, error) {
	sig, ok := q.line.TryWait(context.Background(), 0)
	if !ok {
		return nil, curio.ErrQueueEmpty
	}
	return taken(sig, nil)
}

func taken(sig syscall.Signal, err error) (os.Signal, error) {
	switch {
	case err != nil:
		return nil, err
	case sig == 0:
		return nil, curio.ErrQueueClosed
	}
	return sig, nil
}

// GetCase returns a case for [curio.Select] that receives a signal as Get does and stores it in
// *to, unless to is nil.
func (q *Queue) GetCase(to *os.Signal) curio.Case {
	return q.line.Case(0, func(_ context.Context, sig syscall.Signal) error {
		got, err := taken(sig, nil)
		if to != nil && err == nil {
			*to = got
		}
		return err
	})
}

// All returns an iterator that removes signals from the queue as they arrive. It ends when the
// queue is closed and empty. If ctx is done first, it yields ctx's error and ends.
func (q *Queue) All(ctx context.Context) iter.Seq2[os.Signal, error] {
	return func(yield func(os.Signal, error) bool) {
		for {
			sig, err := q.Get(ctx)
			if err == curio.ErrQueueClosed || !yield(sig, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the queue's subscription: after Close has returned, no signal is added. Get calls in
// progress fail with curio.ErrQueueClosed. A second Close does nothing. The error is always nil.
func (q *Queue) Close() error {
	signals.Unsubscribe((*subscriber)(q))
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.serve()
	return nil
}

// Snapshot returns the tasks that are waiting in Get. A queue of signals has no holders.
func (q *Queue) Snapshot() curio.Snapshot {
	q.mu.Lock()
	defer q.mu.Unlock()
	return curio.Snapshot{Waiters: q.line.Waiters()}
}

// String returns the names of the queue's signals, and of those that have arrived.
func (q *Queue) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	text := "signal.Queue(" + list(q.sigs)
	if len(q.pending) > 0 {
		text += "; arrived: " + list(q.pending)
	}
	if n := q.line.Len(); n > 0 {
		text += fmt.Sprintf("; %d waiting", n)
	}
	if q.closed {
		text += "; closed"
	}
	return text + ")"
}

func list(sigs []syscall.Signal) string {
	names := make([]string, len(sigs))
	for i, sig := range sigs {
		names[i] = signals.Name(sig)
	}
	return strings.Join(names, ", ")
}
