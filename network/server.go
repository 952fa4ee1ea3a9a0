package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A Handler serves one connection. Its context is cancelled when the server stops, or,
// if the server grants a grace time, when that has run out; see UntilStop. The
// connection is closed when it returns.
//
// Its error is logged, with the address of the peer, and so is its panic; neither
// ends the server or disturbs other connections. That the peer has gone, or has been
// silent for too long, is not an error of the server: it is logged at the debug level.
type Handler func(ctx context.Context, conn Conn) error

// TCPServer listens on addr, a "host:port", and serves each connection with
// handler, in a task of its own, as RunServer does.
//
// The host may be a name, of whose addresses one is used, an IPv4 one if there is
// any; an empty host stands for all addresses of the machine, and so does "::", as the
// listener then calls it. Port 0 is any free
// port; ListenTCP and RunServer are for who wants to know which. A nil config is the
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

// UnixServer is TCPServer on a Unix socket; see ListenUnix for the path. It is Curio's
// unix_server.
func UnixServer(ctx context.Context, path string, handler Handler, config *ServerConfig) error {
	mustHandle(handler)
	listener, err := ListenUnix(ctx, path, config)
	if err != nil {
		return err
	}
	return RunServer(ctx, listener, handler)
}

// RunServer serves each connection that listener accepts, in a task of its own, as the
// listener's ServerConfig says. It runs until ctx ends, until the listener is closed, or
// until accepting fails for good. The error is never nil: it is a *net.OpError, around that
// of ctx or net.ErrClosed. RunServer panics if listener or handler is nil. It is Curio's
// run_server.
//
// Then it stops: it closes the listener at once, so that new connections are refused;
// cancels the contexts of UntilStop, by which handlers learn of it; waits for the handlers
// to return, for the Grace time; and cancels those that have not, waits for them as well,
// and tells in a *GraceError and in the log which they were. Without a Grace time,
// handlers are cancelled at once.
//
// Running out of descriptors or memory does not end the server: it pauses, for 5 ms
// and then twice as long each time up to a second, and says so in the kernel's log. So it
// does after errors of the network for which accept(2) says to try again, and after those
// of somebody else's net.Listener that call themselves temporary.
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

// RunServers is RunServer for several listeners with one handler, each with the
// settings of its own. If one of them fails the others stop, as they do when ctx
// ends.
func RunServers(ctx context.Context, handler Handler, listeners ...*Listener) error {
	mustHandle(handler)
	if len(listeners) == 0 {
		panic("curio/network: RunServers without a listener")
	}
	for _, l := range listeners {
		mustListen(l)
	}
	var mu sync.Mutex
	var late []string
	err := curio.Group(ctx, func(ctx context.Context, servers *curio.TaskGroup[struct{}]) error {
		for _, l := range listeners {
			servers.Go(func(ctx context.Context) error {
				err := RunServer(ctx, l, handler)
				if cut, ok := errors.AsType[*GraceError](err); ok {
					mu.Lock()
					defer mu.Unlock()
					late = append(late, cut.Connections...)
					return cut.Err
				}
				return err
			}, curio.Name("server "+nameOf(l.LocalAddr())), curio.ReportCrash(false))
		}
		return servers.Join(ctx)
	})
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
	places   *curio.Semaphore // one for each connection; nil if nobody counts them
	size     int64            // of places
	owner    context.Context  // that of the task in whose name places are taken and given back
	stop     *stop            // nil if there is no grace time

	mu      sync.Mutex
	serving map[Conn]string // the peers, kept if there is a grace time
}

// serveAll accepts connections until accepting, the context of which is ctx, ends. The
// handlers' context is conns.
func serveAll(ctx, conns context.Context, listener *Listener, handler Handler) error {
	return curio.Group(conns, func(conns context.Context, group *curio.TaskGroup[struct{}]) error {
		defer listener.Close() // at once: the handlers may take their time to end
		s := &server{listener: listener, handler: handler, conns: group, owner: conns}
		config := &listener.config
		if config.MaxConnections > 0 || config.Grace != 0 {
			s.size = math.MaxInt64
			if config.MaxConnections > 0 {
				s.size = int64(config.MaxConnections)
			}
			s.places = curio.NewSemaphore(s.size)
		}
		if config.Grace == 0 {
			return s.accept(ctx)
		}
		s.stop, s.serving = newStop(conns), make(map[Conn]string)
		defer s.stop.close()
		err := s.accept(ctx)
		listener.Close()
		s.stop.begin(conns)
		return s.drain(conns, err)
	}, curio.WaitNone)
}

// accept accepts connections until that fails. Who waits for a place, or in a pause,
// notices too that the listener has been closed.
func (s *server) accept(ctx context.Context) error {
	until, cancel := s.listener.untilClosed(ctx)
	defer cancel()
	err := s.acceptUntil(until)
	if !errors.Is(err, curio.ErrCancelled) {
		return err
	}
	if _, ended := wait.At(ctx); ended != nil {
		return s.listener.opError("accept", ended)
	}
	return s.listener.opError("accept", net.ErrClosed)
}

func (s *server) acceptUntil(ctx context.Context) error {
	next := s.next
	for {
		if s.places != nil {
			if err := s.places.Acquire(ctx); err != nil {
				return err
			}
		}
		conn, err := accept(ctx, next)
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

// release gives a place back, if they are counted.
func (s *server) release() {
	if s.places != nil {
		s.places.Release(s.owner)
	}
}

func (s *server) spawn(conn Conn) {
	peer := peerOf(conn)
	s.note(conn, peer)
	s.conns.Spawn(func(ctx context.Context) (struct{}, error) {
		defer s.release()
		defer s.forget(conn)
		return struct{}{}, s.serve(ctx, conn, peer)
	}, curio.Daemon(), curio.Name(peer))
}

// note keeps in mind whom s serves, if there is a grace time after which to tell.
func (s *server) note(conn Conn, peer string) {
	if s.stop == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving[conn] = peer
}

func (s *server) forget(conn Conn) {
	if s.stop == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.serving, conn)
}

// peers are those whom s still serves.
func (s *server) peers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Values(s.serving))
}

// The pauses after running out of something.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// accept returns the next connection.
func accept(ctx context.Context, next func(context.Context) (Conn, error)) (Conn, error) {
	for pause, tries := firstPause, 1; ; tries++ {
		conn, err := next(ctx)
		switch failure := acceptFailure(err); {
		case err == nil:
			return conn, nil
		case failure == once && tries < triesAtOnce:
			continue
		case failure == final || failure == once && isAny(err, syscall.EOPNOTSUPP):
			return nil, err
		}
		curio.LoggerOf(ctx).WarnContext(ctx, "curio: cannot accept connections for the moment", "pause", pause, "err", err)
		if err := curio.Sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, lastPause)
	}
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
