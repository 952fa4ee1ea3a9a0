package curio

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"sync"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// Run makes a kernel, runs main in it as a task, and shuts the kernel down: when
// main has returned, every other task is cancelled and waited for. It returns
// main's own error; a panic in main is a *PanicError. When ctx ends, main is
// cancelled, and Run still waits for it to end.
//
// Run may be called several times at once, and from within a task.
func Run(ctx context.Context, main func(context.Context) error, opts ...KernelOption) error {
	k := NewKernel(opts...)
	pc := caller(3)
	defer func() { _ = k.shutdown(context.Background(), pc) }()
	return k.Run(ctx, main)
}

// A Kernel owns tasks: those that it runs and all that these spawn. NewKernel
// makes one. All methods are safe for concurrent use.
type Kernel struct {
	root    *wait.Scope
	logger  *slog.Logger
	crash   bool
	threads threads

	mu     sync.Mutex
	failed map[uint64]failure // tasks that failed, and nobody has seen it
}

var defaultKernel = newKernel(wait.Default)

func newKernel(root *wait.Scope) *Kernel {
	return &Kernel{root: root, threads: threads{slots: NewBoundedSemaphore(maxThreads)}}
}

// NewKernel makes a kernel that runs nothing yet. It must be shut down in the end: until
// then it is kept, with its tasks, whether or not anybody still has it.
func NewKernel(opts ...KernelOption) *Kernel {
	k := newKernel(wait.NewKernel())
	for _, o := range opts {
		o(k)
	}
	return k
}

// A KernelOption changes how a kernel works.
type KernelOption func(*Kernel)

// Logger makes the kernel log to l, and not to slog.Default().
func Logger(l *slog.Logger) KernelOption { return func(k *Kernel) { k.logger = l } }

// CrashOnPanic makes a panic in a task end the process, as it does in any other
// goroutine of Go, after it has been logged with the task's path. Without it the
// panic is logged and becomes the task's error.
func CrashOnPanic() KernelOption { return func(k *Kernel) { k.crash = true } }

// Run runs main as a task and waits for it to end. It returns main's own error; a
// panic in main is a *PanicError. When ctx ends, main is cancelled, and Run still
// waits. Tasks that main has spawned go on running when Run returns, until they
// end or the kernel is shut down. A kernel may run any number of functions, one
// after the other or at the same time.
//
// A task of the same kernel cannot call Run; it is refused with an error, for
// Spawn is what is meant. Run panics if main is nil.
func (k *Kernel) Run(ctx context.Context, main func(context.Context) error) error {
	if main == nil {
		panic("curio: Run of a nil function")
	}
	if t := CurrentTask(ctx); t != nil && t.kernel == k {
		return fmt.Errorf("curio: Run called by task %s of the same kernel; use Spawn", t.Path())
	}
	t := &Task[struct{}]{fn: func(ctx context.Context) (struct{}, error) { return struct{}{}, main(ctx) }}
	t.prepare(ctx, t, reflect.ValueOf(main).Pointer(), nil)
	t.kernel = k
	if !t.owner.InitMain(ctx, k.root) {
		t.owner.Scope.Close()
		return ErrKernelShutdown
	}
	go t.run()

	_ = t.waitFor(context.WithoutCancel(ctx), opJoin)
	_, err := t.Result()
	return err
}

// Shutdown cancels every task of the kernel, and those that these still spawn, and
// waits until all have ended. Then it logs the errors of tasks that nobody has
// joined. After that the kernel runs nothing more. It does not wait for functions in
// threads that tasks have abandoned (see RunInThread), but logs which they are.
//
// If ctx ends first, the error is a *ShutdownError that says which tasks have not
// ended and where they hang; Shutdown may be called again. A task of the kernel
// cannot shut it down, as it would have to wait for itself: that is an error too.
func (k *Kernel) Shutdown(ctx context.Context) error { return k.shutdown(ctx, caller(3)) }

// stubborn is after what time a task that does not end is complained about.
var stubborn = 5 * time.Second

