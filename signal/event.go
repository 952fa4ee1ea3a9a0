package signal

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/signals"
)

// An Event is set when one of its signals arrives, and stays set until Clear. Any number of tasks
// can wait for it. [NewEvent] makes an Event, and the zero value cannot be used. Call Close when it
// is no longer needed. An Event must not be copied. It is safe for concurrent use.
//
// It is Curio's SignalEvent. A task that waits is in the state EVENT_WAIT.
type Event struct {
	sigs  []syscall.Signal
	event curio.Event
	last  atomic.Int64 // which signal has set it last
}

// NewEvent returns an [Event] that is set when one of the given signals arrives from now on. It
// panics if there are no signals, or if one of them cannot be caught; see the package
// documentation.
func NewEvent(sigs ...os.Signal) *Event {
	e := &Event{sigs: mustCatch("NewEvent", sigs)}
	signals.Subscribe((*setter)(e), e.sigs...)
	return e
}

type setter Event

func (s *setter) Deliver(sig syscall.Signal) {
	s.last.Store(int64(sig))
	s.event.Set()
}

// Wait waits until one of the signals has arrived. If one has arrived already, it returns at once.
// If ctx is done first, it returns ctx's error. Close does not end the wait.
func (e *Event) Wait(ctx context.Context) error { return e.event.Wait(ctx) }

// WaitCase returns a case for [curio.Select] that is ready when one of the signals has arrived.
func (e *Event) WaitCase() curio.Case { return e.event.WaitCase() }

// IsSet reports whether one of the signals has arrived since the last Clear.
func (e *Event) IsSet() bool { return e.event.IsSet() }

// Clear resets the event, so that Wait waits for the next signal. A signal that arrives at the same
// time may be missed; use a [Queue] if none may be.
func (e *Event) Clear() { e.event.Clear() }

// Signal returns the signal that arrived last, or nil if none has. Clear does not change it.
func (e *Event) Signal() os.Signal {
	if sig := syscall.Signal(e.last.Load()); sig != 0 {
		return sig
	}
	return nil
}

// Close ends the event's subscription: after Close has returned, no signal sets the event. A second
// Close does nothing. The error is always nil.
func (e *Event) Close() error {
	signals.Unsubscribe((*setter)(e))
	return nil
}

// Snapshot returns the tasks that are waiting for the event. An event has no holders.
func (e *Event) Snapshot() curio.Snapshot { return e.event.Snapshot() }

// String returns the names of the event's signals, and of the one that has set it.
func (e *Event) String() string {
	text := "signal.Event(" + list(e.sigs)
	if sig, ok := e.Signal().(syscall.Signal); ok && e.IsSet() {
		text += "; set by " + signals.Name(sig)
	}
	return text + ")"
}
