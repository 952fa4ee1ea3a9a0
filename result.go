package curio

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Result is a value, or an error, that is set once and that any number of tasks can wait for. The
// zero value is ready for use and not set. A Result must not be copied after first use. All methods
// are safe for concurrent use.
//
// It is Curio's Result, UniversalResult and Promise. A task that waits for it is in the
// state RESULT_WAIT.
type Result[T any] struct {
	set   atomic.Bool // last of all
	value T
	err   error

	mu      sync.Mutex
	waiters wait.List
}

// SetValue sets the result to v, unless it is set already, and reports whether it did.
func (r *Result[T]) SetValue(v T) bool { return r.settle(v, nil) }

// SetError sets the result to the error err, unless it is set already, and reports whether it did.
// It panics if err is nil.
func (r *Result[T]) SetError(err error) bool {
	if err == nil {
		panic("curio: SetError(nil); use SetValue for a result that is not an error")
	}
	var none T
	return r.settle(none, err)
}

func (r *Result[T]) settle(v T, err error) bool {
	r.mu.Lock()
	if r.set.Load() {
		r.mu.Unlock()
		return false
	}
	r.value, r.err = v, err
	r.set.Store(true)
	r.waiters.WakeAll(&r.mu)
	return true
}

// IsSet reports whether the result is set.
func (r *Result[T]) IsSet() bool { return r.set.Load() }

// Wait waits until the result is set, to a value or an error. It returns nil then. If ctx is done
// first, the error is ctx's error.
func (r *Result[T]) Wait(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	return r.wait(p, "RESULT_WAIT", r)
}

// wait is Wait for object in the state op.
func (r *Result[T]) wait(p wait.Place, op string, object any) error {
	switch {
	case r.set.Load():
		return nil
	case p.Untrusted():
		return p.Follow(func(p wait.Place) error { return r.wait(p, op, object) })
	}
	r.mu.Lock()
	if r.set.Load() {
		r.mu.Unlock()
		return nil
	}
	return p.Block(op, object, &r.waiters, &r.mu)
}

// Get waits until the result is set and returns it: the value, or the error that SetError was given.
// If ctx is done first, the error is ctx's error. To tell the two apart, call Wait first. If the
// error that was set is another task's own timeout, it is context.DeadlineExceeded here and not
// ErrTaskTimeout.
func (r *Result[T]) Get(ctx context.Context) (T, error) {
	p, err := wait.At(ctx)
	if err == nil {
		err = r.wait(p, "RESULT_WAIT", r)
	}
	if err != nil {
		var none T
		return none, err
	}
	return r.value, fromElsewhere(r.err, idOf(taskOf(p.Owner())))
}

// Do calls fn and sets the result to what it returns. did reports whether Do has set the result. If
// fn panics, the result is a *PanicError and the panic goes on; if fn calls runtime.Goexit, the
// result is ErrGoexit. Do panics if fn is nil.
func (r *Result[T]) Do(ctx context.Context, fn func(context.Context) (T, error)) (did bool) {
	if fn == nil {
		panic("curio: Do with a nil function")
	}
	t, returned := CurrentTask(ctx), false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			r.SetError(newPanicError(t, v))
			panic(v)
		}
		r.SetError(ErrGoexit)
	}()
	v, err := fn(ctx)
	returned = true
	return r.settle(v, err)
}

// Snapshot returns the tasks that wait. A result has no holders.
func (r *Result[T]) Snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &r.waiters)}
}

// String returns the result, if it is set, and how many tasks wait.
func (r *Result[T]) String() string {
	details := "not set"
	switch {
	case !r.IsSet():
	case r.err != nil:
		details = "error: " + r.err.Error()
	default:
		details = fmt.Sprint(r.value)
	}
	return r.Snapshot().text("Result", details)
}
