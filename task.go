package curio

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Task is a goroutine with a handle: a name, a parent, a result of type T, and a switch that stops
// it. Spawn makes one; the zero value cannot be used. All methods are safe for concurrent use. A
// Task must not be copied.
//
// The result is kept as long as the Task is. Everything else that refers to the task, such
// as its context or its error, refers to its AnyTask, which does not keep the result.
type Task[T any] struct {
	_ noCopy

	value T // written by the task's goroutine, before the state is terminated

	*AnyTask

	fn func(context.Context) (T, error) // nil once the task has begun, or will not begin
}

// AnyTask is what all tasks have in common, whatever the type of their result. Task embeds it. It is
// never made on its own, and must not be copied. It does not keep the task's function or its result
// in memory, nor its group once the task has left it.
type AnyTask struct {
	owner  wait.Owner
	kernel *Kernel
	group  atomic.Pointer[group] // nil for none, noGroup when it has left its group; see member
	err    error

	origins *origins // nil if its function says enough
	entry   uintptr  // of its function
	born    int64    // when it was spawned, as wait.Now

	// created ──► running ──► terminated, by the task's goroutine; joined
	// stands for either of the first two from the first joiner on, who sets it
	// under mu. err, the flags of the end and the Task's value are written before the
	// last step and never after.
	state atomic.Uint32

	membership // guarded by the group's mu

	role      role // set by options, before it is shared
	silent    bool // ReportCrash(false)
	essential bool
	stopped   bool // was cancelled before it ended
	failed    bool // ended with an error of its own, and not just because it was cancelled
	handled   bool // somebody was waiting for its result when it ended, and has its error
	noted     bool // its error is in kernel.failures, if no caller has received it

	mu      sync.Mutex
	joiners wait.List
}

// origins are what a task is called and where it was spawned, unless its function says enough. They are set before the task
// is started.
type origins struct {
	name  string  // "" for the name of its function
	spawn uintptr // the call that spawned it; 0 if its function is the user's, which will do as well
}

func (t *AnyTask) setName(name string) {
	if t.origins == nil {
		t.origins = new(origins)
	}
	t.origins.name = name
}

func (t *AnyTask) setSpawn(pc uintptr) {
	if t.origins == nil {
		t.origins = new(origins)
	}
	t.origins.spawn = pc
}

// spawn returns the call that has spawned t, 0 if that is not known.
func (t *AnyTask) spawn() uintptr {
	if t.origins == nil {
		return 0
	}
	return t.origins.spawn
}

// givenName returns the name that was given to t, "" if none was.
func (t *AnyTask) givenName() string {
	if t.origins == nil {
		return ""
	}
	return t.origins.name
}

// A role is what a task is to its kernel.
type role uint8

const (
	ordinaryTask role = iota
	mainTask          // Run runs it
	daemonTask
	serviceTask
)

const (
	created = iota
	running
	joined // running, or about to, and joiners is in use
	terminated
)

// A runner is a task's function. Only the task's goroutine has it, so that nothing of it is
// kept when the task has ended.
type runner interface {
	call(ctx context.Context) error
	forget() // it will not be called
}

// plain is the runner of a task without a result.
type plain func(context.Context) error

func (fn plain) call(ctx context.Context) error { return fn(ctx) }
func (fn plain) forget()                        {}

func (t *Task[T]) call(ctx context.Context) (err error) {
	fn := t.fn
	t.fn = nil
	t.value, err = fn(ctx)
	return err
}

func (t *Task[T]) forget() { t.fn = nil }

func (t *Task[T]) common() *AnyTask { return t.AnyTask }

func (t *Task[T]) hasObject() bool {
	switch v := reflect.ValueOf(&t.value).Elem(); v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return !v.IsNil()
	}
	return true
}

// Join waits for the task to end and returns its result. If the task failed or was cancelled, the
// error is a *TaskError. If ctx is done first, the error is ctx's error (see ErrCancelled), and the
// task is left alone. Any number of callers may join a task, even after its end.
//
// Joining a member of a running group takes it out of the group: its failure is then for the joiner
// to handle. But if the failure has cancelled the group before Join was called, and ctx belongs to
// the group, the error is that cancellation. A task that joins itself panics, because it would never
// end.
func (t *Task[T]) Join(ctx context.Context) (T, error) {
	var none T
	if err := t.waitFor(ctx, opJoin); err != nil {
		return none, err
	}
	if err := t.claim(ctx); err != nil {
		return none, err
	}
	return t.seen()
}

// seen is the result of t, which has ended, for a joiner that has claimed it.
func (t *Task[T]) seen() (T, error) {
	t.see()
	if t.err != nil {
		var none T
		return none, newTaskError(t.AnyTask)
	}
	return t.value, nil
}

// outcome is Result as another task sees it.
func (t *Task[T]) outcome() (T, error) {
	v, err := t.Result()
	return v, fromElsewhere(err, 0)
}

