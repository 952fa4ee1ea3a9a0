package wait

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Scope is a node of the cancellation tree: kernel, task, group, timeout and
// shield are all scopes. It is a context.Context.
//
// Operations and waits need only the first eight words, which in a task are one cache line.
type Scope struct {
	kind     Kind   // set at birth
	detached bool   // its parent's cancellation does not reach it, unless it is a shutdown; set at birth
	asks     bool   // it has a clock or sources: see look; set at birth
	loose    bool   // not in the tree; set at birth
	closed   bool   // guarded by mu, as the next three
	sealed   bool   // nothing can cancel it any more
	gone     bool   // not in the tree for now, see forget
	lost     bool   // a timeout that was closed because its task had ended
	owner    *Owner // the task that runs in it, nil for none; set at birth

	cause   atomic.Pointer[Cause] // set once, under mu; not nil when cancelled
	clock   *Scope                // of itself and those that can cancel it, the one that expires first; nil for never; set at birth
	sources *source               // what else can cancel it, or a scope that cancels it; nil for nothing; set at birth
	mu      sync.Mutex
	waiters *Waiter // parked under this very scope, the newest first
	alarm   *alarm

	parent     atomic.Pointer[Scope] // changes when the parent is closed, under the old one's mu
	children   *Scope                // the newest first
	prev, next *Scope                // siblings; guarded by parent's mu

	base    context.Context      // where Value looks; nil for nothing; set at birth
	expires int64                // when it expires by itself, 0 for never; set at birth
	id      atomic.Uint64        // see identity; 0 if nobody has asked
	twin    atomic.Pointer[twin] // made by Done, under mu; nil if nobody has asked
	rare    *rare                // what few scopes have
}

type rare struct {
	outside  context.Context // of a shield: where it was put up
	name     error           // of a limit; set at birth
	at       time.Time       // when it expires, as the caller gave it or Deadline returned it; the zero time before that
	shim     context.Context // made by causeShim
	unhook   func()          // lets go of what else could cancel the scope: a foreign context, an outer scope
	waiting  List            // for the scope to have no children
	kept     map[any]any     // of a task: see Owner.Keep
	adopted  *Scope          // of a task: where it waits under a foreign context
	followed *Place          // of a scope that Follow made: the place whose context it follows
	request  *request        // of a scope that was asked to stop: see stop.go
}

// rareLocked returns s.rare, which it makes if need be.
func (s *Scope) rareLocked() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// Kind says what a scope is for.
type Kind uint8

// What scopes are for, and how they differ.
const (
	Kernel     Kind = iota // a root
	Task                   // outlives its parent's closing; a boundary for what errors look like
	Group                  // ends with its members
	Timeout                // has a deadline
	Shield                 // lets no cancellation in
	Window                 // inside a shield, lets the cancellation from outside in again
	Adopted                // made for one wait under a foreign context; not in the tree
	UntilAsked             // ends when a scope around it is asked to stop, see stop.go
)

// An Owner is what this package knows of a task.
type Owner struct {
	Scope // the task's

	// One waiter and one alarm, kept between the task's waits. A goroutine that waits in the
	// task's name uses them, unless another goroutine, with which the task shared its context,
	// was first.
	waiter atomic.Pointer[Waiter]
	spare  atomic.Pointer[alarm]
	cycles atomic.Uint64

	ID     uint64        // no other task of the process has it; 0 is none's
	held   atomic.Uint32 // see Hold
	others atomic.Int32  // waits in the task's name that do not show in its state, with waiters from the pool
	Task   any           // what the layer above knows it by
}

// Kept returns what the layer above keeps for o, which few tasks have; nil for nothing.
func (o *Owner) Kept() map[any]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rare == nil {
		return nil
	}
	return o.rare.kept
}

// Keep makes what f returns what is kept for o. It calls f with what has been kept so far, under
// a mutex.
func (o *Owner) Keep(f func(before map[any]any) map[any]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.rareLocked()
	r.kept = f(r.kept)
}

// moves counts the scopes that were passed on to another parent. A search of the tree may
// have missed one if it changes meanwhile.
var moves atomic.Uint64

// process is the root of all: kernels hang below it.
var process = &Scope{kind: Kernel}

// Default is the kernel of goroutines that have none: scopes opened by plain goroutines hang
// below it.
var Default = NewKernel()

// NewKernel makes a scope for a kernel.
func NewKernel() *Scope {
	s := &Scope{kind: Kernel, detached: true}
	s.link(process)
	return s
}

// InitTask makes o the scope of a task spawned with ctx, below the scope of ctx,
// or below root if ctx belongs to no kernel. This and the next two are false if
// the kernel is closed.
func (o *Owner) InitTask(ctx context.Context, root *Scope) bool {
	o.Prepare()
	return o.enter(ctx, root)
}

