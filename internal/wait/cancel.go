package wait

// This file is how a cancellation gets from the scope where it happens to everybody below:
// under the locks it marks scopes and claims waiters, and when these are released it tells
// and wakes.

// Cancel ends s and everything under it, and reports whether it was this call
// that did.
func (s *Scope) Cancel(c *Cause) bool {
	if s.cause.Load() != nil && c.Kind != Shutdown {
		return false
	}
	var woken Batch
	s.mu.Lock()
	did := (!s.sealed || c.Kind == Shutdown) && s.cancelLocked(c, &woken)
	s.mu.Unlock()
	woken.wakeForScope()
	if did && s.kind == Timeout {
		s.forget()
	}
	return did
}

// cancelLocked cancels s and what hears of it below. It stops where somebody has been
// cancelled before, since so is what is under that. A shutdown goes on: it also means
// those that are detached.
//
// It goes down and up without recursion, for scopes may be nested deeper than a stack is.
// All those between s and where it is stay locked, so their links stay as they are; and
// who comes to a scope that has just been cancelled waits until what is below it has been,
// too.
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

// hearLocked cancels s alone, if it has not been, and reports whether the cancellation
// goes on to what is below.
func (s *Scope) hearLocked(c *Cause, woken *Batch) (did, down bool) {
	did = s.cause.Load() == nil && !s.sealed && !s.closed
	if did {
		s.endLocked(c, woken)
	}
	return did, did || s.sealed || c.Kind == Shutdown
}

// endLocked makes s cancelled, and claims those who wait in it.
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

// wakeForScope ends the waits of waiters that a scope has claimed: first of those who
// sleep here, then of those who have to be got out of somewhere else, and then it calls
// whoever has asked for that. So nobody waits for anybody else's code. Before all that it
// tells standard contexts, about which those who wake up may ask.
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
