package curio

import (
	"context"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// An RLock is a Lock that can be acquired again by the task that holds it. It is free when it has
// been released as many times as it was acquired. The zero value is an unlocked RLock. An RLock must
// not be copied after first use. All methods are safe for concurrent use.
//
// An RLock is always held by a task: with a context that belongs to none, Acquire panics. Goroutines
// that a task has shared its context with all hold it together. If that is not what you want, spawn
// tasks instead.
//
// It is Curio's RLock. A task that waits for it is in the state RLOCK_ACQUIRE.
type RLock struct {
	mu      sync.Mutex
	holder  *wait.Owner // nil for a free lock
	depth   int         // how often holder has acquired it
	waiters wait.List
}

var _ Locker = (*RLock)(nil)

// Acquire takes the lock, or takes it once more if the task holds it already. If another task holds
// it, Acquire waits, in order of arrival. If ctx is done first, the error is ctx's error and nothing
// is taken.
func (l *RLock) Acquire(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if err = l.acquire(p); err == nil {
		wait.Held(ctx, l, 1)
	}
	return err
}

func (l *RLock) acquire(p wait.Place) error {
	if l.take(p.Owner()) { // if it returns false, the mutex is held
		return nil
	}
	if p.Untrusted() {
		l.mu.Unlock()
		return p.Follow(l.acquire)
	}
	return p.Block("RLOCK_ACQUIRE", l, &l.waiters, &l.mu)
}

// take takes the lock if that can be done at once. If not, it is false and leaves the
// mutex locked.
func (l *RLock) take(me *wait.Owner) bool {
	mustBeTask(me)
	l.mu.Lock()
	if l.holder != nil && l.holder != me {
		return false
	}
	l.holder = me
	l.depth++
	l.mu.Unlock()
	return true
}

// mustBeTask panics if me is nil: only a task can hold an RLock.
func mustBeTask(me *wait.Owner) {
	if me == nil {
		panic("curio: an RLock is owned by a task, and this context belongs to none; spawn one, or use a Lock")
	}
}

// TryAcquire takes the lock if it is free or held by the task of ctx, and reports whether it did. It
// does not check whether ctx is done.
func (l *RLock) TryAcquire(ctx context.Context) bool {
	took := l.tryAcquire(wait.CurrentTask(ctx))
	if took {
		wait.Held(ctx, l, 1)
	}
	return took
}

func (l *RLock) tryAcquire(o *wait.Owner) bool {
	if !l.take(o) {
		l.mu.Unlock()
		return false
	}
	return true
}

// Release undoes one Acquire. The last Release hands the lock to the task that has waited longest.
// It never blocks and does not check whether ctx is done. It panics if the lock is not held, or held
// by another task.
func (l *RLock) Release(ctx context.Context) { l.release(wait.CurrentTask(ctx)) }

func (l *RLock) release(o *wait.Owner) { l.releaseTimes(o, 1) }

func (l *RLock) releaseTimes(me *wait.Owner, times int) {
	l.mu.Lock()
	if l.holder == nil || l.holder != me {
		held, h := l.holder != nil, holder(l.holder, 1)
		l.mu.Unlock()
		panic(wrongRelease("RLock", me, held, h))
	}
	var next *wait.Waiter
	if l.depth -= times; l.depth == 0 {
		next = l.waiters.Pop()
		if l.holder = next.Owner(); next != nil {
			l.depth = 1
		}
	}
	l.mu.Unlock()

	wait.Returned(me, l, int64(times))
	if next != nil {
		next.Wake()
	}
}

// Do calls fn with the lock held, and releases it when fn returns or panics. The error is fn's
// error, or the error of Acquire. Do panics if fn is nil.
func (l *RLock) Do(ctx context.Context, fn func(context.Context) error) error {
	return withLock(ctx, l, fn)
}

// Locked reports whether a task holds the lock.
func (l *RLock) Locked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holder != nil
}

// Snapshot returns the task that holds the lock, how often it holds it, and the tasks that wait.
func (l *RLock) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Snapshot{Waiters: appendWaiters(nil, &l.waiters)}
	if l.holder != nil {
		s.Holders = []Holder{holder(l.holder, int64(l.depth))}
	}
	return s
}

// String returns which task holds the lock and how many tasks wait.
func (l *RLock) String() string { return l.Snapshot().text("RLock", "") }

func (l *RLock) heldBy(o *wait.Owner) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return o != nil && l.holder == o
}

func (l *RLock) leave(o *wait.Owner) int {
	l.mu.Lock()
	depth := l.depth
	l.mu.Unlock()
	l.releaseTimes(o, depth)
	return depth
}

func (l *RLock) enter(p wait.Place, depth int) {
	for range depth { // only the first can block
		mustAcquire(p, l)
	}
}
