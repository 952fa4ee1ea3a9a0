package wait

import (
	"context"
	"sync/atomic"
)

// This file is for the tools of Go's runtime: package debug has tasks marked with labels for the profiler, and shows
// them in execution traces. This package knows neither profiler nor trace, as programs that do without should not be
// larger for them.
//
// A mark is the context in which a task looks for values:
//
//	made      by Marker.Born, in the goroutine that spawns the task, before anybody else knows the task
//	entered   by Marker.Runs, in the task's goroutine, before its function
//	left      by Marker.Ends, once, if Runs reports true: in the task's goroutine when its function has returned. Also
//	          where it is settled that the task has no goroutine
//
// It is never replaced, so anybody may read it. What the marker does in a wait, between Begin and the end of the wait,
// may call nothing of the user's: so it gets the task's mark, and not the context of the wait.

// A Marker marks tasks. Its methods are called without any lock.
type Marker interface {
	// Born returns where o looks for values; base is where it would without a mark, nil for nowhere.
	Born(o *Owner, base context.Context) context.Context

	// Runs reports whether Ends has to be called.
	Runs(base context.Context) (ends bool)
	Ends(base context.Context)

	// Waits is called by a goroutine that is about to wait in the name of a task, with what Born returned for the
	// task. The same goroutine ends the region when it has waited. A nil region needs no end.
	Waits(base context.Context, op string) Region
}

// A Region is a stretch of time in an execution trace.
type Region interface{ End() }

// marker is nil as long as nobody wants marks.
var marker atomic.Pointer[Marker]

// SetMarker has m mark the tasks that are spawned from now on. There is no way back: what is marked has to be left.
func SetMarker(m Marker) { marker.Store(&m) }

// Marking reports whether tasks are marked.
func Marking() bool { return marker.Load() != nil }

// bear marks o, which is about to enter the tree.
func (o *Owner) bear() {
	if m := marker.Load(); m != nil {
		o.base = (*m).Born(o, o.base)
	}
}

// EnterMark is called by the goroutine of a task before its function, and reports whether LeaveMark has to be called.
// Marking must be true.
func (o *Owner) EnterMark() (leave bool) { return (*marker.Load()).Runs(o.base) }

// LeaveMark is called when the function of a task has returned, or will not be called. Marking must be true.
func (o *Owner) LeaveMark() { (*marker.Load()).Ends(o.base) }

// attention counts what has to be told of every wait: probes, and the marker while it wants regions. It is one
// word, as each wait asks.
var attention atomic.Int32

// regions says whether waits are regions.
var regions atomic.Bool

// SetRegions says whether the marker, which there must be, is told of waits.
func SetRegions(on bool) {
	if regions.Swap(on) == on {
		return
	}
	if on {
		attention.Add(1)
	} else {
		attention.Add(-1)
	}
}

// tell tells probes and the marker that w is about to wait.
func (w *Waiter) tell() {
	if regions.Load() {
		w.beginRegion()
	}
	if probing.Load() != 0 {
		w.probeParked()
	}
}

func (w *Waiter) beginRegion() {
	o := w.scope.owner
	if o == nil {
		return
	}
	if r := (*marker.Load()).Waits(o.base, w.op); r != nil {
		w.region, w.inRegion = r, true
	}
}

func (w *Waiter) endRegion() {
	r := w.region
	w.region, w.inRegion = nil, false
	r.End()
}