// InitMain makes o the scope of a task below root that ends when ctx does,
// wherever ctx comes from.
func (o *Owner) InitMain(ctx context.Context, root *Scope) bool {
	o.Prepare()
	o.base, o.detached = Values(ctx), true
	o.follow(ctx, scopeOf(ctx))
	return o.link(root)
}

// InitDaemon makes o the scope of a task below root that keeps the values of ctx
// and not its cancellation.
func (o *Owner) InitDaemon(ctx context.Context, root *Scope) bool {
	o.Prepare()
	o.base = Values(ctx)
	return o.link(root)
}

// Prepare makes o one that can be cancelled before it is the scope of a task, if others get to know it
// so early.
func (o *Owner) Prepare() {
	if o.owner == nil {
		o.kind, o.owner = Task, o
	}
}

// New opens a scope of kind Group or Shield below ctx.
func New(ctx context.Context, kind Kind) *Scope {
	s := &Scope{kind: kind}
	s.enter(ctx, Default)
	return s
}

// NewTimeout opens a scope that expires at the given reading of Now, or never by
// itself if at is 0.
func NewTimeout(ctx context.Context, at int64) *Scope {
	s := &Scope{kind: Timeout, expires: at}
	s.enter(ctx, Default)
	return s
}

// NewTimeoutAt is NewTimeout for a given time, which Deadline returns as it is.
func NewTimeoutAt(ctx context.Context, at time.Time) *Scope {
	s := &Scope{kind: Timeout, expires: Until(at), rare: &rare{at: at}}
	s.enter(ctx, Default)
	return s
}

// NewWindow opens a scope inside the shields around ctx that the cancellation
// from outside of them reaches; nil if there is no shield.
func NewWindow(ctx context.Context) *Scope {
	around := scopeOf(ctx).outside()
	if around == nil {
		return nil
	}
	s := &Scope{kind: Window}
	parent := s.prepare(ctx, Default)
	for ; around != nil; around = scopeOf(around).outside() {
		s.openTo(around)
	}
	s.link(parent)
	return s
}

// openTo makes what cancels ctx, which is outside of a shield, cancel s.
func (s *Scope) openTo(ctx context.Context) {
	outside, foreign := find(ctx)
	if foreign != nil {
		s.follow(foreign, scopeOf(foreign))
		return
	}
	if c := outside.clock; c != nil && (s.clock == nil || c.expires < s.clock.expires) {
		s.clock = c
	}
	s.follow(outside, scopeOf(outside))
}

// outside is the context in which the innermost of the shields around s was put up,
// nil if there is none. A window is not shielded.
func (s *Scope) outside() context.Context {
	for p := s; p != nil && p.kind != Window && p.kind != Task && p.kind != Kernel; p = p.parent.Load() {
		if p.kind == Shield {
			return p.rare.outside
		}
	}
	return nil
}

// enter links a new scope below ctx, or below root if ctx is outside of the tree,
// and takes over what it inherits.
func (s *Scope) enter(ctx context.Context, root *Scope) bool {
	if parent, ok := ctx.(*Scope); ok && s.kind != Shield { // the fast path
		s.base = parent.base
		s.inherit(parent)
		return s.link(parent)
	}
	return s.link(s.prepare(ctx, root))
}

// prepare does what must happen before s is linked below ctx, and returns the parent. A
// foreign context cancels s by itself, so the tree around it must not: the caller may have
// cut that tie on purpose, with context.WithoutCancel.
func (s *Scope) prepare(ctx context.Context, root *Scope) (parent *Scope) {
	parent, foreign := find(ctx)
	s.base = Values(ctx)
	s.detached = foreign != nil
	if parent == nil {
		parent = root
	}
	if s.kind == Shield {
		s.rare = &rare{outside: ctx}
	}
	s.inherit(parent)
	if foreign != nil && s.kind != Shield {
		s.follow(foreign, scopeOf(foreign))
	}
	return parent
}

// inherit takes over what comes from a parent; s is not yet shared.
func (s *Scope) inherit(parent *Scope) {
	if s.kind != Task {
		s.owner = parent.owner
	}
	if s.kind != Shield && !s.detached {
		s.clock, s.sources = parent.clock, parent.sources
	}
	if s.expires != 0 && (s.clock == nil || s.expires < s.clock.expires) {
		s.clock = s
	}
	s.asks = s.clock != nil || s.sources != nil
}

// Seal makes o's scope stay as it is, live or cancelled, and reports which: o has
// ended. What is below can be cancelled as ever.
func (o *Owner) Seal() (cancelled bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = true
	return o.cause.Load() != nil
}

