package network

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/curio-go/curio/internal/wait"
)

// Handshake does the TLS handshake, which verifies the peer's certificate as the configuration
// requires. Recv, SendAll and the other methods do it first, unless it has been done; call
// Handshake to give it a timeout of its own. If the Conn below has a handshake, Handshake does that
// first. One task does the handshake, and others that call it meanwhile wait for the outcome. If it
// has already been done, Handshake returns nil at once.
//
// Any failure is final, even if the cause is that ctx is done after the handshake has begun: the
// connection can only be closed, and all later calls return an error. If a context, a deadline or
// the IdleTimeout has interrupted the handshake, the error of the later calls names the cause. As
// those calls were not interrupted themselves, their error is neither a cancellation nor a timeout,
// but after a deadline it still wraps os.ErrDeadlineExceeded. If an error occurs in the Conn below
// before TLS has begun, that Conn decides whether to go on: for example, the rest of a proxy's
// header may still be read.
//
// If this side causes the error, for example because it cannot verify a certificate, it sends the
// peer an alert if it can do so without waiting. The error is a [*net.OpError] that wraps ctx's
// error or one of these: a [*crypto/tls.CertificateVerificationError], a [crypto/tls.AlertError]
// from the peer, a [crypto/tls.RecordHeaderError] if the peer does not speak TLS,
// [io.ErrUnexpectedEOF], or another error of package tls.
//
// The functions of the configuration, such as GetCertificate, get a context that is derived from
// ctx. If a Listener's Accept has returned the connection, its HandshakeTimeout also applies. It is
// Curio's do_handshake.
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
	// If ctx is done at the last moment, there is an error although the handshake has succeeded; or
	// its end is still to be sent.
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
