package curio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/internal/trouble"
	"github.com/curio-go/curio/internal/wait"
)

// Run makes a kernel, runs main in it as a task, and shuts the kernel down: when main has returned,
// every other task is cancelled and waited for. It returns main's own error; a panic in main is a
// *PanicError. When ctx is done, main is cancelled, and Run still waits for it to end.
//
// Run may be called several times at once, and from within a task. It panics if main is nil.
func Run(ctx context.Context, main func(context.Context) error, opts ...KernelOption) error {
	k := NewKernel(opts...)
	pc := caller(3)
	end := func() { _ = k.shutdown(context.Background(), pc) }
	if k.isGradual() {
		return k.runGradually(ctx, main, pc, end)
	}
	defer end()
	return k.run(ctx, main, pc, nil)
}

// A Kernel owns tasks: those that it runs and all that these spawn. NewKernel makes one; the zero
// value cannot be used. All methods are safe for concurrent use.
type Kernel struct {
	id       uint64
	root     *wait.Scope
	services *wait.Scope // the root of the tasks that are services, and of theirs
	logger   *slog.Logger
	crash    bool
	threads  threads
	failures failures

	// How Run ends; see stop_run.go. Set by options.
	grace, pause time.Duration
	stopOn       []signals.Signal

	lookEvery time.Duration // see WatchDeadlocks; 0 for never
	watching  atomic.Bool
	limited   atomic.Int32 // Runs whose context has a deadline, which ends them step by step
}

var defaultKernel = newKernel(wait.Default)

func newKernel(root *wait.Scope) *Kernel {
	k := &Kernel{root: root, services: wait.NewKernel(), threads: threads{slots: NewBoundedSemaphore(maxThreads)}}
	k.register()
	return k
}

// NewKernel returns a kernel that runs nothing yet. Call its Shutdown when it is no longer needed:
// until then it is kept in memory, with its tasks, even if nothing refers to it any more.
func NewKernel(opts ...KernelOption) *Kernel {
	k := newKernel(wait.NewKernel())
	for _, o := range opts {
		o.applyTo(k)
	}
	return k
}

// A KernelOption changes how a kernel works. The options are Logger, CrashOnPanic, MaxThreads and
// WatchDeadlocks, and those that change how Run stops: Grace, Pause and StopOnSignals.
type KernelOption interface{ applyTo(k *Kernel) }

type kernelOption func(*Kernel)

func (o kernelOption) applyTo(k *Kernel) { o(k) }

// Logger makes the kernel log to l instead of slog.Default().
func Logger(l *slog.Logger) KernelOption {
	return kernelOption(func(k *Kernel) { k.logger = l })
}

// CrashOnPanic makes a panic in a task end the process, as in any other goroutine of Go, after it
// has been logged with the task's path. Without it, the panic is logged and becomes the task's
// error.
func CrashOnPanic() KernelOption { return kernelOption(func(k *Kernel) { k.crash = true }) }

// Run runs main as a task and waits for it to end. It returns main's own error; a panic in main is a
// *PanicError. When ctx is done, main is cancelled, and Run still waits. Tasks that main has spawned
// go on running after Run has returned, until they end or the kernel is shut down. A kernel may run
// any number of functions, one after another or at the same time. If the kernel has been shut down,
// the error is ErrKernelShutdown.
//
// A task of the same kernel must use Spawn instead: for it, Run returns an error. Run panics if main
// is nil.
func (k *Kernel) Run(ctx context.Context, main func(context.Context) error) error {
	pc := caller(3)
	if k.isGradual() {
		return k.runGradually(ctx, main, pc, nil)
	}
	return k.run(ctx, main, pc, nil)
}

