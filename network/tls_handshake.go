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
// Any failure is final, even if ctx is done once the handshake has begun: the connection
// can only be closed, and all later calls return the error. If the handshake was cut short,
// by a context, a deadline or the IdleTimeout, the later calls return an error that says
// so, and by what. As they were not cut short themselves, that error is neither a
// cancellation nor a timeout, but after a deadline it is still os.ErrDeadlineExceeded. If
// something goes wrong in the Conn below before TLS has begun, that Conn decides whether to
// go on: the rest of a proxy's header may still be read.
//
// If this side is the cause of an error, for example because it cannot verify a
// certificate, it sends the peer an alert, as far as that takes no waiting. The error is a
// *net.OpError around ctx's error or one of these: a
// [*crypto/tls.CertificateVerificationError], a [crypto/tls.AlertError] from the other
// side, a [crypto/tls.RecordHeaderError] if that does not speak TLS, [io.ErrUnexpectedEOF],
// or another one of package tls.
//
// The functions of the configuration, such as GetCertificate, get a context that is derived
// from ctx. If a Listener's Accept has returned the connection, its HandshakeTimeout
// applies, too. It is Curio's do_handshake.
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
		err = ended // package tls, or the user's function, may have returned another error for that
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

// shakeBelow does the handshake of the Conn below. If that is cut short, TLS can still
// begin later.
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

// shake does the handshake, and returns the error of package tls or of the Conn below as it
// is.
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

// A cutError is the error of calls after a handshake that was cut short. It holds the
// reason only as a text, because that was about another call, and perhaps another task.
type cutError struct {
	by       string
	deadline bool
}

func newCutError(by error) error {
	if e, ok := errors.AsType[*wait.Error](by); ok && e.Cause().Kind == wait.Ended {
		return &cutError{"its deadline has passed", true} // a deadline of NetConn closes a scope
	}
	return &cutError{by.Error(), errors.Is(by, os.ErrDeadlineExceeded) || errors.Is(by, context.DeadlineExceeded)}
}

func (e *cutError) Error() string {
	return "tls: the handshake was cut short: " + e.by + "; the connection is lost"
}

// Is matches os.ErrDeadlineExceeded after a deadline. It matches no error of a context, as
// the caller would take that for the end of its own.
func (e *cutError) Is(target error) bool { return e.deadline && target == os.ErrDeadlineExceeded }

// timedOut reports whether err comes from a deadline of the Conn below.
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
