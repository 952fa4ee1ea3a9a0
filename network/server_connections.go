package network

import (
	"context"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A ServedConnection describes one connection of a server at one moment. The connection may have
// gone on or ended since.
type ServedConnection struct {
	// Conn is the handler's Conn. Use it for its addresses, and with SocketOf for options such as
	// socket.Info. To end the connection, cancel Task: the handler would see a Close as a failure.
	Conn Conn

	// Peer is the address of the peer, as in the log. Behind a proxy it is the client's address,
	// once the proxy's header has been read.
	Peer string

	// Since is when the connection was accepted.
	Since time.Time

	// Handshake is true if the TLS handshake or a proxy's header is not complete. The handler has
	// not been called yet.
	Handshake bool

	// Task is the task that serves the connection, or nil if it has not started yet. Its State
	// method tells what the handler is waiting for.
	Task *curio.AnyTask
}

// Connections returns the connections that RunServer and RunServers are serving for l, in the order
// in which they were accepted. A connection is included until it has been closed. Connections from
// Accept or from a NetListener belong to their caller and are not included.
//
// The call takes time and memory for each connection, and delays connections that begin or end
// meanwhile. It does not wait for anything else, and calls no method of a connection. It is safe
// for concurrent use.
func (l *Listener) Connections() []ServedConnection {
	now, clock := wait.Now(), wait.Clock()
	var found []ServedConnection
	l.serving.each(func(s *service) {
		c := ServedConnection{Conn: s.conn, Peer: s.peer, Handshake: !s.begun}
		c.Since = clock.Add(time.Duration(s.accepted - now))
		if s.task != nil {
			c.Task = curio.CurrentTask(s.task)
		}
		found = append(found, c)
	})
	return found
}

// A registry has the connections in it that a listener's servers serve: a ring through the
// services, so that nothing is allocated for it, and nothing kept after a connection's end.
//
// Its mutex also guards the fields of a service that are shown. Only the task of the connection
// changes them, so that task reads them without it.
type registry struct {
	mu    sync.Mutex
	first *service
}

// add adds s, as the last one.
func (r *registry) add(s *service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first, s.prev, s.next = s, s, s
		return
	}
	last := r.first.prev
	s.prev, s.next = last, r.first
	last.next, r.first.prev = s, s
}

func (r *registry) remove(s *service) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.prev.next, s.next.prev = s.next, s.prev
	switch {
	case s.next == s:
		r.first = nil
	case r.first == s:
		r.first = s.next
	}
	s.prev, s.next = nil, nil
}

// each calls fn for each service, in the order in which they were added. fn must not wait, nor call
// foreign code.
func (r *registry) each(fn func(s *service)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := r.first; s != nil; s = s.next {
		fn(s)
		if s.next == r.first {
			return
		}
	}
}

// starts notes that the task of s has begun. ctx is its context.
func (s *service) starts(ctx context.Context) {
	r := &s.listener.serving
	r.mu.Lock()
	s.task = ctx
	r.mu.Unlock()
}

// begins notes that the handshake is over, and who the peer is.
func (s *service) begins(peer string) {
	r := &s.listener.serving
	r.mu.Lock()
	s.begun, s.peer = true, peer
	r.mu.Unlock()
}
