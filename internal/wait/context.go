package wait

import (
	"context"
	"fmt"
	"time"
)

// This file makes a Scope a context.Context, as the context package documents
// it, for the standard library and everybody else.

type scopeKey struct{}

// Deadline returns the time at which s expires, by itself or with a scope or foreign
// context around it, if nothing ends it before. It returns the same time on every call.
func (s *Scope) Deadline() (deadline time.Time, ok bool) {
	if s.clock != nil {
		deadline, ok = s.clock.expiry(), true
	}
	for src := s.sources; src != nil; src = src.next {
		if !src.limit.IsZero() && (!ok || src.limit.Before(deadline)) {
			deadline, ok = src.limit, true
		}
	}
	return deadline, ok
}

// expiry returns the time at which s, which has a deadline, expires: the time that the
// caller gave, or one that is worked out once.
func (s *Scope) expiry() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rareLocked()
	if r.at.IsZero() {
		r.at = Time(s.expires)
	}
	return r.at
}

// canceller is the scope whose cancellation is pushed to s, nil if there is none.
// window says that a window has been passed on the way: that is open to what is
// outside of all shields.
func (s *Scope) canceller(window *bool) *Scope {
	switch {
	case s.kind == Shield && *window:
		return scopeOf(s.rare.outside)
	case s.kind == Shield || s.detached:
		return nil
	}
	*window = *window || s.kind == Window
	return s.parent.Load()
}

// Done returns a channel that is closed when s is cancelled. It is made when it
// is first asked for; our own operations never do.
func (s *Scope) Done() <-chan struct{} {
	if s.look() == nil && s.clock != nil {
		s.clock.arm()
	}
	return s.twinOf().done
}

// Err is nil while s is live, and then context.DeadlineExceeded or
// context.Canceled for ever. It is the very value, for those who compare with ==.
func (s *Scope) Err() error {
	c := s.look()
	if c == nil {
		return nil
	}
	if t := s.twin.Load(); t != nil {
		t.end()
	}
	return s.errOf(c)
}

// errOf is what Err returns when c has cancelled s.
func (s *Scope) errOf(c *Cause) error {
	if c.late && (c.Kind == Foreign || c.task == s.ownerID()) {
		return context.DeadlineExceeded
	}
	return context.Canceled // and a task below a timeout has been cancelled by it
}

func (s *Scope) ownerID() uint64 {
	if s.owner == nil {
		return 0
	}
	return s.owner.ID
}

// look returns the cause of s, nil while s is live. It counts what has not been pushed to s yet:
// a deadline that has passed although no alarm has rung, and a foreign context that is done
// although no goroutine has reported it. So a loop of operations that never block ends too, and a
// scope below a standard context is done when the context's cancel function has returned.
func (s *Scope) look() *Cause {
	if c := s.cause.Load(); c != nil || !s.asks || s.isQuiet() {
		return c
	}
	if k := s.clock; k != nil && Now() >= k.expires {
		k.expire()
		s.catchUp(k)
	}
	for src := s.sources; src != nil; src = src.next {
		if src.scope.cause.Load() == nil {
			if !src.ended() {
				continue
			}
			src.endScope()
		}
		s.catchUp(src.scope)
	}
	return s.cause.Load()
}

// isQuiet reports whether nothing that look asks has ended. If a program's main task has a
// standard context, most of its operations go through here, so it is short: asking that
// context's Err takes half the time of asking its channel.
func (s *Scope) isQuiet() bool {
	if k := s.clock; k != nil && Now() >= k.expires {
		return false
	}
	for src := s.sources; src != nil; src = src.next {
		switch {
		case src.movable != nil:
			if src.movable.passed() {
				return false
			}
		case src.derived != nil || !src.trusted || src.ctx.Err() != nil:
			return false
		}
	}
	return true
}

// catchUp cancels s, and the task that it is in, if around has ended: the goroutine that
// ended it may not have pushed that down yet.
func (s *Scope) catchUp(around *Scope) {
	c := around.cause.Load()
	if c == nil || c == ended && around.kind == Task {
		return // a task that has ended, or is about to, without having been cancelled
	}
	if s.owner != nil && around.owner != s.owner {
		s.owner.Scope.Cancel(c)
	}
	s.Cancel(c)
}

// String describes s in words that never change, as logs and mocks print contexts while
// other goroutines use them.
func (s *Scope) String() string {
	text := "curio." + s.kind.String()
	if id := s.ownerID(); id != 0 {
		text += fmt.Sprintf("(task %d)", id)
	}
	return text
}

// GoString is String, for the same reason.
func (s *Scope) GoString() string { return s.String() }

// Value returns s itself for the key that find uses. Other values come from the context
// that s was derived from, or from s's twin, which is how package context finds the twin.
func (s *Scope) Value(key any) any {
	if _, ok := key.(scopeKey); ok {
		return s
	}
	if t := s.twin.Load(); t != nil {
		if s.cause.Load() != nil {
			t.end()
		}
		return t.ctx.Value(key)
	}
	return s.value(key)
}

