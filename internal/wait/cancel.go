package wait

import "github.com/curio-go/curio/internal/events"

// This file carries a cancellation from the scope where it happens to everything below. It
// marks scopes and claims waiters while it holds the locks; after releasing them it tells
// the twins and wakes the waiters.

// Cancel cancels s and everything under it, and reports whether this call did so.
func (s *Scope) Cancel(c *Cause) bool { return s.cancelIf(nil, c) }

// cancelIf is Cancel if cond, which is called under s.mu, returns true. A nil cond stands for
// one that does.
func (s *Scope) cancelIf(cond func() bool, c *Cause) bool {
	if s.cause.Load() != nil && c.Kind != Shutdown {
		return false
	}
	var woken Batch
	s.mu.Lock()
	did := (!s.sealed || c.Kind == Shutdown) && (cond == nil || cond()) && s.cancelLocked(c, &woken)
	// After the mutex is released the task may see it, and end.
	if did && c.Kind == Expired {
		expirations.Add(1)
	}
	if did && events.Wants(events.Tasks) {
		s.recordCancelLocked(c)
	}
	s.mu.Unlock()
	woken.wakeForScope()
	if did && s.kind == Timeout {
		s.forget()
	}
	return did
}

// cancelLocked cancels s and the scopes below that hear of it. It stops at a scope that was
// cancelled before, as everything under that scope was cancelled with it. A shutdown goes
// on: it reaches detached scopes too.
//
// It walks down and up without recursion, as scopes may be nested deeper than a stack
// allows. All scopes between s and the current one stay locked, so their links do not
// change; and a goroutine that comes to a scope that has just been cancelled waits until
// the scopes below it have been cancelled too.
func (s *Scope) cancelLocked(c *Cause, woken *Batch) (did bool) {
	did, down := s.hearLocked(c, woken)
	if !down {
		return did
	}
	at, child := s, s.children
	for {
		for child != nil && !child.hears(c) {
			child = child.next
		}
		if child != nil {
			child.mu.Lock()
			if _, down := child.hearLocked(c, woken); down {
				at, child = child, child.children
				continue
			}
			next := child.next
			child.mu.Unlock()
			child = next
			continue
		}
		if at == s {
			return did
		}
		up, next := at.parent.Load(), at.next
		at.forgetLocked(up, woken)
		at.mu.Unlock()
		at, child = up, next
	}
}

// hearLocked cancels s alone, unless s is cancelled, sealed or closed. did reports whether
// it cancelled s, down whether the cancellation goes on to the scopes below.
func (s *Scope) hearLocked(c *Cause, woken *Batch) (did, down bool) {
	did = s.cause.Load() == nil && !s.sealed && !s.closed
	if did {
		s.endLocked(c, woken)
	}
	return did, did || s.sealed || c.Kind == Shutdown
}

// endLocked marks s as cancelled, and claims the waiters in it.
func (s *Scope) endLocked(c *Cause, woken *Batch) {
	s.cause.Store(c)
	if t := s.twin.Load(); t != nil && t.tell != nil {
		woken.addTwin(t)
	}
	for w := s.waiters; w != nil; w = w.scopeNext {
		if w.claim(cancelled) {
			woken.Add(w)
		}
	}
}

// wakeForScope ends the waits of waiters that a scope has claimed. It wakes those that are
// parked here first, then interrupts those that block elsewhere, then runs the callbacks,
// so that no waiter is held up by other people's code. Before all that it tells the twins,
// as a goroutine that wakes up may ask a standard context below.
func (b *Batch) wakeForScope() {
	if b.head == nil && b.aside == nil {
		return
	}
	if b.aside != nil {
		for _, t := range b.aside.twins {
			t.end()
		}
	}
	var elsewhere, calls Batch
	b.each(func(w *Waiter) {
		switch w.object.(type) {
		case *callback:
			calls.Add(w)
		case Interrupter:
			elsewhere.Add(w)
		default:
			w.Wake()
		}
	})
	elsewhere.each((*Waiter).interrupt)
	calls.each((*Waiter).interrupt)
	b.release()
}

// hears reports whether c, pushed from s's parent, cancels s.
func (s *Scope) hears(c *Cause) bool {
	return s.kind != Shield && (!s.detached || c.Kind == Shutdown)
}
