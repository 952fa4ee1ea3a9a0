package foreign

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A direction does the reading, the writing or the handshake on a Conn, or the accepting
// on a Listener, one operation at a time.
type direction struct {
	// Set at birth.
	conn          endpoint
	queued, state string // in which waiting tasks are shown: for the turn, in the call
	setDeadline   func(time.Time) error

	turn wait.Turn

	// Of the handshake, which is done once: set in turn, when the deadline has been taken
	// back, which is that of the other directions too. Who finds it set may go on to those.
	once bool
	over atomic.Bool
}

func (d *direction) init(f endpoint, queued, state string, setDeadline func(time.Time) error) {
	d.conn, d.queued, d.state, d.setDeadline = f, queued, state, setDeadline
}

// An endpoint is the Conn or the Listener of a direction.
type endpoint interface {
	isClosed() bool
	isBroken() bool
	breakOff()
	String() string
}

func (f *Conn) isClosed() bool { return f.closed.Load() || f.isBroken() }
func (f *Conn) isBroken() bool { return f.broken.Load() }

// breakOff is what is left to do with a net.Conn that has no deadlines.
func (f *Conn) breakOff() {
	if !f.broken.Swap(true) {
		_ = f.conn.Close()
	}
}

// past is a deadline that has expired, whatever the clock says.
var past = time.Unix(1, 0)

// interrupting is for tests of the moment between the claim and the deadline.
var interrupting = func() {}

// do takes d's turn and makes call, which the end of ctx interrupts by the deadline. Then
// call has to return an error that says so, and whatever it has done by then is done. If
// it returns none, it has completed although ctx ended.
func (d *direction) do(ctx context.Context, call func() error) error {
	place, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if place.Untrusted() {
		return place.Follow(func(p wait.Place) error { return d.doAt(p, call) })
	}
	return d.doAt(place, call)
}

func (d *direction) doAt(place wait.Place, call func() error) error {
	if err := d.turn.Take(place, d.queued, d.conn); err != nil {
		return err
	}
	cut, err := d.inTurn(place, call) // which it has passed on
	if cut {
		return place.Failure()
	}
	return err
}

// inTurn makes call, and passes the turn on. cut says that the scope has ended it.
func (d *direction) inTurn(place wait.Place, call func() error) (cut bool, failed error) {
	defer d.turn.Pass() // also if the net.Conn panics
	switch {
	case d.conn.isClosed():
		return false, net.ErrClosed
	case d.over.Load():
		return false, nil
	}
	w := place.Waiter(d.state, d)
	defer w.Free()
	if !w.Begin() {
		return true, nil
	}
	failed, ok := d.interruptible(w, call)
	if d.once && failed == nil {
		d.over.Store(true)
	}
	switch {
	case ok:
	case expired(failed), failed != nil && d.conn.isBroken():
		return true, nil
	default:
		place.Survived()
	}
	return false, failed
}

// interruptible makes call, and settles who has ended it: ok is false if it was the scope.
func (d *direction) interruptible(w *wait.Waiter, call func() error) (failed error, ok bool) {
	defer func() {
		ok = w.End() // and Interrupt is through
		if !ok {
			_ = d.setDeadline(time.Time{})
		}
	}()
	return call(), true
}

// Interrupt is how a scope that has claimed w gets the goroutine out of the net.Conn. On
// one that was closed meanwhile, by whichever side, there is no deadline to set, and nobody
// stays in it. One that has no deadlines is closed: nothing else would get anybody out.
func (d *direction) Interrupt(w *wait.Waiter) {
	interrupting()
	err := d.setDeadline(past)
	if err != nil && !d.conn.isClosed() && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
		d.conn.breakOff()
	}
	w.Wake()
}

// String says what a task in the middle of an operation waits for.
func (d *direction) String() string { return d.conn.String() }

// expired reports whether err is that of a deadline. ETIMEDOUT calls itself a timeout too,
// but is the system's word that the other side is gone.
func expired(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var errno syscall.Errno
	var timeout interface{ Timeout() bool }
	return !errors.As(err, &errno) && errors.As(err, &timeout) && timeout.Timeout()
}
