package curiotest

import (
	"context"
	"errors"

	"github.com/curio-go/curio/internal/wait"
)

// This file makes a run the probe of its waits.
//
// Nothing here calls Cancel under r.mu: that ends other waits, and calls what follows
// the scope, both of which may begin a wait and so come back here.

var _ wait.Probe = (*run)(nil)

// Enter is part of wait.Probe. A call without a task is the harness itself, which waits for the main
// task.
func (r *run) Enter(ctx context.Context) {
	if o := wait.CurrentTask(ctx); o != nil {
		r.reach(entering, o, "")
	}
}

// Parked is part of wait.Probe.
func (r *run) Parked(w wait.Snapshot, owner *wait.Owner) { r.reach(parked, owner, w.Op+" in ") }

// reach counts an operation that has come to a stage, and disturbs the run if it is the
// one.
func (r *run) reach(at stage, owner *wait.Owner, state string) {
	r.mu.Lock()
	if r.main == nil || r.over || r.cause != nil || r.endless {
		r.mu.Unlock()
		return
	}
	r.waits[at]++
	if r.waits[at] > r.maxWaits {
		r.endless = true
		main := &r.main.Scope
		r.mu.Unlock()
		main.Cancel(wait.NewCause(main, wait.Cancelled, errors.New("curiotest: too many waits")))
		return
	}
	if at != r.at || r.waits[at] != r.n {
		r.mu.Unlock()
		return
	}
	kind := wait.Cancelled
	if r.expire {
		kind = wait.Expired
	}
	scope, cause := r.scope, wait.NewCause(r.scope, kind, errors.New("curiotest: "+r.moment.String()))
	r.cause = cause
	r.hit = state + here().String() + ", by " + nameOf(taskOf(owner))
	r.mu.Unlock()

	close(r.struck)
	scope.Cancel(cause)
}

// Failed is part of wait.Probe.
func (r *run) Failed(owner *wait.Owner, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.caused(err) {
		return
	}
	r.felt = true
	// A call that only asks gets the answer, and its caller may have nothing left to do.
	if p := here(); owner == r.main && !r.over && p.call != "curio.CheckCancellation" {
		r.cut = append(r.cut, p)
	}
}

// Saved is part of wait.Probe.
func (r *run) Saved(owner *wait.Owner, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.cut); owner == r.main && r.caused(err) && n > 0 {
		r.cut = r.cut[:n-1]
	}
}

// caused reports whether err comes of what the run was disturbed with.
func (r *run) caused(err error) bool {
	e, ok := err.(*wait.Error)
	return ok && r.cause != nil && e.Cause() == r.cause
}

// Held is part of wait.Probe.
func (r *run) Held(object any, owner *wait.Owner, n int64) {
	r.ledger.enter(object, owner, n)
}
