package network

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A deadline is one of package net: it belongs to a connection and not to an operation,
// may be moved at any time, and then counts for the operations in progress too. All
// operations that it bounds wait under one scope, which is ended when it has passed:
//
//	ahead  ──► passed  its time comes, or it is set to a time in the past: scope is ended
//	passed ──► ahead   it is set to a time to come, or to none: a new scope
//	       ──► closed  once, by close: scope is ended for good
//
// So an operation pays nothing for it, and one in progress does not notice that a
// deadline ahead of it is moved: it is not cut short and begun again, which TLS would not
// survive. An operation that was ended while the deadline was moved out of the past begins
// again under the new scope; see failed.
//
// Programs set a deadline before each operation, and hardly any comes. So the bell is left
// as it is when the deadline moves on: it rings at the earlier time, and is then set to the
// later one. That is a timer once in the length of a timeout, and not twice for each read.
//
// Lock order: bounded.reads.mu < bounded.writes.mu < Scope.mu. A scope calls nothing with
// its own mutex held.
type deadline struct {
	parent context.Context
	scope  atomic.Pointer[wait.Scope] // changed under mu, read without it by each operation

	mu     sync.Mutex
	at     int64 // a reading of wait.Now, 0 for none
	rings  int64 // when bell rings next, 0 for never
	bell   wait.Bell
	passed bool
	closed bool
}

// init makes d one without a time, below parent.
func (d *deadline) init(parent context.Context) {
	d.parent = parent
	d.bell.Ring = d.ring
	d.scope.Store(wait.NewTimeout(parent, 0))
}

// set moves d to t, or to never if t is zero. It reports false if d is closed.
func (d *deadline) set(t time.Time) bool {
	at, late := deadlineAt(t)
	d.mu.Lock()
	over, ok := d.moveLocked(at, late)
	d.mu.Unlock()
	if over != nil {
		over.Close()
	}
	return ok
}

// deadlineAt returns t as a reading of wait.Now, 0 for none, and whether it has passed.
func deadlineAt(t time.Time) (at int64, late bool) {
	if t.IsZero() {
		return 0, false
	}
	left := time.Until(t)
	return wait.After(left), left <= 0
}

// moveLocked is set, but leaves it to the caller to close the scope that is over, nil for
// none: by then, another call may have put a new one in its place.
func (d *deadline) moveLocked(at int64, late bool) (over *wait.Scope, ok bool) {
	if d.closed {
		return nil, false
	}
	d.at = at
	switch {
	case late:
		d.passed, over = true, d.scope.Load()
	case d.passed:
		d.passed = false
		d.scope.Store(wait.NewTimeout(d.parent, 0))
	}
	if at != 0 && !late && (d.rings == 0 || at < d.rings) {
		d.rings = at
		d.bell.Set(at)
	}
	return over, true
}

// ring is called by the bell.
func (d *deadline) ring() {
	d.mu.Lock()
	d.rings = 0
	if !d.closed && !d.passed && d.at > wait.Now() { // d has been moved on
		d.rings = d.at
		d.bell.Set(d.at)
	}
	d.mu.Unlock()
	d.settle()
}

// settle ends the operations under d if d is closed or its time has come. A connection has
// two deadlines, which often come at the same time. An operation that has met one of them
// settles both, so that the next operation does not find the other one still open.
func (d *deadline) settle() {
	d.mu.Lock()
	if d.at != 0 && d.at <= wait.Now() {
		d.passed = true
	}
	var over *wait.Scope
	if d.closed || d.passed {
		over = d.scope.Load()
	}
	d.mu.Unlock()
	if over != nil {
		over.Close()
	}
}

// close ends what waits under d for good.
func (d *deadline) close() {
	d.mu.Lock()
	d.closeLocked()
	d.mu.Unlock()
	d.settle()
}

// closeLocked is close, but leaves it to the caller to settle d.
func (d *deadline) closeLocked() {
	d.closed = true
	d.bell.Stop()
}

// failed says what has become of an operation under scope, one of d's, that failed with
// err: it is to begin again, or has failed with cause. ctx is what d was made in.
func (d *deadline) failed(ctx context.Context, scope *wait.Scope, err error) (again bool, cause error) {
	if scope.Err() == nil || !errors.Is(err, wait.ErrCancelled) {
		return false, causeOf(err)
	}
	d.mu.Lock()
	closed, passed, now := d.closed, d.passed, d.scope.Load()
	d.mu.Unlock()
	if closed {
		return false, net.ErrClosed
	}
	if _, ended := wait.At(ctx); ended != nil {
		return false, ended // and not as it looks from inside of scope
	}
	switch {
	case now != scope:
		return true, nil
	case passed:
		return false, os.ErrDeadlineExceeded
	}
	return false, causeOf(err)
}
