package curio

import (
	"context"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/origin"
	"github.com/curio-go/curio/internal/wait"
)

// Spawn starts fn as a task and returns at once. The task ends when fn returns. Its context is
// cancelled by Cancel, when ctx is cancelled, or when the kernel shuts down, and is done when the
// task has ended. The task may outlive the task that spawned it. But if ctx was derived by the
// standard library, for example by context.WithCancel, from the context of a task, the new task is
// cancelled when that task ends; context.WithoutCancel prevents that.
//
// The task belongs to the kernel of ctx. If ctx belongs to no task, as context.Background() does, it
// is the process's default kernel. A kernel that has been shut down spawns nothing: the task ends
// with ErrKernelShutdown. Spawn panics if fn is nil.
func Spawn[T any](ctx context.Context, fn func(context.Context) (T, error), opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: Spawn of a nil function")
	}
	t := newTask(ctx, fn, reflect.ValueOf(fn).Pointer(), opts)
	t.start(ctx, nil, t)
	return t
}

// Go starts fn as a task and returns at once. Use it in place of Spawn if fn returns only an error.
func Go(ctx context.Context, fn func(context.Context) error, opts ...SpawnOption) *Task[struct{}] {
	if fn == nil {
		panic("curio: Go with a nil function")
	}
	t := newTask[struct{}](ctx, nil, reflect.ValueOf(fn).Pointer(), opts)
	t.start(ctx, nil, plain(fn))
	return t
}

// A SpawnOption changes how a task is spawned. The options are Name, Daemon, ReportCrash, Essential
// and Service.
type SpawnOption interface{ applyTo(t *AnyTask) }

type spawnOption func(*AnyTask)

func (o spawnOption) applyTo(t *AnyTask) { o(t) }

// Name gives the task a name, which errors, logs and the monitor show.
func Name(name string) SpawnOption { return spawnOption(func(t *AnyTask) { t.setName(name) }) }

// Daemon makes the task a daemon. It keeps the values of its context but not its cancellation:
// unless it is cancelled by Cancel, it runs until its kernel shuts down. Its error is logged when
// it ends, unless a caller is waiting for it in Join.
//
// A daemon in a group is cancelled at the group's end, together with the other remaining tasks.
// Apart from that, the group takes no account of it and does not keep it in memory, which suits the
// connections of a server.
func Daemon() SpawnOption { return spawnOption(func(t *AnyTask) { t.role = daemonTask }) }

// ReportCrash sets whether the task's error is logged if no caller receives it, and whether its
// panic is logged. The default is true.
func ReportCrash(report bool) SpawnOption {
	return spawnOption(func(t *AnyTask) { t.silent = !report })
}

// Essential makes a failure of the task end the program: the main tasks of its kernel, which are
// those that Run runs, are cancelled, and Run returns the task's *TaskError, joined with what else
// the main task has returned. Use it for a background task that the rest of the program cannot do
// without, often together with Daemon.
//
// A failure that a caller is waiting for in Join is still that caller's. If no main task runs, the
// failure is logged like any other. Essential is for tasks outside of groups, because a failure in a
// group ends the group: spawning an essential task in a group panics, and AddTask refuses it.
func Essential() SpawnOption { return spawnOption(func(t *AnyTask) { t.essential = true }) }

// Service makes the task a service, which other tasks need until they have ended, such as a logger
// or a pool of connections. Like a daemon, it keeps the values of its context but not its
// cancellation. Unlike a daemon, it is cancelled only when all tasks of its kernel that are not
// services have ended. Services are cancelled one after the other, the last one started first, each
// when the one before has ended. A task that a service spawns ends with the service.
//
// A service is Essential: its failure ends the main task. Stop and Grace do not ask it to stop and
// do not wait for it. Service is for tasks outside of groups: spawning a service in a group panics,
// and AddTask refuses it.
func Service() SpawnOption {
	return spawnOption(func(t *AnyTask) { t.role, t.essential = serviceTask, true })
}