// value is Value without the twin.
//
// Once s is cancelled, one more key has an answer: the one by which context.Cause asks a
// standard context for its cause. The key is not exported, but any standard context answers
// it, so value asks one that was cancelled with s's cause. An unknown key costs one more
// look-up and does no harm.
func (s *Scope) value(key any) any {
	switch {
	case s.cause.Load() != nil:
		return s.causeShim().Value(key)
	case s.base != nil:
		return s.base.Value(key)
	}
	return nil
}

// causeShim is a standard context with s's values, cancelled with s's cause.
func (s *Scope) causeShim() context.Context {
	s.mu.Lock()
	made := s.rareLocked().shim
	s.mu.Unlock()
	if made != nil {
		return made
	}
	err := s.failureBy((*source).knownToEndWithOurs)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rare
	if r.shim == nil {
		var values context.Context = context.Background()
		if s.base != nil {
			values = context.WithoutCancel(s.base)
		}
		shim, cancel := context.WithCancelCause(values)
		cancel(err)
		r.shim = shim
	}
	return r.shim
}

// AfterFunc arranges to call f in its own goroutine when s is cancelled, or at once if it
// already is. Package context does not need it, as it finds s's twin; but others look for
// this method.
func (s *Scope) AfterFunc(f func()) (stop func() bool) {
	return s.afterEnd(&callback{f: f})
}

// OnCancel is AfterFunc for functions of ours, which neither block nor panic. The goroutine
// that cancels s calls f, without any lock, after it has woken all waiters under s.
func (s *Scope) OnCancel(f func()) (stop func() bool) {
	return s.afterEnd(&callback{f: f, trusted: true})
}

func (s *Scope) afterEnd(f *callback) (stop func() bool) {
	w := new(Waiter) // not pooled: nobody says when it is done with
	w.state.Store(waiting)
	w.op, w.scope, w.object = "CONTEXT", s, f
	if !s.register(w) {
		go f.f() // the caller may hold a lock that f needs
		return func() bool { return false }
	}
	return func() bool {
		if !w.claim(granted) {
			return false
		}
		s.unregister(w)
		return true
	}
}

// A callback waits for a scope to end without a goroutine, so nobody is woken.
type callback struct {
	f       func()
	trusted bool // the goroutine that cancels may call it
}

// Interrupt takes w off its scope's list, as nobody else will.
func (c *callback) Interrupt(w *Waiter) {
	w.scope.unregister(w)
	if c.trusted {
		c.f()
		return
	}
	go c.f()
}

// find returns the scope that ctx belongs to, and ctx itself as foreign if its
// cancellation is not just the scope's.
func find(ctx context.Context) (s *Scope, foreign context.Context) {
	if s, ok := ctx.(*Scope); ok {
		return s, nil
	}
	s = scopeOf(ctx)
	done := ctx.Done()
	if s != nil && done == s.Done() {
		return s, nil // only values were added
	}
	return s, ctx
}

// Values is ctx as a source of values, nil for none. A scope is none itself, so it is
// left out: it would be kept in memory for as long as its descendants.
func Values(ctx context.Context) context.Context {
	if s, ok := ctx.(*Scope); ok {
		return s.base
	}
	if ctx == context.Background() {
		return nil
	}
	return ctx
}

// A source is something other than its parent that ends a scope: a foreign context, a scope
// outside of a shield, or a deadline that can be moved. Operations ask it, because it ends
// earlier than it reports that.
type source struct {
	scope   *Scope          // the scope that ends with it
	ctx     context.Context // what to ask; nil for a deadline
	trusted bool            // ctx is package context's or ours: see trusted
	done    <-chan struct{} // its Done channel; nil for a scope, and for a context without one
	derived *Scope          // the innermost scope that ctx was derived from, or is; nil for none
	limit   time.Time       // its deadline, the zero time for none
	movable *movable        // the deadline, nil for a context or a scope
	next    *source         // the sources of the scopes further out that end this one
}

// ended reports whether the source has ended. A standard context that was derived from a
// scope is done only when the scope has told it, which the scope's Err sees to. So ended
// asks the scope first. Of the context itself it asks only the channel, which runs nobody's
// code.
func (src *source) ended() bool {
	if src.movable != nil {
		return src.movable.passed()
	}
	if src.derived != nil {
		err := src.derived.Err()
		if src.derived == src.ctx {
			return err != nil
		}
	}
	select {
	case <-src.done:
		return true
	default:
		return false
	}
}

// endScope ends the scope of src, which has ended.
func (src *source) endScope() {
	if src.movable != nil {
		src.scope.expire()
	} else {
		src.scope.Cancel(foreignCause(src.ctx, src.derived))
	}
}

