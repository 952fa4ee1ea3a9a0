package wait

import (
	"context"
	"sync"

	"github.com/curio-go/curio/internal/events"
)

// A Waiter is one goroutine that is blocked, or about to be. Waiters come from
// Place.Waiter and go back with Free.
//
// An operation that fails works out its error at the very end, with Place.Failure, when the
// waiter has been freed and others have been served: that may call a foreign context.
//
// A wait that is the only one in its scope touches only the first two cache lines.
type Waiter struct {
	parker // it contains state: idle, waiting, granted, cancelled or deputy

	shown      bool // it is the task's own wait, which its state shows
	registered bool // it is on the scope's list; guarded by scope.mu
	special    bool // until or foreign is set, which Free has to clear
	inRegion   bool // region is set; the waiting goroutine's own
	recorded   bool // its beginning is in the ring of events

	// What it waits for, for monitoring. Written before Begin; read by others under scope's mutex
	// while the waiter is registered.
	op     string
	object any
	since  int64
	scope  *Scope

	// The scope's list; guarded by scope.mu. Both are nil if w is not on it. scopePrev of the first
	// waiter is nil.
	scopeNext, scopePrev *Waiter

	until int64 // when the wait ends by itself, 0 for never

	// Slot is for the object: how much is asked for, or where to put what is waited
	// for. Guarded by the object's mutex until w is woken. Free keeps it, for the
	// next wait of the same kind.
	Slot any

	// The object's list; guarded by the object's mutex.
	list       *List
	prev, next *Waiter

	foreign *Place     // set if scope is made for this wait alone, see adopt
	batch   *Waiter    // the next of a Batch; belongs to who claimed the waiter
	out     sync.Mutex // what a sleeper outside waits for

	// Of a node of a choice, set before it is listed.
	choice   *Choice
	index    int
	harmless bool

	region Region // of an execution trace, see mark.go; the waiting goroutine's own

	_ [8]byte // the allocator aligns objects of 256 bytes to a cache line
}

const (
	idle = iota // nobody's; who wants to use it takes it by a swap to waiting
	waiting
	granted
	cancelled
	deputy // a node of a choice, whose chief has one of the other states
)

// An Interrupter is an object for which goroutines wait elsewhere than on their Waiter, as in the
// runtime's poller. The scope ends such a wait by Interrupt, which it calls without any lock,
// having claimed the waiter; Interrupt must finally call w.Wake, and touch nothing of the
// waiter's after that.
type Interrupter interface{ Interrupt(w *Waiter) }

var pool = sync.Pool{New: func() any {
	w := new(Waiter)
	w.init()
	return w
}}

// Waiter returns a waiter for a wait at p. op is the state in which the task is shown, as
// "TIME_SLEEP"; object is what it waits for, for monitoring, and may be an Interrupter.
//
// A task keeps its waiter from one wait to the next. It waits for one thing at a
// time, unless its function shared its context with other goroutines; these take
// theirs from the pool, and do not show in the task's state.
//
// p must not be Untrusted: see Follow.
func (p Place) Waiter(op string, object any) *Waiter {
	w, own := takeWaiter(p.Owner())
	w.shown = own
	w.op, w.object = op, object
	if p.foreign != nil {
		if !trusted(p.foreign) {
			panic("curio: internal error: a wait under a foreign context that is not followed")
		}
		w.foreign, w.special = &Place{p.scope, p.foreign}, true
	} else {
		w.scope = p.scope
	}
	return w
}

// Standing returns a waiter in the name of o, which may be nil, for an operation that does not
// wait: its object claims it at once, or the caller takes it off the list again, before the
// object's mutex is released. op and object are as in Place.Waiter. Free gives it back.
func Standing(o *Owner, op string, object any) *Waiter {
	w, own := takeWaiter(o)
	w.shown = own
	w.op, w.object = op, object
	if o != nil {
		w.scope = &o.Scope
	}
	return w
}

// takeWaiter returns o's own waiter, or one from the pool if that is in use or o is nil. A waiter
// from the pool may be in use for a moment: see takeOwn.
func takeWaiter(o *Owner) (w *Waiter, own bool) {
	if o != nil {
		if w := o.waiter.Load(); w != nil && o.takeOwn(w) {
			return w, true
		}
	}
	for {
		w = pool.Get().(*Waiter)
		if !w.state.CompareAndSwap(idle, waiting) {
			continue
		}
		own = o != nil && o.waiter.CompareAndSwap(nil, w)
		if o != nil && !own {
			o.others.Add(1)
		}
		return w, own
	}
}

// takeOwn takes w, which was found with o, if it is idle and still o's: o's task may have ended
// meanwhile, and w may belong to another task.
func (o *Owner) takeOwn(w *Waiter) bool {
	if !w.state.CompareAndSwap(idle, waiting) {
		return false
	}
	if o.waiter.Load() == w { // and leaveWaiter leaves it to us
		return true
	}
	w.state.Store(idle)
	return false
}

// Prepare gives the task of ctx its waiter before it is needed. The stack of a new task is small:
// allocating the waiter in the first wait, many calls down, would double it.
func Prepare(ctx context.Context) {
	o := CurrentTask(ctx)
	if o == nil || o.waiter.Load() != nil {
		return
	}
	if w := pool.Get().(*Waiter); !o.waiter.CompareAndSwap(nil, w) {
		pool.Put(w)
	}
}

// Free gives w back. It must be off its object's list.
func (w *Waiter) Free() {
	own := w.shown
	if !own {
		if o := w.Owner(); o != nil {
			o.others.Add(-1)
		}
	}
	var adopted *Scope
	if w.special {
		if w.foreign != nil {
			adopted = w.scope
		}
		w.until, w.foreign, w.special = 0, nil, false
	}
	w.object, w.scope, w.shown = nil, nil, false
	w.state.Store(idle)
	if !own {
		pool.Put(w)
	}
	if adopted != nil {
		adopted.Close()
	}
}

