package curio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/sentinel"
	"github.com/curio-go/curio/internal/wait"
)

// Errors of operations that were ended by cancellation or by a deadline. Compare them with
// errors.Is. The value that an operation returns also knows what cancelled it, where and why: see
// WhoCancelled.
var (
	// ErrCancelled matches each of the three errors below. It also matches the error of an operation
	// whose group failed, or whose context was cancelled by other code, such as the standard
	// library's.
	ErrCancelled = wait.ErrCancelled

	// ErrTaskCancelled means that the task was cancelled: by its Cancel method, with the context
	// that it was spawned with, with its group, or by the shutdown of its kernel. It also matches
	// context.Canceled.
	ErrTaskCancelled = wait.ErrTaskCancelled

	// ErrTaskTimeout means that the timeout that the operation is directly in has expired.
	// TimeoutAfter returns it. It also matches context.DeadlineExceeded and os.ErrDeadlineExceeded,
	// and its Timeout method returns true.
	ErrTaskTimeout = wait.ErrTaskTimeout

	// ErrTimeoutCancellation means that a timeout further out has expired. It also matches
	// context.DeadlineExceeded.
	ErrTimeoutCancellation = wait.ErrTimeoutCancellation
)

// Errors of misuse that can happen in a correct program.
var (
	// ErrUncaughtTimeout means that the ErrTaskTimeout of an inner timeout was returned out of an
	// outer one that has not expired. It is not a cancellation: the inner timeout should have been
	// handled where it was set. It also matches context.DeadlineExceeded.
	ErrUncaughtTimeout = sentinel.Deadline("curio: uncaught timeout")

	// ErrNotTerminated means that the result of a task was requested before the task had ended.
	ErrNotTerminated = errors.New("curio: task has not terminated; Join it first")

	// ErrNoTask means that a group was asked for the next result and has no task left.
	ErrNoTask = errors.New("curio: no task left in the group")

	// ErrKernelShutdown means that the kernel has been shut down and runs nothing any more.
	ErrKernelShutdown = errors.New("curio: kernel has been shut down")

	// ErrNotShielded means that EnableCancellation was called outside of DisableCancellation.
	ErrNotShielded = errors.New("curio: EnableCancellation outside of DisableCancellation; cancellation is enabled already")

	// ErrRecursiveCall means that the function of a SharedCalls or a Once has asked, directly or
	// through others, for its own result.
	ErrRecursiveCall = errors.New("curio: a function waits for its own result")

	// ErrGoexit means that the task's function called runtime.Goexit, as testing.T.FailNow does.
	ErrGoexit = errors.New("curio: task called runtime.Goexit")
)

// uncaught is ErrUncaughtTimeout, with the error that escaped. That is no longer a
// cancellation, and nobody's own timeout.
type uncaught struct{ err error }

func (u *uncaught) Error() string {
	return ErrUncaughtTimeout.Error() + ", which an inner timeout should have handled: " + u.err.Error()
}

func (u *uncaught) Is(target error) bool {
	return target == ErrUncaughtTimeout || target == context.DeadlineExceeded
}

func (u *uncaught) Unwrap() error { return u.err }

// A TaskError is the error of a Join of a task that failed or was cancelled. If the Join itself was
// cancelled, its error is not a TaskError, so the two can be told apart.
type TaskError struct {
	Task *AnyTask
	Err  error // what the task ended with

	// If Err is the TaskError of another task, and so on: the error at the end of that
	// chain, and how many TaskErrors are in it. So neither the text nor a search goes
	// through all of them.
	end   error
	below int
}

// newTaskError returns the TaskError of t, which has ended with an error.
func newTaskError(t *AnyTask) *TaskError {
	e := &TaskError{Task: t, Err: t.err, end: t.err}
	if inner, ok := t.err.(*TaskError); ok {
		e.end, e.below = inner.innermost(), inner.below+1
	}
	return e
}

// innermost returns the Err of the last TaskError in a chain of them.
func (e *TaskError) innermost() error {
	if e.end != nil {
		return e.end
	}
	return e.Err
}

// namedTasks is how many tasks the text of a TaskError names at most.
const namedTasks = 8

// Error names the task and the error that it ended with. If the error has come through many tasks,
// it names only the outermost ones.
func (e *TaskError) Error() string {
	var b strings.Builder
	b.WriteString("curio: ")
	for range namedTasks {
		fmt.Fprintf(&b, "task %s: ", e.Task.Name())
		inner, ok := e.Err.(*TaskError)
		if !ok {
			b.WriteString(plainText(e.Err))
			return b.String()
		}
		e = inner
	}
	fmt.Fprintf(&b, "%d more tasks: %s", e.below+1, plainText(e.innermost()))
	return b.String()
}

