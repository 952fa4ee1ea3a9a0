package wait

import (
	"sync"
	"sync/atomic"
	"time"
)

// All time in the module goes through this file: Now, and alarms.

// epoch is where Now starts.
var epoch = startOf(time.Now())

// startOf returns a time before now and before 2000, so that Now is positive from the
// start, also in a testing/synctest bubble, where it is the year 2000 and times have no
// monotonic reading. The time is not much earlier: package time drops the monotonic reading
// of times before 1885, and on a machine without a battery it may be 1970 now.
func startOf(now time.Time) time.Time {
	return now.Add(-max(now.Sub(time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)), time.Hour))
}

// Now is the clock in nanoseconds, monotonic, from an arbitrary start. It is
// positive: 0 stands for "no deadline". time.Since costs half of time.Now and
// follows the virtual clock of a bubble, as the runtime's own would not.
func Now() int64 { return int64(time.Since(epoch)) }

// began is a reading of the real clock.
var began = Now()

// InBubble reports whether the caller is in a testing/synctest bubble: there the clock starts
// in the year 2000.
func InBubble() bool { return inBubble(Now()) }

func inBubble(now int64) bool { return now < began }

// Until converts t to Now's scale. Time may pass between the two readings: the
// order makes the sum late then, for a sleeper must not wake early.
func Until(t time.Time) int64 {
	d := time.Until(t)
	return Add(Now(), d)
}

// After is d from now, computed by Add.
func After(d time.Duration) int64 { return Add(Now(), d) }

// Add is d after now, a reading of Now. A sum that does not fit is as good as never.
func Add(now int64, d time.Duration) int64 {
	if at := now + int64(d); at > now || d <= 0 {
		return max(at, 1)
	}
	return 1<<63 - 1
}

// Time converts a reading of Now to wall and monotonic time, late as Until is if
// time passes meanwhile.
func Time(at int64) time.Time {
	now := Now()
	return time.Now().Add(time.Duration(at - now))
}

// Clock is Now as wall and monotonic time.
func Clock() time.Time { return time.Now() }

// An alarm rings once, at a deadline: it ends the wait of a sleeper, or it
// expires a scope. A task keeps one to use again, for a timer costs three
// allocations.
//
// A timer that could not be stopped may be ringing at this moment. For a scope
// that is harmless: scopes are not used again. A waiter is, so its alarm is
// disarmed under mu, under which ring claims it.
type alarm struct {
	timer  *time.Timer
	bubble bool // timer belongs to a testing/synctest bubble

	mu     sync.Mutex
	scope  *Scope
	waiter *Waiter
}

func (a *alarm) set(at int64, s *Scope, w *Waiter) {
	a.mu.Lock()
	a.scope, a.waiter = s, w
	a.mu.Unlock()
	now := Now()
	d := time.Duration(at - now)
	if bubble := inBubble(now); a.timer == nil || bubble {
		a.timer, a.bubble = time.AfterFunc(d, a.ring), bubble
	} else {
		a.timer.Reset(d)
	}
}

func (a *alarm) ring() {
	a.mu.Lock()
	s, w := a.scope, a.waiter
	claimed := w != nil && w.claim(granted)
	if claimed {
		a.waiter = nil // an alarm kept for later must not keep the waiter
	}
	a.mu.Unlock()

	if claimed {
		w.Wake()
	}
	if s != nil && !s.snooze(a) {
		s.expire()
	}
}

// clear disarms a, and reports whether it can be set again: not if it is
// ringing.
func (a *alarm) clear() bool {
	stopped := a.timer.Stop()
	a.mu.Lock()
	a.scope, a.waiter = nil, nil
	a.mu.Unlock()
	return stopped
}

// expirations counts the scopes whose deadline has ended them.
var expirations atomic.Uint64

// Expirations is how many scopes of this process a deadline of their own has ended.
func Expirations() uint64 { return expirations.Load() }