func (k *Kernel) shutdown(ctx context.Context, pc uintptr) error {
	t := CurrentTask(ctx)
	if t != nil && t.kernel == k {
		return fmt.Errorf("curio: Shutdown called by task %s of the same kernel, which would wait for its own end", t.Path())
	}
	c := wait.NewCause(k.root, wait.Shutdown, nil)
	c.By, c.PC = t.Path(), pc
	k.root.Cancel(c)
	for patience := stubborn; !k.root.CloseEmpty(); patience *= 2 {
		s := wait.NewTimeout(ctx, wait.After(patience))
		err := k.root.WaitEmpty(s, "KERNEL_SHUTDOWN")
		s.Close()
		if err == nil {
			continue
		}
		if _, gone := wait.At(ctx); gone != nil {
			return &ShutdownError{Tasks: k.hanging(), Err: gone}
		}
		k.log().Warn("curio: tasks do not react to the shutdown of their kernel", "tasks", k.hanging())
		k.root.Cancel(c) // again, for a daemon that has come out of a shield meanwhile
	}
	k.reportUnseen()
	if calls := k.ThreadCalls(); len(calls) > 0 {
		lines := make([]string, len(calls))
		for i, c := range calls {
			lines[i] = c.String()
		}
		k.log().Warn("curio: functions in threads outlive their kernel", "calls", lines)
	}
	return nil
}

// Tasks returns the tasks that have not ended, in no particular order.
func (k *Kernel) Tasks() []*AnyTask {
	var tasks []*AnyTask
	k.root.Tasks(func(o *wait.Owner) bool {
		if t := taskOf(o); !t.Terminated() {
			tasks = append(tasks, t)
		}
		return true
	})
	return tasks
}

// hanging describes the tasks that have not ended.
func (k *Kernel) hanging() []string {
	tasks := k.Tasks()
	stacks := tracebacks(tasks)
	lines := make([]string, len(tasks))
	for i, t := range tasks {
		file, line := where(stacks[t])
		lines[i] = fmt.Sprintf("%s: %s at %s:%d", t.Path(), t.State(), file, line)
	}
	return lines
}

// LoggerOf returns the logger of the kernel that ctx belongs to: for packages that
// have to say something in the name of a task.
func LoggerOf(ctx context.Context) *slog.Logger { return kernelOf(ctx).log() }

func (k *Kernel) log() *slog.Logger {
	if k.logger != nil {
		return k.logger
	}
	return slog.Default()
}

// panicked reports a panic in this moment, unless it is to be silent, and ends the
// process if that is what the kernel does.
func (k *Kernel) panicked(e *PanicError, silent bool) {
	if !silent {
		k.log().Error("curio: task panicked", "task", e.Task, "panic", e.Value, "stack", string(e.Stack))
	}
	if k.crash {
		panic(e.Value)
	}
}

// A failure is what is left of a task whose error nobody has seen. It does not
// keep the task.
//
// That is why it has the error as text: many errors lead back to the task.
type failure struct{ path, err string }

// unseen takes note of a failed task. A daemon is joined by nobody, so its error
// is logged now. That of any other task is logged when it is certain that nobody
// will see it: when the task is garbage, or the kernel is shut down.
func (k *Kernel) unseen(t *AnyTask) {
	if _, panicked := t.err.(*PanicError); panicked {
		return // that was logged when it happened
	}
	if t.daemon {
		k.report(t.Path(), t.err)
		return
	}
	f := failure{t.Path(), fmt.Sprint(t.err)} // Sprint survives an Error that panics
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil {
		k.failed = make(map[uint64]failure)
	}
	k.failed[t.owner.ID] = f
	runtime.AddCleanup(t, k.forgotten, t.owner.ID)
}

func (k *Kernel) seen(t *AnyTask) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.failed, t.owner.ID)
}

// forgotten is called when a failed task has become garbage.
func (k *Kernel) forgotten(id uint64) {
	k.mu.Lock()
	f, ok := k.failed[id]
	delete(k.failed, id)
	k.mu.Unlock()
	if ok {
		k.report(f.path, f.err)
	}
}

func (k *Kernel) reportUnseen() {
	k.mu.Lock()
	failed := k.failed
	k.failed = nil
	k.mu.Unlock()
	for _, f := range failed {
		k.report(f.path, f.err)
	}
}

// report logs an error that nobody else sees.
func (k *Kernel) report(path string, err any) {
	k.log().Error("curio: task failed and nobody joined it", "task", path, "err", err)
}
