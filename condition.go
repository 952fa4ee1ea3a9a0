package curio

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A Condition lets tasks that hold a lock wait until another task announces that something has
// changed. It is sync.Cond with a context. The zero value is ready for use and has a Lock of its
// own; NewCondition makes one for an existing lock. A Condition must not be copied after first use.
// All methods are safe for concurrent use.
//
//	err := c.Do(ctx, func(ctx context.Context) error {
//		return c.WaitFor(ctx, func() bool { return len(jobs) > 0 })
//	})
//
// It is Curio's Condition. A task that waits for it is in the state CONDITION_WAIT.
type Condition struct {
	own   Lock
	other Locker // what is used instead of own, nil for own

	mu      sync.Mutex
	waiters wait.List
}

// NewCondition returns a condition for the lock l. l may be a *Lock, an *RLock or an *RWLock, which
// is held for writing. It panics if l is nil.
func NewCondition(l Locker) *Condition {
	if l == nil {
		panic("curio: NewCondition of a nil lock; new(Condition) has one of its own")
	}
	return &Condition{other: l}
}

// Locker returns the condition's lock.
func (c *Condition) Locker() Locker {
	if c.other != nil {
		return c.other
	}
	return &c.own
}

// Acquire takes the condition's lock. See Locker.
func (c *Condition) Acquire(ctx context.Context) error { return c.Locker().Acquire(ctx) }

// TryAcquire takes the condition's lock if it is free. See Locker.
func (c *Condition) TryAcquire(ctx context.Context) bool { return c.Locker().TryAcquire(ctx) }

// Release releases the condition's lock. See Locker.
func (c *Condition) Release(ctx context.Context) { c.Locker().Release(ctx) }

// Do calls fn with the condition's lock held. See Locker.
func (c *Condition) Do(ctx context.Context, fn func(context.Context) error) error {
	return c.Locker().Do(ctx, fn)
}

// Wait releases the lock, waits to be notified, and takes the lock back. An RLock is released and
// taken back with all its levels. Wait panics if the task does not hold the lock.
//
// If ctx is done first, the error is ctx's error. The task holds the lock again even then, because
// the code around Wait will release it. So Wait always returns only after it has taken the lock
// back. A notification that comes at that very moment is not lost: either Wait returns nil, or
// another waiter is notified.
func (c *Condition) Wait(ctx context.Context) error {
	l := c.Locker()
	c.mustBeHeld(ctx)
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if p.Untrusted() {
		return p.Follow(func(p wait.Place) error { return c.waitWith(p, l) })
	}
	return c.waitWith(p, l)
}

func (c *Condition) waitWith(p wait.Place, l Locker) error {
	w := p.Waiter("CONDITION_WAIT", c)
	c.mu.Lock()
	c.waiters.Push(w)
	c.mu.Unlock()

	depth := l.leave(p.Owner())
	ok := w.Wait()
	if !ok {
		c.waiters.Leave(w, &c.mu)
	}
	w.Free()
	l.enter(p, depth)
	if !ok {
		return p.Failure()
	}
	return nil
}

// WaitFor waits until ready returns true. It calls ready with the lock held: at once, and again
// after each notification. If ctx is done first, the error is ctx's error, and the task holds the
// lock again, as after Wait. WaitFor panics if the task does not hold the lock or ready is nil.
func (c *Condition) WaitFor(ctx context.Context, ready func() bool) error {
	if ready == nil {
		panic("curio: WaitFor with a nil function")
	}
	c.mustBeHeld(ctx)
	if _, err := wait.At(ctx); err != nil {
		return err
	}
	for !ready() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Notify wakes the n tasks that have waited longest, or all if there are fewer. Each returns from
// Wait when it has the lock. The caller need not hold the lock, but must have held it while it
// changed what the others wait for. Notify never blocks. It panics if n is negative.
func (c *Condition) Notify(n int) {
	mustNotBeNegative("Notify", int64(n))
	var woken wait.Batch
	c.mu.Lock()
	for range n {
		w := c.waiters.Pop()
		if w == nil {
			break
		}
		woken.Add(w)
	}
	c.mu.Unlock()
	woken.Wake()
}

// NotifyAll wakes all tasks that wait. See Notify.
func (c *Condition) NotifyAll() {
	c.mu.Lock()
	c.waiters.WakeAll(&c.mu)
}

// Snapshot returns the task that holds the lock, and the tasks that wait to be notified. For the
// tasks that wait for the lock, take the Snapshot of Locker.
func (c *Condition) Snapshot() Snapshot {
	holders := c.Locker().Snapshot().Holders
	c.mu.Lock()
	defer c.mu.Unlock()
	return Snapshot{holders, appendWaiters(nil, &c.waiters)}
}

// String returns which task holds the lock, and how many wait to be notified.
func (c *Condition) String() string { return c.Snapshot().text("Condition", "") }

func (c *Condition) mustBeHeld(ctx context.Context) {
	if o := wait.CurrentTask(ctx); !c.Locker().heldBy(o) {
		panic(fmt.Sprintf("curio: %s waits for a Condition without holding its lock; Acquire it first, or wait inside of Do", taskName(taskOf(o))))
	}
}