// run is Run for a call at pc. If d is not nil, ctx does not cancel main: d decides.
func (k *Kernel) run(ctx context.Context, main func(context.Context) error, pc uintptr, d *descent) error {
	if main == nil {
		panic("curio: Run of a nil function")
	}
	if t := CurrentTask(ctx); t != nil && t.kernel == k {
		return fmt.Errorf("curio: Run called by task %s of the same kernel; use Spawn", t.trail())
	}
	t := new(AnyTask)
	t.prepare(ctx, reflect.ValueOf(main).Pointer(), nil)
	t.setSpawn(pc)
	t.kernel, t.role = k, mainTask
	of := ctx
	if d != nil {
		of = context.WithoutCancel(ctx)
		if _, limited := ctx.Deadline(); limited && k.grace >= 0 {
			k.limited.Add(1)
			defer k.limited.Add(-1)
		}
	}
	t.number()
	open := t.owner.InitMain(of, k.root)
	if events.Wants(events.Tasks) {
		t.recordBirth(ctx)
	}
	if !open {
		if wait.Marking() {
			t.owner.LeaveMark()
		}
		t.err, t.failed = ErrKernelShutdown, true
		t.countEnd()
		t.recordEnd()
		t.owner.Scope.Close()
		return ErrKernelShutdown
	}
	k.watchDeadlocks(&t.owner.Scope)
	if wait.Marking() {
		go t.runMarked(plain(main))
	} else {
		go t.run(plain(main))
	}
	if d != nil {
		d.main(ctx, t)
		return d.outcome(t, k.outcome(t))
	}
	_ = t.waitFor(context.WithoutCancel(ctx), opJoin)
	return k.outcome(t)
}

// outcome returns what the main task t has ended with. If an essential task has ended it, that
// task's failure takes the place of the cancellation.
func (k *Kernel) outcome(t *AnyTask) error {
	c := t.owner.Cause()
	if c == nil || c.Kind != wait.Essential || !c.IsOf(&t.owner.Scope) { // not that of a kernel around this one
		return t.Err()
	}
	rest, _ := endingOf(&t.owner.Scope).rest(t.Err())
	if rest == nil {
		return c.Reason
	}
	return errors.Join(c.Reason, rest)
}

// endMain cancels the main tasks that run, as t, an essential task, has failed. did is false if
// there are none.
func (k *Kernel) endMain(t *AnyTask) (did bool) {
	for _, main := range k.Tasks() {
		if main.role != mainTask {
			continue
		}
		c := wait.NewCause(&main.owner.Scope, wait.Essential, newTaskError(t))
		c.By = authorOf(t)
		did = main.owner.Scope.Cancel(c) || did
	}
	return did
}

// Tasks returns the tasks that have not ended, in no particular order.
func (k *Kernel) Tasks() []*AnyTask {
	var tasks []*AnyTask
	for _, root := range []*wait.Scope{k.root, k.services} {
		root.Tasks(func(o *wait.Owner) bool {
			if t := taskOf(o); !t.Terminated() {
				tasks = append(tasks, t)
			}
			return true
		})
	}
	return tasks
}

// String returns "Kernel". A kernel can be printed while it runs.
func (k *Kernel) String() string { return "Kernel" }

// KernelOf returns the kernel of ctx's task. If ctx belongs to no task, it returns the process's
// default kernel.
func KernelOf(ctx context.Context) *Kernel { return kernelOf(ctx) }

// LoggerOf returns the logger of the kernel that ctx belongs to. It is for packages that log
// something on behalf of a task.
func LoggerOf(ctx context.Context) *slog.Logger { return kernelOf(ctx).log() }

func (k *Kernel) log() *slog.Logger {
	if k.logger != nil {
		return k.logger
	}
	return slog.Default()
}

// say logs in the name of the kernel. A log handler is foreign code: if it panics, that
// must not affect the goroutine that is just ending a task.
func (k *Kernel) say(level slog.Level, text string, args ...any) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "%s (%v; and the handler of the log panicked: %v)\n", text, level, v)
		}
	}()
	k.log().Log(context.Background(), level, text, args...)
}

// panicked reports a panic at once, unless it is to be silent, and ends the process if that is
// what the kernel does.
func (k *Kernel) panicked(e *PanicError, silent bool) {
	if k.crash {
		defer func() { panic(e.Value) }() // even if the log handler ends the goroutine
	}
	if !silent || k.crash {
		trouble.Tell(trouble.Trouble{Kind: trouble.Panic, Task: e.Task, Value: e.Value, Stack: e.Stack, Last: k.crash})
	}
	if !silent {
		k.say(slog.LevelError, "curio: task panicked", "task", e.Task, "panic", e.Value, "stack", string(e.Stack))
	}
}
