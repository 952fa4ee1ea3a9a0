package curio

import (
	"context"
	"fmt"
	"iter"
	"reflect"
)

// Group calls body with a group of tasks, and returns when body has returned and every task of the
// group has ended. That holds whatever happens: an error, a panic or runtime.Goexit in body, a
// cancellation, a timeout. body's context is the group's: tasks spawned with it by Spawn are
// cancelled at the end as well.
//
// After body, the group waits as its policy says (WaitAll, unless another is given). Then it cancels
// the remaining tasks, all at once, and waits for them to end.
//
// A task that fails or panics cancels the group at once: the other tasks, and body in its current or
// next blocking call. Group then returns a *TaskGroupError. It is not a failure of the group if a
// caller is in that task's Join at the time, because that caller gets the error, or if the task was
// cancelled by its own Cancel. A later Join with the group's context is cancelled with the group.
// With KeepGoing, failures cancel nothing. The same holds once body has called NextDone, NextResult
// or Done: body then handles the failures itself, and failures of tasks that it has not taken are
// reported at the end.
//
// An error of body cancels the remaining tasks, with KeepGoing too. It is returned as it is. If
// tasks have failed too, it is the Body of the *TaskGroupError.
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

// A TaskGroup is a group of tasks with results of type T. Group makes it; the zero value cannot be
// used. Its methods are safe for concurrent use. After Group has returned, only Completed, Results
// and Tasks may be called.
type TaskGroup[T any] struct {
	group *group
}

// A GroupOption changes what a group waits for, or how it runs. It is a GroupPolicy or a Limit.
// Gather and Map take KeepGoing and Limit.
type GroupOption interface{ applyTo(g *group) }

// A GroupPolicy determines what a group waits for when its function has returned, and what happens
// to the others when a task fails. If several of WaitAll, WaitAny, WaitObject and WaitNone are
// given, the last one counts. A task that was taken by NextDone, NextResult, Done or Join counts
// too.
type GroupPolicy int

const (
	// WaitAll waits for all tasks.
	WaitAll GroupPolicy = iota

	// WaitAny waits for the first task that ends, and cancels the others. With KeepGoing it waits
	// for the first task that succeeds.
	WaitAny

	// WaitObject waits for the first task whose result is not nil, and cancels
	// the others. 0, "" and false are not nil.
	WaitObject

	// WaitNone waits for no task: all are cancelled.
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

// Limit bounds how many of the group's tasks run at the same time. The others wait in the order in
// which they were spawned. SetLimit changes the limit. Limit panics if n is not positive.
func Limit(n int) GroupOption {
	mustBeLimit(n)
	return limit(n)
}

type limit int

func (n limit) applyTo(g *group) { g.limit = int(n) }

// Spawn starts fn as a task of the group. If the group has been cancelled, the task is cancelled
// from the start. Spawn never blocks. It panics if fn is nil, and after the group's end.
func (g *TaskGroup[T]) Spawn(fn func(context.Context) (T, error), opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: TaskGroup.Spawn of a nil function")
	}
	t := newTask(g.group.inner, fn, reflect.ValueOf(fn).Pointer(), opts)
	g.group.add(t, false)
	t.start(g.group.inner, g.group, t)
	return t
}

// Go starts fn as a task of the group. Use it in place of Spawn if fn returns only an error: the
// task's value is T's zero value.
func (g *TaskGroup[T]) Go(fn func(context.Context) error, opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: TaskGroup.Go with a nil function")
	}
	t := newTask[T](g.group.inner, nil, reflect.ValueOf(fn).Pointer(), opts)
	g.group.add(t, false)
	t.start(g.group.inner, g.group, plain(fn))
	return t
}

// String returns how many tasks of the group have not been taken out of it.
func (g *TaskGroup[T]) String() string {
	return fmt.Sprintf("TaskGroup(%d tasks)", len(g.group.remaining()))
}

// AddTask makes t, which was spawned outside of the group, a task of the group. t may be running or
// ended, and may have been joined. The group then waits for it and cancels it as it does its own
// tasks, but a Limit does not delay it. AddTask returns an error if t is in a group already or is
// the task that runs the group. It panics after the group's end.
func (g *TaskGroup[T]) AddTask(t *Task[T]) error { return g.group.adopt(t) }

// NextDone waits for the next task to end, in order of ending, and takes it out of the group: its
// failure is then no failure of the group. If no task is left, the error is ErrNoTask. If ctx is
// done first, the error is ctx's error, and no task has been taken.
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

// NextResult takes the next task to end, as NextDone does, and returns its result. The error is the
// task's own, except that a timeout of the task's own is context.DeadlineExceeded here and not
// ErrTaskTimeout. If no task is left, the error is ErrNoTask. If ctx is done first, the error is
// ctx's error, and no task has been taken.
func (g *TaskGroup[T]) NextResult(ctx context.Context) (T, error) {
	t, err := g.NextDone(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return t.outcome()
}

// Done iterates over the tasks as they end, as NextDone does, until none is left. Tasks spawned
// meanwhile are included. If ctx is done, the loop gets ctx's error once, with a nil task, and ends.
// Handling the errors of the tasks is up to the loop.
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

// Join waits as the group's policy says, cancels the remaining tasks, and returns the group's error,
// as Group does after its function. Nothing can be spawned after it. Use it in functions that need
// the Results. If ctx is done before the policy is satisfied, all tasks are cancelled, and the error
// is ctx's error. Join panics if a task of the group calls it.
func (g *TaskGroup[T]) Join(ctx context.Context) error { return g.group.end(ctx, nil) }

// CancelRemaining cancels all tasks that have not ended, all at once, and waits for them to end. If
// ctx is done first, the error is ctx's error, and the tasks stay cancelled. The group goes on:
// tasks may be spawned.
func (g *TaskGroup[T]) CancelRemaining(ctx context.Context) error {
	return g.group.cancelRemaining(ctx, caller(3), nil)
}

// Completed returns the first of the group's tasks that ended with a result, or nil if there is
// none. The task must have ended without an error and, with WaitObject, with a value that is not
// nil. It may have been taken. With WaitAny and WaitObject it is the task that ended the group. With
// WaitAny and without KeepGoing, it is the first task that ended, even if it has failed.
//
// With WaitAll and WaitNone it is just the first such task. A task that ends when the group has
// failed, or is cancelling the remaining tasks, does not count any more, whatever it returns. A
// daemon never counts.
func (g *TaskGroup[T]) Completed() *Task[T] {
	if t := g.group.firstCompleted(); t != nil {
		return t.(*Task[T])
	}
	return nil
}

// Results returns the results of the tasks in the order in which they were spawned, without daemons
// and without tasks that NextDone, NextResult, Done or Join have returned already. If a task has
// failed or was cancelled, the error is the one that NextResult would return for the first such
// task. If a task still runs, the error is ErrNotTerminated.
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

// Tasks returns the tasks in the order in which they were spawned, except those that have been
// taken.
func (g *TaskGroup[T]) Tasks() []*Task[T] {
	var tasks []*Task[T]
	for _, t := range g.group.remaining() {
		tasks = append(tasks, t.(*Task[T]))
	}
	return tasks
}
