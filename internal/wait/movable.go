package wait

import (
	"context"
	"sync/atomic"
	"time"
)

// This file is for deadlines that can be moved while their scope is open.
//
// The deadline is not in the scope's expires, which is set at birth, so that the scopes below
// can tell at theirs which of those around them expires first. It is a source: the scopes below
// ask each of those.
//
//   - due changes under the scope's mu, and only while it has not passed and the scope has not
//     ended. A goroutine that ends the scope because due has passed looks again, under mu. So a
//     deadline either has been moved in time or ends the scope.
//   - While due is not 0 and the scope is open, an alarm is set for due or for some time before
//     it. One that rings too early is set again: moving a deadline further away, as an idle
//     timeout does with each message, costs no timer.

// A movable is such a deadline.
type movable struct {
	due   atomic.Int64 // a reading of Now, 0 for none
	at    time.Time    // due as the caller gave it, the zero time for a timeout; guarded by the scope's mu
	rings int64        // when the scope's alarm rings, if it has one; guarded by the scope's mu
}

// NewMovable opens a scope whose deadline Move sets.
func NewMovable(ctx context.Context) *Scope {
	s := &Scope{kind: Timeout}
	parent := s.prepare(ctx, Default)
	s.sources, s.asks = &source{scope: s, movable: new(movable), next: s.sources}, true
	s.link(parent)
	return s
}

// movable returns the deadline of a scope that NewMovable has opened, nil for other scopes.
func (s *Scope) movable() *movable {
	if src := s.sources; src != nil && src.scope == s {
		return src.movable
	}
	return nil
}

// passed reports whether it is time.
func (m *movable) passed() bool {
	due := m.due.Load()
	return due != 0 && Now() >= due
}

// Move makes s, which NewMovable has opened, expire at due, a reading of Now, or never if due is
// 0. MovedTo returns at. ok is false if it is too late: s has ended, or its deadline has passed.
func (s *Scope) Move(due int64, at time.Time) (ok bool) {
	m := s.movable()
	s.look() // what is around s may have ended, and not have told it yet
	s.mu.Lock()
	now := Now() // time passes while somebody else has the mutex
	was := m.due.Load()
	ok = s.cause.Load() == nil && !s.closed && (was == 0 || now < was)
	if ok {
		m.due.Store(due)
		m.at = at
		s.rearmLocked(m)
	}
	s.mu.Unlock()
	if !ok || due != 0 && now >= due {
		s.look() // a deadline has passed, the old one or the new one
	}
	return ok
}

// rearmLocked sets or clears the alarm of s, whose deadline has changed.
func (s *Scope) rearmLocked(m *movable) {
	a, due := s.alarm, m.due.Load()
	switch {
	case due == 0 && a != nil:
		s.alarm = nil
		if a.clear() {
			s.owner.keepAlarm(a)
		}
	case due != 0 && (a == nil || due < m.rings):
		if a == nil || !a.clear() { // an alarm that is ringing finds out that it is no longer that of s
			a = s.owner.takeAlarm()
		}
		s.alarm, m.rings = a, due
		a.set(due, s, nil)
	}
}

// snooze is called when a, an alarm of s, has rung. It reports whether that was too early, or
// too late, because the deadline has been moved. If so, it sets a again if that is needed.
func (s *Scope) snooze(a *alarm) bool {
	m := s.movable()
	if m == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.alarm != a || s.cause.Load() != nil:
		return true
	case m.passed():
		return false
	}
	m.rings = m.due.Load()
	a.set(m.rings, s, nil)
	return true
}

// expire cancels s if its deadline has not been moved after all.
func (m *movable) expire(s *Scope) {
	c := expired(s)
	s.cancelIf(func() bool {
		c.At = m.due.Load()
		return m.passed()
	}, c)
}

// MovedTo returns the time at which s, which NewMovable has opened, expires, the zero time for
// never.
func (s *Scope) MovedTo() time.Time {
	m := s.movable()
	s.mu.Lock()
	defer s.mu.Unlock()
	if due := m.due.Load(); m.at.IsZero() && due != 0 {
		m.at = Time(due)
	}
	return m.at
}

// overdue reports whether the deadline of s, or of a scope around it, has passed. A deadline that
// can be moved might still be moved by a Move that has begun before, so its scope is ended now:
// after that, Failure has something to report.
func (s *Scope) overdue() bool {
	if k := s.clock; k != nil && Now() >= k.expires {
		return true
	}
	for src := s.sources; src != nil; src = src.next {
		if src.movable != nil && src.movable.passed() {
			src.scope.expire()
			if src.scope.cause.Load() != nil {
				return true
			}
		}
	}
	return false
}
