package wait

import (
	"reflect"
	"strings"

	"github.com/curio-go/curio/internal/events"
)

// This file writes into the ring of events: waits, if somebody wants them, and cancellations.

// NumberOfTask returns the number of the task that object is, 0 if it is none. The layer above sets it.
var NumberOfTask = func(object any) uint64 { return 0 }

// record notes that the task begins to wait with w. What it waits for is told by its type and address: its String may be
// the user's, or take the very mutex that everything hangs on.
func (w *Waiter) record() {
	if !w.shown {
		return // another goroutine that has the task's context
	}
	w.recorded = true
	task := w.scope.owner.ID
	if w.object == nil {
		if w.until != 0 {
			events.Add(events.Sleeps, w.since, task, uint64(w.until), w.op)
		} else {
			events.Add(events.Waits, w.since, task, 0, w.op)
		}
		return
	}
	object := w.seen()
	if several, ok := object.(Several); ok {
		ops := make([]string, len(several))
		for i, part := range several {
			ops[i] = part.Op
		}
		events.Add(events.Waits, w.since, task, 0, w.op+" "+strings.Join(ops, " or "))
		return
	}
	if of := NumberOfTask(object); of != 0 {
		events.Add(events.Joins, w.since, task, of, w.op)
		return
	}
	address := uintptr(0)
	if v := reflect.ValueOf(object); v.Kind() == reflect.Pointer {
		address = v.Pointer()
	}
	events.Add(events.Waits, w.since, task, uint64(address), w.op+" "+reflect.TypeOf(object).String())
}

// recordEnd notes that the wait is over.
func (w *Waiter) recordEnd() {
	w.recorded = false
	if !events.Wants(events.Steps) {
		return
	}
	byScope := uint64(0)
	if w.state.Load() == cancelled {
		byScope = 1
	}
	events.Add(events.Resumed, Now(), w.scope.owner.ID, byScope, "")
}

// An author is a Cause's By that knows the number of the task that it names.
type author interface{ TaskID() uint64 }

// recordCancelLocked notes that c has cancelled s, and not just a scope around it. A kernel without tasks is not worth
// mentioning. It takes no lock, except that of the ring for a moment, and calls nothing of the user's.
func (s *Scope) recordCancelLocked(c *Cause) {
	if !c.IsOf(s) && c.Kind != Foreign || s.kind == Kernel && s.children == nil {
		return
	}
	at, task, by := c.At, uint64(0), uint64(0)
	if c.Kind == Expired {
		at = Now() // c has the deadline
	}
	if s.owner != nil {
		task = s.owner.ID
	}
	if a, ok := c.By.(author); ok {
		by = a.TaskID()
	}
	events.Add(events.Cancelled, at, task, by, s.kind.String()+" "+c.Kind.String())
}

// String returns what has happened to a scope that was cancelled so.
func (k CauseKind) String() string {
	return [...]string{
		"cancelled", "expired", "cancelled: a member failed", "cancelled: essential task failed", "shut down", "ended",
		"cancelled: context done", "asked to stop",
	}[k]
}
