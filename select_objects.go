package curio

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// This file makes the waits for events, results, tasks, locks and semaphores cases of a Select.

// WaitCase returns the case of a [Select] that waits until the event is set.
func (e *Event) WaitCase() Case { return Case{(*eventCase)(e)} }

type eventCase Event

func (c *eventCase) try(*wait.Owner, int64) (done bool, err error) {
	return c.set.Load(), nil
}

func (c *eventCase) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("EVENT_WAIT", (*Event)(c))
	w.Harmless()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set.Load() {
		return false
	}
	c.waiters.Push(w)
	return true
}

func (c *eventCase) leave(w *wait.Waiter) { c.waiters.Leave(w, &c.mu) }

func (c *eventCase) take(*wait.Waiter) (done bool, err error) { return true, nil }

// GetCase returns the case of a [Select] that waits for the result, and stores the value in *to when
// it takes effect, unless to is nil. If the result is an error, Select returns it.
func (r *Result[T]) GetCase(to *T) Case { return Case{&resultCase[T]{r, to}} }

type resultCase[T any] struct {
	r  *Result[T]
	to *T
}

func (c *resultCase[T]) try(me *wait.Owner, _ int64) (done bool, err error) {
	if !c.r.set.Load() {
		return false, nil
	}
	return true, c.outcome(me)
}

func (c *resultCase[T]) outcome(me *wait.Owner) error {
	if c.r.err != nil {
		return fromElsewhere(c.r.err, idOf(taskOf(me)))
	}
	if c.to != nil {
		*c.to = c.r.value
	}
	return nil
}

func (c *resultCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("RESULT_WAIT", c.r)
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.r.set.Load() {
		return false
	}
	c.r.waiters.Push(w)
	return true
}

func (c *resultCase[T]) leave(w *wait.Waiter) { c.r.waiters.Leave(w, &c.r.mu) }

func (c *resultCase[T]) take(w *wait.Waiter) (done bool, err error) {
	return true, c.outcome(w.Owner())
}

// WaitCase returns the case of a [Select] that waits for the task to end. A failure of the task is
// not an error of the case, and the task has not been joined.
func (t *AnyTask) WaitCase() Case { return Case{(*endCase)(t)} }

type endCase AnyTask

func (c *endCase) try(*wait.Owner, int64) (done bool, err error) {
	return (*AnyTask)(c).Terminated(), nil
}

func (c *endCase) check(me *wait.Owner) { (*AnyTask)(c).mustNotWaitFor(me, opWait) }

func (c *endCase) list(w *wait.Waiter, _ int64) (ok bool) {
	return (*AnyTask)(c).listJoiner(w, opWait)
}

func (c *endCase) leave(w *wait.Waiter) { c.joiners.Leave(w, &c.mu) }

func (c *endCase) take(*wait.Waiter) (done bool, err error) { return true, nil }

// listJoiner lists w for the end of t. ok is false if t has ended.
func (t *AnyTask) listJoiner(w *wait.Waiter, op string) (ok bool) {
	w.For(op, t)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.expectJoiner() {
		return false
	}
	t.joiners.Push(w)
	return true
}

// JoinCase returns the case of a [Select] that joins the task. When the case takes effect, the task
// has been joined. Its result is stored in *to, unless to is nil. If the task has failed, Select
// returns the *TaskError. If another case takes effect, the task has not been joined: its error is
// still there for others. While there is a Go channel among the cases, the failure of a member of a
// running group is the group's, as if no caller were waiting in Join. If that has cancelled ctx,
// Select returns -1 and the cancellation, as Join does.
func (t *Task[T]) JoinCase(to *T) Case { return Case{&joinCase[T]{t, to}} }

type joinCase[T any] struct {
	t  *Task[T]
	to *T
}

func (c *joinCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	return c.t.Terminated(), nil
}

func (c *joinCase[T]) check(me *wait.Owner) { c.t.mustNotWaitFor(me, opJoin) }

func (c *joinCase[T]) finish(ctx context.Context) (own bool, err error) {
	if err := c.t.claim(ctx); err != nil {
		return false, err
	}
	v, err := c.t.seen()
	if err == nil && c.to != nil {
		*c.to = v
	}
	return true, err
}

func (c *joinCase[T]) list(w *wait.Waiter, _ int64) (ok bool) { return c.t.listJoiner(w, opJoin) }

func (c *joinCase[T]) leave(w *wait.Waiter) { c.t.joiners.Leave(w, &c.t.mu) }

func (c *joinCase[T]) take(*wait.Waiter) (done bool, err error) { return true, nil }

// AcquireCase returns the case of a [Select] that takes the lock. The task must release the lock if
// and only if the case takes effect.
func (l *Lock) AcquireCase() Case { return Case{(*lockCase)(l)} }

type lockCase Lock