// leaveWaiter gives o's waiter to the pool: its task has ended. If another goroutine is
// using it, it is left to that one.
func (o *Owner) leaveWaiter() {
	if w := o.waiter.Swap(nil); w != nil && w.state.Load() == idle {
		pool.Put(w)
	}
}

// claim decides who ends the wait.
func (w *Waiter) claim(by uint32) bool {
	return w.state.CompareAndSwap(waiting, by) || w.claimChief()
}

// Grant claims w for an object that keeps no List. The result is false if the scope was faster;
// if it is true, the caller then calls Wake.
func (w *Waiter) Grant() bool { return w.claim(granted) }

// Wake ends the wait of a waiter that the caller has claimed.
func (w *Waiter) Wake() {
	if w.state.Load() == deputy {
		w.choice.wake()
	} else if !w.unpark() {
		w.out.Unlock()
	}
}

// Wait blocks until w is granted, or its scope ends and ok is false. In the second case the
// caller takes w off the object's list, and does what is due for the waiters behind it.
// Then it frees w and returns the error of Place.Failure.
func (w *Waiter) Wait() (ok bool) {
	if w.Begin() {
		w.park()
	}
	w.leaveScope()
	return w.state.Load() == granted
}

// WaitIn pushes w on l, whose mutex mu is held, releases mu and waits as Wait does. If the
// scope ends, WaitIn takes w off l again.
func (w *Waiter) WaitIn(l *List, mu *sync.Mutex) (ok bool) {
	l.Push(w)
	mu.Unlock()
	ok = w.Wait()
	if !ok {
		l.Leave(w, mu)
	}
	return ok
}

// Block waits in l. The caller holds l's mutex mu, which Block releases. Most operations
// wait this way: Block takes a waiter, waits with it and frees it. p must not be Untrusted.
func (p Place) Block(op string, object any, l *List, mu *sync.Mutex) error {
	w := p.Waiter(op, object)
	ok := w.WaitIn(l, mu)
	w.Free()
	if !ok {
		return p.Failure()
	}
	return nil
}

// Begin registers w with its scope, which from then on may end the wait. It
// reports whether there is anything to wait for: not if the scope has ended
// already and the object has not granted w either. Begin with End or Fail is for
// waits in which the goroutine sleeps elsewhere than on w.
func (w *Waiter) Begin() bool {
	if w.special && w.foreign != nil {
		w.scope = w.foreign.adopt()
	}
	s := w.scope
	if s == nil {
		return true
	}
	if s.kind == Adopted {
		w.showAdopted(s)
	}
	w.since = Now()
	if o := s.owner; o != nil {
		o.cycles.Add(1)
		if events.Wants(events.Pauses) {
			w.record()
		}
	}
	if s.register(w) {
		if attention.Load() != 0 {
			w.tell()
		}
		return true
	}
	// If the claim fails, the object was faster and its wake-up is on the way.
	if !w.claim(cancelled) {
		return true
	}
	w.leaveScope()
	return false
}

// End is called after Begin has returned true, whatever has become of the wait. ok is false
// if the scope claimed w; then End returns when Interrupt is through.
func (w *Waiter) End() (ok bool) {
	ok = w.claim(granted)
	if !ok {
		w.park()
	}
	w.leaveScope()
	return ok
}

// register adds w to s's list, and sets the alarm for s's deadline. It reports false if s has
// been cancelled.
func (s *Scope) register(w *Waiter) bool {
	if s.clock != nil {
		s.clock.arm()
	}
	s.mu.Lock()
	if s.cause.Load() != nil {
		s.mu.Unlock()
		return false
	}
	if s.waiters != nil {
		w.scopeNext, s.waiters.scopePrev = s.waiters, w
	}
	s.waiters = w
	w.registered = true
	s.mu.Unlock()
	return true
}

func (s *Scope) unregister(w *Waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.registered {
		return
	}
	w.registered = false
	next := w.scopeNext
	if s.waiters == w {
		s.waiters = next
		if next != nil {
			next.scopePrev, w.scopeNext = nil, nil
		}
		return
	}
	w.scopePrev.scopeNext = next
	if next != nil {
		next.scopePrev = w.scopePrev
	}
	w.scopePrev, w.scopeNext = nil, nil
}

// showAdopted notes where a task waits under a foreign context, as that is not in the
// tree.
func (w *Waiter) showAdopted(s *Scope) {
	if !w.shown {
		return
	}
	o := w.scope.owner
	o.mu.Lock()
	o.rareLocked().adopted = s
	o.mu.Unlock()
}

// leaveScope takes w off its scope's list.
func (w *Waiter) leaveScope() {
	s := w.scope
	if s == nil {
		return
	}
	if w.inRegion {
		w.endRegion()
	}
	if w.recorded {
		w.recordEnd() // before the task is shown as running
	}
	s.unregister(w)
	if s.kind == Adopted {
		w.showAdopted(nil)
	}
}

// interrupt ends the wait of w, which sleeps elsewhere, for the scope that has claimed it.
func (w *Waiter) interrupt() { w.object.(Interrupter).Interrupt(w) }

// WaitOutside is Wait for what comes from outside of the program: a testing/synctest bubble
// must not take the goroutine for one that only the bubble can wake.
func (w *Waiter) WaitOutside() (ok bool) {
	if w.Begin() {
		if InBubble() {
			w.parkOutside(&w.out)
		} else {
			w.park()
		}
	}
	w.leaveScope()
	return w.state.Load() == granted
}