var lastID atomic.Uint64

// bothInOne is a Task and its AnyTask in one object, which is cheaper than two. It is for results of
// size zero, as a reference to the AnyTask keeps the Task as well. It takes five cache lines, and
// common begins at one.
type bothInOne[T any] struct {
	common AnyTask
	Task[T]
}

// newTask returns a new task for the function with the given entry. fn is that function, or nil if
// the task's runner is not the Task. Unless the function is the user's, newTask records the call
// that spawns the task: the one of its caller.
func newTask[T any](ctx context.Context, fn func(context.Context) (T, error), entry uintptr, opts []SpawnOption) *Task[T] {
	if reflect.TypeFor[T]().Size() > 0 {
		t := &Task[T]{fn: fn, AnyTask: new(AnyTask)}
		t.prepare(ctx, entry, opts)
		return t
	}
	both := new(bothInOne[T])
	both.fn, both.AnyTask = fn, &both.common
	both.common.prepare(ctx, entry, opts)
	return &both.Task
}

// prepare initializes t, a zero AnyTask, for newTask.
func (t *AnyTask) prepare(ctx context.Context, entry uintptr, opts []SpawnOption) {
	t.owner.Prepare() // a group lists the task before it starts it
	t.kernel, t.entry = kernelOf(ctx), entry
	t.born = wait.Now()
	t.owner.Task = t
	inheritLocals(&t.owner, wait.CurrentTask(ctx))
	if !origin.IsUsersFunction(entry) {
		t.setSpawn(caller(5))
	}
	for _, o := range opts {
		o.applyTo(t)
	}
}

// number gives t its ID, once. It is called before anybody else can see t, and when it is certain that t becomes a task:
// the last ID is how many tasks there have been, see ReadStats.
func (t *AnyTask) number() { t.owner.ID = lastID.Add(1) }

// start puts t into the tree and starts its goroutine, in which fn runs. g is the group
// that t is a member of, nil for none; then ctx is that group's scope.
func (t *AnyTask) start(ctx context.Context, g *group, fn runner) {
	switch {
	case !t.enter(ctx, g, fn):
	case wait.Marking():
		go t.runMarked(fn)
	default:
		go t.run(fn)
	}
}

// enter puts t into the tree. The result is false if the kernel has been shut down; then t has
// ended.
func (t *AnyTask) enter(ctx context.Context, g *group, fn runner) (open bool) {
	if t.owner.ID == 0 { // a group gives it to its members, and a shared call to its task
		t.number()
	}
	switch {
	case t.role == serviceTask:
		open = t.owner.InitDaemon(ctx, t.kernel.services)
	case t.Daemon() && g == nil:
		open = t.owner.InitDaemon(ctx, t.kernel.root)
	default:
		open = t.owner.InitTask(ctx, t.kernel.root)
	}
	if events.Wants(events.Tasks) {
		t.recordBirth(ctx)
	}
	if !open {
		if wait.Marking() {
			t.owner.LeaveMark()
		}
		fn.forget()
		t.err = ErrKernelShutdown
		t.finish()
	}
	return open
}

// run is the task's goroutine. Traceback finds the goroutine by this function's
// name and its first argument, which is why it is not inlined and keeps t to the end.
//
//go:noinline
func (t *AnyTask) run(fn runner) {
	defer t.finish()
	defer func() {
		if v := recover(); v != nil {
			t.panicked(v)
		}
	}()
	t.state.CompareAndSwap(created, running)
	if events.Wants(events.Steps) {
		events.Add(events.Running, wait.Now(), t.owner.ID, 0, "")
	}
	if g := t.member(); g == nil || g.admit(t) {
		t.err = ErrGoexit // what is true if the function does not return
		t.err = fn.call(&t.owner.Scope)
	} else {
		fn.forget()
	}
	runtime.KeepAlive(t)
}