func (c *lockCase) try(me *wait.Owner, _ int64) (done bool, err error) {
	return (*Lock)(c).tryAcquire(me), nil
}

func (c *lockCase) finish(ctx context.Context) (own bool, err error) {
	wait.Held(ctx, (*Lock)(c), 1)
	return true, nil
}

func (c *lockCase) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("LOCK_ACQUIRE", (*Lock)(c))
	return c.turn.Queue(w)
}

func (c *lockCase) leave(w *wait.Waiter) { c.turn.Leave(w) }

func (c *lockCase) take(*wait.Waiter) (done bool, err error) { return true, nil }

// AcquireCase returns the case of a [Select] that takes the lock, or takes it once more. The task
// must release the lock if and only if the case takes effect.
func (l *RLock) AcquireCase() Case { return Case{(*rlockCase)(l)} }

type rlockCase RLock

func (c *rlockCase) try(me *wait.Owner, _ int64) (done bool, err error) {
	return (*RLock)(c).tryAcquire(me), nil
}

func (c *rlockCase) check(me *wait.Owner) { mustBeTask(me) }

func (c *rlockCase) finish(ctx context.Context) (own bool, err error) {
	wait.Held(ctx, (*RLock)(c), 1)
	return true, nil
}

func (c *rlockCase) list(w *wait.Waiter, _ int64) (ok bool) {
	l := (*RLock)(c)
	w.For("RLOCK_ACQUIRE", l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holder == nil || l.holder == w.Owner() {
		return false
	}
	l.waiters.Push(w)
	return true
}

func (c *rlockCase) leave(w *wait.Waiter) { c.waiters.Leave(w, &c.mu) }

func (c *rlockCase) take(*wait.Waiter) (done bool, err error) { return true, nil }

// AcquireCase returns the case of a [Select] that takes the lock for writing. The task must release
// the lock if and only if the case takes effect.
func (l *RWLock) AcquireCase() Case { return Case{&rwlockCase{l, opWrite}} }

// AcquireReadCase returns the case of a [Select] that takes the lock for reading. The task must
// release the lock if and only if the case takes effect.
func (l *RWLock) AcquireReadCase() Case { return Case{&rwlockCase{l, opRead}} }

type rwlockCase struct {
	l  *RWLock
	op string
}

func (c *rwlockCase) try(me *wait.Owner, _ int64) (done bool, err error) {
	return c.l.tryAcquireAs(me, c.op), nil
}

func (c *rwlockCase) finish(ctx context.Context) (own bool, err error) {
	wait.Held(ctx, c.l, 1)
	return true, nil
}

func (c *rwlockCase) list(w *wait.Waiter, _ int64) (ok bool) {
	l := c.l
	w.For(c.op, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers.shut()
	if l.waiters.Empty() && l.vacantLocked(c.op) {
		l.openLocked()
		return false
	}
	l.waiters.Push(w)
	return true
}

func (c *rwlockCase) leave(w *wait.Waiter) {
	c.l.mu.Lock()
	c.l.waiters.Remove(w)
	woken := c.l.passLocked() // it may have been all that held up those behind it
	c.l.mu.Unlock()
	woken.Wake()
}

func (c *rwlockCase) take(*wait.Waiter) (done bool, err error) { return true, nil }

// AcquireCase returns the case of a [Select] that takes one unit. The task must release the unit if
// and only if the case takes effect.
func (s *Semaphore) AcquireCase() Case { return s.AcquireNCase(1) }

// AcquireNCase returns the case of a [Select] that takes n units. The task must release the n units
// if and only if the case takes effect. AcquireNCase panics if n is negative; with 0 the case is
// always ready.
func (s *Semaphore) AcquireNCase(n int64) Case {
	mustNotBeNegative("AcquireNCase", n)
	return Case{&semaphoreCase{s, n}}
}

type semaphoreCase struct {
	s *Semaphore
	n int64
}

func (c *semaphoreCase) try(me *wait.Owner, _ int64) (done bool, err error) {
	if c.n == 0 {
		return true, nil
	}
	c.s.mu.Lock()
	done = c.s.takeLocked(me, c.n)
	c.s.mu.Unlock()
	return done, nil
}

func (c *semaphoreCase) finish(ctx context.Context) (own bool, err error) {
	if c.n > 0 {
		wait.Held(ctx, c.s, c.n)
	}
	return true, nil
}

func (c *semaphoreCase) list(w *wait.Waiter, _ int64) (ok bool) {
	s := c.s
	w.For("SEMA_ACQUIRE", s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vacantLocked(c.n) {
		return false
	}
	s.waiters.push(w, c.n, s.size)
	return true
}

func (c *semaphoreCase) leave(w *wait.Waiter) { c.s.giveUp(w) }

func (c *semaphoreCase) take(*wait.Waiter) (done bool, err error) { return true, nil }
