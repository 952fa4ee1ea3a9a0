package wait

import (
	"context"
	"sync"
)

// This file is for standard contexts below ours.

// A twin is a standard context that ends with a scope, in the same moment, and whose Done
// is the scope's. Package context recognises its own: what it derives from a scope, values
// in between or not, hangs on the twin, costs no goroutine, and has ended when the
// cancellation of the scope returns. Nobody else sees a twin.
//
// It is made when Done is asked for. Whoever cancels the scope tells the twin before waking
// anybody; who comes in between, and needs what Err says and Done to agree, does so first.
type twin struct {
	ctx  context.Context
	done <-chan struct{}
	tell func() // that the scope has ended; nil if it had when the twin was made
	told sync.Once
}

// end tells t that its scope has ended. When it returns, all that hangs on t has ended too.
func (t *twin) end() {
	if t.tell != nil {
		t.told.Do(t.tell)
	}
}

// twinOf is s's twin, which it makes if need be.
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

// A parent is what package context takes for the parent of a twin: the scope, as it was
// without one.
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

// Done says how things are in this moment, which is all that package context asks a parent
// that has an AfterFunc.
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

// AfterFunc is how package context says what the twin is to be told by.
func (p parent) AfterFunc(f func()) (stop func() bool) {
	p.twin.tell = f
	return func() bool { return false }
}
