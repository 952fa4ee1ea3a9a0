package wait

// A scope keeps a list of the waiters that it must wake when it ends, guarded by its mutex.
// Nearly every wait, however, is made by a task with its own waiter, directly in its own scope.
// That waiter is not listed: the scope finds it through the task, and the wait begins and ends
// with one atomic operation each, on Waiter.seen.
//
//	away ──► here      the waiting goroutine, which then loads the scope's cause
//	here ──► away      the waiting goroutine, when its wait is over
//	here ──► pinned    a goroutine that reads or claims the waiter; it holds the scope's mutex
//	pinned ──► here    the same goroutine, before it unlocks the mutex
//
// A goroutine that ends the scope stores the cause first and looks for the waiter second, so
// either it sees the waiter or the waiter sees the cause. A goroutine whose wait is over while
// its waiter is pinned locks the mutex to wait for the end of that.
//
// Only a scope that is not closed may look: later, the waiter may belong to another task.
const (
	away = iota
	here
	pinned
)

// register adds w to s's list, and sets the alarm for s's deadline. It reports false if s has
// been cancelled.
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

// isOwn reports whether w is a task's own waiter, used directly in the task's own scope.
func (w *Waiter) isOwn() bool { return w.shown && w.scope.kind == Task }

// registerOwn does what Scope.register does.
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

// pinLocked returns the task's own waiter if it waits directly in s, and nil otherwise. The
// waiter does not change until the caller calls unpin. s is locked.
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

// claimOwnLocked claims the task's own waiter if it waits directly in s. s has ended and is
// locked.
func (s *Scope) claimOwnLocked(woken *Batch) {
	if w := s.pinLocked(); w != nil {
		if w.claim(cancelled) {
			woken.Add(w)
		}
		w.unpin()
	}
}

// waitsLocked reports whether the task's own waiter is in use directly in s. s is locked.
func (s *Scope) waitsLocked() bool {
	if s.kind != Task {
		return false
	}
	w := s.owner.waiter.Load()
	return w != nil && w.seen.Load() != away
}
