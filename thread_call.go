package curio

import (
	"context"
	"reflect"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A ThreadCall is a function that runs in a thread, for whoever watches.
type ThreadCall struct {
	Op        string    // RunInThread, BlockInThread, RunInExecutor or Abide
	Name      string    // of the function
	Task      string    // path of the task that called, "" for none
	Key       any       // of BlockInThread
	Since     time.Time // when it was called
	Abandoned bool      // nobody waits for it any more
}

// A call is a ThreadCall that knows the type of its result. The function runs in a
// goroutine of its own, which keeps an OS thread if it has to. The caller waits, and can
// be cancelled.
//
//	running ──► returned   by the function's goroutine
//	        ──► abandoned  by the caller, whose context has ended
//
// Both settle the call's Result, and the first one counts. An abandoned function runs on;
// what it returns in the end is late.
type call[T any] struct {
	ThreadCall

	kernel *Kernel
	task   *AnyTask // who called, nil for none
	fn     func() (T, error)
	late   func(T, error) // may be nil
	result Result[T]
}

func newCall[T any](ctx context.Context, op string, fn func() (T, error), late []func(T, error)) *call[T] {
	if fn == nil {
		panic("curio: " + op + " of a nil function")
	}
	t := CurrentTask(ctx)
	c := &call[T]{kernel: kernelOf(ctx), task: t, fn: fn}
	c.ThreadCall = ThreadCall{Op: op, Name: functionName(reflect.ValueOf(fn).Pointer()), Task: t.Path(), Since: wait.Clock()}
	if len(late) > 0 {
		c.late = late[0]
	}
	return c
}

// wait waits for the function to return, or abandons it.
func (c *call[T]) wait(ctx context.Context, op string) (T, error) {
	switch err := c.result.wait(ctx, op, c); {
	case err == nil:
	case c.result.SetError(err):
		c.kernel.abandoned(&c.ThreadCall)
	default:
		wait.Saved(ctx, err)
	}
	return c.result.value, c.result.err // it may have returned in the moment that ctx ended
}

// submit hands the call to an executor.
func (c *call[T]) submit(ex Executor) {
	defer func() {
		if v := recover(); v != nil {
			c.refused(c.panicked(v))
		}
	}()
	if err := ex.Submit(c.run); err != nil {
		c.refused(err)
	}
}

// refused ends a call that will not be run.
func (c *call[T]) refused(err error) {
	c.kernel.threads.remove(&c.ThreadCall)
	c.result.SetError(err)
}

// run calls the function and settles the call, however the function ends.
func (c *call[T]) run() {
	defer c.kernel.threads.remove(&c.ThreadCall)
	if c.result.IsSet() { // abandoned before it was started
		return
	}
	var v T
	err := ErrGoexit // what is true if the function does not return
	defer func() { c.settle(v, err) }()
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(p)
		}
	}()
	v, err = c.fn()
}

// settle gives the caller its result, or late what nobody waits for any more.
func (c *call[T]) settle(v T, err error) {
	if c.result.settle(v, err) {
		return
	}
	if c.late != nil {
		defer func() {
			if p := recover(); p != nil {
				_ = c.panicked(p)
			}
		}()
		c.late(v, err)
		return
	}
	if _, reported := err.(*PanicError); err != nil && !reported {
		c.kernel.log().Error("curio: function in a thread failed after its call was abandoned",
			"call", c.Op, "function", c.Name, "task", c.Task, "err", err)
	}
}

// panicked reports a panic in this moment, and is the error that it becomes.
func (c *call[T]) panicked(v any) error {
	e := newPanicError(c.task, v)
	c.kernel.panicked(e, c.task != nil && c.task.silent)
	return e
}