// Unwrap returns Err. If Err is, or wraps, a timeout of the task's own, it is returned as another
// task's timeout: context.DeadlineExceeded, but not ErrTaskTimeout.
func (e *TaskError) Unwrap() error { return fromElsewhere(e.Err, 0) }

// A PanicError is the error of a task that panicked.
type PanicError struct {
	Task  string // the path of the task, "" for none
	Value any    // what panic was called with
	Stack []byte // the stack of the goroutine at that moment, as text
}

// Error returns the panic's value and the task's path, without the stack.
func (e *PanicError) Error() string {
	if e.Task == "" {
		return fmt.Sprintf("curio: panic: %v", e.Value)
	}
	return fmt.Sprintf("curio: panic in task %s: %v", e.Task, e.Value)
}

// Unwrap returns Value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A TaskGroupError is the error of a group in which tasks have failed. errors.Is and errors.As look
// into each of their errors.
type TaskGroupError struct {
	Body   error      // what the group's function returned by itself, if anything
	Failed []*AnyTask // the tasks that failed, in order of failing; none that was merely cancelled
}

// Error lists all tasks that failed, with their errors. If there is only one, the text is the text
// of its TaskError.
func (e *TaskGroupError) Error() string {
	var b strings.Builder
	b.WriteString("curio: ")
	if len(e.Failed) > 1 {
		fmt.Fprintf(&b, "%d of the group's tasks failed: ", len(e.Failed))
	}
	for i, t := range e.Failed {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "task %s: %s", t.Name(), plainText(t.err))
	}
	if e.Body != nil {
		fmt.Fprintf(&b, "; and the group's function returned: %s", plainText(e.Body))
	}
	return b.String()
}

// plainText returns the text of err without our prefix, for a text that begins with it.
func plainText(err error) string { return strings.TrimPrefix(fmt.Sprint(err), "curio: ") }

// Unwrap returns Body, if there is one, and a *TaskError for each of Failed.
func (e *TaskGroupError) Unwrap() []error {
	var errs []error
	if e.Body != nil {
		errs = append(errs, e.Body)
	}
	for _, t := range e.Failed {
		errs = append(errs, newTaskError(t))
	}
	return errs
}

// A ShutdownError lists what had not ended when Shutdown gave up.
type ShutdownError struct {
	// Tasks has a line for each task that has not ended, with its path, state and place. It also has
	// a line for everything else that holds the kernel up, such as a goroutine that is in a shield
	// and not in a task. It is never empty. If there are more than 50 lines, the last one counts the
	// rest.
	Tasks []string

	Err error // why Shutdown gave up

	more int // how many the last line stands for, 0 if only for itself
}

// Error lists what has not ended, one per line.
func (e *ShutdownError) Error() string {
	n := len(e.Tasks)
	if e.more > 0 {
		n += e.more - 1
	}
	return fmt.Sprintf("curio: shutdown gave up on %d tasks: %v\n\t%s", n, e.Err, strings.Join(e.Tasks, "\n\t"))
}

// Unwrap returns Err.
func (e *ShutdownError) Unwrap() error { return e.Err }

// A Cancellation describes what ended an operation, and why.
type Cancellation struct {
	By      string    // path of the task that cancelled, "" if no task did
	Where   string    // file:line of the call that cancelled, "" if a deadline or another context did
	When    time.Time // when that was
	Reason  error     // what the canceller gave as its reason, or the cause of a context that is not ours
	Expired bool      // it was a deadline of this package; a standard context's deadline is a cancellation
}

// WhoCancelled returns what ended the operation that failed with err. The result is false if err is
// not, and does not wrap, an error of cancellation. WhoCancelled also accepts context.Cause(ctx) for
// a context of this package, or one derived from it.
func WhoCancelled(err error) (Cancellation, bool) {
	var e *wait.Error
	if !errors.As(err, &e) {
		return Cancellation{}, false
	}
	return cancellationOf(e.Cause()), true
}

func cancellationOf(c *wait.Cause) Cancellation {
	return Cancellation{By: c.Who(), Where: c.Where(), When: c.When(), Reason: c.Reason, Expired: c.Kind == wait.Expired}
}
