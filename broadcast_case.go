package curio

import "github.com/curio-go/curio/internal/wait"

// This file makes the operations of a broadcast cases of a Select.

// SendCase returns the case of a [Select] that sends v. If the broadcast has been closed, the case
// is ready, with ErrBroadcastClosed. If another case takes effect, no subscriber receives v.
func (b *Broadcast[T]) SendCase(v T) Case { return Case{&broadcastSendCase[T]{b, v}} }

type broadcastSendCase[T any] struct {
	b *Broadcast[T]
	v T
}

func (c *broadcastSendCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	c.b.mu.Lock()
	done, err = c.b.sendLocked(c.v)
	if !done {
		c.b.mu.Unlock()
	}
	return done, err
}

func (c *broadcastSendCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	b := c.b
	w.For("BROADCAST_SEND", b)
	cellOf[T](w).item = c.v
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.full == 0 {
		return false
	}
	b.senders.Push(w)
	return true
}

func (c *broadcastSendCase[T]) leave(w *wait.Waiter) {
	c.b.senders.Leave(w, &c.b.mu)
	cellOf[T](w).leave(w)
}

func (c *broadcastSendCase[T]) take(w *wait.Waiter) (done bool, err error) {
	cell := cellOf[T](w)
	refused := cell.refused
	cell.leave(w)
	if refused {
		return true, ErrBroadcastClosed
	}
	return true, nil
}

// ReceiveCase returns the case of a [Select] that receives a value, and stores it in *to when it
// takes effect. If to is nil, the value is dropped. A *LaggedError and the end of the subscription
// make the case ready as well: Select returns them.
func (s *Subscription[T]) ReceiveCase(to *T) Case {
	s.mustBeMade()
	return Case{&broadcastReceiveCase[T]{s, to}}
}

type broadcastReceiveCase[T any] struct {
	s  *Subscription[T]
	to *T
}

func (c *broadcastReceiveCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	c.s.of.mu.Lock()
	v, done, err := c.s.receiveLocked()
	if !done {
		c.s.of.mu.Unlock()
		return false, nil
	}
	c.store(v, err)
	return true, err
}

func (c *broadcastReceiveCase[T]) store(v T, err error) {
	if c.to != nil && err == nil {
		*c.to = v
	}
}

func (c *broadcastReceiveCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	s := c.s
	w.For("BROADCAST_RECEIVE", s)
	cellOf[T](w)
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.skipped > 0 || s.kept.len() > 0 || s.ended != nil {
		return false
	}
	s.receivers.Push(w)
	return true
}

func (c *broadcastReceiveCase[T]) leave(w *wait.Waiter) {
	c.s.receivers.Leave(w, &c.s.of.mu)
	cellOf[T](w).leave(w)
}

func (c *broadcastReceiveCase[T]) take(w *wait.Waiter) (done bool, err error) {
	cell := cellOf[T](w)
	v, refused := cell.item, cell.refused
	cell.leave(w)
	if refused {
		return true, c.s.failure()
	}
	c.store(v, nil)
	return true, nil
}
