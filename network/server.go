package network

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A Handler serves one connection. Its context is cancelled when the server stops or, if there is a
// Grace time, when that is over. A handler waits for its next request with a context of
// curio.UntilStop, which is done as soon as the server begins to stop. The server closes the
// connection when the handler returns.
//
// If a handler returns an error or panics, the server logs that at the error level with the address
// of the peer. It affects neither the server nor other connections. Failures that the peer causes
// are not errors of the server: if the peer has gone, has reset the connection, was idle for too
// long, or has sent something other than TLS, the server logs that at the debug level, even if the
// handler returns the io.EOF or io.ErrUnexpectedEOF of its Recv. If the server's stop, the Grace
// time or the Lifetime ends the handler, that is not logged as the handler's error. If a handler
// returns several errors in one, with errors.Join or from a group, the server judges each of them.
type Handler func(ctx context.Context, conn Conn) error

// TCPServer listens on addr, a "host:port", and serves each connection with handler in a task of
// its own, as [RunServer] does. It runs until ctx is done or accepting fails, and its error is
// never nil.
//
// If the host is a name, TCPServer uses one of its addresses, an IPv4 address if there is one. An
// empty host or "::" means all addresses of the machine; the listener's address is then "::". Port
// 0 means any free port; to find out which, use ListenTCP and RunServer. A nil config means the
// default. TCPServer panics if handler is nil.
//
// It is Curio's tcp_server.
func TCPServer(ctx context.Context, addr string, handler Handler, config *ServerConfig) error {
	mustHandle(handler)
	listener, err := ListenTCP(ctx, addr, config)
	if err != nil {
		return err
	}
	return RunServer(ctx, listener, handler)
}

// UnixServer listens on a Unix socket at path and serves each connection with handler, as
// [TCPServer] does, until ctx is done or accepting fails. For the path see [ListenUnix]. It is
// Curio's unix_server.
func UnixServer(ctx context.Context, path string, handler Handler, config *ServerConfig) error {
	mustHandle(handler)
	listener, err := ListenUnix(ctx, path, config)
	if err != nil {
		return err
	}
	return RunServer(ctx, listener, handler)
}

// RunServer serves each connection that listener accepts in a task of its own, with the settings of
// the listener's [ServerConfig]. It runs until ctx is done, the listener is closed, or accepting
// fails for good. The error is never nil: it is a [*net.OpError] that wraps ctx's error,
// net.ErrClosed, or the error of accepting; or a [*GraceError]. RunServer panics if listener or
// handler is nil. It is Curio's run_server.
//
// To stop, RunServer closes the listener at once, so that new connections are refused. It ends the
// contexts of curio.UntilStop, which tells handlers to finish, and waits for the Grace time. Then
// it cancels the handlers that have not returned, waits for them, and names them in the log and in
// a *GraceError. Without a Grace time, handlers are cancelled at once.
//
// RunServer also stops when the task, the group or the kernel around ctx is asked to stop: by the
// Grace of curio.Run, or by the Stop method of a task. Handlers without a Grace time are then
// cancelled when ctx is, not at once. The error is a *net.OpError that wraps curio.ErrStopping, and
// a task that returns it has not failed. During the Pause of curio.Run the server goes on.
//
// Running out of descriptors or memory does not end the server: it pauses for 5 ms, and for twice
// as long each further time, up to a second. It does the same after network errors for which
// accept(2) says to try again, and after errors of a net.Listener that report that they are
// temporary. When this begins, or when all MaxConnections are in use, the server logs one warning,
// and another line when it has been over for ten seconds.
func RunServer(ctx context.Context, listener *Listener, handler Handler) error {
	mustHandle(handler)
	mustListen(listener)
	defer listener.Close()
	if listener.config.Grace == 0 {
		return serveAll(ctx, ctx, listener, handler)
	}
	return curio.DisableCancellation(ctx, func(shielded context.Context) error {
		return serveAll(ctx, shielded, listener, handler)
	})
}

// RunServers serves several listeners with one handler, each with its own settings, as [RunServer]
// does. If one of them fails, the others stop, as all do when ctx is done. RunServers panics if
// there are no listeners or handler is nil.
func RunServers(ctx context.Context, listeners []*Listener, handler Handler) error {
	mustHandle(handler)
	if len(listeners) == 0 {
		panic("curio/network: RunServers without a listener")
	}
	for _, l := range listeners {
		mustListen(l)
	}
	var mu sync.Mutex
	var late []string
	var stopped error // what the first has returned
	err := curio.Group(ctx, func(ctx context.Context, servers *curio.TaskGroup[struct{}]) error {
		for _, l := range listeners {
			servers.Go(func(ctx context.Context) error {
				err := RunServer(ctx, l, handler)
				mu.Lock()
				defer mu.Unlock()
				if cut, ok := errors.AsType[*GraceError](err); ok {
					late, err = append(late, cut.Connections...), cut.Err
				}
				if stopped == nil {
					stopped = err
				}
				return err
			}, curio.Name("server "+nameOf(l.LocalAddr())), curio.ReportCrash(false))
		}
		return servers.Join(ctx)
	})
	if err == nil { // they were asked to stop, which is no failure
		err = stopped
	}
	if len(late) > 0 { // which a group that is cancelled would not tell
		return &GraceError{Connections: late, Err: err}
	}
	return err
}

