package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/curio-go/curio"
)

// serve serves one connection: the function of its task.
func (s *server) serve(ctx context.Context, conn Conn, peer string) error {
	defer conn.Close()
	if s.stop != nil {
		stopOf.Set(ctx, s.stop)
	}
	expired, err := false, error(nil)
	if d := s.listener.config.Lifetime; d > 0 {
		expired, err = curio.IgnoreAfter(ctx, d, func(ctx context.Context) error { return s.handle(ctx, conn) })
	} else {
		err = s.handle(ctx, conn)
	}
	var why string
	var failed *handshakeError
	switch gone := lost(err, conn); {
	case expired:
		why = "its lifetime is over"
	case errors.As(err, &failed) && !errors.Is(err, curio.ErrCancelled):
		why = "the handshake failed"
	case errors.Is(err, errIdle):
		why = "it is idle"
	case gone != "":
		why = gone
	case errors.Is(err, ErrServerStopping):
		return nil
	default:
		return err
	}
	if _, ok := conn.(layered); ok {
		peer = peerOf(conn)
	}
	curio.LoggerOf(ctx).DebugContext(ctx, "curio: connection lost", "peer", peer, "why", why, "err", err)
	return nil
}

// handle does what comes before the handler, and calls it.
func (s *server) handle(ctx context.Context, conn Conn) error {
	config := &s.listener.config
	if err := handshakeWithin(ctx, conn, config.HandshakeTimeout); err != nil {
		return &handshakeError{err}
	}
	if _, ok := conn.(layered); ok {
		s.note(conn, peerOf(conn)) // only now is it known who that is, behind a proxy
	}
	err := s.handler(ctx, conn)
	if err == nil {
		finish(ctx, conn)
	}
	return err
}

// A handshakeError is an error of the time before the handler.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// lost says what the peer of conn has done if err, a handler's, is about that, and else
// nothing. The loss of another connection, which the handler has made itself, is another
// matter.
func lost(err error, conn Conn) (why string) {
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || !concerns(op, conn):
		return ""
	case isAny(op.Err, syscall.ECONNRESET, syscall.EPIPE) || errors.Is(op.Err, io.ErrUnexpectedEOF):
		return "the peer has gone"
	case brokenTLS(op.Err):
		return "the peer has broken off TLS"
	}
	return ""
}

// concerns reports whether op was done on conn, or on what that is built on.
func concerns(op *net.OpError, conn Conn) bool {
	for c := range layersOf(conn) {
		if sameAddr(op.Addr, c.RemoteAddr()) {
			return true
		}
	}
	return false
}

// sameAddr compares addresses by what they say: those of somebody else's connections may
// be made anew each time, or be of a type that has no ==.
func sameAddr(a, b net.Addr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Network() == b.Network() && a.String() == b.String()
}

// peerOf names the peer of a connection that was just accepted.
func peerOf(conn Conn) string {
	if addr := conn.RemoteAddr(); addr != nil {
		if text := addr.String(); text != "" && text != "@" {
			return text
		}
	}
	if s := SocketOf(conn); s != nil {
		return fmt.Sprintf("fd %d", s.Fd()) // a Unix client without a name; package syscall says "@"
	}
	return "unnamed"
}
