package foreign

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A Listener is a net.Listener whose Accept takes a context. It comes from NewListener and
// is safe for concurrent use.
//
// A listener of package net has deadlines, which end an Accept as they do an operation on a
// Conn. Nothing is known about any other, whether it has deadlines or not: its Accept is
// called in a goroutine, the helper, which hands the result to the first waiter, or keeps
// it for the next one if nobody waits any more:
//
//	no helper ──► helping   by who finds nothing accepted and no helper
//	helping   ──► helping   somebody else waits: once more
//	          ──► no helper nobody does
//
// So a caller of our Accept waits only for the helper, and can be cancelled whatever the
// net.Listener does.
type Listener struct {
	// Set at birth.
	listener net.Listener
	plain    bool // of package net

	closed  atomic.Bool
	accepts direction // if plain

	// If not plain.
	mu      sync.Mutex
	helping bool
	queue   wait.List // the slot is the accepted
	kept    *accepted
}

// An accepted is what the Accept of a net.Listener returned. The error is a *fault if
// Accept did not return.
type accepted struct {
	conn net.Conn
	err  error
}

// NewListener takes over l. It panics if l is nil.
func NewListener(l net.Listener) *Listener {
	if l == nil {
		panic("curio: a listener made of a nil net.Listener")
	}
	f := &Listener{listener: l}
	switch l := l.(type) {
	case *net.TCPListener:
		f.deadlines(l.SetDeadline)
	case *net.UnixListener:
		f.deadlines(l.SetDeadline)
	}
	return f
}

func (l *Listener) deadlines(set func(time.Time) error) {
	l.plain = true
	l.accepts = direction{conn: l, queued: "ACCEPT_TURN", state: "ACCEPT_WAIT", setDeadline: set}
}

// Accept waits for a connection. If one arrives just when Accept is cancelled, it is
// returned, or kept for the next call. If the net.Listener panics, so does Accept.
func (l *Listener) Accept(ctx context.Context) (conn net.Conn, err error) {
	if l.plain {
		err = l.accepts.do(ctx, func() (err error) {
			conn, err = l.listener.Accept()
			return err
		})
	} else {
		conn, err = l.receive(ctx)
	}
	if err != nil {
		return nil, l.error("accept", err)
	}
	return conn, nil
}

// receive is Accept by a helper.
func (l *Listener) receive(ctx context.Context) (net.Conn, error) {
	place, err := wait.At(ctx)
	if err != nil {
		return nil, err
	}
	return l.receiveAt(place)
}

func (l *Listener) receiveAt(place wait.Place) (net.Conn, error) {
	l.mu.Lock()
	if got := l.kept; got != nil {
		l.kept = nil
		l.mu.Unlock()
		return got.result()
	}
	if l.closed.Load() {
		l.mu.Unlock()
		return nil, net.ErrClosed
	}
	if place.Untrusted() {
		l.mu.Unlock()
		return wait.FollowFor(place, l.receiveAt)
	}
	if !l.helping {
		l.helping = true
		l.help()
	}
	w := place.Waiter("ACCEPT_WAIT", l)
	ok := w.WaitIn(&l.queue, &l.mu)
	got, _ := w.Slot.(*accepted)
	w.Slot = nil
	w.Free()
	if !ok {
		return nil, place.Failure()
	}
	return got.result()
}

// result is called in the goroutine of the caller of Accept, where a panic of the
// net.Listener belongs.
func (a *accepted) result() (net.Conn, error) {
	if f, ok := a.err.(*fault); ok && f.value != nil {
		panic(f)
	}
	return a.conn, a.err
}

// help accepts for those who wait.
func (l *Listener) help() {
	got := new(accepted)
	apart(l.listener, "Accept", func() (err error) {
		got.conn, err = l.listener.Accept()
		return err
	}, func(err error) {
		got.err = err
		l.hand(got)
	})
}

// hand gives what was accepted to the first waiter, and goes on accepting if there are
// other waiters.
func (l *Listener) hand(got *accepted) {
	l.mu.Lock()
	first := l.queue.Pop()
	unwanted := false
	switch {
	case first != nil:
		first.Slot = got
	case !l.closed.Load():
		l.kept = got
	default:
		unwanted = got.err == nil
	}
	l.helping = !l.queue.Empty()
	more := l.helping
	l.mu.Unlock()
	if first != nil {
		first.Wake()
	}
	if more {
		l.help()
	}
	if unwanted { // nobody will ask for it, nor for the error of its Close
		apart(got.conn, "Close", got.conn.Close, func(error) {})
	}
}

// Close closes the net.Listener, and a connection that was accepted and not returned. An
// Accept in progress returns net.ErrClosed. Close has no context, and takes as long as the
// net.Listener's Close.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return l.error("close", net.ErrClosed)
	}
	kept := l.dismiss()
	err := l.listener.Close()
	if kept != nil && kept.err == nil {
		kept.conn.Close()
	}
	if err != nil {
		return l.wrap("close", err)
	}
	return nil
}

// SetUnlinkOnClose calls the net.Listener's method of that name, if it has one.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	if u, ok := l.listener.(interface{ SetUnlinkOnClose(bool) }); ok {
		u.SetUnlinkOnClose(unlink)
	}
}

// dismiss ends the waits for the helper, which may never return, and returns the connection
// that was kept.
func (l *Listener) dismiss() (kept *accepted) {
	var woken wait.Batch
	l.mu.Lock()
	kept, l.kept = l.kept, nil
	for w := l.queue.Pop(); w != nil; w = l.queue.Pop() {
		w.Slot = &accepted{err: net.ErrClosed}
		woken.Add(w)
	}
	l.mu.Unlock()
	woken.Wake()
	return kept
}

// Addr is the address that the net.Listener listens on.
func (l *Listener) Addr() net.Addr { return l.listener.Addr() }

// String returns the network and the address.
func (l *Listener) String() string {
	addr := l.Addr()
	if addr == nil {
		return "listener"
	}
	return addr.Network() + " " + addr.String()
}

func (l *Listener) isClosed() bool { return l.closed.Load() }
func (l *Listener) isBroken() bool { return false }

func (l *Listener) error(op string, err error) error {
	if l.closed.Load() && !errors.Is(err, wait.ErrCancelled) {
		err = net.ErrClosed
	}
	return l.wrap(op, err)
}

func (l *Listener) wrap(op string, err error) error {
	if inner, ok := err.(*net.OpError); ok {
		err = inner.Err
	}
	e := &net.OpError{Op: op, Net: "listener", Addr: l.Addr(), Err: err}
	if e.Addr != nil {
		e.Net = e.Addr.Network()
	}
	return e
}
