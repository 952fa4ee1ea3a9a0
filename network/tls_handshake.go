package network

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/curio-go/curio/internal/wait"
)

// Handshake agrees with the other side on keys, and verifies its certificate as the
// configuration says. Recv, SendAll and the others do it first if nobody has; a server
// calls it to put a timeout on it. It does the handshake of the Conn below before its own,
// if that has one. One task does it, and others that call it meanwhile wait for the
// outcome. If it has been done already, it returns nil at once.
//
// Whatever goes wrong is final, also if ctx ends when the handshake has begun: the
// connection can only be closed, and all later calls return the error. If the handshake was
// cut short, by the end of a context, a deadline or an idle time, they return one that says
// so, and by what: it was not they who were cut short, so it is no cancellation and no
// timeout, but after a deadline it is still os.ErrDeadlineExceeded. If something goes wrong
// in the Conn below before TLS has begun, that Conn decides: the header of a proxy may be
// read on.
//
// If an error is of this side's making, as a certificate that cannot be verified, the peer
// is told by an alert, as long as that takes no waiting. The error is a *net.OpError around
// that of ctx or one of these: a [*crypto/tls.CertificateVerificationError], a
// [crypto/tls.AlertError] from the other side, a [crypto/tls.RecordHeaderError] if that
// does not speak TLS, [io.ErrUnexpectedEOF], or another one of package tls.
//
// The functions of the configuration, such as GetCertificate, get a context that is derived
// from ctx. If a Listener's Accept has returned the connection, that one's
// HandshakeTimeout counts too. It is Curio's do_handshake.
func (c *TLSConn) Handshake(ctx context.Context) error {
	if c.bound == 0 || c.done.Load() {
		return c.handshake(ctx)
	}
	return within(ctx, c.bound, c, "handshake", lateError(c.bound), c.handshake)
}

func (c *TLSConn) handshake(ctx context.Context) error {
	if err := c.handshakes.Acquire(ctx); err != nil {
		return c.failed("handshake", err)
	}
	defer c.handshakes.Release(ctx)
	switch {
	case c.closed.Load():
		return c.failed("handshake", net.ErrClosed)
	case c.done.Load():
		return nil
	case c.failure != nil:
		return c.failed("handshake", c.failure)
	}
	if err := c.shakeBelow(ctx); err != nil {
		return c.failed("handshake", err)
	}
	c.failure = errPanicked
	err := c.shake(ctx)
	if err == nil {
		c.failure = nil
		c.done.Store(true)
		return nil
	}
	if _, ended := wait.At(ctx); ended != nil {
		err = ended // package tls, or a function of the user's, may have had another word for it
		c.failure = newCutError(err)
		return c.failed("handshake", err)
	}
	c.failure = err
	if timedOut(err) {
		c.failure = newCutError(plain(err))
	}
	_ = c.wire.push(ctx, true)
	return c.failed("handshake", err)
}

// shakeBelow does the handshake of the Conn below. If that is cut short nothing has been
// spoilt here.
func (c *TLSConn) shakeBelow(ctx context.Context) error {
	below, ok := c.wire.below.(handshaker)
	if !ok {
		return nil
	}
	err := below.Handshake(ctx)
	if err == nil {
		return nil
	}
	err = &wireError{err}
	if _, ended := wait.At(ctx); ended != nil {
		return ended
	}
	if !goesOn(err) {
		c.failure = err
	}
	return err
}

// shake does the handshake, and returns what package tls and the Conn below call an error.
func (c *TLSConn) shake(ctx context.Context) error {
	c.wire.ctx, c.wire.handshaking = ctx, true
	err := c.tls.HandshakeContext(ctx)
	c.wire.ctx, c.wire.handshaking = nil, false
	if err != nil && !c.tls.ConnectionState().HandshakeComplete {
		return err
	}
	// If ctx has ended at the last moment, there is an error although all is well; or
	// the end of it is still to be sent.
	return c.wire.flush(ctx)
}

// A cutError is what those are told who come after a handshake that was cut short. It holds
// what cut it short as a text, for that was about another call, and perhaps another task.
type cutError struct {
	by       string
	deadline bool
}

func newCutError(by error) error {
	if e, ok := errors.AsType[*wait.Error](by); ok && e.Cause().Kind == wait.Ended {
		return &cutError{"its deadline has passed", true} // that of NetConn, which is a scope that is closed
	}
	return &cutError{by.Error(), errors.Is(by, os.ErrDeadlineExceeded) || errors.Is(by, context.DeadlineExceeded)}
}

func (e *cutError) Error() string {
	return "tls: the handshake was cut short: " + e.by + "; the connection is lost"
}

// Is says what kind of ending it was, as far as that means nobody's who asks.
func (e *cutError) Is(target error) bool { return e.deadline && target == os.ErrDeadlineExceeded }

// timedOut reports whether err is that of a deadline of the Conn below.
func timedOut(err error) bool {
	return goesOn(err) || errors.Is(err, os.ErrDeadlineExceeded)
}

// ready does the handshake if that has not been done.
func (c *TLSConn) ready(ctx context.Context) error {
	if c.done.Load() {
		return nil
	}
	return c.Handshake(ctx)
}
