package curio

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/curio-go/curio/internal/wait"
)

// Errors of a Subscription.
var (
	// ErrSubscriptionClosed means that Close was called, or that the context that the subscription
	// was made with is done.
	ErrSubscriptionClosed = errors.New("curio: subscription is closed")

	// ErrSubscriptionDropped means that a subscriber with SlowDrop had no room for a value. A
	// Receive returns it when it has returned what was kept before.
	ErrSubscriptionDropped = errors.New("curio: subscription was dropped, as the subscriber was too slow")

	// ErrSubscriptionEmpty is returned by a TryReceive that finds nothing.
	ErrSubscriptionEmpty = errors.New("curio: nothing to receive from the subscription")
)

// A SlowPolicy determines what happens when a value is sent and a subscriber has no room for it.
type SlowPolicy int

const (
	// SlowWait makes Send wait for room, and with it all other subscribers: nothing is lost. A task
	// that sends while its own subscription has no room waits for itself.
	SlowWait SlowPolicy = iota

	// SlowSkip drops the oldest value that the subscriber has kept. Its next Receive returns a
	// *LaggedError that says how many were dropped.
	SlowSkip

	// SlowDrop ends the subscription. The subscriber receives what it has kept, and then gets
	// ErrSubscriptionDropped.
	SlowDrop
)

// String returns the name of the constant.
func (p SlowPolicy) String() string {
	switch p {
	case SlowWait:
		return "SlowWait"
	case SlowSkip:
		return "SlowSkip"
	case SlowDrop:
		return "SlowDrop"
	}
	return fmt.Sprintf("SlowPolicy(%d)", int(p))
}

// A LaggedError is returned once by Receive to a subscriber with SlowSkip that has missed values.
// The next Receive goes on with the oldest value that was kept.
type LaggedError struct {
	Skipped uint64 // how many values were missed, without those that an earlier LaggedError has counted
}

// Error returns how many values were missed.
func (e *LaggedError) Error() string {
	return fmt.Sprintf("curio: the subscriber was too slow and has missed %d values", e.Skipped)
}

// A Subscription receives the values of a Broadcast. [Broadcast.Subscribe] makes one; the zero value
// cannot be used. A Subscription must not be copied. All methods are safe for concurrent use. If
// several tasks receive from one subscription, each value goes to one of them, in order of arrival.
type Subscription[T any] struct {
	_        noCopy
	of       *Broadcast[T]
	capacity int
	slow     SlowPolicy

	// Guarded by the broadcast's mutex. If there are receivers, the subscription has not ended,
	// nothing is kept and nothing was skipped. What has ended is not in the ring.
	prev, next *Subscription[T] // in the broadcast's ring
	owner      *wait.Owner      // the task that subscribed; nil for none, and when ended
	kept       items[T]         // at most capacity, not received yet
	skipped    uint64           // missed, and not yet reported by a LaggedError
	receivers  wait.List
	ended      error  // what Receive returns when nothing is kept; nil for not ended
	forget     func() // lets go of the context; nil for nothing
}

// Subscribe returns a subscription to the values that are sent from now on. It keeps up to capacity
// values that have not been received. slow determines what happens when it is full and another
// value is sent.
//
// The subscription ends when Close is called, when ctx is done, and when the task, the timeout or
// the group that ctx was made for has ended. Then it keeps nothing, and Send does not wait for it
// any more. Tasks that wait under ctx are woken first, so they may see the subscription for another
// moment. A subscription with a context that is never done, such as context.Background(), must be
// closed. If ctx is done or the broadcast is closed, Subscribe returns a subscription that has
// ended.
//
// Subscribe never waits. It panics if capacity is less than 1, or slow is none of the constants.
func (b *Broadcast[T]) Subscribe(ctx context.Context, capacity int, slow SlowPolicy) *Subscription[T] {
	if capacity < 1 {
		panic(fmt.Sprintf("curio: Subscribe with a capacity of %d; it must be 1 or more", capacity))
	}
	if slow < SlowWait || slow > SlowDrop {
		panic(fmt.Sprintf("curio: Subscribe with %v; pass SlowWait, SlowSkip or SlowDrop", slow))
	}
	s := &Subscription[T]{of: b, capacity: capacity, slow: slow, owner: wait.CurrentTask(ctx)}
	s.kept.measure()
	for s.kept.least/2 >= capacity {
		s.kept.least /= 2
	}
	forget := wait.WhenDone(ctx, func() { s.end(ErrSubscriptionClosed) })
	b.mu.Lock()
	switch {
	case s.ended != nil: // ctx is done
	case b.closed:
		s.ended, s.owner = ErrBroadcastClosed, nil
	default:
		s.forget, forget = forget, nil
		b.enterLocked(s)
	}
	b.mu.Unlock()
	if forget != nil {
		forget()
	}
	return s
}

