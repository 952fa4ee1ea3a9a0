package curio

import (
	"context"
	"fmt"

	"github.com/curio-go/curio/internal/wait"
)

// A Locker is one of the locks of this package: a *Lock, an *RLock or an *RWLock. A Condition works
// with any of them.
//
// Each method takes a context, because the task that the context belongs to is the holder of the
// lock. Goroutines that belong to no task count as one holder. So do the goroutines with which a
// task has shared its context.
type Locker interface {
	// Acquire takes the lock. If it is held, Acquire waits, in order of arrival. If ctx is done
	// first, the error is ctx's error and the lock is not taken.
	Acquire(ctx context.Context) error

	// TryAcquire takes the lock if it is free, and reports whether it did. It does not check whether
	// ctx is done.
	TryAcquire(ctx context.Context) bool

	// Release hands the lock to the task that has waited longest. It never blocks and does not check
	// whether ctx is done. It panics if the lock is not held, or held by another task.
	Release(ctx context.Context)

	// Do calls fn with the lock held, and releases it when fn returns or panics. The error is fn's
	// error, or the error of Acquire.
	Do(ctx context.Context, fn func(context.Context) error) error

	// AcquireCase returns the case of a Select that takes the lock.
	AcquireCase() Case

	// Snapshot returns the holders of the lock and the tasks that wait for it.
	Snapshot() Snapshot

	// The same without a context: between taking and releasing a lock no context is called,
	// as it may be a foreign one and fail.
	acquire(p wait.Place) error
	tryAcquire(o *wait.Owner) bool
	release(o *wait.Owner)
	heldBy(o *wait.Owner) bool
	leave(o *wait.Owner) (depth int) // releases it, no matter how often it is held
	enter(p wait.Place, depth int)   // takes it back, whatever happens
}

// A Lock is a mutual exclusion lock. It is sync.Mutex with a context: waiting for it can be
// cancelled, it is handed over in order of arrival, so that no task starves, and it knows which task
// holds it and which tasks wait. The zero value is an unlocked Lock. A Lock must not be copied after
// first use. All methods are safe for concurrent use.
//
// The task that acquires a Lock must release it. If one task acquires and another one releases, use
// a Semaphore. A task that acquires a Lock that it holds waits for itself until its context is done:
// see RLock.
//
//	if err := l.Acquire(ctx); err != nil {
//		return err
//	}
//	defer l.Release(ctx)
//
// It is Curio's Lock. A task that waits for it is in the state LOCK_ACQUIRE.
type Lock struct {
	turn wait.Turn // in the name of the task that holds the lock
}

var _ Locker = (*Lock)(nil)

// Acquire takes the lock. If it is held, Acquire waits, in order of arrival. If ctx is done first,
// the error is ctx's error and the lock is not taken.
func (l *Lock) Acquire(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	me := p.Owner()
	me.Hold()
	if !l.turn.TryAs(me) { // like acquire, without the calls
		if err := l.acquire(p); err != nil {
			return err
		}
	}
	wait.Held(ctx, l, 1)
	return nil
}

func (l *Lock) acquire(p wait.Place) error {
	p.Owner().Hold()
	return l.turn.TakeAs(p, "LOCK_ACQUIRE", l)
}

// TryAcquire takes the lock if it is free, and reports whether it did. It does not check whether ctx
// is done.
func (l *Lock) TryAcquire(ctx context.Context) bool {
	took := l.tryAcquire(wait.CurrentTask(ctx))
	if took {
		wait.Held(ctx, l, 1)
	}
	return took
}

func (l *Lock) tryAcquire(o *wait.Owner) bool {
	o.Hold()
	return l.turn.TryAs(o)
}

// Release hands the lock to the task that has waited longest. It never blocks and does not check
// whether ctx is done. It panics if the lock is not held, or held by another task.
func (l *Lock) Release(ctx context.Context) {
	me := wait.CurrentTask(ctx)
	if !l.turn.FreeAs(me) { // like release, without the call
		l.pass(me)
	}
	wait.Returned(me, l, 1)
}

func (l *Lock) release(me *wait.Owner) {
	if !l.turn.FreeAs(me) {
		l.pass(me)
	}
	wait.Returned(me, l, 1)
}

// pass hands the lock to the first in the queue.
func (l *Lock) pass(me *wait.Owner) {
	if was, ok := l.turn.PassAs(me); !ok {
		panic(wrongRelease("Lock", me, was.Held(), holderIn(was)))
	}
}

// holderIn is the holder of a Lock that is in that state.
func holderIn(state wait.TurnState) Holder {
	h := Holder{ID: state.Holder(), N: 1}
	if h.ID != 0 {
		h.Task = taskOf(wait.Holder(h.ID))
	}
	return h
}

// wrongRelease says what is wrong when me releases a lock that h holds.
func wrongRelease(kind string, me *wait.Owner, isHeld bool, h Holder) string {
	who := taskName(taskOf(me))
	if !isHeld {
		return fmt.Sprintf("curio: %s releases the %s, which is not held; each Release needs an Acquire before it", who, kind)
	}
	return fmt.Sprintf("curio: %s releases the %s, which %s holds; let that one release it, or use a Semaphore", who, kind, h.who())
}

// Do calls fn with the lock held, and releases it when fn returns or panics. The error is fn's
// error, or the error of Acquire. Do panics if fn is nil.
func (l *Lock) Do(ctx context.Context, fn func(context.Context) error) error {
	return withLock(ctx, l, fn)
}

// withLock is Do of every lock.
func withLock(ctx context.Context, l Locker, fn func(context.Context) error) error {
	if fn == nil {
		panic("curio: Do with a nil function")
	}
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	me := p.Owner()
	if err := l.acquire(p); err != nil {
		return err
	}
	defer l.release(me)
	wait.Held(ctx, l, 1)
	return fn(ctx)
}

// Locked reports whether the lock is held.
func (l *Lock) Locked() bool { return l.turn.State().Held() }

// Snapshot returns the task that holds the lock and the tasks that wait for it.
func (l *Lock) Snapshot() (s Snapshot) {
	state := l.turn.Look(func(queue *wait.List) { s.Waiters = appendWaiters(nil, queue) })
	if state.Held() {
		s.Holders = []Holder{holderIn(state)}
	}
	return s
}

// String returns which task holds the lock and how many tasks wait.
func (l *Lock) String() string { return l.Snapshot().text("Lock", "") }

func (l *Lock) heldBy(o *wait.Owner) bool { return l.turn.State().HeldBy(o) }

func (l *Lock) leave(o *wait.Owner) int {
	l.release(o)
	return 1
}

func (l *Lock) enter(p wait.Place, _ int) { mustAcquire(p, l) }

// mustAcquire takes l for a Condition, whatever happens to p's context.
func mustAcquire(p wait.Place, l Locker) {
	if !l.tryAcquire(p.Owner()) {
		if err := l.acquire(p.Shielded()); err != nil {
			panic("curio: internal error: a wait that nothing ends was ended: " + err.Error())
		}
	}
	p.Held(l, 1)
}
