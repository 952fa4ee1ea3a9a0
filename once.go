package curio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Once is a value that is made when it is first needed, by a function that may fail. The first
// success is kept for good. After a failure the next caller tries again. The zero value is ready for
// use. A Once must not be copied after first use. All methods are safe for concurrent use.
//
//	var database curio.Once[*sql.DB]
//
//	db, err := database.Do(ctx, connect)
//
// It is sync.OnceValues for functions that fail, and Tokio's OnceCell. A task that waits
// while another one tries is in the state ONCE_WAIT.
type Once[T any] struct {
	done  atomic.Bool // set under mu, for good, after value
	value T

	// Only the caller that has the turn runs its function. The turn is handed
	// on to the first waiter when a function fails, so nobody overtakes, and a waiter that has
	// it returns it by running its function, however dead its context is.
	inside atomic.Pointer[wait.Scope] // where the function runs; nil if none does

	mu      sync.Mutex
	busy    bool        // somebody has the turn
	holder  *wait.Owner // of the turn; nil for nobody, and for a goroutine of no task
	waiters wait.List
}

// Do returns the value. If there is none yet, Do calls fn. If fn returns no error, its result is the
// value from then on. After that, Do costs one atomic load: it neither calls fn nor looks at ctx, so
// clean-up that runs when ctx is done has the value too.
//
// One caller at a time calls its function, in its own task and under its own context. The others
// wait, in order of arrival. If the function fails, that caller gets the error, and the next one
// tries, with its own function and its own context. A panic goes on in the caller whose function it
// was, and counts as a failure, as runtime.Goexit does. If a waiting caller's ctx is done first, its
// error is ctx's error, and the others go on.
//
// fn's context is done when fn returns: tasks that fn has spawned with it are then cancelled. Spawn
// tasks that have to live on as a Daemon. If fn, or a task that fn has spawned, calls Do with fn's
// context or one derived from it, it would wait for itself: the error is ErrRecursiveCall. With any
// other context this is not noticed, and it waits for itself until that context is done.
//
// Do panics if fn is nil.
func (o *Once[T]) Do(ctx context.Context, fn func(context.Context) (T, error)) (T, error) {
	if fn == nil {
		panic("curio: Once.Do with a nil function")
	}
	if o.done.Load() {
		return o.value, nil
	}
	return o.try(ctx, fn)
}

// try is Do as long as there is no value.
func (o *Once[T]) try(ctx context.Context, fn func(context.Context) (T, error)) (v T, err error) {
	p, err := wait.At(ctx)
	if err != nil {
		return v, err
	}
	// If the caller is below a function that runs, that one began before the call. So there is
	// no need to look again under the mutex.
	if inside := o.inside.Load(); inside != nil && p.Below(inside) {
		return v, ErrRecursiveCall
	}
	if err = o.await(p); err != nil {
		return v, err
	}
	if o.done.Load() {
		return o.value, nil
	}
	return o.run(ctx, fn)
}

// await waits until the caller has the turn or there is a value.
func (o *Once[T]) await(p wait.Place) error {
	o.mu.Lock()
	switch {
	case o.done.Load():
		o.mu.Unlock()
		return nil
	case !o.busy:
		o.busy, o.holder = true, p.Owner()
		o.mu.Unlock()
		return nil
	case p.Untrusted():
		o.mu.Unlock()
		return p.Follow(o.await)
	}
	return p.Block("ONCE_WAIT", o, &o.waiters, &o.mu)
}

// run calls fn for the caller, which has the turn. Opening the scope calls methods of ctx, as fn
// will; whatever they do, the turn is passed on.
func (o *Once[T]) run(ctx context.Context, fn func(context.Context) (T, error)) (v T, err error) {
	succeeded := false
	defer func() {
		if succeeded {
			o.succeed(v)
		} else {
			o.pass()
		}
	}()
	s := wait.New(ctx, wait.Group)
	defer s.Close()
	o.inside.Store(s)
	v, err = fn(s)
	succeeded = err == nil
	return v, err
}

// succeed makes v the value.
func (o *Once[T]) succeed(v T) {
	o.mu.Lock()
	o.value = v
	o.done.Store(true)
	o.inside.Store(nil)
	o.busy, o.holder = false, nil
	o.waiters.WakeAll(&o.mu)
}

// pass passes the turn on to the first waiter.
func (o *Once[T]) pass() {
	o.mu.Lock()
	o.inside.Store(nil)
	next := o.waiters.Pop()
	o.busy, o.holder = next != nil, next.Owner()
	o.mu.Unlock()
	if next != nil {
		next.Wake()
	}
}

// Get returns the value, if there is one; otherwise ok is false. It does not wait.
func (o *Once[T]) Get() (v T, ok bool) {
	if !o.done.Load() {
		return v, false
	}
	return o.value, true
}

// Snapshot returns the tasks that wait. Its holder is the task that tries to make the value.
func (o *Once[T]) Snapshot() Snapshot {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := Snapshot{Waiters: appendWaiters(nil, &o.waiters)}
	if o.busy {
		s.Holders = []Holder{holder(o.holder, 1)}
	}
	return s
}

// String returns whether there is a value, which task tries to make it, and how many tasks wait.
func (o *Once[T]) String() string {
	details := "not set"
	if o.done.Load() {
		details = "set"
	}
	return o.Snapshot().text("Once", details)
}