// enterLocked appends s to the ring.
func (b *Broadcast[T]) enterLocked(s *Subscription[T]) {
	b.n++
	if b.first == nil {
		b.first, s.prev, s.next = s, s, s
		return
	}
	last := b.first.prev
	s.prev, s.next = last, b.first
	last.next, b.first.prev = s, s
}

// leaveLocked takes s out of the ring, if it is there.
func (b *Broadcast[T]) leaveLocked(s *Subscription[T]) {
	if s.next == nil {
		return
	}
	b.n--
	switch {
	case b.n == 0:
		b.first = nil
	case b.first == s:
		b.first = s.next
	}
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
}

// holdsUp reports whether Send waits for s.
func (s *Subscription[T]) holdsUp() bool {
	return s.slow == SlowWait && s.ended == nil && s.kept.len() == s.capacity
}

// deliverLocked gives v to s, which does not hold up Send.
func (s *Subscription[T]) deliverLocked(v T, woken *wait.Batch) {
	if w := s.receivers.Pop(); w != nil {
		cellOf[T](w).item = v
		woken.Add(w)
		return
	}
	if s.kept.len() == s.capacity {
		if s.slow == SlowDrop {
			s.endLocked(ErrSubscriptionDropped, woken)
			return
		}
		s.kept.pop()
		s.skipped++
	}
	s.kept.push(v)
	if s.holdsUp() {
		s.of.full++
	}
}

// endLocked makes s end with err, unless it has ended. What is kept can still be received. If s
// was the last to hold up the senders, they are admitted.
func (s *Subscription[T]) endLocked(err error, woken *wait.Batch) {
	if s.ended != nil {
		return
	}
	heldUp := s.holdsUp()
	s.ended, s.owner = err, nil
	s.of.leaveLocked(s)
	refuseAll[T](&s.receivers, woken)
	if heldUp {
		s.of.full--
		s.of.admitLocked(woken)
	}
}

// end makes s end with err, and drops what is kept. It lets go of the context if that is not
// done yet.
func (s *Subscription[T]) end(err error) {
	var woken wait.Batch
	s.of.mu.Lock()
	s.endLocked(err, &woken)
	s.ended, s.kept, s.skipped = err, items[T]{}, 0
	forget := s.forget
	s.forget = nil
	s.of.mu.Unlock()
	woken.Wake()
	if forget != nil {
		forget()
	}
}

// Close ends the subscription. Values that have not been received are dropped. A later Receive, or
// one that waits, returns ErrSubscriptionClosed. A Send that waits for this subscriber goes on.
// Closing it again does nothing. Close never blocks.
func (s *Subscription[T]) Close() {
	s.mustBeMade()
	s.end(ErrSubscriptionClosed)
}

func (s *Subscription[T]) mustBeMade() {
	if s.of == nil {
		panic("curio: this Subscription was not made by Subscribe; call Broadcast.Subscribe to get one")
	}
}

// Receive returns the next value. It waits while there is none. If ctx is done first, the error is
// ctx's error, and no value was taken. A subscriber with SlowSkip that has missed values gets a
// *LaggedError once, before the next value. At the end of the subscription, the error is
// ErrBroadcastClosed, ErrSubscriptionDropped or ErrSubscriptionClosed.
//
// ctx need not be the context that the subscription was made with.
func (s *Subscription[T]) Receive(ctx context.Context) (v T, err error) {
	s.mustBeMade()
	p, err := wait.At(ctx)
	if err != nil {
		return v, err
	}
	v, err = s.receiveAt(p)
	if endedWith(p, err) {
		return v, p.Failure()
	}
	return v, err
}

func (s *Subscription[T]) receiveAt(p wait.Place) (T, error) {
	s.of.mu.Lock()
	if v, done, err := s.receiveLocked(); done { // has released the mutex
		return v, err
	}
	return s.waitToReceive(p)
}

