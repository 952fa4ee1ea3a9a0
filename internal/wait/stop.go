package wait

import (
	"context"
	"fmt"
	"sync/atomic"
)

// This file asks scopes to stop, which is no cancellation: what is in a scope goes on, and only the
// scopes of kind UntilAsked in it end. These are opened around a wait for something new to do.
//
// A scope that has been asked keeps the cause for good. Ask notes it before it looks for scopes of
// kind UntilAsked, and NewUntil links a new one before it looks for a cause on the way up. So either
// Ask finds the scope, or NewUntil finds the cause. Scopes that are passed on meanwhile, from where Ask
// has not been yet to where it has, look for a cause after that (heed).
//
// Some time before it asks, a program may announce that it will, for those who have to know early.

// A request is what a scope knows of being asked to stop.
type request struct {
	announced bool
	cause     *Cause // nil before Ask
}

// requests counts the scopes that have one and are not closed. If there are none, nobody need look.
var requests atomic.Int64

// requestLocked returns s's request, which it makes if need be.
func (s *Scope) requestLocked() *request {
	r := s.rareLocked()
	if r.request == nil {
		r.request = new(request)
		if !s.closed { // else nothing is in s, or will be
			requests.Add(1)
		}
	}
	return r.request
}

// Announce says that s will be asked to stop.
func (s *Scope) Announce() {
	s.mu.Lock()
	s.requestLocked().announced = true
	s.mu.Unlock()
}

// Ask ends the scopes of kind UntilAsked that are in s, and those that will be. It returns the cause
// with which they end: that of the first call.
func (s *Scope) Ask(c *Cause) *Cause {
	s.mu.Lock()
	r := s.requestLocked()
	if r.cause == nil {
		r.announced, r.cause = true, c
	}
	c = r.cause
	s.mu.Unlock()
	s.tell(c)
	return c
}

// tell ends the scopes of kind UntilAsked below s, and s itself if it is one.
func (s *Scope) tell(c *Cause) {
	end := func(s *Scope) bool {
		if s.kind == UntilAsked {
			s.Cancel(c)
		}
		return true
	}
	end(s)
	s.Walk(end)
}

// heed is called when s, with all that is below, has another parent.
func (s *Scope) heed() {
	if c := s.Asked(); c != nil {
		s.tell(c)
	}
}

// NewRequest returns a cause with which by, nil for none, asks s to stop. errors.Is finds reason in
// what ends with it.
func NewRequest(s *Scope, reason error, by fmt.Stringer) *Cause {
	c := NewCause(s, Asked, reason)
	c.Named, c.By = true, by
	return c
}

// NewUntil opens a scope of kind UntilAsked below ctx.
func NewUntil(ctx context.Context) *Scope {
	s := &Scope{kind: UntilAsked}
	s.enter(ctx, Default)
	if c := s.Asked(); c != nil {
		s.Cancel(c)
	}
	return s
}

// Asked returns the cause with which s, or the nearest scope around it that was, was asked to stop;
// nil if none was.
func (s *Scope) Asked() (c *Cause) {
	if !Asking() {
		return nil
	}
	s.requested(func(r request) bool {
		c = r.cause
		return c != nil
	})
	return c
}

// AskedWith reports whether c is a cause with which s, or a scope around it, was asked to stop. Several
// may have been, one after the other. If c is nil, any will do. A scope that is closed still knows.
func (s *Scope) AskedWith(c *Cause) bool {
	return s.requested(func(r request) bool { return r.cause != nil && (c == nil || r.cause == c) })
}

// AskAll asks what is in the scope of ctx to stop, in the name of by.
func AskAll(ctx context.Context, reason error, by fmt.Stringer) {
	if s, _ := find(ctx); s != nil {
		s.Ask(NewRequest(s, reason, by))
	}
}

// Announced reports whether it has been announced that the scope of ctx, or one around it, will be
// asked to stop.
func Announced(ctx context.Context) bool {
	s, _ := find(ctx)
	return Asking() && s.requested(func(r request) bool { return r.announced })
}

// withdrawLocked is called when s is closed.
func (s *Scope) withdrawLocked() {
	if s.rare != nil && s.rare.request != nil {
		requests.Add(-1)
	}
}

// Asking reports whether any scope that is open has been asked to stop.
func Asking() bool { return requests.Load() != 0 }

// requested reports whether found returns true for the request of s or of a scope around it. A nil
// s has none.
func (s *Scope) requested(found func(request) bool) bool {
	for p := s; p != nil; p = p.parent.Load() {
		p.mu.Lock()
		var r request
		if p.rare != nil && p.rare.request != nil {
			r = *p.rare.request
		}
		p.mu.Unlock()
		if found(r) {
			return true
		}
	}
	return false
}
