package curio

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Task is a goroutine with a handle: a name, a parent, a result of type T, and a
// switch that stops it. Spawn makes one. All methods are safe for concurrent use;
// a Task must not be copied.
type Task[T any] struct {
	AnyTask

	fn    func(context.Context) (T, error)
	value T
}

// AnyTask is what all tasks have in common, whatever the type of their result. It
// is embedded in Task and is not made by itself.
type AnyTask struct {
	owner   wait.Owner
	kernel  *Kernel
	group   atomic.Pointer[group] // nil for none; set once, by add
	adopted bool                  // by AddTask; set before group
	slot    bool                  // has a slot of the group's limit; the task's own, then under group.mu
	counted bool                  // group.memberDone has been called; under group.mu
	taken   bool                  // out of its group; under group.mu

	name    string  // "" for the name of its function
	entry   uintptr // of its function
	daemon  bool
	silent  bool // ReportCrash(false)
	stopped bool // was cancelled before it ended; as err
	failed  bool // ended with an error of its own, and not just because it was cancelled; as err

	// created ──► running ──► terminated, by the task's goroutine; joined
	// stands for either of the first two from the first joiner on, who sets it
	// under mu. err, and the Task's value, are written before the last step and
	// never after.
	state atomic.Uint32
	err   error

	mu      sync.Mutex
	joiners wait.List
}

const (
	created = iota
	running
	joined // running, or about to, and joiners is in use
	terminated
)

// body is the part of a task that knows the type of its result.
type body interface {
	call(ctx context.Context) error // runs the function and keeps the value
	hasObject() bool                // the value is not nil
	common() *AnyTask
}

// body is what t is embedded in.
func (t *AnyTask) body() body { return t.owner.Task.(body) }

func (t *AnyTask) common() *AnyTask { return t }

func (t *Task[T]) call(ctx context.Context) (err error) {
	fn := t.fn
	t.fn = nil // what it captured is not kept as long as the task
	t.value, err = fn(ctx)
	return err
}

func (t *Task[T]) hasObject() bool {
	switch v := reflect.ValueOf(&t.value).Elem(); v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return !v.IsNil()
	}
	return true
}

// Join waits for the task to end and returns its result. If the task failed or
// was cancelled, the error is a *TaskError. If ctx ends first, it is the error of
// ctx (see ErrCancelled), and the task is left alone. Any number may join a task,
// also after its end.
//
// Joining a member of a group takes it out of the group: its failure is then the
// joiner's to handle. A task that joins itself panics, for it would never end.
func (t *Task[T]) Join(ctx context.Context) (T, error) {
	var none T
	if err := t.waitFor(ctx, opJoin); err != nil {
		return none, err
	}
	t.see()
	if g := t.group.Load(); g != nil {
		g.take(&t.AnyTask)
	}
	if t.err != nil {
		return none, &TaskError{&t.AnyTask, t.err}
	}
	return t.value, nil
}

// Result returns what the task's function returned, without waiting:
// ErrNotTerminated as long as it runs. The error is the function's own, not a
// *TaskError.
func (t *Task[T]) Result() (T, error) {
	if !t.Terminated() {
		var none T
		return none, ErrNotTerminated
	}
	t.see()
	return t.value, t.err
}

// Wait waits for the task to end, however it does. The error is that of ctx, if
// ctx ends first.
func (t *AnyTask) Wait(ctx context.Context) error { return t.waitFor(ctx, opWait) }

