package wait

import (
	"context"
	"time"
)

// This file makes a Scope a context.Context, as the context package documents
// it, for the standard library and everybody else.

type scopeKey struct{}

// Deadline is when s expires, by itself or with one of the scopes around it, if
// nothing ends it before. Foreign contexts count.
func (s *Scope) Deadline() (time.Time, bool) {
	var limit int64
	if s.clock != nil {
		limit = s.clock.expires
	}
	window := false
	for p := s; p != nil; p = p.canceller(&window) {
		p.mu.Lock()
		if r := p.rare; r != nil && r.limit != 0 && (limit == 0 || r.limit < limit) {
			limit = r.limit
		}
		p.mu.Unlock()
	}
	if limit == 0 {
		return time.Time{}, false
	}
	return Time(limit), true
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
	if c := s.clock; c != nil && Now() >= c.expires {
		c.expire()
	} else if c != nil {
		c.arm()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
		if s.cause.Load() != nil {
			close(s.done)
		}
	}
	return s.done
}

// Err is nil while s is live, and then context.DeadlineExceeded or
// context.Canceled for ever. It is the very value, for those who compare with ==.
func (s *Scope) Err() error {
	if c := s.clock; c != nil && s.cause.Load() == nil && Now() >= c.expires {
		c.expire()
	}
	c := s.cause.Load()
	if c == nil {
		return nil
	}
	if c.deadline() && (c.scope == nil || c.scope.owner == s.owner) {
		return context.DeadlineExceeded
	}
	return context.Canceled // and a task below a timeout has been cancelled by it
}

// Value returns s itself for the key that find uses. The rest comes from the
// context that s was derived from.
//
// One key more has an answer when s has been cancelled: the one by which
// context.Cause asks a standard context for its cause. It is not exported, but
// any standard context answers it, so Value asks one that was cancelled with s's
// cause. A key that nobody knows costs a look-up more, no harm is done.
func (s *Scope) Value(key any) any {
	if _, ok := key.(scopeKey); ok {
		return s
	}
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
	err := s.failure()
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

// AfterFunc arranges for f to be called when s is cancelled, by whoever cancels
// it; if that has happened already, in a goroutine of its own, as the caller may
// hold a lock that f needs. The context package looks for this method and does
// hold one: with it, a context derived from s costs no goroutine.
func (s *Scope) AfterFunc(f func()) (stop func() bool) {
	w := new(Waiter) // not pooled: nobody says when it is done with
	w.state.Store(waiting)
	w.op, w.scope, w.object = "CONTEXT", s, callback(f)
	if !s.register(w) {
		go f()
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
type callback func()

// Interrupt takes w off its scope's list, as nobody else will.
func (f callback) Interrupt(w *Waiter) {
	w.scope.unregister(w)
	f()
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

// valuesOf is ctx as a source of values. A scope is none itself, so it is left
// out: it would be kept in memory for as long as its descendants.
func valuesOf(ctx context.Context) context.Context {
	if s, ok := ctx.(*Scope); ok {
		return s.base
	}
	if ctx == context.Background() {
		return nil
	}
	return ctx
}

// follow makes s end when ctx, a foreign context, does.
func (s *Scope) follow(ctx context.Context) {
	if s.kind != Adopted { // which nobody asks for its deadline
		if at, ok := ctx.Deadline(); ok {
			s.mu.Lock()
			s.rareLocked().limit = Until(at)
			s.mu.Unlock()
		}
	}
	if ctx.Done() == nil {
		return
	}
	if ctx.Err() != nil {
		s.Cancel(foreignCause(ctx))
		return
	}
	s.hook(context.AfterFunc(ctx, func() { s.Cancel(foreignCause(ctx)) }))
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
		if s.cause.Load() == nil && s.clock == nil {
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
	case p.foreign != nil && p.foreign.Err() != nil:
		return p.foreignFailure()
	case p.foreign == nil && p.scope != nil:
		return p.scope.check()
	}
	return nil
}

// check is step 0 of every operation. A deadline counts although nobody waits and
// no alarm is set, so that a loop of operations that never block ends too.
func (s *Scope) check() error {
	if s.cause.Load() != nil || s.clock != nil && Now() >= s.clock.expires {
		return s.failure()
	}
	return nil
}

// adopt makes a scope for a wait under a foreign context. What cancels the
// foreign context is all that cancels it: if that context was derived from a
// scope of ours, it hears of it anyway, unless the caller cut that tie.
func (p Place) adopt() *Scope {
	s := &Scope{kind: Adopted, base: valuesOf(p.foreign)}
	if p.scope != nil {
		s.owner = p.scope.owner
	}
	s.follow(p.foreign)
	return s
}

// Owner is the task in whose name the wait is, nil for none.
func (p Place) Owner() *Owner {
	if p.scope == nil {
		return nil
	}
	return p.scope.owner
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