// claim takes t, which has ended, out of its group for a caller that joins it. If the
// failure of t has cancelled the group, and ctx with it, err is that cancellation.
func (t *AnyTask) claim(ctx context.Context) (err error) {
	switch g := t.group.Load(); {
	case g == nil || t.Daemon():
		return nil
	case g != noGroup:
		g.join(ctx, t)
	}
	if t.blamed {
		_, err = wait.At(ctx)
	}
	return err
}

// Result returns what the task's function has returned, without waiting. While the task runs, the
// error is ErrNotTerminated. Otherwise the error is the function's own, not a *TaskError.
func (t *Task[T]) Result() (T, error) {
	if !t.Terminated() {
		var none T
		return none, ErrNotTerminated
	}
	t.see()
	return t.value, t.err
}

// Wait waits for the task to end, successfully or not. It returns nil then. If ctx is done first,
// the error is ctx's error. Waiting is not joining: the task's error is still there for Join.
func (t *AnyTask) Wait(ctx context.Context) error { return t.waitFor(ctx, opWait) }

// The states of a task that waits for another one. A task that joins sees how the other one ended.
const (
	opJoin   = "TASK_JOIN"
	opWait   = "TASK_WAIT"
	opCancel = "TASK_CANCEL"
)

func (t *AnyTask) waitFor(ctx context.Context, op string) error {
	p, err := wait.At(ctx)
	if err != nil || t.Terminated() {
		return err
	}
	if p.Untrusted() {
		return p.Follow(func(p wait.Place) error { return t.waitFor(p.Scope(), op) })
	}
	t.mustNotWaitFor(wait.CurrentTask(ctx), op)
	if t.state.Load() == created && t.member() == nil && !t.essential { // whose failures must find their joiners
		// Most likely it runs next, on this very processor, and may end at once:
		// a third off the time of a spawn and join.
		runtime.Gosched()
		if t.Terminated() {
			return nil
		}
	}
	t.mu.Lock()
	if !t.expectJoiner() {
		t.mu.Unlock()
		return nil
	}
	return p.Block(op, t, &t.joiners, &t.mu)
}

// mustNotWaitFor panics if t is the task that waits for its end.
func (t *AnyTask) mustNotWaitFor(me *wait.Owner, op string) {
	if me == &t.owner {
		panic(fmt.Sprintf("curio: task %s waits on itself (%s) and would do so for ever; let another task join it", t.Name(), op))
	}
}

// expectJoiner makes the end of t look for joiners. The result is false if t has ended.
func (t *AnyTask) expectJoiner() bool {
	for {
		switch old := t.state.Load(); {
		case old == terminated:
			return false
		case old == joined || t.state.CompareAndSwap(old, joined):
			return true
		}
	}
}

// Cancel cancels the task and waits until it has ended. The task's current blocking call, and each
// later one, fails with ErrTaskCancelled. did reports whether it was this call that cancelled the
// task. did is false if the task had ended or been cancelled before; Cancel then only waits.
//
// A reason, if one is given, is in the text of the task's errors, and WhoCancelled returns it.
// errors.Is does not find it in them, because it is not what the task has failed with. If ctx is
// done before the task has ended, err is ctx's error, and the task stays cancelled. So in clean-up,
// when ctx may be done, call Cancel under DisableCancellation, or call CancelNow. A task that
// cancels itself does not wait: err is the cancellation.
func (t *AnyTask) Cancel(ctx context.Context, reason ...error) (did bool, err error) {
	did = t.cancel(CurrentTask(ctx), reason, 4)
	if CurrentTask(ctx) == t {
		return did, CheckCancellation(ctx)
	}
	return did, t.waitFor(ctx, opCancel)
}

// CancelNow is like Cancel, but does not wait for the task to end.
func (t *AnyTask) CancelNow(reason ...error) (did bool) { return t.cancel(nil, reason, 4) }

// cancel cancels t in the name of by. up says which call does so, as for caller.
func (t *AnyTask) cancel(by *AnyTask, reason []error, up int) bool {
	if t.Terminated() || t.owner.Cause() != nil {
		return false
	}
	c := t.causeBy(by, up+1)
	if len(reason) > 0 {
		c.Reason = reason[0]
	}
	return t.owner.Scope.Cancel(c)
}

// causeBy returns the cause for a cancellation of t in the name of by. See cancel.
func (t *AnyTask) causeBy(by *AnyTask, up int) *wait.Cause {
	c := wait.NewCause(&t.owner.Scope, wait.Cancelled, nil)
	c.By = authorOf(by)
	c.PC = caller(up)
	return c
}

// caller returns the call that is up functions up the stack, as runtime.Callers counts.
func caller(up int) uintptr {
	var pc [1]uintptr
	runtime.Callers(up, pc[:])
	return pc[0]
}

