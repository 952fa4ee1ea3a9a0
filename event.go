package curio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// An Event is a flag that any number of tasks wait for. The zero value is not set. It
// must not be copied after first use. All methods are safe for concurrent use.
//
// It is Curio's Event and UniversalEvent. A task that waits for it is in the state
// EVENT_WAIT.
type Event struct {
	set atomic.Bool // changes under mu

	mu      sync.Mutex
	waiters wait.List
}

// Set sets the flag and wakes all who wait. If Clear follows at once, they are awake all
// the same.
func (e *Event) Set() {
	e.mu.Lock()
	e.set.Store(true)
	e.waiters.WakeAll(&e.mu)
}

// Clear unsets the flag.
func (e *Event) Clear() {
	e.mu.Lock()
	e.set.Store(false)
	e.mu.Unlock()
}

// IsSet reports whether the flag is set.
func (e *Event) IsSet() bool { return e.set.Load() }

// Wait waits until the flag is set, not at all if it is. If ctx ends first, the error is
// that of ctx.
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

// Snapshot returns who waits. Nobody holds an event.
func (e *Event) Snapshot() Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &e.waiters)}
}

// String says whether the event is set and how many wait.
func (e *Event) String() string {
	details := "not set"
	if e.IsSet() {
		details = "set"
	}
	return e.Snapshot().text("Event", details)
}
