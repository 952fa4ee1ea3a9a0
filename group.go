package curio

import (
	"context"
	"fmt"
	"iter"
	"reflect"
)

// Group calls body with a group of tasks, and returns when body has returned and
// every task of the group has ended, whatever happens: an error, a panic or
// runtime.Goexit in body, a cancellation, a timeout. body's context is the
// group's: tasks spawned with it by Spawn are cancelled at the end as well.
//
// After body, the group waits as its policy says (WaitAll, unless another is
// given), cancels what is left, all at once, and waits for that.
//
// A task that fails or panics cancels the group at once: the other tasks, and body in its
// current or next blocking call. Group then returns a *TaskGroupError. It is not a failure
// of the group if a caller is in that task's Join at the time, as that caller gets the
// error, or if the task was cancelled by its own Cancel. A Join that comes later, with the
// group's context, is cut short. With KeepGoing, failures cancel nobody. The same holds
// from body's first call of NextDone, NextResult or Done on: failures are body's to look
// at, and those that it has not taken are reported at the end.
//
// An error of body cancels what is left, with KeepGoing too. It is returned as it is, or as
// the Body of the *TaskGroupError if tasks have failed too.
func Group[T any](ctx context.Context, body func(context.Context, *TaskGroup[T]) error, opts ...GroupOption) error {
	if body == nil {
		panic("curio: Group with a nil function")
	}
	g := &TaskGroup[T]{group: newGroup(ctx, opts)}
	defer g.group.leave()
	err := body(g.group.scope, g)
	err = g.group.end(g.group.scope, err)
	g.group.returned = true
	return err
}

// Tasks is a group of tasks without results.
type Tasks = TaskGroup[struct{}]

// A TaskGroup is a group of tasks with results of type T; see Group. Its methods
// are safe for concurrent use. It must not be used after Group has returned, but
// for Completed, Results and Tasks.
type TaskGroup[T any] struct {
	group *group
}

// A GroupOption says what a group waits for, and how it runs: a GroupPolicy or a Limit. Gather and
// Map take KeepGoing and Limit.
type GroupOption interface{ applyTo(g *group) }

// A GroupPolicy says what a group waits for when its function has returned, and what becomes of
// the others when one fails. The last one of WaitAll, WaitAny, WaitObject and WaitNone counts. A
// task that was taken by NextDone, NextResult, Done or Join counts too.
type GroupPolicy int

const (
	// WaitAll waits for all tasks.
	WaitAll GroupPolicy = iota

	// WaitAny waits for the first task that ends, and cancels the others. With
	// KeepGoing it waits for the first that succeeds.
	WaitAny

	// WaitObject waits for the first task whose result is not nil, and cancels
	// the others. 0, "" and false are not nil.
	WaitObject

	// WaitNone waits for nobody: all are cancelled.
	WaitNone

	// KeepGoing lets the other tasks run on when one fails. Failures are
	// reported at the end, unless the group has what it waits for: with
	// WaitAny and WaitObject, the first success makes failures irrelevant.
	KeepGoing
)

func (p GroupPolicy) applyTo(g *group) {
	switch p {
	case KeepGoing:
		g.keepGoing = true
	case WaitAll, WaitAny, WaitObject, WaitNone:
		g.policy = p
	default:
		panic(fmt.Sprintf("curio: there is no GroupPolicy %d", int(p)))
	}
}

// String returns the name of the constant.
func (p GroupPolicy) String() string {
	if p < WaitAll || p > KeepGoing {
		return fmt.Sprintf("GroupPolicy(%d)", int(p))
	}
	return [...]string{"WaitAll", "WaitAny", "WaitObject", "WaitNone", "KeepGoing"}[p]
}

// Limit bounds how many of the group's tasks run at the same time. The others wait
// for their turn, in the order in which they were spawned; SetLimit changes the limit. Limit
// panics if n is not positive.
func Limit(n int) GroupOption {
	mustBeLimit(n)
	return limit(n)
}

type limit int

func (n limit) applyTo(g *group) { g.limit = int(n) }

// Spawn starts fn as a task of the group. Once the group has been cancelled, the
// task is born cancelled. Spawn panics if fn is nil, and after the group's end.
func (g *TaskGroup[T]) Spawn(fn func(context.Context) (T, error), opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: TaskGroup.Spawn of a nil function")
	}
	t := newTask(g.group.inner, fn, reflect.ValueOf(fn).Pointer(), opts)
	g.group.add(t, false)
	t.start(g.group.inner, g.group, t)
	return t
}

