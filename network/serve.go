package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// layered is a Conn that is built on another one.
type layered interface{ Below() Conn }

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
	why := ""
	var failed *handshakeError
	switch {
	case expired:
		why = "its lifetime is over"
	case errors.As(err, &failed) && !errors.Is(err, curio.ErrCancelled):
		why = "the handshake failed"
	case errors.Is(err, errIdle):
		why = "it is idle"
	case lost(err, conn):
		why = "the peer has gone"
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
	if err := handshakeWithin(ctx, conn, duration(config.HandshakeTimeout, defaultHandshakeTimeout)); err != nil {
		return &handshakeError{err}
	}
	if _, ok := conn.(layered); ok {
		s.note(conn, peerOf(conn)) // only now is it known who that is, behind a proxy
	}
	if config.IdleTimeout > 0 {
		conn = &impatient{Conn: conn, patience: config.IdleTimeout}
	}
	return s.handler(ctx, conn)
}

// A handshakeError is an error of the time before the handler.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// lost reports whether err says that the peer of conn has gone. The loss of another
// connection, which the handler has made itself, is another matter.
func lost(err error, conn Conn) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || !(isAny(op.Err, syscall.ECONNRESET, syscall.EPIPE) || errors.Is(op.Err, io.ErrUnexpectedEOF)) {
		return false
	}
	for {
		if op.Addr == conn.RemoteAddr() {
			return true
		}
		above, ok := conn.(layered)
		if !ok {
			return false
		}
		conn = above.Below()
	}
}

// peerOf names the peer of a connection that was just accepted.
func peerOf(conn Conn) string {
	if addr := conn.RemoteAddr(); addr != nil {
		if text := addr.String(); text != "" && text != "@" {
			return text
		}
	}
	if s := socketOf(conn); s != nil {
		return fmt.Sprintf("fd %d", s.Fd()) // a Unix client without a name; package syscall says "@"
	}
	return "unnamed"
}

// socketOf is the socket at the bottom of conn, nil if there is none.
func socketOf(conn Conn) *socket.Socket {
	for {
		switch c := conn.(type) {
		case *socket.Socket:
			return c
		case layered:
			conn = c.Below()
		default:
			return nil
		}
	}
}

// handshakeWithin does the handshake of conn, if it needs one, within d; 0 is no bound.
func handshakeWithin(ctx context.Context, conn Conn, d time.Duration) error {
	h, ok := conn.(handshaker)
	switch {
	case !ok:
		return nil
	case d == 0:
		return h.Handshake(ctx)
	}
	expired, err := curio.IgnoreAfter(ctx, d, h.Handshake)
	if expired {
		err = &net.OpError{Op: "handshake", Net: networkOf(conn), Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: lateError(d)}
	}
	return err
}

// A lateError says that something was not done within the time that is its value.
type lateError time.Duration

func (e lateError) Error() string        { return "not done within " + time.Duration(e).String() }
func (e lateError) Timeout() bool        { return true }
func (e lateError) Is(target error) bool { return target == os.ErrDeadlineExceeded }
