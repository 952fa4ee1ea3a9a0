package curio

import (
	"context"
	"reflect"
	"sync/atomic"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/wait"
)

// This file writes into the ring of events when tasks begin and end. See internal/wait for waits and cancellations.

func init() {
	wait.NumberOfTask = func(object any) uint64 {
		t, _ := object.(*AnyTask)
		return idOf(t)
	}
}

// recordBirth notes that t, which has just come into the tree, is spawned with ctx. It does not ask ctx, if that is not ours,
// for its task: a call of a SharedCalls may be started by a task that must not be held up by another one's context.
func (t *AnyTask) recordBirth(ctx context.Context) {
	around, ours := ctx.(*wait.Scope)
	if !ours {
		around = t.owner.Scope.Parent()
	}
	parent := uint64(0)
	if around != nil && around.Owner() != nil {
		parent = around.Owner().ID
	}
	name := t.givenName()
	if name == "" {
		name = knownName(t.entry)
	}
	events.Add(events.Created, t.born, t.owner.ID, parent, name)
}

// recordEnd notes how t has ended, before anybody else can see it.
func (t *AnyTask) recordEnd() {
	at, stopped := wait.Now(), uint64(0)
	if t.failed && events.Wants(events.Errors) {
		events.Fail(events.Failure{Task: t.owner.ID, At: at, Name: t.Name(), Path: trailOf(t), Err: t.err})
	}
	if t.stopped {
		stopped = 1
	}
	e, panicked := t.err.(*PanicError)
	switch {
	case !t.failed:
		events.Add(events.Ended, at, t.owner.ID, stopped, "")
	case panicked:
		events.Add(events.Panicked, at, t.owner.ID, stopped, typeName(e.Value))
	default:
		events.Add(events.Failed, at, t.owner.ID, stopped, typeName(t.err))
	}
}

// typeName returns the name of the type of v. It calls nothing of v's.
func typeName(v any) string {
	if v == nil {
		return "nil"
	}
	return reflect.TypeOf(v).String()
}

// names are the names of functions, by their entries: finding one costs as much as recording it.
var names [1 << 8]atomic.Pointer[named]

type named struct {
	entry uintptr
	name  string
}

// knownName is functionName, remembered.
func knownName(entry uintptr) string {
	slot := &names[entry>>5%uintptr(len(names))]
	known := slot.Load()
	if known == nil || known.entry != entry {
		known = &named{entry, functionName(entry)}
		slot.Store(known)
	}
	return known.name
}
