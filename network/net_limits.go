package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
)

// limits are the settings of a listener's ServerConfig for a connection that is not served
// by RunServer. A connection without such settings has no limits, and pays nothing.
type limits struct {
	// Set at birth.
	handshake time.Duration // how long the handshake may take, in handshakeWithin's form
	ends      int64         // when the lifetime is over, as a reading of wait.Now; 0 for never
	lifetime  time.Duration
	free      func() // gives the connection's slot back, once; nil if connections are not counted

	term term
}

// A term ends a connection at a given time. It first bounds the handshake, and then the
// lifetime:
//
//	set ──► over  at that time
//	    ──► set   to another time
type term struct {
	over func(why error) // set at birth

	mu   sync.Mutex
	at   int64 // a reading of wait.Now, 0 for never
	why  error
	bell wait.Bell
}

// set makes t call over with why at the time at, a reading of wait.Now, or never if at is
// 0. The time that was set before no longer counts.
func (t *term) set(at int64, why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.why, t.bell.Ring = at, why, t.ring
	if at == 0 {
		t.bell.Stop()
		return
	}
	t.bell.Set(at)
}

// ring is called by the bell, perhaps for a time that no longer counts.
func (t *term) ring() {
	t.mu.Lock()
	why, over := t.why, t.at != 0 && wait.Now() >= t.at
	t.mu.Unlock()
	if over {
		t.over(why)
	}
}

// A lifetimeError is the cause of errors on a connection whose Lifetime is over. Its value
// is the Lifetime.
type lifetimeError time.Duration

func (e lifetimeError) Error() string {
	return fmt.Sprintf("the connection's lifetime of %v is over", time.Duration(e))
}
func (e lifetimeError) Timeout() bool { return true }
func (e lifetimeError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == ErrLifetime
}

// bound applies the bounds of l's configuration to conn's waits. It is for connections that
// are not served by RunServer.
func (l *Listener) bound(conn Conn) Conn {
	limited := &impatient{Conn: conn, patience: l.config.IdleTimeout}
	if f, ok := conn.(*foreign.Conn); ok && f.Shakes() {
		limited.bound = handshakeBound(l.config.HandshakeTimeout)
	}
	if limited.patience == 0 && limited.bound == 0 {
		return conn
	}
	return limited
}

// limit is bound, and applies the Lifetime and MaxConnections as well.
func (l *Listener) limit(conn Conn, free func()) Conn {
	conn = l.bound(conn)
	if l.config.Lifetime == 0 && free == nil {
		return conn
	}
	limited, ok := conn.(*impatient)
	if !ok {
		limited = &impatient{Conn: conn}
	}
	limited.free = free
	if limited.lifetime = l.config.Lifetime; limited.lifetime > 0 {
		limited.ends = wait.After(limited.lifetime)
	}
	return limited
}

// slots counts how many more connections a listener may have when they are not served by
// RunServer.
type slots struct {
	mu    sync.Mutex
	free  int
	queue wait.List
}

// take takes a slot, for which it waits in order of arrival. object is what a waiting task
// is shown to wait for.
func (s *slots) take(place wait.Place, object fmt.Stringer) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	if place.Untrusted() {
		s.mu.Unlock()
		return place.Follow(func(p wait.Place) error { return s.take(p, object) })
	}
	return place.Block("ACCEPT_WAIT", object, &s.queue, &s.mu)
}

// tryTake takes a slot if there is one.
func (s *slots) tryTake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// haveFree reports whether there is a free slot.
func (s *slots) haveFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free > 0
}

// giveBack hands a slot to the first waiter, or makes it free.
func (s *slots) giveBack() {
	s.mu.Lock()
	next := s.queue.Pop()
	if next == nil {
		s.free++
	}
	s.mu.Unlock()
	if next != nil {
		next.Wake()
	}
}

// admit waits until l may have one more connection, if connections are counted. free gives
// the slot back; only its first call counts, and it is nil if connections are not counted.
// The wait ends when l is closed.
func (l *Listener) admit(ctx context.Context) (free func(), _ error) {
	if l.slots == nil {
		return nil, nil
	}
	if !l.slots.tryTake() {
		if err := l.awaitSlot(ctx); err != nil {
			return nil, err
		}
	}
	return sync.OnceFunc(l.slots.giveBack), nil
}

func (l *Listener) awaitSlot(ctx context.Context) error {
	until, cancel := l.untilClosed(ctx)
	defer cancel()
	place, err := wait.At(until)
	if err == nil {
		object := l.LocalAddr()
		if object == nil {
			object = name("listener")
		}
		err = l.slots.take(place, object)
	}
	if !errors.Is(err, curio.ErrCancelled) {
		return err
	}
	if _, ended := wait.At(ctx); ended != nil {
		return l.opError("accept", ended)
	}
	return l.opError("accept", net.ErrClosed)
}
