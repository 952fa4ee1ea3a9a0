package curio

import (
	"context"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// Spawn starts fn as a task and returns at once. The task ends when fn returns.
// Its context is cancelled by Cancel, when ctx is cancelled, or when the kernel
// shuts down, and it ends with the task. The task may outlive the one that spawned it.
// But one spawned with a context that the standard library derived from ours, as
// context.WithCancel does, ends with that context, which ends with the task that it
// belongs to; context.WithoutCancel cuts that tie.
//
// The kernel is that of ctx; a ctx of no task, as context.Background(), stands for
// the process's default kernel. A kernel that has been shut down spawns nothing:
// the task ends with ErrKernelShutdown. Spawn panics if fn is nil.
func Spawn[T any](ctx context.Context, fn func(context.Context) (T, error), opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: Spawn of a nil function")
	}
	t := &Task[T]{fn: fn}
	t.prepare(ctx, t, reflect.ValueOf(fn).Pointer(), opts)
	t.start(ctx, nil)
	return t
}

// Go is Spawn for a function that has no result but an error.
func Go(ctx context.Context, fn func(context.Context) error, opts ...SpawnOption) *Task[struct{}] {
	if fn == nil {
		panic("curio: Go with a nil function")
	}
	t := &Task[struct{}]{fn: func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }}
	t.prepare(ctx, t, reflect.ValueOf(fn).Pointer(), opts)
	t.start(ctx, nil)
	return t
}

// A SpawnOption changes how a task is spawned.
type SpawnOption func(*AnyTask)

// Name gives the task a name for errors, logs and whoever watches.
func Name(name string) SpawnOption { return func(t *AnyTask) { t.name = name } }

// Daemon makes the task a daemon. It keeps the values of its context and not its
// cancellation: it ends with its kernel, if nobody cancels it. Nobody waits for it,
// and since nobody joins it, its error is logged when it ends.
//
// A daemon in a group is cancelled at the group's end, at the same time as the others
// that are left, and counts for nothing else, and the group does not remember it: so a
// server keeps its connections.
func Daemon() SpawnOption { return func(t *AnyTask) { t.daemon = true } }

// ReportCrash says whether the error of the task is logged if nobody sees it, and
// whether its panic is. It is, by default.
func ReportCrash(report bool) SpawnOption { return func(t *AnyTask) { t.silent = !report } }

var lastID atomic.Uint64

func (t *AnyTask) prepare(ctx context.Context, b body, entry uintptr, opts []SpawnOption) {
	t.owner.ID = lastID.Add(1)
	t.owner.Task, t.entry = b, entry
	t.kernel = kernelOf(ctx)
	t.owner.InheritLocals(wait.CurrentTask(ctx))
	for _, o := range opts {
		o(t)
	}
}

// start puts t into the tree and starts its goroutine. g is the group it is a
// member of, if any, whose scope ctx is.
func (t *AnyTask) start(ctx context.Context, g *group) {
	if t.enter(ctx, g) {
		go t.run()
	}
}

// enter puts t into the tree. It is false if the kernel has been shut down; then t has
// ended.
func (t *AnyTask) enter(ctx context.Context, g *group) (open bool) {
	if t.daemon && g == nil {
		open = t.owner.InitDaemon(ctx, t.kernel.root)
	} else {
		open = t.owner.InitTask(ctx, t.kernel.root)
	}
	if !open {
		t.err = ErrKernelShutdown
		t.finish()
	}
	return open
}

// run is the task's goroutine. Traceback finds the goroutine by this function's
// name and its argument, which is why it is not inlined and keeps t to the end.
//
//go:noinline
func (t *AnyTask) run() {
	defer t.finish()
	defer func() {
		if v := recover(); v != nil {
			t.panicked(v)
		}
	}()
	t.state.CompareAndSwap(created, running)
	if g := t.group.Load(); g == nil || g.admit(t) {
		t.err = ErrGoexit // what is true if the function does not return
		t.err = t.body().call(&t.owner.Scope)
	}
	runtime.KeepAlive(t)
}

// panicked notes that the task's function has panicked with v. It is reported in this
// moment: whoever joins the task may do so late or never.
func (t *AnyTask) panicked(v any) {
	e := newPanicError(t, v)
	t.err = e
	t.kernel.panicked(e, t.silent)
}

// newPanicError is for a panic with v in the name of t, to be called by the function
// that has recovered it. t may be nil.
func newPanicError(t *AnyTask, v any) *PanicError {
	return &PanicError{Task: t.Path(), Value: v, Stack: debug.Stack()}
}

// finish ends the task.
func (t *AnyTask) finish() {
	defer t.leave() // whatever a log handler does
	t.stopped = t.owner.Seal()
	if t.err != nil {
		t.settleError()
	}
	if t.failed && !t.silent && (t.daemon || t.group.Load() == nil) {
		t.kernel.unseen(t) // before somebody can see it
	}
}

// leave takes the task out of the tree, and lets those who wait for it go on.
func (t *AnyTask) leave() {
	var woken wait.Batch
	if t.state.Swap(terminated) == joined {
		t.mu.Lock()
		woken = t.joiners.PopAll()
		t.mu.Unlock()
	}
	t.owner.Scope.Close()
	if g := t.group.Load(); g != nil { // read after the swap: see adopt
		if t.failed && !t.daemon {
			t.kernel.seen(t) // it may have been adopted just now
		}
		g.memberDone(t, woken.Has(opJoin))
	}
	woken.Wake()
}

// see notes that somebody has seen how the task ended.
func (t *AnyTask) see() {
	if t.err != nil {
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