// Go is Spawn for a function that has no result but an error: the task's value is T's
// zero value.
func (g *TaskGroup[T]) Go(fn func(context.Context) error, opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: TaskGroup.Go with a nil function")
	}
	t := newTask[T](g.group.inner, nil, reflect.ValueOf(fn).Pointer(), opts)
	g.group.add(t, false)
	t.start(g.group.inner, g.group, plain(fn))
	return t
}

// String says how many tasks of the group have not been taken out of it.
func (g *TaskGroup[T]) String() string {
	return fmt.Sprintf("TaskGroup(%d tasks)", len(g.group.remaining()))
}

// AddTask makes a task of the group that was spawned outside of it, running or ended, even
// if it has been joined. The group then waits for it and cancels it as it does its own, but
// Limit does not hold it up. It returns an error if the task is in a group already or is the
// one that runs the group, and panics after the group's end.
func (g *TaskGroup[T]) AddTask(t *Task[T]) error { return g.group.adopt(t) }

// NextDone waits for the next task to end, in order of ending, and takes it out of
// the group: its failure is then no failure of the group. If no task is left, the error is
// ErrNoTask. If ctx is done first, it is ctx's error, and no task has been taken.
func (g *TaskGroup[T]) NextDone(ctx context.Context) (*Task[T], error) {
	t, err := g.group.next(ctx)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, ErrNoTask
	}
	return t.(*Task[T]), nil
}

// NextResult takes the next task to end, as NextDone does, and returns its result. The
// error is the task's own, except that a timeout of the task's own is
// context.DeadlineExceeded here and not ErrTaskTimeout.
func (g *TaskGroup[T]) NextResult(ctx context.Context) (T, error) {
	t, err := g.NextDone(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return t.outcome()
}

// Done iterates over the tasks as they end, as NextDone does, until none is left. Tasks spawned
// meanwhile are included. If ctx is done, the loop gets ctx's error once, with a nil task, and
// ends. The errors of the tasks are for the loop to look at.
//
//	for task, err := range group.Done(ctx) {
//		if err != nil {
//			return err
//		}
//		v, err := task.Result()
//		…
//	}
func (g *TaskGroup[T]) Done(ctx context.Context) iter.Seq2[*Task[T], error] {
	g.group.collect()
	return func(yield func(*Task[T], error) bool) {
		for {
			t, err := g.NextDone(ctx)
			if err == ErrNoTask || !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// Join waits as the group's policy says, cancels what is left, and returns the
// group's error: what Group does after its function. Nothing can be spawned after
// it. It is for functions that need the Results. If ctx ends before the policy is
// satisfied, all tasks are cancelled, and the error is that of ctx. A task of the
// group cannot call it and panics.
func (g *TaskGroup[T]) Join(ctx context.Context) error { return g.group.end(ctx, nil) }

// CancelRemaining cancels all tasks that have not ended, all at once, and waits
// for them to end. The group goes on: tasks may be spawned.
func (g *TaskGroup[T]) CancelRemaining(ctx context.Context) error {
	return g.group.cancelRemaining(ctx, caller(3), nil)
}

// Completed returns the first of the group's tasks that ended with a result, nil if there
// is none. It has to end without an error and, with WaitObject, with a value that is not
// nil. The task may have been taken. With WaitAny and WaitObject it is the task that ended
// the group. With WaitAny and without KeepGoing, it is the first task that ends, even if
// that has failed.
//
// With WaitAll and WaitNone it ends nothing: it is just the first. A task that ends when
// the group has failed, or is cancelling what is left, does not count any more, whatever it
// returns; and a daemon never counts.
func (g *TaskGroup[T]) Completed() *Task[T] {
	if t := g.group.firstCompleted(); t != nil {
		return t.(*Task[T])
	}
	return nil
}

// Results returns the results of the tasks in the order in which they were
// spawned, without daemons and tasks that NextDone, NextResult, Done or Join have returned
// already. The error is the one that NextResult would return for the first of them that
// failed or was cancelled, or ErrNotTerminated if one still runs.
func (g *TaskGroup[T]) Results() ([]T, error) {
	var values []T
	for _, t := range g.group.remaining() {
		v, err := t.(*Task[T]).outcome()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// Tasks returns the tasks in the order in which they were spawned, but for those
// that have been taken.
func (g *TaskGroup[T]) Tasks() []*Task[T] {
	var tasks []*Task[T]
	for _, t := range g.group.remaining() {
		tasks = append(tasks, t.(*Task[T]))
	}
	return tasks
}