// runMarked is run for a task that bears a mark of package debug's, as a label for the profiler.
func (t *AnyTask) runMarked(fn runner) {
	if t.owner.EnterMark() {
		fn = &marked{fn, t}
	}
	t.run(fn)
}

// marked is the runner of a task with a mark that has to be left, before the end of the task is known to anybody.
type marked struct {
	fn runner
	t  *AnyTask
}

func (m *marked) call(ctx context.Context) error {
	defer m.t.owner.LeaveMark()
	fn := m.fn
	m.fn = nil
	return fn.call(ctx)
}

func (m *marked) forget() {
	m.t.owner.LeaveMark()
	m.fn.forget()
}

// panicked notes that the task's function has panicked with v. It is reported at once, because a
// caller may join the task late or never.
func (t *AnyTask) panicked(v any) {
	e := newPanicError(t, v)
	t.err = e
	panics.Add(1)
	t.kernel.panicked(e, t.silent)
}

// newPanicError is for a panic with v in the name of t, to be called by the function
// that has recovered it. t may be nil.
func newPanicError(t *AnyTask, v any) *PanicError {
	return &PanicError{Task: t.trail(), Value: v, Stack: debug.Stack()}
}

// finish ends the task.
func (t *AnyTask) finish() {
	var seer wait.Batch
	defer func() { t.leave(seer) }() // whatever an Error method or a log handler does
	t.stopped = t.owner.Seal()
	if t.err != nil {
		t.settleError()
	}
	if !t.failed || t.handled || t.silent && !t.essential || t.member() != nil && !t.Daemon() {
		return
	}
	if !t.Daemon() || t.essential {
		seer = t.claimJoiner()
	}
	switch {
	case seer.Has(opJoin), t.essential && t.kernel.endMain(t), t.silent:
	default:
		t.kernel.unseen(t) // before somebody can see it
	}
}

// claimJoiner takes one waiter in Join off the list, if there is one. From then on it is
// certain that this joiner sees how t ends. So for an error that goes up through many joins
// no reports are made, each of which would be as long as the one before.
func (t *AnyTask) claimJoiner() (claimed wait.Batch) {
	if t.state.Load() != joined {
		return claimed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := t.joiners.First(); w != nil; {
		next := t.joiners.Next(w)
		if w.Op() == opJoin && t.joiners.Take(w) {
			claimed.Add(w)
			break
		}
		w = next
	}
	return claimed
}

// leave ends the task for everybody else: it takes the task out of the tree and lets its
// waiters go on. seer is the joiner that claimJoiner has taken off the list, if any.
//
// A Join is either on the list when the state becomes terminated, and handled is set, or it finds
// the task terminated. For a member of a group this decides whose failure it is, so it is one
// step, under mu. AddTask looks at the task under mu too, and marks it as joined, so that leave
// does not take the short way and overlook the group.
func (t *AnyTask) leave(seer wait.Batch) {
	if events.Wants(events.Tasks | events.Errors) {
		t.recordEnd()
	}
	var woken wait.Batch
	t.countEnd() // before anybody learns of it
	g := t.member()
	if g != nil || !t.state.CompareAndSwap(running, terminated) {
		t.mu.Lock()
		t.joiners.PopAll(&woken)
		t.handled = t.handled || woken.Has(opJoin) || seer.Has(opJoin)
		g = t.member()
		t.state.Store(terminated)
		t.mu.Unlock()
	}
	t.owner.Scope.Close()
	if g != nil {
		t.see() // it may have been adopted after the failure was noted
		g.memberDone(t)
	}
	seer.Wake()
	woken.Wake()
}

// see notes that somebody has seen how the task ended.
func (t *AnyTask) see() {
	if t.noted {
		t.kernel.seen(t)
	}
}

// kernelOf is the kernel of ctx's task, or the default one.
func kernelOf(ctx context.Context) *Kernel {
	if o := wait.CurrentTask(ctx); o != nil {
		return taskOf(o).kernel
	}
	return defaultKernel
}
