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
// If the net.Listener has deadlines, these end an Accept as they do an operation on a Conn.
// If not, nothing ends one but Close; so it is called in a goroutine, which hands what it
// gets to the first who waits, and keeps it for the next one if nobody waits any more:
//
//	no helper ──► helping   by who finds nothing accepted and no helper
//	helping   ──► helping   somebody else waits: once more
//	          ──► no helper nobody does
type Listener struct {
	// Set at birth.
	listener net.Listener
	deadline bool

	closed  atomic.Bool
	accepts direction // if it has deadlines

	// If it has none.
	mu      sync.Mutex
	helping bool
	queue   wait.List // the slot is the accepted
	kept    *accepted
}

// An accepted is what Accept of a net.Listener returned.
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
	if d, ok := l.(interface{ SetDeadline(time.Time) error }); ok && d.SetDeadline(time.Time{}) == nil {
		f.deadline = true
		f.accepts = direction{conn: f, queued: "ACCEPT_TURN", state: "ACCEPT_WAIT", setDeadline: d.SetDeadline}
	}
	return f
}

// Accept waits for a connection. If one comes in the moment in which it is cancelled, that
// is returned, or there for the next call.
func (l *Listener) Accept(ctx context.Context) (conn net.Conn, err error) {
	if l.deadline {
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

func (l *Listener) receiveAt(place wait.Place) (conn net.Conn, err error) {
	l.mu.Lock()
	if got := l.kept; got != nil {
		l.kept = nil
		l.mu.Unlock()
		return got.conn, got.err
	}
	if l.closed.Load() {
		l.mu.Unlock()
		return nil, net.ErrClosed
	}
	if place.Untrusted() {
		l.mu.Unlock()
		err = place.Follow(func(p wait.Place) (err error) {
			conn, err = l.receiveAt(p)
			return err
		})
		return conn, err
	}
	if !l.helping {
		l.helping = true
		go l.help()
	}
	w := place.Waiter("ACCEPT_WAIT", l)
	ok := w.WaitIn(&l.queue, &l.mu)
	got, _ := w.Slot.(*accepted)
	w.Slot = nil
	w.Free()
	if !ok {
		return nil, place.Failure()
	}
	return got.conn, got.err
}

// help accepts for those who wait.
func (l *Listener) help() {
	for more := true; more; {
		got := new(accepted)
		got.conn, got.err = l.listener.Accept()
		var first *wait.Waiter
		first, more = l.hand(got)
		switch {
		case first != nil:
			first.Wake()
		case got.err == nil && l.closed.Load() && l.forget(got):
			got.conn.Close() // nobody will ask for it
		}
	}
}

// forget takes got back, which was kept for the next who asks. It is false if that has
// come, or Close has taken it.
func (l *Listener) forget(got *accepted) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept != got {
		return false
	}
	l.kept = nil
	return true
}

// hand gives what was accepted to the first who waits, whom the caller has to wake, and
// reports whether there are others.
func (l *Listener) hand(got *accepted) (first *wait.Waiter, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = l.queue.Pop()
	switch {
	case first != nil:
		first.Slot = got
	case !l.closed.Load() || got.err == nil:
		l.kept = got
	}
	l.helping = !l.queue.Empty()
	return first, l.helping
}

// Close closes the net.Listener, and a connection that was accepted for nobody. Whoever is
// in Accept gets net.ErrClosed.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return l.error("close", net.ErrClosed)
	}
	err := l.listener.Close()
	l.mu.Lock()
	kept := l.kept
	l.kept = nil
	l.mu.Unlock()
	if kept != nil && kept.err == nil {
		kept.conn.Close()
	}
	if err != nil {
		return l.wrap("close", err)
	}
	return nil
}

// Addr is the address that it listens on, as the net.Listener has it.
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

// breakOff does nothing: a net.Listener that has deadlines, which it was asked at birth,
// keeps them.
func (l *Listener) breakOff() {}

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
