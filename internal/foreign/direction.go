package foreign

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
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
	setter        string // the name of setDeadline
	setDeadline   func(time.Time) error
	unknown       *Conn // conn, unless its net.Conn is plain

	turn wait.Turn

	// With an unknown net.Conn.
	mu           sync.Mutex
	inside       bool          // an operation is in the net.Conn
	interruption *interruption // its end

	// Of the handshake, which is done once: set in turn, when the deadline has been taken back,
	// which the other directions share. A caller that finds it set may go on to those.
	once bool
	over atomic.Bool
}

func (d *direction) init(f *Conn, queued, state, setter string, setDeadline func(time.Time) error) {
	d.conn, d.queued, d.state = f, queued, state
	d.setter, d.setDeadline = setter, setDeadline
	if !isPlain(f.conn) {
		d.unknown = f
	}
}

// An endpoint is the Conn or the Listener of a direction.
type endpoint interface {
	isClosed() bool
	isBroken() bool
	String() string
}

func (f *Conn) isClosed() bool { return f.closed.Load() || f.isBroken() }
func (f *Conn) isBroken() bool { return f.broken.Load() }

// breakOff closes a net.Conn when nothing else gets an operation out of it. It returns
// false if somebody else has closed it, or is closing it; otherwise it calls then when the
// net.Conn is closed. If reason is a fault it is kept, and so is a fault in Close: both are
// for the error of the interrupted operation, and for our own Close.
func (f *Conn) breakOff(reason error, then func()) bool {
	f.blame(reason)
	if f.closing.Swap(true) {
		return false
	}
	f.broken.Store(true)
	f.dismiss()
	apart(f.conn, "Close", f.closeAndLearn, func(err error) {
		f.blame(err)
		then()
	})
	return true
}

// closeAndLearn closes the net.Conn, and asks it for its addresses here, where it may take
// its time: the error of an operation contains them, and cannot wait for them.
func (f *Conn) closeAndLearn() error {
	defer func() { f.known.Store(&addresses{f.conn.LocalAddr(), f.conn.RemoteAddr()}) }()
	return f.conn.Close()
}

// dismiss ends the operations that wait behind one that may never return.
func (f *Conn) dismiss() {
	for _, d := range []*direction{&f.handshake, &f.reader, &f.writer} {
		d.turn.Close()
	}
}

func (f *Conn) blame(err error) {
	if isFault(err) {
		f.faulty.CompareAndSwap(nil, &err)
	}
}

func (f *Conn) fault() error {
	if err := f.faulty.Load(); err != nil {
		return *err
	}
	return nil
}

// interrupting is for tests of the moment between the claim and the deadline.
var interrupting = func() {}

// do takes d's turn and makes call, which the end of ctx interrupts by the deadline. Then call
// has to return an error of that deadline, and whatever it has done by then is done. If it
// returns none, it has completed although ctx is done.
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
	switch err := d.turn.Take(place, d.queued, d.conn); {
	case err == wait.ErrTurnClosed:
		return net.ErrClosed
	case err != nil:
		return err
	}
	cut, err := d.inTurn(place, call) // inTurn passes the turn on
	if cut {
		return d.blaming(place.Failure())
	}
	return err
}

// inTurn makes call, and passes the turn on. cut says that the scope has ended the call.
func (d *direction) inTurn(place wait.Place, call func() error) (cut bool, failed error) {
	defer d.turn.Pass() // even if the net.Conn panics
	switch {
	case d.conn.isClosed():
		return false, net.ErrClosed
	case d.over.Load():
		return false, nil
	}
	w := place.Waiter(d.state, d)
	defer w.Free()
	if d.unknown != nil {
		d.enter()
	}
	if !w.Begin() {
		d.leave()
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

// blaming adds the net.Conn's fault, if there was one when it was interrupted, to the error
// that ended an operation.
func (d *direction) blaming(ended error) error {
	if d.unknown == nil {
		return ended
	}
	if fault := d.unknown.fault(); fault != nil {
		return errors.Join(ended, fault)
	}
	return ended
}

// interruptible makes call, and finds out what has ended it: ok is false if the scope did.
func (d *direction) interruptible(w *wait.Waiter, call func() error) (failed error, ok bool) {
	defer func() { // even if the net.Conn panics
		if d.unknown != nil {
			d.leave()
			ok = w.End() // the interruption takes the deadline back
		} else {
			ok = w.EndBy(d.setDeadline)
		}
	}()
	return call(), true
}

// Interrupt is how a scope that has claimed w gets the goroutine out of the net.Conn. A
// net.Conn of package net that was closed meanwhile takes no deadline, but then no call
// stays in it.
func (d *direction) Interrupt(w *wait.Waiter) {
	if d.unknown != nil {
		d.interrupt(w)
		return
	}
	interrupting()
	w.InterruptBy(d.setDeadline)
}

// String says what a task in the middle of an operation waits for.
func (d *direction) String() string { return d.conn.String() }

// expired reports whether err is the error of a deadline. ETIMEDOUT calls itself a timeout too,
// but is the system's word that the other side is gone.
func expired(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var errno syscall.Errno
	var timeout interface{ Timeout() bool }
	return !errors.As(err, &errno) && errors.As(err, &timeout) && timeout.Timeout()
}
