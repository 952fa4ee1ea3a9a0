package debug

import (
	"context"
	runtimetrace "runtime/trace"
	"time"
)

// values is where a marked task looks for values: first among its marks, then where it would look without.
//
// A task's values never refer to another task's. If they did, a chain of tasks each of which spawns the next
// would be kept in memory as a whole. That is why around is never a *values, and why labels and traced are contexts
// that have nothing but the answer for one key, which only the packages pprof and trace know.
type values struct {
	around context.Context // nil for nothing
	labels context.Context // nil if the task has no labels to set
	traced context.Context // nil if the task is in no trace; then so is task
	task   *runtimetrace.Task
	id     uint64 // of the task, if it is in a trace
}

// Value is part of context.Context.
func (v *values) Value(key any) any {
	if v.labels != nil {
		if a := v.labels.Value(key); a != nil {
			return a
		}
	}
	if v.traced != nil {
		if a := v.traced.Value(key); a != nil {
			return a
		}
	}
	if v.around == nil {
		return nil
	}
	return v.around.Value(key)
}

// Deadline is part of context.Context. Nobody asks it of values: what ends a task is in its scope.
func (v *values) Deadline() (deadline time.Time, ok bool) { return }

// Done is part of context.Context.
func (v *values) Done() <-chan struct{} { return nil }

// Err is part of context.Context.
func (v *values) Err() error { return nil }

// String says what v is, as others may print a context.
func (v *values) String() string { return "curio.marks" }
