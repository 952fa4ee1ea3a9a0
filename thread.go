package curio

import (
	"context"
	"fmt"
	"reflect"

	"github.com/curio-go/curio/internal/thread"
	"github.com/curio-go/curio/internal/wait"
)

// RunInThread calls fn, which may block in something that no context can end, and waits for it. At
// most 64 calls of a kernel run at the same time (see MaxThreads); other calls wait for a slot.
//
// If ctx is done first, the error is ctx's error, and fn is abandoned. It runs on in the background,
// but no longer has a slot, so that functions that hang for ever do not hold up others.
// Kernel.ThreadCalls shows it. If late is given, it is called with what fn eventually returns, in
// fn's goroutine, to undo or close it. Without late, an error that comes too late is logged. A
// function that had not begun is not called any more.
//
// If fn panics, the panic is logged at once, and the error is a *PanicError. If fn calls
// runtime.Goexit, the error is ErrGoexit. RunInThread panics if fn is nil.
//
// It is Curio's run_in_thread; late is its call_on_cancel. A task that waits is in the
// state THREAD_SLOT, and then THREAD_CALL.
func RunInThread[T any](ctx context.Context, fn func() (T, error), late ...func(T, error)) (T, error) {
	return newCall(ctx, "RunInThread", fn, late).at(ctx, func(c *call[T], p wait.Place) (T, error) {
		return c.inThread(p, c.kernel.threads.slots)
	})
}

// RunInThreadLimited calls fn as RunInThread does, but with slots of the caller's own. While a
// caller waits for its function, the call takes one unit of slots, and none of the kernel's 64
// slots. Calls that share slots bound only each other, in whichever kernel they are. So a slow disk,
// or a library that works only with few callers at a time, does not hold up other calls.
//
//	var lookups = curio.NewSemaphore(8)
//
//	addrs, err := curio.RunInThreadLimited(ctx, lookups, func() ([]string, error) {
//		return legacy.Lookup(name)
//	})
//
// Everything else is as with RunInThread. In particular, an abandoned function has no slot any more.
// The semaphore serves its waiters in order of arrival, whether they want a unit for a thread or for
// something else. If it has no units, the call waits until it is resized. While a caller waits for
// its function, the semaphore's Snapshot shows its task as a holder. Do not call RunInThreadLimited
// while holding the last unit of slots: it would wait for its own caller.
//
// RunInThreadLimited panics if slots or fn is nil. It is Trio's to_thread.run_sync with a
// limiter. A task that waits is in the state THREAD_SLOT, and then THREAD_CALL.
func RunInThreadLimited[T any](ctx context.Context, slots *Semaphore, fn func() (T, error), late ...func(T, error)) (T, error) {
	if slots == nil {
		panic("curio: RunInThreadLimited without slots; pass a semaphore such as NewSemaphore(8), or call RunInThread for the kernel's slots")
	}
	return newCall(ctx, "RunInThreadLimited", fn, late).at(ctx, func(c *call[T], p wait.Place) (T, error) {
		return c.inThread(p, slots)
	})
}

func (c *call[T]) inThread(p wait.Place, slots *Semaphore) (T, error) {
	if err := slots.acquire(p, 1, "THREAD_SLOT"); err != nil {
		var none T
		return none, err
	}
	defer slots.release(p.Owner(), 1)
	c.kernel.threads.add(&c.ThreadCall)
	go c.run()
	return c.wait(p, "THREAD_CALL")
}

// BlockInThread calls fn as RunInThread does. It is for a function that may block for long and that
// many tasks may wait for, such as a wait for a condition of another library. For each key, one call
// of a kernel runs at a time, in a single goroutine, however many tasks wait. The others wait in
// order of arrival. It takes none of RunInThread's slots.
//
// A call that is abandoned keeps its key until fn returns. BlockInThread panics if key is nil or
// cannot be the key of a map. It is Curio's block_in_thread. A task that waits is in the state
// THREAD_TURN, and then THREAD_CALL.
func BlockInThread[T any](ctx context.Context, key any, fn func() (T, error), late ...func(T, error)) (T, error) {
	if !isKey(key) {
		panic(fmt.Sprintf("curio: BlockInThread with a key of type %T, %v, which cannot be the key of a map", key, key))
	}
	c := newCall(ctx, "BlockInThread", fn, late)
	c.Key = key
	return c.at(ctx, func(c *call[T], p wait.Place) (T, error) { return blockInThread(p, key, "THREAD_CALL", c) })
}

// isKey reports whether key is equal to itself, unlike a function and unlike NaN.
func isKey(key any) bool {
	v := reflect.ValueOf(key)
	return key != nil && v.Comparable() && v.Equal(v)
}

func blockInThread[T any](p wait.Place, key any, op string, c *call[T]) (T, error) {
	threads := &c.kernel.threads
	turn := threads.join(key)
	owner, begun := p.Owner(), false
	defer func() { // even if the context panics
		if !begun {
			threads.leave(key)
		}
	}()
	if err := turn.acquire(p, 1, "THREAD_TURN"); err != nil {
		var none T
		return none, err
	}
	begun = true
	threads.add(&c.ThreadCall)
	go func() {
		defer threads.leave(key)
		defer turn.release(owner, 1)
		c.run()
	}()
	return c.wait(p, op)
}

// An Executor runs functions, in goroutines or threads of its own. Submit may block. If it returns
// an error, the function will not run.
type Executor interface{ Submit(fn func()) error }

// RunInExecutor calls fn as RunInThread does, but in an Executor, such as another library's pool. If
// ctx is done first, the error is ctx's error. A function that has not been started by then is not
// started any more, and the call does not wait for a pool that never runs what it has accepted. An
// error of Submit is the error of the call; it is dropped if ctx is done by then.
//
// It panics if ex is nil. It is Curio's run_in_executor. A task that waits is in the
// state THREAD_CALL.
func RunInExecutor[T any](ctx context.Context, ex Executor, fn func() (T, error), late ...func(T, error)) (T, error) {
	if ex == nil {
		panic("curio: RunInExecutor without an executor")
	}
	c := newCall(ctx, "RunInExecutor", fn, late)
	return c.at(ctx, func(c *call[T], p wait.Place) (T, error) {
		c.kernel.threads.add(&c.ThreadCall)
		go c.submit(ex)
		return c.wait(p, "THREAD_CALL")
	})
}

// SpawnThread starts fn as a task that owns an OS thread for its whole life. Nothing else runs on
// the thread, and it ends with the task, so what fn changes about it, such as its Linux namespaces,
// affects no other code. A task spawned by fn does not run on that thread. Switching to such a task
// is slow. Everything else is as with Spawn.
//
// It is Curio's spawn_thread.
func SpawnThread[T any](ctx context.Context, fn func(context.Context) (T, error), opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: SpawnThread of a nil function")
	}
	t := newTask(ctx, fn, reflect.ValueOf(fn).Pointer(), opts)
	if t.enter(ctx, nil, t) {
		thread.Go(func() {
			if wait.Marking() {
				t.runMarked(t)
			} else {
				t.run(t)
			}
		})
	}
	return t
}
