package curio

import (
	"context"
	"iter"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A WaitList is a line of tasks that wait for something from an object, in order of arrival. It is
// for building new primitives, such as another kind of lock, a pool or a rate limiter. A wait in it
// can be cancelled, timed out, selected and inspected like all waits of this package.
//
// T is what a waiter asks for and what it is given; use struct{} if neither is needed. The object
// has a mutex, fields and a list, and one function, Serve, which hands out to the waiters what is
// available. Wait appends its caller to the line and calls Serve. So does every method of the object
// that makes something available:
//
//	// A Pass lets as many tasks through as there are permits.
//	type Pass struct {
//		mu      sync.Mutex
//		permits int
//		line    curio.WaitList[struct{}]
//	}
//
//	func NewPass() *Pass {
//		p := new(Pass)
//		p.line.Mutex, p.line.State, p.line.Object, p.line.Serve = &p.mu, "PASS_ACQUIRE", p, p.serve
//		return p
//	}
//
//	func (p *Pass) serve() {
//		for p.permits > 0 && p.line.Hand(struct{}{}) {
//			p.permits--
//		}
//	}
//
//	func (p *Pass) Acquire(ctx context.Context) error {
//		_, err := p.line.Wait(ctx, struct{}{})
//		return err
//	}
//
//	func (p *Pass) Add(n int) {
//		p.mu.Lock()
//		defer p.mu.Unlock()
//		p.permits += n
//		p.serve()
//	}
//
// Once a waiter has been given something, Wait returns it, even if the context is done by then. A
// waiter that gives up has been given nothing. So a cancellation neither loses nor duplicates
// anything.
//
// Set the exported fields before the first use, and do not change them after that. A WaitList must
// not be copied after first use. An object may have several lists, with the same mutex. Wait,
// TryWait and what Case returns take the mutex; all other methods are called with the mutex held.
//
// It is Trio's ParkingLot with a value for each waiter. A task that waits is in the state State.
type WaitList[T any] struct {
	_ noCopy

	// Mutex guards the list and whatever Serve looks at.
	Mutex *sync.Mutex

	// State is the state in which a waiting task is shown, such as POOL_GET.
	State string

	// Object is what waiting tasks are shown to wait for. Its String method, if it has one, may be
	// called at any time, with no lock held.
	Object any

	// Serve hands out what is available. It calls Hand or HandAll or, if the waiters ask for
	// different things, All and Grant. Serve is called with Mutex held, by a task that begins to
	// wait, and by a task that gives up, because it may have held up the waiters behind it. It is
	// never called by the canceller. Serve must not block or release Mutex, nor call code that
	// might.
	//
	// If it panics, so does the call of Wait, TryWait or Select that has called it. The task of that
	// call is off the list and Mutex is released. What other tasks were given stays theirs. What the
	// task itself was given is lost, even by another case of its Select.
	//
	// A nil Serve is for a list whose waiters only ever wait for a later call of Hand, HandAll
	// or Grant, as with sync.Cond.
	Serve func()

	// Guarded by Mutex.
	waiters   wait.List
	n         int // how many are listed
	loops     *waitLoop
	outermost waitLoop // of All, so that it need not be allocated
}

// A waitLoop is an All that runs. Its next waiter moves on when that one leaves the list, so the
// body of the loop may grant, or hand to, whomever it likes.
type waitLoop struct {
	next  *wait.Waiter
	outer *waitLoop // the one in whose body it runs, nil for none
}

// A waitCell is what a waiter of a WaitList has in its Slot. A task keeps it from one wait to the
// next.
type waitCell[T any] struct {
	value T    // what is asked for, and then what is given
	own   bool // the waiter's goroutine has not gone to sleep, and need not be woken

	// turn counts how often the waiter has left a list. It changes under that list's mutex, and
	// may be read by anybody: it tells a Waiting whether it still stands for this wait.
	turn atomic.Uint64
}

func waitCellOf[T any](w *wait.Waiter) *waitCell[T] {
	c, ok := w.Slot.(*waitCell[T])
	if !ok {
		c = new(waitCell[T])
		w.Slot = c
	}
	return c
}

// clear lets go of what was asked for or given. A large cell is not kept for the next wait.
func (c *waitCell[T]) clear(w *wait.Waiter) {
	if reflect.TypeFor[T]().Size() > keptCell {
		w.Slot = nil
		return
	}
	var none T
	c.value = none
}

// Wait appends the caller to the list, calls Serve, and waits until it is given something, which
// it returns. If ctx is done first, or already, the error is ctx's error and nothing was given;
// then the task has left the list, and Serve has been called again for those behind it. The caller
// must not hold Mutex. Wait panics if Mutex or State is not set.
func (l *WaitList[T]) Wait(ctx context.Context, ask T) (got T, err error) {
	l.mustBeSet()
	p, err := wait.At(ctx)
	switch {
	case err != nil:
		return got, err
	case p.Untrusted():
		err = p.Follow(func(p wait.Place) (err error) {
			got, err = l.waitAt(p, ask)
			return err
		})
		return got, err
	}
	return l.waitAt(p, ask)
}

func (l *WaitList[T]) waitAt(p wait.Place, ask T) (T, error) {
	got, ok := l.await(p, ask)
	if !ok {
		return got, p.Failure()
	}
	return got, nil
}

// await is waitAt without the error, which is worked out when the waiter is free again.
func (l *WaitList[T]) await(p wait.Place, ask T) (got T, ok bool) {
	w := p.Waiter(l.State, l.Object)
	c := waitCellOf[T](w)
	defer func() { // even if Serve panics
		c.clear(w)
		w.Free()
	}()
	c.own = true
	if !l.enter(w, c, ask, true) && !w.Wait() {
		l.leave(w, c)
		return got, false
	}
	return c.value, true
}

// TryWait is like Wait, but does not wait: ok is false if Wait would. It acts for the task of ctx,
// and does not check whether ctx is done. With a nil Serve, ok is always false.
func (l *WaitList[T]) TryWait(ctx context.Context, ask T) (got T, ok bool) {
	l.mustBeSet()
	return l.try(wait.CurrentTask(ctx), ask)
}

func (l *WaitList[T]) try(me *wait.Owner, ask T) (got T, ok bool) {
	w := wait.Standing(me, l.State, l.Object)
	c := waitCellOf[T](w)
	defer func() {
		c.clear(w)
		w.Free()
	}()
	c.own = true
	if !l.enter(w, c, ask, false) {
		return got, false
	}
	return c.value, true
}

// enter appends w and lets the object serve it. If served is false and w does not stay, w is off
// the list again.
func (l *WaitList[T]) enter(w *wait.Waiter, c *waitCell[T], ask T, stays bool) (served bool) {
	c.value = ask
	l.Mutex.Lock()
	serving := true
	defer func() { // even if Serve panics, or ends the goroutine
		c.own = false
		if (serving || !stays) && l.waiters.Listed(w) {
			l.remove(w, c)
		}
		l.Mutex.Unlock()
	}()
	l.waiters.Push(w)
	l.n++
	if l.Serve != nil {
		l.Serve()
	}
	serving = false
	return !l.waiters.Listed(w)
}

// leave takes w, which has not been granted anything, off the list, and has those behind it
// served.
func (l *WaitList[T]) leave(w *wait.Waiter, c *waitCell[T]) {
	l.Mutex.Lock()
	defer l.Mutex.Unlock()
	if l.waiters.Listed(w) {
		l.remove(w, c)
	}
	if l.Serve != nil {
		l.Serve()
	}
}

// remove takes w, which is listed, off the list.
func (l *WaitList[T]) remove(w *wait.Waiter, c *waitCell[T]) {
	for loop := l.loops; loop != nil; loop = loop.outer {
		if loop.next == w {
			loop.next = l.waiters.Next(w)
		}
	}
	l.waiters.Remove(w)
	l.n--
	c.turn.Add(1)
}

// grant takes w off the list, and gives it v unless its scope was faster. It wakes w at once, under
// the object's mutex: the goroutine that wakes up does not need that, and what is collected would
// have to be woken even if the caller panics. The cost is one wake-up longer under the mutex.
func (l *WaitList[T]) grant(w *wait.Waiter, c *waitCell[T], v T) (ok bool) {
	l.remove(w, c)
	if !w.Grant() {
		return false
	}
	c.value = v
	if !c.own {
		w.Wake()
	}
	return true
}

// Hand gives v to the task that has waited longest. ok is false if there is no waiter, or all of them
// have given up. Mutex must be held.
func (l *WaitList[T]) Hand(v T) (ok bool) {
	for w := l.waiters.First(); w != nil; w = l.waiters.First() {
		if l.grant(w, waitCellOf[T](w), v) {
			return true
		}
	}
	return false
}

// HandAll gives v to each task that waits, and returns how many there were. Mutex must be held.
func (l *WaitList[T]) HandAll(v T) (n int) {
	for l.Hand(v) {
		n++
	}
	return n
}

// Len returns how many tasks are on the list. Some may be about to give up. Mutex must be held.
func (l *WaitList[T]) Len() int { return l.n }

// Waiters returns the waiters for the object's [Snapshot], the longest waiting first. Mutex must be
// held.
func (l *WaitList[T]) Waiters() []Waiter { return appendWaiters(nil, &l.waiters) }

// All returns an iterator over the waiters, the longest waiting first. The body of the loop may
// grant anything to any of them, and may itself loop over the list. Mutex must be held until the
// loop has ended.
func (l *WaitList[T]) All() iter.Seq[Waiting[T]] {
	return func(yield func(Waiting[T]) bool) {
		if l.n == 0 {
			return
		}
		loop := &l.outermost
		if l.loops != nil {
			loop = new(waitLoop)
		}
		*loop = waitLoop{l.waiters.First(), l.loops}
		l.loops = loop
		defer func() {
			l.loops = loop.outer
			*loop = waitLoop{}
		}()
		for loop.next != nil {
			w := loop.next
			loop.next = l.waiters.Next(w)
			c := waitCellOf[T](w)
			if !yield(Waiting[T]{l, w, c, c.turn.Load(), w.Owner(), c.value}) {
				return
			}
		}
	}
}

// A Waiting is one wait of a task in a WaitList, as [WaitList.All] finds it. It may be copied. It
// must not be used after the mutex has been released.
type Waiting[T any] struct {
	list  *WaitList[T]
	w     *wait.Waiter
	cell  *waitCell[T]
	turn  uint64
	owner *wait.Owner
	ask   T
}

// Ask returns what the task asks for. It may be called after Grant.
func (w Waiting[T]) Ask() T { return w.ask }

// Task returns the task that waits, or nil for a goroutine of no task. It may be called after Grant.
func (w Waiting[T]) Task() *AnyTask { return taskOf(w.owner) }

// Grant gives v to the task. ok is false if the task has given up, or has been given something
// already. In either case it is off the list. The list's Mutex must be held.
func (w Waiting[T]) Grant(v T) (ok bool) {
	if w.cell == nil || w.cell.turn.Load() != w.turn {
		return false
	}
	return w.list.grant(w.w, w.cell, v)
}

func (l *WaitList[T]) mustBeSet() {
	if l.Mutex == nil || l.State == "" {
		panic("curio: a WaitList without a Mutex or a State; set them before the first use")
	}
}