// link puts s into the tree below parent. A parent that has been cancelled cancels it.
//
// A parent that is closed has been cancelled as well. What hears of that, and is no
// task, stays loose, outside of the tree: nothing can cancel it again. Anything else goes
// below the nearest ancestor in the tree. It is false for a task if that is above a
// kernel, which has been shut down.
func (s *Scope) link(parent *Scope) (open bool) {
	if s.kind == Task {
		s.owner.bear()
	}
	open = true
	parent.lockInTree()
	born := parent.cause.Load()
	for parent.closed || parent.loose || parent.gone {
		parent.mu.Unlock()
		if s.kind != Task && s.hears(born) {
			s.loose = true
			s.parent.Store(parent)
			s.Cancel(born)
			return true
		}
		open = open && parent.kind != Kernel
		parent = parent.parent.Load()
		parent.lockInTree()
	}
	alone := parent.children == nil
	parent.adoptLocked(s)
	parent.mu.Unlock()
	if s.kind == Timeout && s.expires != 0 && !alone {
		s.arm() // see forget.go
	}
	switch {
	case born == nil:
	case s.hears(born) || !open && s.kind == Task:
		s.Cancel(born)
	default:
		s.hearShutdown(parent)
	}
	if s.kind == Timeout && s.cause.Load() != nil {
		s.forget() // the context that it follows was done before s was here
	}
	return open
}

// hearShutdown cancels s, which is deaf to what has cancelled its parent, if its kernel
// is being shut down.
func (s *Scope) hearShutdown(parent *Scope) {
	for p := parent; p != nil; p = p.parent.Load() {
		if c := p.cause.Load(); p.kind == Kernel && c != nil && s.hears(c) {
			s.Cancel(c)
			return
		}
	}
}

// adoptLocked makes child the newest child of s.
func (s *Scope) adoptLocked(child *Scope) {
	child.parent.Store(s)
	child.prev, child.next = nil, s.children
	if s.children != nil {
		s.children.prev = child
	}
	s.children = child
}

// unlinkLocked takes child out of s's children.
func (s *Scope) unlinkLocked(child *Scope) {
	if child.prev != nil {
		child.prev.next = child.next
	} else {
		s.children = child.next
	}
	if child.next != nil {
		child.next.prev = child.prev
	}
	child.prev, child.next = nil, nil
}

// emptiedLocked returns who waits for s to have no children, if it has none.
func (s *Scope) emptiedLocked() (woken Batch) {
	if s.children == nil && s.rare != nil {
		s.rare.waiting.PopAll(&woken)
	}
	return woken
}

// CloseEmpty closes s if it has no children, and reports whether it is closed. It
// is how a kernel ends: nothing can be spawned in it any more.
func (s *Scope) CloseEmpty() bool {
	p := s.lockParent()
	s.mu.Lock()
	if s.children == nil && !s.closed {
		s.closed = true
		s.withdrawLocked()
		p.unlinkLocked(s)
	}
	closed := s.closed
	s.mu.Unlock()
	p.mu.Unlock()
	return closed
}

// WaitEmpty waits until s has no children: until every task of a kernel has ended.
func (s *Scope) WaitEmpty(ctx context.Context, op string) error {
	p, err := At(ctx)
	if err != nil {
		return err
	}
	return s.waitEmpty(p, op)
}

func (s *Scope) waitEmpty(p Place, op string) error {
	s.mu.Lock()
	if s.children == nil {
		s.mu.Unlock()
		return nil
	}
	if p.Untrusted() {
		s.mu.Unlock()
		return p.Follow(func(p Place) error { return s.waitEmpty(p, op) })
	}
	return p.Block(op, nil, &s.rareLocked().waiting, &s.mu)
}

// lockParent locks and returns the scope that s is now a child of; nil for one
// outside of the tree.
func (s *Scope) lockParent() *Scope {
	for {
		p := s.parent.Load()
		if p == nil {
			return nil
		}
		p.mu.Lock()
		if s.parent.Load() == p {
			return p
		}
		p.mu.Unlock() // p was closed, and s passed on, in between
	}
}

// Close takes s out of the tree, and ends it, as its function has returned. What is
// left under it becomes its parent's, and is cancelled, as Go does with a context when
// its cancel function is called; but not what is left under a task, whose children may
// outlive it.
func (s *Scope) Close() {
	if !s.closeSimply() {
		s.close(s.kind == Task)
	}
}

