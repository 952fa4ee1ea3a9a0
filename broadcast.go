package curio

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// Errors of a Broadcast and its subscriptions.
var (
	// ErrBroadcastClosed means that the broadcast has been closed. A Send returns it at once, and a
	// Receive when it has returned all that was sent before.
	ErrBroadcastClosed = errors.New("curio: broadcast is closed")

	// ErrBroadcastFull is returned by TrySend if a subscriber that must be waited for has no room.
	ErrBroadcastFull = errors.New("curio: a subscriber of the broadcast has no room")
)

// A Broadcast passes each value to all of its subscribers. A subscriber receives every value that is
// sent after Subscribe has returned. All subscribers receive the values in the same order, which is
// the order of sending. What happens to a subscriber that does not keep up is its own choice: see
// SlowPolicy. Without subscribers, a value is dropped.
//
// The zero value is ready for use. A Broadcast must not be copied after first use. All methods are
// safe for concurrent use, by tasks and by any goroutine.
//
// It is Tokio's sync::broadcast, with a choice of policy. Curio and Trio have nothing like it. If
// only the latest value counts, use a Watch. A task that waits is in the state BROADCAST_SEND or
// BROADCAST_RECEIVE.
type Broadcast[T any] struct {
	// If there are senders, full is not 0. Each has its value in the cell of its waiter. The call
	// that makes full 0 sends the values of the senders for them, in order of arrival.
	//
	// mu guards the subscriptions as well.
	mu      sync.Mutex
	first   *Subscription[T] // of a ring, in order of subscription; nil for none
	n       int              // how many there are
	full    int              // how many of them have no room and are waited for
	senders wait.List
	closed  bool
}

// Send sends v to all subscribers. It waits while any subscriber with the policy SlowWait has no
// room.
//
// All subscribers get the value at the same moment. If ctx is done first, the error is ctx's error.
// If the broadcast is closed, the error is ErrBroadcastClosed. In both cases no subscriber receives
// v. Tasks that wait in Send are served in order of arrival. The time that Send takes grows with the
// number of subscribers.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	if done, err := b.sendLocked(v); done { // has released the mutex
		return err
	}
	return b.waitToSend(p, v)
}

// waitToSend waits to send v. The caller holds the mutex, and waitToSend releases it.
func (b *Broadcast[T]) waitToSend(p wait.Place, v T) error {
	if p.Untrusted() {
		b.mu.Unlock()
		return p.Follow(func(p wait.Place) error {
			b.mu.Lock()
			if done, err := b.sendLocked(v); done {
				return err
			}
			return b.waitToSend(p, v)
		})
	}
	w := p.Waiter("BROADCAST_SEND", b)
	c := cellOf[T](w)
	c.item = v
	ok := w.WaitIn(&b.senders, &b.mu)
	refused := c.refused
	c.leave(w)
	w.Free()
	switch {
	case !ok:
		return p.Failure()
	case refused:
		return ErrBroadcastClosed
	}
	return nil
}

// TrySend sends v to all subscribers if it does not have to wait for any of them. Otherwise the
// error is ErrBroadcastFull, or ErrBroadcastClosed if the broadcast is closed, and no subscriber
// receives v.
func (b *Broadcast[T]) TrySend(v T) error {
	b.mu.Lock()
	done, err := b.sendLocked(v)
	if !done {
		b.mu.Unlock()
		return ErrBroadcastFull
	}
	return err
}

// sendLocked sends v if it can be done at once, or fails at once. Then it has released the mutex.
func (b *Broadcast[T]) sendLocked(v T) (done bool, err error) {
	switch {
	case b.closed:
		b.mu.Unlock()
		return true, ErrBroadcastClosed
	case b.full > 0:
		return false, nil
	}
	var woken wait.Batch
	b.deliverLocked(v, &woken)
	b.mu.Unlock()
	woken.Wake()
	return true, nil
}

// deliverLocked gives v to all subscribers, none of which has to be waited for.
func (b *Broadcast[T]) deliverLocked(v T, woken *wait.Batch) {
	s := b.first
	for range b.n { // of which there will be fewer, as slow ones are dropped
		next := s.next
		s.deliverLocked(v, woken)
		s = next
	}
}

// admitLocked sends the values of senders that have waited, while nobody has to be waited for.
func (b *Broadcast[T]) admitLocked(woken *wait.Batch) {
	for b.full == 0 {
		w := b.senders.Pop()
		if w == nil {
			return
		}
		woken.Add(w)
		b.deliverLocked(cellOf[T](w).item, woken)
	}
}

// Close closes the broadcast. Nothing can be sent any more, and tasks that wait in Send get
// ErrBroadcastClosed. Subscribers receive what was sent before, and then get ErrBroadcastClosed.
// Closing it again does nothing. Close never blocks.
func (b *Broadcast[T]) Close() {
	var woken wait.Batch
	b.mu.Lock()
	b.closed = true
	refuseAll[T](&b.senders, &woken)
	for b.first != nil {
		b.first.endLocked(ErrBroadcastClosed, &woken)
	}
	b.mu.Unlock()
	woken.Wake()
}

// Subscribers returns the number of subscriptions that have not ended.
func (b *Broadcast[T]) Subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// Snapshot returns the tasks that wait: first those in Receive, in order of subscription, then those
// in Send. Its Holders are the tasks that hold up Send, because they subscribed with SlowWait and
// have no room. Each holds as many units as there are values that it has not received.
func (b *Broadcast[T]) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.snapshotLocked()
}

func (b *Broadcast[T]) snapshotLocked() (snapshot Snapshot) {
	s := b.first
	for range b.n {
		if s.holdsUp() {
			snapshot.Holders = append(snapshot.Holders, holder(s.owner, int64(s.kept.len())))
		}
		snapshot.Waiters = appendWaiters(snapshot.Waiters, &s.receivers)
		s = s.next
	}
	snapshot.Waiters = appendWaiters(snapshot.Waiters, &b.senders)
	return snapshot
}

// String returns how many subscribers there are, whether the broadcast is closed, which task Send
// waits for, and how many tasks wait.
func (b *Broadcast[T]) String() string {
	b.mu.Lock()
	details := fmt.Sprintf("%d subscribers", b.n)
	if b.closed {
		details = "closed"
	}
	s := b.snapshotLocked()
	b.mu.Unlock()
	return s.text("Broadcast", details)
}
