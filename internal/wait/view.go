package wait

// This file is for whoever watches: the state layer, the monitor, tests.

// A Snapshot is what a goroutine waits for.
type Snapshot struct {
	Op     string // the state in which the task is shown
	Object any    // what it waits for, nil if there is nothing to name
	Since  int64  // as Now
	Until  int64  // when the wait ends by itself, 0 for never
}

// Parked returns what the task waits for, false if it is not waiting in one of our
// operations.
func (o *Owner) Parked() (Snapshot, bool) { return o.Scope.parked(o) }

// parked looks for o's own wait in s and in o's other scopes below. To look for it costs
// the waits nothing.
func (s *Scope) parked(o *Owner) (Snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.waiters; w != nil; w = w.scopeNext {
		if w.shown && w.owner == o {
			return Snapshot{w.op, w.object, w.since, w.until}, true
		}
	}
	for c := s.children; c != nil; c = c.next {
		if c.kind != Task && c.owner == o {
			if found, ok := c.parked(o); ok {
				return found, true
			}
		}
	}
	if s.rare != nil && s.rare.adopted != nil {
		return s.rare.adopted.parked(o)
	}
	return Snapshot{}, false
}

// Cycles is how many times the task has waited.
func (o *Owner) Cycles() uint64 { return o.cycles.Load() }

// Owner is the task that s belongs to, nil for none.
func (s *Scope) Owner() *Owner { return s.owner }

// Parent is the scope around s, nil for a root.
func (s *Scope) Parent() *Scope { return s.parent.Load() }

// Cause is why s was cancelled, nil while it is live.
func (s *Scope) Cause() *Cause { return s.cause.Load() }

// Tasks calls f for every task below s, the newest first, until f returns false.
// It holds no lock while f runs, so tasks that come and go meanwhile may be seen
// or not.
func (s *Scope) Tasks(f func(*Owner) bool) bool {
	s.mu.Lock()
	var children []*Scope
	for c := s.children; c != nil; c = c.next {
		children = append(children, c)
	}
	s.mu.Unlock()
	for _, c := range children {
		if c.kind == Task && !f(c.owner) || !c.Tasks(f) {
			return false
		}
	}
	return true
}

// Waiters is how many waiters are registered with s itself, and Children how many
// scopes hang below it: what a leak would leave behind.
func (s *Scope) Waiters() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.waiters; w != nil; w = w.scopeNext {
		n++
	}
	return n
}

// Children is how many scopes hang directly below s.
func (s *Scope) Children() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := s.children; c != nil; c = c.next {
		n++
	}
	return n
}

// Op is the state in which the task of w is shown, and Owner that task, nil for none.
// Both may be asked under the mutex of the object for which w is listed.
func (w *Waiter) Op() string { return w.op }

// Owner is the task in whose name w waits; nil for none, or if w is nil. See Op.
func (w *Waiter) Owner() *Owner {
	if w == nil {
		return nil
	}
	return w.owner
}
