package wait

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Probe sees every wait under a context, and may cancel a scope at the worst
// moment. It is how package curiotest proves that code survives. As long as there is
// none, it costs one load of a word that nobody writes.
//
// Its methods are called by the waiting goroutine, without any lock, and by several
// at once.
type Probe interface {
	// Enter is called at the start of each operation that may block, before it
	// looks whether its scope is alive.
	Enter(ctx context.Context)

	// Parked is called when an operation is about to block, and from now on can be
	// cancelled. What it waits for may come at any time.
	Parked(w Snapshot, owner *Owner)

	// Failed is called when an operation ends with the error of its scope.
	Failed(owner *Owner, err error)

	// Saved is called when an operation that Failed was told of, with the same error, succeeds
	// all the same: what it waited for had come at the same time.
	Saved(owner *Owner, err error)

	// Held is called when a task takes n of object, as a lock, and when somebody
	// gives n back: then n is negative, and every probe is told.
	Held(object any, owner *Owner, n int64)
}

type probeKey struct{}

var (
	probing atomic.Int32 // how many probes there are
	probes  sync.Map     // Probe to nothing
)

// WithProbe returns ctx with p, which everything under it inherits, also in other tasks. remove
// must be called when it is no longer needed.
func WithProbe(ctx context.Context, p Probe) (probed context.Context, remove func()) {
	probes.Store(p, nil)
	probing.Add(1)
	attention.Add(1)
	return context.WithValue(ctx, probeKey{}, p), func() {
		probes.Delete(p)
		attention.Add(-1)
		probing.Add(-1)
	}
}

// Held tells the probe of ctx, if there is one, that n of object have been taken.
func Held(ctx context.Context, object any, n int64) {
	if probing.Load() != 0 {
		probeHeld(ctx, object, n)
	}
}

func probeHeld(ctx context.Context, object any, n int64) {
	if p := probeOf(ctx); p != nil {
		p.Held(object, CurrentTask(ctx), n)
	}
}

// Returned tells all probes that n of object, which owner had, have been given back.
func Returned(owner *Owner, object any, n int64) {
	if probing.Load() != 0 {
		probeReturned(owner, object, n)
	}
}

func probeReturned(owner *Owner, object any, n int64) {
	probes.Range(func(p, _ any) bool {
		p.(Probe).Held(object, owner, -n)
		return true
	})
}

// Saved tells the probe of p, if there is one, that an operation succeeds although its
// wait has just ended with err.
func (p Place) Saved(err error) {
	if probing.Load() != 0 {
		if probe := p.probe(); probe != nil {
			probe.Saved(p.Owner(), err)
		}
	}
}

// Survived is Saved for an operation that succeeds although its scope has ended its wait.
func (p Place) Survived() {
	if probing.Load() != 0 {
		p.Saved(p.Failure())
	}
}

func probedAt(ctx context.Context) (Place, error) {
	var p Probe
	if probing.Load() != 0 {
		p = probeOf(ctx)
	}
	if p == nil {
		return at(ctx)
	}
	p.Enter(ctx)
	place, err := at(ctx)
	if err != nil {
		p.Failed(place.Owner(), err)
	}
	return place, err
}

func (w *Waiter) probeParked() {
	if p := w.scope.probe(); p != nil {
		p.Parked(w.snapshot(), w.scope.owner)
	}
}

func (p Place) probeFailed(err error) {
	if probe := p.probe(); probe != nil {
		probe.Failed(p.Owner(), err)
	}
}

func (p Place) probe() Probe {
	if p.foreign != nil {
		return probeOf(p.foreign)
	}
	return p.scope.probe()
}

// probeOf is the probe of ctx, nil for none.
func probeOf(ctx context.Context) Probe {
	if s, ok := ctx.(*Scope); ok {
		return s.probe()
	}
	if ctx == nil {
		return nil
	}
	p, _ := ctx.Value(probeKey{}).(Probe)
	return p
}

func (s *Scope) probe() Probe {
	if s == nil || s.base == nil {
		return nil
	}
	p, _ := s.base.Value(probeKey{}).(Probe)
	return p
}
