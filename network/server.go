package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/socket"
)

// A Handler serves one connection. Its context is cancelled when the server stops.
// The connection is closed when it returns.
//
// Its error is logged, with the address of the peer, and so is its panic; neither
// ends the server or disturbs other connections. That the peer reset the connection
// is not an error of the server: it is logged at the debug level.
type Handler func(ctx context.Context, conn Conn) error

// A ServerConfig says how a server listens. The zero value is the default.
type ServerConfig struct {
	// Backlog is how many connections may wait to be accepted. 0 means as many as
	// the system allows; the system lowers what is above that.
	Backlog int

	// ReusePort lets several servers, also in other processes, listen on the same
	// address, if all of them say so (SO_REUSEPORT).
	ReusePort bool
}

// TCPServer listens on addr, a "host:port", and serves each connection with
// handler, in a task of its own. It runs until ctx is cancelled, or until accepting
// fails for good, and then stops listening at once, cancels all handlers and waits
// for them to end. The error is never nil: it is that of ctx, or a *net.OpError.
//
// The host may be a name, of whose addresses one is used, an IPv4 one if there is
// any; an empty host stands for all addresses of the machine. Port 0 is any free
// port; ListenTCP and RunServer are for who wants to know which. A nil config is the
// default. TCPServer panics if handler is nil.
//
// Running out of descriptors or memory does not end the server: it pauses, for 5 ms
// and then twice as long each time up to a second, and says so in the kernel's log.
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

// RunServer serves each connection that listener accepts, as TCPServer does, and
// closes listener in the end. It is Curio's run_server.
func RunServer(ctx context.Context, listener *Listener, handler Handler) error {
	mustHandle(handler)
	defer listener.Close()
	return curio.Group(ctx, func(ctx context.Context, conns *curio.TaskGroup[struct{}]) error {
		defer listener.Close() // at once: the handlers may take their time to end
		for {
			conn, err := accept(ctx, listener)
			if err != nil {
				return err
			}
			peer := peerOf(conn)
			conns.Spawn(func(ctx context.Context) (struct{}, error) {
				return struct{}{}, serve(ctx, conn, peer, handler)
			}, curio.Daemon(), curio.Name(peer))
		}
	}, curio.WaitNone)
}

func mustHandle(handler Handler) {
	if handler == nil {
		panic("curio/network: nil handler")
	}
}

func peerOf(conn Conn) string {
	if addr := conn.RemoteAddr(); addr != nil {
		if text := addr.String(); text != "" && text != "@" {
			return text
		}
	}
	if s, ok := conn.(*socket.Socket); ok {
		return fmt.Sprintf("fd %d", s.Fd()) // a Unix client without a name; package syscall says "@"
	}
	return "unnamed"
}

func serve(ctx context.Context, conn Conn, peer string, handler Handler) error {
	defer conn.Close()
	err := handler(ctx, conn)
	if lost(err, conn) {
		curio.LoggerOf(ctx).DebugContext(ctx, "curio: connection lost", "peer", peer, "err", err)
		return nil
	}
	return err
}

// lost reports whether err says that the peer of conn has gone. The loss of another
// connection, which the handler has made itself, is another matter.
func lost(err error, conn Conn) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Addr == conn.RemoteAddr() && isAny(op.Err, syscall.ECONNRESET, syscall.EPIPE)
}

// The pauses after running out of something.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// accept returns the next connection.
func accept(ctx context.Context, listener *Listener) (Conn, error) {
	for pause := firstPause; ; {
		conn, err := listener.Accept(ctx)
		switch {
		case err == nil:
			return conn, nil
		case gone(err):
			continue
		case !exhausted(err):
			return nil, err
		}
		curio.LoggerOf(ctx).WarnContext(ctx, "curio: cannot accept connections for the moment", "pause", pause, "err", err)
		if err := curio.Sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, lastPause)
	}
}

// gone reports whether the error is that of one connection, which its peer has given
// up before it was accepted.
func gone(err error) bool { return isAny(err, syscall.ECONNABORTED, syscall.EPROTO) }

// exhausted reports whether trying again later may help: the system has run out of
// descriptors, memory or watches, or the network is down or a firewall forbids the
// connection, which accept(2) on Linux reports too.
func exhausted(err error) bool {
	return errors.Is(err, poll.ErrNotPollable) ||
		isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC, syscall.EPERM,
			syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH)
}

func isAny(err error, of ...syscall.Errno) bool {
	for _, errno := range of {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