// ID returns a number that no other task of this process has. Later tasks have higher numbers.
func (t *AnyTask) ID() uint64 { return t.owner.ID }

// Name returns the name that was given to the task, or else the name of its function.
func (t *AnyTask) Name() string { return t.label().String() }

// functionName is the name of the function at pc with its package, "" if it has none.
func functionName(pc uintptr) string {
	f := runtime.FuncForPC(pc)
	if f == nil {
		return ""
	}
	return f.Name()[strings.LastIndexByte(f.Name(), '/')+1:]
}

// Path returns the names of the task's living ancestors and its own, from the outermost, with
// slashes between them. For a nil task it returns "". The path is as long as the tree is deep.
// Errors and the log have only the innermost 16 names, after "…/" if there are more.
func (t *AnyTask) Path() string {
	if t == nil {
		return ""
	}
	names := []string{t.Name()}
	for p := t.Parent(); p != nil; p = p.Parent() {
		names = append(names, p.Name())
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// Parent returns the task with whose context the task was spawned. If that has ended, it returns the
// nearest ancestor that has not. It returns nil if there is none, and for a daemon.
func (t *AnyTask) Parent() *AnyTask {
	// The scopes between a task and its parent belong to the parent, so it is one step from
	// a task to the next.
	for s := t.owner.Scope.Parent(); s != nil && s.Owner() != nil; {
		p := taskOf(s.Owner())
		if !p.Terminated() {
			return p
		}
		s = p.owner.Scope.Parent()
	}
	return nil
}

// State returns what the task does now. That is INITIAL until its goroutine has started, RUNNING,
// TERMINATED, or what it waits for: TIME_SLEEP, TASK_JOIN, READ_WAIT and so on. A task that blocks
// in something outside of this module is RUNNING.
func (t *AnyTask) State() string {
	switch t.state.Load() {
	case created:
		return "INITIAL"
	case terminated:
		return "TERMINATED"
	}
	if w, ok := t.owner.Parked(); ok {
		return w.Op
	}
	return "RUNNING"
}

// Daemon reports whether the task was spawned as a daemon, or as a service.
func (t *AnyTask) Daemon() bool { return t.role >= daemonTask }

// Cycles returns how many times the task has blocked so far in calls of this module.
func (t *AnyTask) Cycles() uint64 { return t.owner.Cycles() }

// Cancelled reports whether the task was cancelled before it ended.
func (t *AnyTask) Cancelled() bool {
	if t.Terminated() {
		return t.stopped
	}
	return t.owner.Cause() != nil
}

// Terminated reports whether the task has ended.
func (t *AnyTask) Terminated() bool { return t.state.Load() == terminated }

// Err returns the error that the task has ended with, or nil if it succeeded. While the task runs,
// it returns ErrNotTerminated.
func (t *AnyTask) Err() error {
	if !t.Terminated() {
		return ErrNotTerminated
	}
	t.see()
	return t.err
}

// String returns the task's name, number and state.
func (t *AnyTask) String() string {
	return fmt.Sprintf("Task(id=%d, name=%q, state=%s)", t.owner.ID, t.Name(), t.State())
}

func (t *AnyTask) isTaken() bool { return t.taken }

// settleError works out what the task's error, which is not nil, says: whether the task has
// failed, or was just cancelled or asked to stop. Where the function has returned ctx.Err(), settleError puts
// our own error, so that WhoCancelled can tell what cancelled the task. It calls the methods
// of the user's errors, which may panic, most likely because of a nil pointer.
func (t *AnyTask) settleError() {
	t.failed = true
	defer func() { _ = recover() }()
	rest := t.err
	if wait.Asking() && mayBeAsked(rest) { // else it is not worth looking in all that is around
		rest = t.withoutRequest(rest)
	}
	if t.stopped && rest != nil {
		e := endingOf(&t.owner.Scope)
		_, t.err = e.settle(t.err)
		rest, _ = e.rest(rest)
	}
	t.failed = rest != nil
}

// mayBeAsked reports whether err says, or may say, that a context of UntilStop is done.
func mayBeAsked(err error) bool {
	_, found := takeOut(err, func(leaf error) bool {
		e, ours := leaf.(*wait.Error)
		return ours && e.Cause().Kind == wait.Asked || !ours && errors.Is(leaf, context.Canceled)
	})
	return found
}

// CurrentTask returns the task that ctx belongs to, or nil if there is none.
func CurrentTask(ctx context.Context) *AnyTask {
	return taskOf(wait.CurrentTask(ctx))
}

// idOf returns the ID of t, 0 if t is nil.
func idOf(t *AnyTask) uint64 {
	if t == nil {
		return 0
	}
	return t.owner.ID
}

// taskOf is the task of o, nil if that is nil.
func taskOf(o *wait.Owner) *AnyTask {
	if o == nil {
		return nil
	}
	return o.Task.(*AnyTask)
}
