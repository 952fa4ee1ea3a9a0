package wait

// A scope finds the waiters that end with it on its list, which takes its lock. But nearly
// every wait is a task's, with its own waiter, directly in its own scope. That waiter is on no
// list: the scope finds it through the task, and the wait begins and ends with a swap.
//
//	away ──► here      by the owner, who then looks at the scope's cause
//	here ──► away      by the owner, when the wait is over
//	here ──► pinned   under the scope's mutex, by who reads or claims the waiter
//	pinned ──► here   by the same one, before it releases the mutex
//
// Who ends the scope sets its cause and then looks for the waiter: one of the two sees the
// other. Who finds the waiter pinned when the wait is over waits for the mutex.
//
// The scope looks only while it is not closed: afterwards the waiter may be somebody else's.
const (
	away = iota
	here
	pinned
)

// register puts w on s's list, and reports false if s has been cancelled. It sees
// to it that a deadline rings.
func (s *Scope) register(w *Waiter) bool {
	if s.clock != nil {
		s.clock.arm()
	}
	s.mu.Lock()
	if s.cause.Load() != nil {
		s.mu.Unlock()
		return false
	}
	w.scopePrev, w.scopeNext = nil, s.waiters
	if s.waiters != nil {
		s.waiters.scopePrev = w
	}
	s.waiters = w
	w.registered = true
	s.mu.Unlock()
	return true
}

func (s *Scope) unregister(w *Waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.registered {
		return
	}
	w.registered = false
	if w.scopePrev != nil {
		w.scopePrev.scopeNext = w.scopeNext
	} else {
		s.waiters = w.scopeNext
	}
	if w.scopeNext != nil {
		w.scopeNext.scopePrev = w.scopePrev
	}
	w.scopePrev, w.scopeNext = nil, nil
}

// isOwn reports whether w is a task's own, in the task's own scope.
func (w *Waiter) isOwn() bool { return w.shown && w.scope.kind == Task }

// registerOwn is Scope.register.
func (w *Waiter) registerOwn() bool {
	s := w.scope
	if s.clock != nil {
		s.clock.arm()
	}
	w.seen.Store(here)
	return s.cause.Load() == nil
}

func (w *Waiter) unregisterOwn() {
	if w.seen.CompareAndSwap(here, away) {
		return
	}
	w.scope.mu.Lock()
	w.seen.Store(away)
	w.scope.mu.Unlock()
}

// pinLocked returns the waiter that s's task waits with directly in s, nil if there is none.
// It stays what it is until the caller calls unpin. s is locked.
func (s *Scope) pinLocked() *Waiter {
	if s.kind != Task || s.closed {
		return nil
	}
	w := s.owner.waiter.Load()
	if w == nil || !w.seen.CompareAndSwap(here, pinned) {
		return nil
	}
	return w
}

func (w *Waiter) unpin() { w.seen.Store(here) }

// claimOwnLocked claims the waiter that s's task waits with in s, which has ended.
func (s *Scope) claimOwnLocked(woken *Batch) {
	if w := s.pinLocked(); w != nil {
		if w.claim(cancelled) {
			woken.Add(w)
		}
		w.unpin()
	}
}

// waitsLocked reports whether s's task, or a goroutine in its name, waits directly in s.
func (s *Scope) waitsLocked() bool {
	if s.kind != Task {
		return false
	}
	w := s.owner.waiter.Load()
	return w != nil && w.seen.Load() != away
}
