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
// can wait for it. NewEvent makes one, and Close must be called when it is no longer needed. An Event
// must not be copied. All methods are safe for concurrent use.
//
// It is Curio's SignalEvent. A task that waits is in the state EVENT_WAIT.
type Event struct {
	sigs  []syscall.Signal
	event curio.Event
	last  atomic.Int64 // which signal has set it last
}

// NewEvent returns an event that the given signals set from now on. It panics if there are none, or
// if one of them cannot be caught; see the package's documentation.
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

// Wait waits until one of the signals has arrived, not at all if one has. If ctx is done first, the
// error is ctx's error. Closing the event does not end the wait.
func (e *Event) Wait(ctx context.Context) error { return e.event.Wait(ctx) }

// WaitCase is Wait as a case of a curio.Select.
func (e *Event) WaitCase() curio.Case { return e.event.WaitCase() }

// IsSet reports whether one of the signals has arrived.
func (e *Event) IsSet() bool { return e.event.IsSet() }

// Clear unsets the event. A signal that comes at the same time may be forgotten; use a [Queue] if none
// may be missed.
func (e *Event) Clear() { e.event.Clear() }

// Signal returns which signal has arrived last, nil if none has. Clear does not change it.
func (e *Event) Signal() os.Signal {
	if sig := syscall.Signal(e.last.Load()); sig != 0 {
		return sig
	}
	return nil
}

// Close ends the event's subscriptions: when it has returned, nothing sets the event any more. A
// second Close does nothing. The error is always nil.
func (e *Event) Close() error {
	signals.Unsubscribe((*setter)(e))
	return nil
}

// Snapshot returns the waiting tasks. An event has no holders.
func (e *Event) Snapshot() curio.Snapshot { return e.event.Snapshot() }

// String names the signals that set the event, and the one that has.
func (e *Event) String() string {
	text := "signal.Event(" + list(e.sigs)
	if sig, ok := e.Signal().(syscall.Signal); ok && e.IsSet() {
		text += "; set by " + signals.Name(sig)
	}
	return text + ")"
}