// closeSimply is close for an empty scope: nothing is below it, waits in it, or has to be
// told. Nearly all scopes end this way. done is false if there is more to do. (It is a
// function of its own, but not to save time in close: the frame of closeOne makes the stack
// of a new task grow, which costs more than all the rest of a task.)
func (s *Scope) closeSimply() (done bool) {
	p := s.lockParent()
	if p == nil {
		return false
	}
	s.mu.Lock()
	done = s.isEmptyLocked() && (p.rare == nil || p.rare.waiting.Empty()) && (p.kind != Timeout || p.cause.Load() == nil)
	if done {
		if s.cause.Load() == nil {
			s.cause.Store(ended)
		}
		s.closed = true
		p.unlinkLocked(s)
	}
	s.mu.Unlock()
	p.mu.Unlock()
	if done && s.kind == Task {
		s.owner.leaveWaiter()
		s.owner.strike()
	}
	return done
}

// isEmptyLocked reports whether s is in the tree, open and empty.
func (s *Scope) isEmptyLocked() bool {
	return !s.closed && !s.loose && !s.gone && s.children == nil && s.waiters == nil && s.alarm == nil &&
		s.twin.Load() == nil && (s.rare == nil || s.rare.unhook == nil && s.rare.request == nil)
}

// close closes s, and the scopes that end with it. forgotten says that nobody will close
// the timeouts below: their task has ended.
func (s *Scope) close(forgotten bool) {
	for todo := s.closeOne(forgotten); len(todo) > 0; {
		last := len(todo) - 1
		c := todo[last]
		todo = append(todo[:last], c.closeOne(true)...)
	}
}

// closeOne closes s, and returns the scopes that have to be closed next.
func (s *Scope) closeOne(forgotten bool) (todo []*Scope) {
	var woken, emptied Batch
	p := s.lockParent()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		if p != nil {
			p.mu.Unlock()
		}
		return nil
	}
	if s.kind != Task {
		s.cancelLocked(ended, &woken)
	} else if s.cause.Load() == nil { // what is below a task goes on
		s.endLocked(ended, &woken)
	}
	s.closed, s.lost = true, forgotten && s.kind == Timeout
	s.withdrawLocked()
	var orphans []*Scope
	for c := s.children; c != nil; c = s.children {
		moves.Add(1)
		s.unlinkLocked(c)
		if p != nil {
			p.adoptLocked(c)
		}
		orphans = append(orphans, c)
	}
	a, unhook := s.takeTiesLocked()
	s.mu.Unlock()
	var due *Cause // to the orphans; what cancels p later is pushed to them
	empty := false // p is a timeout that forget may have to take out of the tree
	if p != nil {
		if !s.loose && !s.gone {
			p.unlinkLocked(s)
		}
		due = p.cause.Load()
		empty = p.isIdle()
		emptied = p.emptiedLocked()
		p.mu.Unlock()
	}

	emptied.Wake()
	woken.wakeForScope()
	if empty {
		p.forget()
	}
	s.untie(a, unhook)
	for _, c := range orphans {
		if forgotten && c.kind == Timeout {
			todo = append(todo, c)
		} else {
			c.passedOn(p, due)
		}
	}
	if s.kind == Task {
		s.owner.leaveWaiter()
		s.owner.strike()
	}
	return todo
}

// passedOn does for s, which has just moved to p, what became due with the move: it may
// have come out of a shield, below one that had been cancelled. A timeout that a task
// forgot to end ends with the task. Other scopes are never forgotten, but a goroutine of
// the task's may still be inside.
func (s *Scope) passedOn(p *Scope, due *Cause) {
	s.heed()
	switch {
	case due == nil:
	case s.hears(due):
		s.Cancel(due)
	default:
		s.hearShutdown(p)
	}
}

// arm sets the alarm of a scope with a deadline, unless it is set. It is called when somebody
// waits under the scope: a timeout around what does not block costs no timer.
func (s *Scope) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alarm != nil || s.closed || s.cause.Load() != nil {
		return
	}
	s.alarm = s.owner.takeAlarm()
	s.alarm.set(s.expires, s, nil)
}

// expire cancels a scope whose deadline has come.
func (s *Scope) expire() {
	switch m := s.movable(); {
	case s.cause.Load() != nil:
	case m != nil:
		m.expire(s)
	default:
		s.Cancel(expired(s))
	}
}

// hook remembers stop, which Close calls.
func (s *Scope) hook(stop func() bool) {
	s.mu.Lock()
	if s.closed { // it was forgotten, and its task has ended meanwhile
		s.mu.Unlock()
		stop()
		return
	}
	defer s.mu.Unlock()
	r := s.rareLocked()
	before := r.unhook
	r.unhook = func() {
		stop()
		if before != nil {
			before()
		}
	}
}
