package wait

import (
	"context"
	"reflect"
	"time"
)

// This file is about contexts that are not ours. Their methods may panic, end the goroutine
// or hang. So an operation calls them at three points only, where it holds nothing that
// others wait for and is on no list:
//
//	at its start            At asks whether the context is alive
//	before it waits at all  Follow takes its Done channel; afterwards the operation looks
//	                        again, as it had let go of its object meanwhile
//	at its very end         Failure asks the context for its error
//
// In between, the operation waits in a scope of ours that ends when that channel is closed.
//
// Package context's own contexts do none of this, so they are called in more places: a wait
// follows them when it begins, with the object's mutex released.

// Types of package context. Every method of theirs that we call during a wait is that
// package's own code. A value context is only as good as the context that it wraps.
var (
	cancelType  = typeOf(context.WithCancel(context.Background()))
	timerType   = typeOf(context.WithDeadline(context.Background(), time.Unix(1<<40, 0)))
	valueType   = reflect.TypeOf(context.WithValue(context.Background(), scopeKey{}, nil))
	withoutType = reflect.TypeOf(context.WithoutCancel(context.Background()))
)

func typeOf(ctx context.Context, cancel context.CancelFunc) reflect.Type {
	cancel()
	return reflect.TypeOf(ctx)
}

func trusted(ctx context.Context) bool {
	for {
		switch reflect.TypeOf(ctx) {
		case cancelType, timerType, withoutType:
			return true
		case valueType:
			ctx = reflect.ValueOf(ctx).Elem().FieldByName("Context").Interface().(context.Context)
		default:
			_, ours := ctx.(*Scope)
			return ours
		}
	}
}

// Untrusted reports whether the context of p is neither ours nor package context's, so that
// a wait at p needs Follow.
func (p Place) Untrusted() bool { return p.foreign != nil && !trusted(p.foreign) }

// Follow calls again with a place of ours that ends when p's context is done, and returns
// the operation's error. The caller must hold nothing. Follow calls the context's methods
// before and after it calls again, never during that.
func (p Place) Follow(again func(Place) error) error {
	f := p.followed()
	defer f.scope.Close() // even if the context panics
	return f.failure(again(f))
}

// FollowFor is Follow for an operation that has a result.
func FollowFor[T any](p Place, again func(Place) (T, error)) (v T, err error) {
	err = p.Follow(func(p Place) (err error) {
		v, err = again(p)
		return err
	})
	return v, err
}

// FollowNow is Follow for an operation that is not a single function. It returns the place
// of ours; the operation must end with Leave, when it holds nothing any more.
func (p Place) FollowNow() Place { return p.followed() }

// Leave ends an operation at p, a place from FollowNow. err is what the operation itself
// has ended with; Leave returns the error to report.
func (p Place) Leave(err error) error {
	defer p.scope.Close()
	return p.failure(err)
}

// Scope returns the scope of p, a context that ends as p does. p must not be foreign.
func (p Place) Scope() *Scope { return p.scope }

// contextEnded is the cause of every scope that has ended with the context that it follows,
// as long as nobody has asked that context why it is done.
var contextEnded = NewCause(nil, Foreign, nil)

func (p Place) followed() Place {
	s := &Scope{kind: Adopted, owner: p.Owner(), rare: &rare{followed: &p}}
	if probing.Load() != 0 {
		if probe := probeOf(p.foreign); probe != nil {
			s.base = context.WithValue(context.Background(), probeKey{}, probe)
		}
	}
	if done := p.foreign.Done(); done != nil {
		s.followDone(p.foreign, done)
	}
	return Place{scope: s}
}

// followDone makes s end when done, the channel of ctx, is closed.
func (s *Scope) followDone(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
		s.Cancel(contextEnded)
	default:
		s.hook(context.AfterFunc(&watched{ctx: ctx, done: done}, func() { s.Cancel(contextEnded) }))
	}
}

// failure returns err or, if err says that the context that p follows is done, the error of
// that context.
func (p Place) failure(err error) error {
	if e, ok := err.(*Error); ok && e.Cause() == contextEnded {
		return p.scope.rare.followed.Failure()
	}
	return err
}

// A watched is what context.AfterFunc gets to see of a context. AfterFunc asks for a value,
// to find out whether the context is based on one of package context's own and needs no
// goroutine; then for the error; and for a value again when it lets go. Only the first
// question, which the operation's own goroutine asks, reaches the context itself.
type watched struct {
	ctx        context.Context // nil once it has been asked
	done       <-chan struct{}
	key, value any // what it was asked, and its answer
}

func (w *watched) Deadline() (time.Time, bool) { return time.Time{}, false }
func (w *watched) Done() <-chan struct{}       { return w.done }

// Err is called only when Done has been closed.
func (w *watched) Err() error { return context.Canceled }

func (w *watched) Value(key any) any {
	if ctx := w.ctx; ctx != nil {
		w.ctx = nil
		w.value = ctx.Value(key)
		w.key = key
	}
	if key == w.key {
		return w.value
	}
	return nil
}

// Failure returns the error of an operation at p that its scope has ended. It is called
// when the operation holds nothing any more and nobody has to wait for it.
func (p Place) Failure() error {
	var err error
	if p.foreign != nil {
		err = p.foreignFailure()
	} else {
		err = p.scope.Failure()
	}
	if probing.Load() != 0 {
		p.probeFailed(err)
	}
	return err
}

// Ended reports whether an operation at p has to end. Unlike Err, it asks nobody for a
// reason: it is for an operation that holds something.
func (p Place) Ended() bool {
	switch {
	case p.foreign != nil:
		return p.foreign.Err() != nil
	case p.scope != nil:
		return p.scope.cause.Load() != nil || p.scope.overdue()
	}
	return false
}

// Held tells the probe of p, if there is one, that n of object have been taken. p must not
// be foreign.
func (p Place) Held(object any, n int64) {
	if probing.Load() == 0 {
		return
	}
	if probe := p.scope.probe(); probe != nil {
		probe.Held(object, p.Owner(), n)
	}
}

// Shielded returns a place of the same task where nothing ends a wait.
func (p Place) Shielded() Place {
	s := &Scope{kind: Adopted, owner: p.Owner()}
	if p.scope != nil {
		s.base = p.scope.base
	}
	return Place{scope: s}
}
