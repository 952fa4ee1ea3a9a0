package wait

import (
	"context"
	"reflect"
	"time"
)

// This file is about contexts that are not ours. Their methods may panic, end the
// goroutine or hang. So an operation calls them in three moments only, in which it has
// nothing that others wait for, and is on no list:
//
//	at its start            At asks whether the context is alive
//	before it waits at all  Follow takes its Done channel; afterwards the operation looks
//	                        again, as it has let go of its object for so long
//	at its very end         Failure asks the context for its error
//
// In between the operation waits in a scope of ours, which that channel ends.
//
// The contexts of package context are called in more places, as they do nothing of the
// kind: a wait follows them when it begins, with the object's mutex released.

// Types of package context of which every method that we call while we wait is that
// package's own code. A value context is as good as what is below it.
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

// Follow calls again with a place of ours, which ends when the context of p does, and
// returns its error. It is called with nothing held. It calls the context's methods before
// and after again, and never during it.
func (p Place) Follow(again func(Place) error) error {
	f := p.followed()
	defer f.scope.Close() // also if the context panics
	return f.failure(again(f))
}

// FollowNow is Follow for an operation that is no function: it returns the place of ours,
// and the operation ends with Leave, when nothing is held any more.
func (p Place) FollowNow() Place { return p.followed() }

// Leave returns the error of an operation at p, which comes from FollowNow, when the
// operation itself has ended with err.
func (p Place) Leave(err error) error {
	defer p.scope.Close()
	return p.failure(err)
}

// Scope is the scope of p, which is a context that ends as p does. It is for a place that
// is not foreign.
func (p Place) Scope() *Scope { return p.scope }

// contextEnded is the cause of all scopes that followed a context, as long as nobody has
// asked that context why it has ended.
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

// followDone makes s end when done is closed, the channel of ctx.
func (s *Scope) followDone(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
		s.Cancel(contextEnded)
	default:
		s.hook(context.AfterFunc(&watched{ctx: ctx, done: done}, func() { s.Cancel(contextEnded) }))
	}
}

// failure is err, or the error of the context that p follows if err says that it has ended.
func (p Place) failure(err error) error {
	if e, ok := err.(*Error); ok && e.Cause() == contextEnded {
		return p.scope.rare.followed.Failure()
	}
	return err
}

// A watched is a context as context.AfterFunc is to see it: that asks for values, where it
// finds out whether the context is package context's at heart and needs no goroutine, then
// for the error, and again for values when it lets go. What was not asked in the beginning, by
// the operation's own goroutine, is not asked of the context at all.
type watched struct {
	ctx        context.Context // until it was asked
	done       <-chan struct{}
	key, value any // what it was asked, and what it said
}

func (w *watched) Deadline() (time.Time, bool) { return time.Time{}, false }
func (w *watched) Done() <-chan struct{}       { return w.done }

// Err is asked when Done has been closed.
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

// Failure is the error of an operation at p that has been ended by its scope. It is called
// when the operation holds nothing any more, and others need not wait for it.
func (p Place) Failure() error {
	var err error
	if p.foreign != nil {
		err = p.foreignFailure()
	} else {
		err = p.scope.failure()
	}
	if probing.Load() != 0 {
		p.probeFailed(err)
	}
	return err
}

// Ended reports whether an operation at p has to end. It is Err that asks nobody for
// reasons, for an operation that holds something.
func (p Place) Ended() bool {
	switch {
	case p.foreign != nil:
		return p.foreign.Err() != nil
	case p.scope != nil:
		return p.scope.cause.Load() != nil || p.scope.clock != nil && Now() >= p.scope.clock.expires
	}
	return false
}

// Held is Held of a place that is not foreign.
func (p Place) Held(object any, n int64) {
	if probing.Load() == 0 {
		return
	}
	if probe := p.scope.probe(); probe != nil {
		probe.Held(object, p.Owner(), n)
	}
}

// Shielded is a place where nothing ends a wait, in the name of the same task.
func (p Place) Shielded() Place {
	s := &Scope{kind: Adopted, owner: p.Owner()}
	if p.scope != nil {
		s.base = p.scope.base
	}
	return Place{scope: s}
}
