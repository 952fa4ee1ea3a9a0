package curio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// An Event is a flag that any number of tasks can wait for. The zero value is ready for use and not
// set. An Event must not be copied after first use. All methods are safe for concurrent use.
//
// It is Curio's Event and UniversalEvent. A task that waits for it is in the state
// EVENT_WAIT.
type Event struct {
	set atomic.Bool // changes under mu

	mu      sync.Mutex
	waiters wait.List
}

// Set sets the flag and wakes all tasks that wait. Even if Clear follows at once, they are awake.
// Set never blocks.
func (e *Event) Set() {
	e.mu.Lock()
	e.set.Store(true)
	e.waiters.WakeAll(&e.mu)
}

// Clear unsets the flag. It never blocks.
func (e *Event) Clear() {
	e.mu.Lock()
	e.set.Store(false)
	e.mu.Unlock()
}

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return e.set.Load() }

// Wait waits until the flag is set. If it is set already, Wait returns at once, unless ctx is done.
// If ctx is done first, the error is ctx's error.
func (e *Event) Wait(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	return e.wait(p)
}

func (e *Event) wait(p wait.Place) error {
	switch {
	case e.set.Load():
		return nil
	case p.Untrusted():
		return p.Follow(e.wait)
	}
	e.mu.Lock()
	if e.set.Load() {
		e.mu.Unlock()
		return nil
	}
	return p.Block("EVENT_WAIT", e, &e.waiters, &e.mu)
}

// Snapshot returns the tasks that wait. An event has no holders.
func (e *Event) Snapshot() Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &e.waiters)}
}

// String returns whether the event is set, and how many tasks wait.
func (e *Event) String() string {
	details := "not set"
	if e.IsSet() {
		details = "set"
	}
	return e.Snapshot().text("Event", details)
}
