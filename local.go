package curio

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Local is a variable of which each task has its own: what the request is, who the
// user is. A task starts with the values that the task had with whose context it was
// spawned (for a member of a group, the task that opened the group), as a copy: what
// either sets later, the other does not see. The zero value is ready for use; a
// Local is usually a package's variable, and must not be copied. All methods are safe
// for concurrent use.
//
// What is known when a context is made belongs into the context. A Local is for what
// code further down sets or changes. It is Curio's task-local storage.
type Local[T any] struct {
	_ noCopy // its address is its identity
	_ byte   // so that two of them have different ones
}

// noCopy makes go vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Get returns the value of the task of ctx. It is false if none has been set, or ctx
// belongs to no task.
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

// Set sets the value for the task of ctx, and for those that it spawns from now on. It
// panics if ctx belongs to no task.
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
