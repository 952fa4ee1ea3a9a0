package network

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network/proxyproto"
)

// A blame decides whether the server or the peer has caused the error that ended a
// connection. Each part of the error is the end of a scope that the server has put around
// the handler, or was caused by the peer, or is the server's own fault. If one part is the
// server's fault, the whole error is.
type blame struct {
	*service
	own bool
	why string // what the peer has done, or which limit was met
}

// look looks at all of err. An error that panics when it is looked at is the server's
// fault.
func (b *blame) look(err error) {
	defer func() {
		if v := recover(); v != nil {
			b.own = true
		}
	}()
	b.part(err, false)
}

// part looks at a part of the error. elsewhere says that it is about something other than
// the connection that is served.
func (b *blame) part(err error, elsewhere bool) {
	switch e := err.(type) {
	case *wait.Error:
		b.cancelled(e)
		return
	case *curio.PanicError:
		b.own = true
		return
	case *net.OpError:
		b.operation(e)
		return
	case *url.Error:
		b.part(e.Err, true)
		return
	case *fs.PathError:
		b.part(e.Err, true)
		return
	case interface{ Unwrap() []error }:
		if inner := e.Unwrap(); len(inner) > 0 {
			for _, err := range inner {
				b.part(err, elsewhere)
			}
			return
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			b.part(inner, elsewhere)
			return
		}
	}
	b.leaf(err, elsewhere)
}

// operation looks at the error of an operation on some connection. Losing a connection that
// the handler has made itself is not losing the one that is served.
func (b *blame) operation(op *net.OpError) {
	_, nested := errors.AsType[*net.OpError](op.Err)
	switch {
	case op.Err == nil:
		b.own = true
	case nested && !b.begun: // in a handshake, perhaps the error of a function of the configuration
		b.part(op.Err, false)
	case !concerns(op, b.conn):
		b.part(op.Err, true)
	case !b.peers(op.Err):
		b.part(op.Err, false)
	}
}

// peers reports whether err is the peer's doing, and notes what that was. err has ended an
// operation on the connection that is served.
func (b *blame) peers(err error) bool {
	why := peersDoing(err)
	if _, cancelled := errors.AsType[*wait.Error](err); why == "" && !cancelled && fromTLS(err, b.begun) {
		why = "the peer has broken off TLS"
	}
	if why != "" && !b.begun {
		why = "the handshake failed"
	}
	if why != "" {
		b.why = why
	}
	return why != ""
}

// cancelled looks at the error of a scope.
func (b *blame) cancelled(e *wait.Error) {
	c, task := e.Cause(), endOf(b.task)
	switch {
	case b.life != nil && c == b.life.Cause() && c.Reason == ErrLifetime:
		b.why = "its lifetime is over"
	case wait.CurrentTask(b.task).AskedWith(c):
	case task != nil && (c == task || c.Kind == wait.Foreign && task.Kind == wait.Foreign):
		// The server was cancelled, or what it runs in. A foreign context does not always
		// yield the same cause, so only the kinds are compared.
	default:
		b.own = true
	}
}

// endOf returns why ctx is done, or nil if it is not.
func endOf(ctx context.Context) *wait.Cause {
	_, err := wait.At(ctx)
	if e, ok := err.(*wait.Error); ok {
		return e.Cause()
	}
	return nil
}

// leaf looks at an error that wraps no other. Most code returns a context's error and the
// end of a stream unwrapped.
func (b *blame) leaf(err error, elsewhere bool) {
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(io.EOF) || is(io.ErrUnexpectedEOF) || is(ErrIdle):
		if elsewhere {
			b.own = true
			return
		}
		b.why = peersDoing(err)
	case is(ErrHandshakeTimeout): // of another connection; it is context.DeadlineExceeded, too
		b.own = true
	case b.lived() && (is(ErrLifetime) || is(context.DeadlineExceeded) || is(context.Canceled)):
		b.why = "its lifetime is over"
	case (is(curio.ErrStopping) || is(context.Canceled)) && wait.CurrentTask(b.task).Asked() != nil:
	case b.task.Err() != nil && is(b.task.Err()):
	default:
		b.own = true
	}
}

// lived reports whether the Lifetime is over.
func (b *blame) lived() bool {
	if b.life == nil {
		return false
	}
	c := b.life.Cause()
	return c != nil && c.Reason == ErrLifetime
}

// peersDoing says what the peer has done if an operation on its connection ended with err:
// "" means nothing.
func peersDoing(err error) (why string) {
	switch {
	case errors.Is(err, ErrIdle):
		return "it is idle"
	case errors.Is(err, ErrHandshakeTimeout):
		return "the handshake failed"
	case isAny(err, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ENOTCONN) ||
		isAny(err, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.ENETRESET) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe):
		return "the peer has gone"
	case brokenTLS(err):
		return "the peer has broken off TLS"
	case errors.Is(err, proxyproto.ErrHeader):
		return "the peer has sent no good PROXY header"
	}
	if e, ok := errors.AsType[interface {
		error
		PeersDoing() bool
	}](err); ok && e.PeersDoing() { // of a stream
		return "the peer has sent too much"
	}
	return ""
}

// ownFaults are the beginnings of those error texts of package tls that say that this side
// cannot do its part.
var ownFaults = []string{
	"tls: no certificates configured",
	"tls: certificate private key",
	"tls: certificate RSA key size too small",
	"tls: failed to sign",
	"tls: unsupported certificate",
	"tls: unsupported signing key",
	"tls: unsupported decryption key",
	"tls: CurvePreferences includes",
	"tls: internal error:",
	"tls: a function of the configuration panicked",
}

// fromTLS reports whether err is a complaint of package tls about the other side. There are
// no types for these, but their texts all begin with "tls: ". Any other error of a
// handshake comes from a function of the configuration, such as GetCertificate, and the
// failure of such a function must be reported.
func fromTLS(err error, shaken bool) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return !shaken
	}
	text := err.Error()
	for _, fault := range ownFaults {
		if strings.HasPrefix(text, fault) {
			return false
		}
	}
	return strings.HasPrefix(text, "tls: ")
}

// concerns reports whether op was done on conn, or on a connection that conn is built on.
func concerns(op *net.OpError, conn Conn) bool {
	for c := range layersOf(conn) {
		if sameAddr(op.Addr, c.RemoteAddr()) && sameAddr(op.Source, c.LocalAddr()) {
			return true
		}
	}
	return false
}

// sameAddr compares addresses by their texts: a foreign connection may return a new address
// each time, or one of a type that cannot be compared with ==.
func sameAddr(a, b net.Addr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Network() == b.Network() && a.String() == b.String()
}