// endedWith reports whether an operation at p, which has ended with err, has to end with the error
// of p: p's end was what closed the subscription, and the operation saw only that.
func endedWith(p wait.Place, err error) bool {
	return err == ErrSubscriptionClosed && p.Err() != nil
}

// waitToReceive waits for a value. The caller holds the mutex, and waitToReceive releases it.
func (s *Subscription[T]) waitToReceive(p wait.Place) (v T, err error) {
	if p.Untrusted() {
		s.of.mu.Unlock()
		return wait.FollowFor(p, s.receiveAt)
	}
	w := p.Waiter("BROADCAST_RECEIVE", s)
	c := cellOf[T](w)
	ok := w.WaitIn(&s.receivers, &s.of.mu)
	v = c.item
	refused := c.refused
	c.leave(w)
	w.Free()
	switch {
	case !ok:
		return v, p.Failure()
	case refused:
		return v, s.failure()
	}
	return v, nil
}

// TryReceive returns the next value if there is one. Otherwise the error is ErrSubscriptionEmpty, or
// one that Receive would return.
func (s *Subscription[T]) TryReceive() (T, error) {
	s.mustBeMade()
	s.of.mu.Lock()
	v, done, err := s.receiveLocked()
	if !done {
		s.of.mu.Unlock()
		return v, ErrSubscriptionEmpty
	}
	return v, err
}

// receiveLocked receives a value if there is one, or fails at once. Then it has released the mutex.
func (s *Subscription[T]) receiveLocked() (v T, done bool, err error) {
	b := s.of
	switch {
	case s.skipped > 0:
		err = &LaggedError{s.skipped}
		s.skipped = 0
		b.mu.Unlock()
		return v, true, err
	case s.kept.len() > 0:
		var woken wait.Batch
		heldUp := s.holdsUp()
		v = s.kept.pop()
		if heldUp {
			b.full--
			b.admitLocked(&woken)
		}
		b.mu.Unlock()
		woken.Wake()
		return v, true, nil
	case s.ended != nil:
		b.mu.Unlock()
		return v, true, s.failure()
	}
	return v, false, nil
}

// failure returns the error with which s has ended. Nothing is kept any more, so nothing is left
// to do when the context is done.
func (s *Subscription[T]) failure() error {
	s.of.mu.Lock()
	err, forget := s.ended, s.forget
	s.forget = nil
	s.of.mu.Unlock()
	if forget != nil {
		forget()
	}
	return err
}

// All returns an iterator that receives values. It ends when the broadcast has been closed and all
// that was sent has been received. A subscriber that has missed values gets a *LaggedError and the
// loop goes on. Any other error, such as ctx's error when ctx is done, is passed to the loop once,
// and ends it.
//
//	for v, err := range subscription.All(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// Leaving the loop does not close the subscription.
func (s *Subscription[T]) All(ctx context.Context) iter.Seq2[T, error] {
	s.mustBeMade()
	return func(yield func(T, error) bool) {
		for {
			v, err := s.Receive(ctx)
			if err == ErrBroadcastClosed || !yield(v, err) {
				return
			}
			if _, lagged := err.(*LaggedError); err != nil && !lagged {
				return
			}
		}
	}
}

// Len returns how many values are kept that have not been received.
func (s *Subscription[T]) Len() int {
	s.mustBeMade()
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	return s.kept.len()
}

// Snapshot returns the tasks that wait in Receive. A subscription has no holders.
func (s *Subscription[T]) Snapshot() Snapshot {
	s.mustBeMade()
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &s.receivers)}
}

// String returns how many values are kept, the policy for a slow subscriber, how the subscription
// has ended, and how many tasks wait.
func (s *Subscription[T]) String() string {
	s.mustBeMade()
	s.of.mu.Lock()
	details := fmt.Sprintf("%d of %d values, %v", s.kept.len(), s.capacity, s.slow)
	switch s.ended {
	case ErrBroadcastClosed:
		details += ", broadcast closed"
	case ErrSubscriptionDropped:
		details += ", dropped"
	case ErrSubscriptionClosed:
		details += ", closed"
	}
	snapshot := Snapshot{Waiters: appendWaiters(nil, &s.receivers)}
	s.of.mu.Unlock()
	return snapshot.text("Subscription", details)
}
