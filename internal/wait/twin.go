package wait

import (
	"context"
	"sync"
)

// This file is for standard contexts that are derived from ours.

// A twin is a standard context that ends with a scope, at the same moment, and whose Done
// channel is the scope's. Package context recognises its own types: a context that it
// derives from a scope, directly or below values, hangs on the twin, costs no goroutine,
// and is done when the cancellation of the scope returns. Nobody else sees a twin.
//
// The twin is made when Done is asked for. The goroutine that cancels the scope tells the
// twin before it wakes anybody. A goroutine that comes in between, and needs Err and Done
// to agree, tells the twin first.
type twin struct {
	ctx  context.Context
	done <-chan struct{}
	tell func() // tells it that the scope has ended; nil if that was so when the twin was made
	told sync.Once
}

// end tells t that its scope has ended. When it returns, everything that hangs on t has
// ended too.
func (t *twin) end() {
	if t.tell != nil {
		t.told.Do(t.tell)
	}
}

// twinOf returns s's twin, and makes it if need be.
func (s *Scope) twinOf() *twin {
	if t := s.twin.Load(); t != nil {
		return t
	}
	t := new(twin)
	ctx, endsWithS := context.WithCancel(parent{s, t})
	_ = endsWithS
	t.ctx = ctx
	t.done = t.ctx.Done()
	s.mu.Lock()
	if made := s.twin.Load(); made != nil { // by somebody else
		s.mu.Unlock()
		return made
	}
	s.twin.Store(t)
	missed := s.cause.Load() != nil && t.tell != nil
	s.mu.Unlock()
	if missed {
		t.end()
	}
	return t
}

// A parent is what package context takes for the parent of a twin: the scope as it is
// without a twin.
type parent struct {
	*Scope
	twin *twin
}

var open, closed = make(chan struct{}), closedChannel()

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Done returns a channel that is open or closed as the scope is now. That is all that
// package context asks of a parent that has an AfterFunc.
func (p parent) Done() <-chan struct{} {
	if p.cause.Load() != nil {
		return closed
	}
	return open
}

func (p parent) Err() error {
	if c := p.cause.Load(); c != nil {
		return p.errOf(c)
	}
	return nil
}

func (p parent) Value(key any) any { return p.value(key) }

// AfterFunc is how package context hands over the function that ends the twin.
func (p parent) AfterFunc(f func()) (stop func() bool) {
	p.twin.tell = f
	return func() bool { return false }
}