func mustHandle(handler Handler) {
	if handler == nil {
		panic("curio/network: nil handler")
	}
}

func mustListen(listener *Listener) {
	if listener == nil {
		panic("curio/network: nil Listener; ListenTCP and ListenUnix make one")
	}
}

// A server is one that runs.
type server struct {
	listener *Listener
	handler  Handler
	conns    *curio.TaskGroup[struct{}]
	places   *curio.Semaphore // one for each connection
	size     int64            // of places
	owner    context.Context  // that of the task in whose name places are taken and given back
	name     string           // the address that it listens on, for the log
	draining atomic.Bool      // drain has begun

	mu  sync.Mutex
	cut []string // whose handlers have ended, cancelled together with drain
}

// serveAll accepts connections until accepting, the context of which is ctx, ends. The
// handlers' context is below around, which is ctx or, with a Grace time, a shield in it.
func serveAll(ctx, around context.Context, listener *Listener, handler Handler) error {
	return curio.Group(around, func(conns context.Context, group *curio.TaskGroup[struct{}]) error {
		defer listener.Close() // at once: the handlers may take their time to end
		s := &server{listener: listener, handler: handler, conns: group, owner: conns, name: nameOf(listener.LocalAddr())}
		s.size = math.MaxInt64
		if most := listener.config.MaxConnections; most > 0 {
			s.size = int64(most)
		}
		s.places = curio.NewSemaphore(s.size)
		err := s.accept(ctx)
		listener.Close()
		switch {
		case errors.Is(err, curio.ErrStopping): // and so are the handlers
		case listener.config.Grace == 0:
			return err
		default:
			ask(around)
		}
		return s.drain(conns, err)
	}, curio.WaitNone)
}

// accept accepts connections until that fails, or ctx is asked to stop. It notices that the
// listener has been closed even while it waits for a place or pauses.
func (s *server) accept(ctx context.Context) error {
	ctx, forget := curio.UntilStop(ctx)
	defer forget()
	until, cancel := s.listener.untilClosed(ctx)
	defer cancel()
	err := s.acceptUntil(until)
	if until.Err() == nil || !errors.Is(err, curio.ErrCancelled) {
		return err
	}
	if _, ended := wait.At(ctx); ended != nil {
		return s.listener.opError("accept", ended)
	}
	return s.listener.opError("accept", net.ErrClosed)
}

func (s *server) acceptUntil(ctx context.Context) error {
	accepting := &acceptor{name: s.name, next: s.next}
	for {
		if !s.places.TryAcquire(ctx) {
			accepting.full.seen(ctx, s.name, msgFull, "max", s.size)
			if err := s.places.Acquire(ctx); err != nil {
				return err
			}
			accepting.full.still(ctx)
		}
		conn, err := accepting.accept(ctx)
		if err != nil {
			s.release()
			return err
		}
		s.spawn(conn)
	}
}

// next is Accept for connections that are to be served.
func (s *server) next(ctx context.Context) (Conn, error) {
	conn, err := s.listener.accept(ctx)
	if err != nil {
		return nil, err
	}
	if patience := s.listener.config.IdleTimeout; patience > 0 {
		conn = &impatient{Conn: conn, patience: patience}
	}
	return s.listener.dress(conn), nil
}

// release gives a place back.
func (s *server) release() { s.places.Release(s.owner) }

// spawn serves conn in a task of its own. The task's only possible error is a panic, which
// it logs itself.
func (s *server) spawn(conn Conn) {
	serves := &service{server: s, conn: conn, peer: peerOf(conn), accepted: wait.Now()}
	s.listener.serving.add(serves)
	s.conns.Go(func(ctx context.Context) error {
		serves.serve(ctx)
		return nil
	}, curio.Daemon(), curio.Name(serves.peer), curio.ReportCrash(false))
}

func isAny(err error, of ...syscall.Errno) bool {
	for _, errno := range of {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// nameOf is an address for a person to read.
func nameOf(addr fmt.Stringer) string {
	if addr == nil {
		return "unknown"
	}
	return addr.String()
}
