package curio

import (
	"context"
	"log/slog"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/wait"
)

// A ThreadCall is a function that runs in a thread, as monitoring shows it.
type ThreadCall struct {
	Op        string    // RunInThread, RunInThreadLimited, BlockInThread, RunInExecutor or Abide
	Name      string    // of the function; for Abide, the type of the lock
	Task      string    // path of the task that called, "" for none
	Key       any       // of BlockInThread, nil for the others
	Since     time.Time // when it was called
	Abandoned bool      // its caller waits no longer
}

// String returns which function runs, and for which task. It calls no method of the key: a key that
// is not a string, a number or a bool is shown by its type.
func (c ThreadCall) String() string {
	text := c.Op + " of " + c.Name
	if c.Task != "" {
		text += " by " + c.Task
	}
	if c.Key != nil {
		text += " with key " + quote.Value(c.Key) // Inspect shows it, and must not wait for a method of the key
	}
	if c.Abandoned {
		text += ", abandoned"
	}
	return text
}

// A call is a ThreadCall that knows the type of its result. The function runs in a
// goroutine of its own, which keeps an OS thread if it has to. The caller waits, and can
// be cancelled.
//
//	pending ──► started    by the function's goroutine
//	        ──► dropped    by the caller, whose context has ended, or by an executor
//	                       that refuses: the function will not run
//	started ──► returned   by the function's goroutine
//	        ──► abandoned  by the caller, whose context has ended
//
// The last two settle the call's Result, and the first one counts. An abandoned function runs on;
// what it eventually returns is late.
type call[T any] struct {
	ThreadCall

	kernel *Kernel
	task   *AnyTask // who called, nil for none
	fn     func() (T, error)
	late   func(T, error) // may be nil
	phase  atomic.Uint32
	result Result[T]
}

const (
	pending = iota
	started
	dropped
)

func newCall[T any](ctx context.Context, op string, fn func() (T, error), late []func(T, error)) *call[T] {
	if fn == nil {
		panic("curio: " + op + " of a nil function")
	}
	t := CurrentTask(ctx)
	c := &call[T]{kernel: kernelOf(ctx), task: t, fn: fn}
	c.ThreadCall = ThreadCall{Op: op, Name: functionName(reflect.ValueOf(fn).Pointer()), Task: t.trail(), Since: wait.Clock()}
	switch len(late) {
	case 0:
	case 1:
		c.late = late[0]
	default:
		panic("curio: " + op + " with more than one function for a late result")
	}
	return c
}

// at makes the call at the place of ctx. Every part of it waits, so a context that is not
// ours is followed before anything begins.
func (c *call[T]) at(ctx context.Context, do func(c *call[T], p wait.Place) (T, error)) (v T, err error) {
	p, err := wait.At(ctx)
	if err != nil {
		return v, err
	}
	if !p.Untrusted() {
		return do(c, p)
	}
	return wait.FollowFor(p, func(p wait.Place) (T, error) { return do(c, p) })
}

// wait waits for the function to return, or abandons it.
func (c *call[T]) wait(p wait.Place, op string) (T, error) {
	waited, err := false, ErrGoexit
	defer func() {
		if !waited { // the context has panicked, or ended the goroutine: nobody will ask for the result
			c.abandon(err)
		}
	}()
	err = c.result.wait(p, op, c)
	waited = true
	if !c.abandon(err) && err != nil {
		p.Saved(err)
	}
	return c.result.value, c.result.err // the function may have returned just as the context was done
}

// abandon settles the call with err, if err is not nil and the function has not returned,
// and reports whether it did so.
func (c *call[T]) abandon(err error) bool {
	abandoned := err != nil && c.result.SetError(err)
	if abandoned && !c.phase.CompareAndSwap(pending, dropped) {
		c.kernel.abandoned(&c.ThreadCall)
	} else {
		c.kernel.threads.remove(&c.ThreadCall)
	}
	return abandoned
}

// submit hands the call to an executor.
func (c *call[T]) submit(ex Executor) {
	err := ErrGoexit // what is true if Submit does not return
	defer func() { c.refuse(err) }()
	defer func() {
		if v := recover(); v != nil {
			e := newPanicError(c.task, v)
			err = e
			c.panicked(e)
		}
	}()
	err = ex.Submit(c.run)
}

// refuse ends a call that will not be run because of err, if that is an error.
func (c *call[T]) refuse(err error) {
	if err != nil && c.phase.CompareAndSwap(pending, dropped) {
		c.result.SetError(err)
	}
}

// run calls the function and settles the call, however the function ends.
func (c *call[T]) run() {
	if !c.phase.CompareAndSwap(pending, started) {
		return
	}
	defer c.kernel.threads.remove(&c.ThreadCall)
	var v T
	err := ErrGoexit // what is true if the function does not return
	defer func() { c.settle(v, err) }()
	defer func() {
		if p := recover(); p != nil {
			e := newPanicError(c.task, p)
			err = e // before the process may end with it
			c.panicked(e)
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
				c.panicked(newPanicError(c.task, p))
			}
		}()
		c.late(v, err)
		return
	}
	if _, reported := err.(*PanicError); err != nil && !reported {
		c.kernel.say(slog.LevelError, "curio: function in a thread failed after its call was abandoned",
			"call", c.Op, "function", c.Name, "task", c.Task, "err", err)
	}
}

// panicked reports a panic at once.
func (c *call[T]) panicked(e *PanicError) { c.kernel.panicked(e, c.task != nil && c.task.silent) }