// follow makes s end when ctx is done: a foreign context, or a scope that is not above s.
// It calls other people's code, which may panic, so it runs before s is in the tree.
func (s *Scope) follow(ctx context.Context, derived *Scope) {
	at, limited := ctx.Deadline()
	other, ours := ctx.(*Scope)
	var done <-chan struct{}
	if !ours {
		done = ctx.Done()
	}
	if !ours && done == nil && !limited {
		return
	}
	src := &source{scope: s, ctx: ctx, trusted: trusted(ctx), done: done, derived: derived, next: s.sources}
	if limited {
		src.limit = at
	}
	s.sources, s.asks = src, true
	switch {
	case src.ended():
		s.Cancel(foreignCause(ctx, src.derived))
	case ours:
		s.hook(other.OnCancel(func() { s.Cancel(other.cause.Load()) }))
	case done == nil:
	case src.trusted:
		s.hook(context.AfterFunc(ctx, src.end))
	default:
		s.hook(context.AfterFunc(&watched{ctx: ctx, done: done}, src.end))
	}
}

// end ends the scope of src because src.ctx is done. It runs in a goroutine of package
// context, where a panic in a foreign context must neither crash the program nor keep the
// wait from ending.
func (src *source) end() {
	c := contextEnded
	defer func() {
		if v := recover(); v != nil {
			c = NewCause(nil, Foreign, fmt.Errorf("curio: a context panicked when it was asked why it has ended: %v", v))
		}
		src.scope.Cancel(c)
	}()
	c = foreignCause(src.ctx, src.derived)
}

// A Place is where a wait happens: in a scope, or under a foreign context.
type Place struct {
	scope   *Scope // nil for a place where nothing can end a wait
	foreign context.Context
}

// At returns the place that ctx stands for, or the error with which an operation
// there ends before it has begun.
func At(ctx context.Context) (Place, error) {
	if s, ok := ctx.(*Scope); ok && probing.Load() == 0 { // the fast path
		if s.cause.Load() == nil && (!s.asks || s.isQuiet()) {
			return Place{scope: s}, nil
		}
		return Place{scope: s}, s.check()
	}
	return probedAt(ctx)
}

func at(ctx context.Context) (Place, error) {
	s, foreign := find(ctx)
	if foreign == nil {
		return Place{scope: s}, s.check()
	}
	if s == nil && foreign.Done() == nil {
		return Place{}, nil
	}
	p := Place{scope: s, foreign: foreign}
	return p, p.Err()
}

// Err is the error with which an operation that is at p ends when it asks again, nil if it
// may go on: for one that takes long without ever waiting.
func (p Place) Err() error {
	switch {
	case p.foreign != nil && p.foreignEnded():
		return p.foreignFailure()
	case p.foreign == nil && p.scope != nil:
		return p.scope.check()
	}
	return nil
}

// foreignEnded reports whether the foreign context is done. It first asks the scope that
// the context was derived from: see source.ended.
func (p Place) foreignEnded() bool {
	if p.scope != nil {
		_ = p.scope.Err()
	}
	return p.foreign.Err() != nil
}

// check is step 0 of every operation. A deadline counts even if nobody waits and no alarm
// is set.
func (s *Scope) check() error {
	if s.look() != nil {
		return s.Failure()
	}
	return nil
}

// adopt makes a scope for a wait under a foreign context. What cancels the
// foreign context is all that cancels it: if that context was derived from a
// scope of ours, it hears of it anyway, unless the caller cut that tie.
func (p Place) adopt() *Scope {
	s := &Scope{kind: Adopted, base: Values(p.foreign)}
	if p.scope != nil {
		s.owner = p.scope.owner
	}
	s.follow(p.foreign, p.scope)
	return s
}

// Owner is the task in whose name the wait is, nil for none.
func (p Place) Owner() *Owner {
	if p.scope == nil {
		return nil
	}
	return p.scope.owner
}

// Below reports whether p is in s or anywhere below it in the tree. p must not be from
// Follow.
func (p Place) Below(s *Scope) bool {
	for at := p.scope; at != nil; at = at.parent.Load() {
		if at == s {
			return true
		}
	}
	return false
}

// CurrentTask is the task that ctx belongs to, nil for none.
func CurrentTask(ctx context.Context) *Owner {
	s := scopeOf(ctx)
	if s == nil {
		return nil
	}
	return s.owner
}

// scopeOf is the innermost scope of ctx, nil if there is none.
func scopeOf(ctx context.Context) *Scope {
	if ctx == nil {
		panic("curio: nil context; pass context.Background() if there is nothing else")
	}
	if s, ok := ctx.(*Scope); ok {
		return s
	}
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// Pending returns the error with which an operation at ctx would end, were there
// no shields around it; nil if there is none.
func Pending(ctx context.Context) error {
	if _, err := At(ctx); err != nil {
		return err
	}
	s, _ := find(ctx)
	if around := s.outside(); around != nil {
		return Pending(around)
	}
	return nil
}
