package wait

import (
	"context"
	"slices"
)

// This file is for observers: the state layer, the monitor, tests.

// A Snapshot is what a goroutine waits for.
type Snapshot struct {
	Op     string // the state in which the task is shown
	Object any    // what it waits for, nil if there is nothing to name
	Since  int64  // as Now
	Until  int64  // when the wait ends by itself, 0 for never
	Cycle  uint64 // how many waits of the task have begun with this one, unless goroutines share its context
	Scope  *Scope // in which it waits
	Over   bool   // it has been granted or cancelled, and is about to end
	Shared bool   // other goroutines wait in the task's name, too
}

// Part is one of the things that a task waits for.
type Part struct {
	Op     string
	Object any
}

// Parts are the things of which one ends the wait: several if the task chooses.
func (s Snapshot) Parts() []Part {
	if several, ok := s.Object.(Several); ok {
		return several
	}
	return []Part{{s.Op, s.Object}}
}

// Parked returns what the task waits for, false if it is not waiting in one of our
// operations. Looking for it costs the waits nothing.
func (o *Owner) Parked() (Snapshot, bool) {
	for range 10 {
		before := moves.Load()
		if w, ok := o.parked(); ok || moves.Load() == before {
			return w, ok
		}
		// Its scope may have been passed on, from where we had not looked yet to where we
		// had.
	}
	return Snapshot{}, false
}

// parked looks for o's own wait in the task's scope and in the task's other scopes below.
func (o *Owner) parked() (found Snapshot, ok bool) {
	own := func(w *Waiter) bool {
		if !w.shown || w.scope.owner != o {
			return false
		}
		found = w.snapshot()
		return true
	}
	var some [8]*Scope
	for left := append(some[:0], &o.Scope); len(left) > 0; {
		s := left[len(left)-1]
		left = left[:len(left)-1]
		if s.waiting(own) {
			return found, true
		}
		left = s.appendChildren(left, func(c *Scope) bool { return c.kind != Task && c.owner == o })
	}
	o.mu.Lock()
	var foreign *Scope
	if o.rare != nil {
		foreign = o.rare.adopted
	}
	o.mu.Unlock()
	return found, foreign != nil && foreign.waiting(own)
}

// Parked returns what a goroutine waits for directly in s. ok is false if none waits there.
func (s *Scope) Parked() (found Snapshot, ok bool) {
	ok = s.waiting(func(w *Waiter) bool {
		if _, isHook := w.object.(*callback); isHook {
			return false
		}
		found = w.snapshot()
		return true
	})
	return found, ok
}

// waiting reports whether f returns true for one of the waiters in s. It calls f with s.mu
// held.
func (s *Scope) waiting(f func(*Waiter) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.waiters; w != nil; w = w.scopeNext {
		if f(w) {
			return true
		}
	}
	return false
}

// snapshot is called with the mutex of w's scope held.
func (w *Waiter) snapshot() Snapshot {
	s := Snapshot{Op: w.op, Object: w.seen(), Since: w.since, Until: w.until, Scope: w.scope, Over: w.state.Load() != waiting}
	if o := w.scope.owner; o != nil {
		s.Cycle = o.cycles.Load()
		s.Shared = o.others.Load() != 0
	}
	return s
}

// appendChildren appends the children of s for which cond holds, the newest last. A nil
// cond holds for all.
func (s *Scope) appendChildren(to []*Scope, cond func(*Scope) bool) []*Scope {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := len(to)
	for c := s.children; c != nil; c = c.next {
		if cond == nil || cond(c) {
			to = append(to, c)
		}
	}
	slices.Reverse(to[start:])
	return to
}

// Cycles is how many times the task has waited.
func (o *Owner) Cycles() uint64 { return o.cycles.Load() }

// Owner is the task that s belongs to, nil for none.
func (s *Scope) Owner() *Owner { return s.owner }

// Parent is the scope around s, nil for a root.
func (s *Scope) Parent() *Scope { return s.parent.Load() }

// Expires is when s expires by itself, 0 for never.
func (s *Scope) Expires() int64 {
	if m := s.movable(); m != nil {
		return m.due.Load()
	}
	return s.expires
}

// Limited reports whether s may end by itself: whether it, or what else ends it, has a deadline. Unlike Deadline it
// counts one that can be moved. It calls nothing of the user's: so a context of the user's own type, which was not asked
// for its deadline when the wait began, counts as one that has some.
func (s *Scope) Limited() bool {
	if s == nil {
		return false
	}
	if s.clock != nil {
		return true
	}
	for src := s.sources; src != nil; src = src.next {
		if !src.limit.IsZero() || src.movable != nil && src.movable.due.Load() != 0 || src.derived.Limited() {
			return true
		}
	}
	s.mu.Lock()
	r := s.rare
	s.mu.Unlock()
	return r != nil && r.followed != nil
}

// Due is when the first of the deadlines around s expires that are known, a reading of Now; 0 for never. As Limited, it
// counts the ones that can be moved, and calls nothing of the user's.
func (s *Scope) Due() int64 {
	if s == nil {
		return 0
	}
	first := int64(0)
	count := func(at int64) {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	if s.clock != nil {
		count(s.clock.expires)
	}
	for src := s.sources; src != nil; src = src.next {
		switch {
		case src.movable != nil:
			count(src.movable.due.Load())
		case !src.limit.IsZero():
			count(Until(src.limit))
		}
		count(src.derived.Due())
	}
	return first
}

// Cause is why s was cancelled, nil while it is live.
func (s *Scope) Cause() *Cause { return s.cause.Load() }

// Walk calls f for every scope below s until f returns false. A parent comes before its
// children, and the newest child first. Walk holds no lock while f runs, so it may or may
// not see scopes that come and go meanwhile. The tree may be of any depth.
func (s *Scope) Walk(f func(*Scope) bool) bool {
	for left := s.appendChildren(nil, nil); len(left) > 0; {
		c := left[len(left)-1]
		left = left[:len(left)-1]
		if !f(c) {
			return false
		}
		left = c.appendChildren(left, nil)
	}
	return true
}

// Tasks is Walk for tasks.
func (s *Scope) Tasks(f func(*Owner) bool) bool {
	return s.Walk(func(c *Scope) bool { return c.kind != Task || f(c.owner) })
}

// Cancels reports whether ctx is a scope that a cancellation of s reaches. It walks up from
// ctx to find out.
func (s *Scope) Cancels(ctx context.Context) bool {
	p, _ := ctx.(*Scope)
	for window := false; p != nil; p = p.canceller(&window) {
		if p == s {
			return true
		}
	}
	return false
}

// Kind returns what s is for.
func (s *Scope) Kind() Kind { return s.kind }

// String returns what a scope of kind k is called in messages.
func (k Kind) String() string {
	return [...]string{"kernel", "task", "group", "timeout", "shield", "window in a shield", "wait", "wait until a stop"}[k]
}

// Empty reports whether no scope hangs below s.
func (s *Scope) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.children == nil
}

// Waiters is how many waiters are registered with s itself, and Children how many
// scopes hang below it: what a leak would leave behind.
func (s *Scope) Waiters() (n int) {
	s.waiting(func(*Waiter) bool { n++; return false })
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
	switch {
	case w == nil:
		return nil
	case w.special && w.foreign != nil: // Begin sets scope, and does not hold the object's mutex
		return w.foreign.Owner()
	}
	return Place{scope: w.scope}.Owner()
}
