package curio

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A Locker is one of the locks of this package: a *Lock, an *RLock or an *RWLock. A
// Condition works with any of them.
//
// Each method takes a context, for it says whose the lock is: the task that the context
// belongs to is the holder. Goroutines that belong to no task count as one holder, and
// so do those with which a task has shared its context.
type Locker interface {
	// Acquire takes the lock, and waits for it if it must, in order of arrival. If
	// ctx ends first, the error is that of ctx and the lock is not taken.
	Acquire(ctx context.Context) error

	// TryAcquire takes the lock if that can be done at once, and reports whether it
	// has. It does not ask whether ctx is alive.
	TryAcquire(ctx context.Context) bool

	// Release gives the lock to the one that has waited longest. It never blocks and
	// does not ask whether ctx is alive. It panics if the lock is not held, or held
	// by another task.
	Release(ctx context.Context)

	// Do calls fn with the lock held, and releases it however fn ends: also by a
	// panic. The error is fn's, or that of Acquire.
	Do(ctx context.Context, fn func(context.Context) error) error

	// Snapshot returns who holds the lock and who waits for it.
	Snapshot() Snapshot

	heldBy(o *wait.Owner) bool
	leave(ctx context.Context) (depth int) // releases it, however often it is held
	enter(ctx context.Context, depth int)  // takes it back, whatever happens
}

// A Lock is a mutual exclusion lock: sync.Mutex with a context. Waiting for it can be
// cancelled; it is handed over in order of arrival, so nobody starves; it knows which
// task holds it and which wait. The zero value is free. It must not be copied after
// first use. All methods are safe for concurrent use.
//
// The task that acquires it must release it: what one task acquires and another
// releases is a Semaphore. A task that acquires a Lock that it holds waits for itself,
// until its context ends: see RLock.
//
//	if err := l.Acquire(ctx); err != nil {
//		return err
//	}
//	defer l.Release(ctx)
//
// It is Curio's Lock. A task that waits for it is in the state LOCK_ACQUIRE.
type Lock struct {
	mu      sync.Mutex
	held    bool
	holder  *wait.Owner // nil for a goroutine of no task
	waiters wait.List
}

var _ Locker = (*Lock)(nil)

// Acquire takes the lock, and waits for it if it must, in order of arrival. If ctx ends
// first, the error is that of ctx and the lock is not taken.
func (l *Lock) Acquire(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	if !l.held {
		l.held, l.holder = true, p.Owner()
		l.mu.Unlock()
		wait.Held(ctx, l, 1)
		return nil
	}
	w := p.Waiter("LOCK_ACQUIRE", l)
	if err = w.WaitIn(&l.waiters, &l.mu); err == nil {
		wait.Held(ctx, l, 1)
	}
	w.Free()
	return err
}

// TryAcquire takes the lock if it is free, and reports whether it has. It does not ask
// whether ctx is alive.
func (l *Lock) TryAcquire(ctx context.Context) bool {
	me := wait.CurrentTask(ctx)
	l.mu.Lock()
	free := !l.held
	if free {
		l.held, l.holder = true, me
	}
	l.mu.Unlock()
	if free {
		wait.Held(ctx, l, 1)
	}
	return free
}

// Release hands the lock to the one that has waited longest. It never blocks and does
// not ask whether ctx is alive. It panics if the lock is not held, or held by another
// task.
func (l *Lock) Release(ctx context.Context) {
	me := wait.CurrentTask(ctx)
	l.mu.Lock()
	if !l.held || l.holder != me {
		held, holder := l.held, l.holder
		l.mu.Unlock()
		panic(wrongRelease("Lock", me, held, holder))
	}
	next := l.waiters.Pop()
	l.held, l.holder = next != nil, next.Owner()
	l.mu.Unlock()

	wait.Held(ctx, l, -1)
	if next != nil {
		next.Wake()
	}
}

// wrongRelease says what is wrong when me releases a lock.
func wrongRelease(kind string, me *wait.Owner, held bool, holder *wait.Owner) string {
	who := taskName(taskOf(me))
	if !held {
		return fmt.Sprintf("curio: %s releases the %s, which is not held; each Release needs an Acquire before it", who, kind)
	}
	return fmt.Sprintf("curio: %s releases the %s, which %s holds; let that one release it, or use a Semaphore", who, kind, taskName(taskOf(holder)))
}

// Do calls fn with the lock held, and releases it however fn ends: also by a panic. The
// error is fn's, or that of Acquire. It panics if fn is nil.
func (l *Lock) Do(ctx context.Context, fn func(context.Context) error) error {
	return withLock(ctx, l, fn)
}

// withLock is Do of every lock.
func withLock(ctx context.Context, l Locker, fn func(context.Context) error) error {
	if fn == nil {
		panic("curio: Do with a nil function")
	}
	if err := l.Acquire(ctx); err != nil {
		return err
	}
	defer l.Release(ctx)
	return fn(ctx)
}

// Locked reports whether the lock is held.
func (l *Lock) Locked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Snapshot returns who holds the lock and who waits for it.
func (l *Lock) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Snapshot{Waiters: appendWaiters(nil, &l.waiters)}
	if l.held {
		s.Holders = []Holder{{taskOf(l.holder), 1}}
	}
	return s
}

// String says who holds the lock and how many wait.
func (l *Lock) String() string { return l.Snapshot().text("Lock", "") }

func (l *Lock) heldBy(o *wait.Owner) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held && l.holder == o
}

func (l *Lock) leave(ctx context.Context) int {
	l.Release(ctx)
	return 1
}

func (l *Lock) enter(ctx context.Context, _ int) { mustAcquire(ctx, l) }

// mustAcquire takes l whatever becomes of ctx, for a Condition.
func mustAcquire(ctx context.Context, l Locker) {
	if l.TryAcquire(ctx) {
		return
	}
	if err := DisableCancellation(ctx, l.Acquire); err != nil {
		panic("curio: internal error: a wait under a shield was cancelled: " + err.Error())
	}
}