// The states of a task that waits for another. Who joins sees how it ended.
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
	if CurrentTask(ctx) == t {
		panic(fmt.Sprintf("curio: task %s waits on itself (%s) and would do so for ever; let another task join it", t.Name(), op))
	}
	if t.state.Load() == created && t.group.Load() == nil { // a group wants to see who joins
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

// expectJoiner makes the end of t look for joiners. It is false if t has ended.
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

// Cancel ends the task's current blocking call, and each later one, with
// ErrTaskCancelled, and waits until the task has ended. did reports whether it
// was this call that cancelled it; it is false if the task had ended or been
// cancelled before, and then Cancel only waits.
//
// A reason, if one is given, is what the task's errors unwrap to. err is that of
// ctx if ctx ends before the task does; the task stays cancelled. So in clean-up, when
// ctx may have ended, call it under DisableCancellation, or CancelNow. A task that
// cancels itself does not wait: err is the cancellation.
func (t *AnyTask) Cancel(ctx context.Context, reason ...error) (did bool, err error) {
	did = t.cancel(CurrentTask(ctx), reason)
	if CurrentTask(ctx) == t {
		return did, CheckCancellation(ctx)
	}
	return did, t.waitFor(ctx, opCancel)
}

// CancelNow is Cancel without the waiting.
func (t *AnyTask) CancelNow(reason ...error) (did bool) { return t.cancel(nil, reason) }

func (t *AnyTask) cancel(by *AnyTask, reason []error) bool {
	if t.Terminated() || t.owner.Cause() != nil {
		return false
	}
	c := wait.NewCause(&t.owner.Scope, wait.Cancelled, nil)
	if len(reason) > 0 {
		c.Reason = reason[0]
	}
	c.By = by.Path()
	c.PC = caller(4)
	return t.owner.Scope.Cancel(c)
}

// caller is the call so many functions up, as runtime.Callers counts.
func caller(up int) uintptr {
	var pc [1]uintptr
	runtime.Callers(up, pc[:])
	return pc[0]
}

// ID is a number that no other task of this process has; later tasks have higher
// ones.
func (t *AnyTask) ID() uint64 { return t.owner.ID }

// Name is the name given to Spawn, or that of the task's function.
func (t *AnyTask) Name() string {
	if t.name != "" {
		return t.name
	}
	if name := functionName(t.entry); name != "" {
		return name
	}
	return fmt.Sprintf("task %d", t.owner.ID)
}

// functionName is the name of the function at pc with its package, "" if it has none.
func functionName(pc uintptr) string {
	f := runtime.FuncForPC(pc)
	if f == nil {
		return ""
	}
	return f.Name()[strings.LastIndexByte(f.Name(), '/')+1:]
}

// Path is the names of the task's living ancestors and its own, from the
// outermost, with slashes between. That of nil is "".
func (t *AnyTask) Path() string {
	if t == nil {
		return ""
	}
	path := t.Name()
	for p := t.Parent(); p != nil; p = p.Parent() {
		path = p.Name() + "/" + path
	}
	return path
}

// Parent is the task with whose context the task was spawned. If that has ended,
// it is the nearest ancestor that has not; nil if there is none, and for a
// daemon.
func (t *AnyTask) Parent() *AnyTask {
	for s := t.owner.Scope.Parent(); s != nil; s = s.Parent() {
		if o := s.Owner(); o != nil {
			if p := taskOf(o); !p.Terminated() {
				return p
			}
		}
	}
	return nil
}

// State is what the task does now: INITIAL until its goroutine has started,
// RUNNING, TERMINATED, or what it waits for: TIME_SLEEP, TASK_JOIN, READ_WAIT and
// so on. A task that blocks in something that is not of this module is RUNNING.
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

// Daemon reports whether the task was spawned as a daemon.
func (t *AnyTask) Daemon() bool { return t.daemon }

// Cycles is how many times the task has blocked so far in calls of this module.
func (t *AnyTask) Cycles() uint64 { return t.owner.Cycles() }

// Cancelled reports whether the task was asked to stop before it ended.
func (t *AnyTask) Cancelled() bool {
	if t.Terminated() {
		return t.stopped
	}
	return t.owner.Cause() != nil
}

// Terminated reports whether the task has ended.
func (t *AnyTask) Terminated() bool { return t.state.Load() == terminated }

// Err is the error that the task ended with, nil if it succeeded, ErrNotTerminated
// while it runs.
func (t *AnyTask) Err() error {
	if !t.Terminated() {
		return ErrNotTerminated
	}
	t.see()
	return t.err
}

// String names the task and says what it does.
func (t *AnyTask) String() string {
	return fmt.Sprintf("Task(id=%d, name=%q, state=%s)", t.owner.ID, t.Name(), t.State())
}

func (t *AnyTask) isTaken() bool { return t.taken }

// hasFailed works out failed, of a task that has an error. That is code of the
// user's, which may panic: a nil pointer in an error, most likely.
func (t *AnyTask) hasFailed() (failed bool) {
	failed = true
	defer func() { _ = recover() }()
	return !t.stopped || !isCancellation(t.err)
}

// CurrentTask returns the task that ctx belongs to, nil if there is none.
func CurrentTask(ctx context.Context) *AnyTask {
	return taskOf(wait.CurrentTask(ctx))
}

// taskOf is the task of o, nil if that is nil.
func taskOf(o *wait.Owner) *AnyTask {
	if o == nil {
		return nil
	}
	return o.Task.(body).common()
}
