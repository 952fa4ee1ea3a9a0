package curio

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Local is a variable of which each task has its own copy, for example the current request or
// user. A task starts with a copy of the values of the task with whose context it was spawned. For a
// member of a group, that is the task that opened the group. Later changes in one task are not seen
// in the other. The zero value is ready for use. A Local is usually a package-level variable, and
// must not be copied. All methods are safe for concurrent use.
//
// A value that is known when a context is made belongs in the context. A Local is for values that
// code further down sets or changes. It is Curio's task-local storage.
type Local[T any] struct {
	_ noCopy // its address is its identity
	_ byte   // so that two of them have different ones
}

// noCopy makes go vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Get returns the value in the task of ctx. ok is false if none has been set, or if ctx belongs to
// no task.
func (l *Local[T]) Get(ctx context.Context) (v T, ok bool) {
	o := wait.CurrentTask(ctx)
	if o == nil {
		return v, false
	}
	set, ok := o.Kept()[l].(*T)
	if ok {
		v = *set
	}
	return v, ok
}

// Set sets the value in the task of ctx, and for the tasks that it spawns from now on. It panics if
// ctx belongs to no task.
func (l *Local[T]) Set(ctx context.Context, v T) {
	o := wait.CurrentTask(ctx)
	if o == nil {
		panic("curio: Local.Set with a context that belongs to no task; spawn one, or use context.WithValue")
	}
	localsInUse.Store(true)
	o.Keep(func(before map[any]any) map[any]any {
		locals := maps.Clone(before)
		if locals == nil {
			locals = make(map[any]any)
		}
		locals[l] = &v
		return locals
	})
}

// A task's values are kept by the address of their variable. A map is never changed once it is
// there, so a task and those it has spawned share one.

// localsInUse is set for good with the first value: most programs have none, and a spawn does not
// look for them.
var localsInUse atomic.Bool

// inheritLocals gives o, which has not started, what from has; from may be nil.
func inheritLocals(o, from *wait.Owner) {
	if from == nil || !localsInUse.Load() {
		return
	}
	if has := from.Kept(); has != nil {
		o.Keep(func(map[any]any) map[any]any { return has })
	}
}
