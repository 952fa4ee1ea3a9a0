package network

import (
	"context"
	"fmt"
	"net"

	"github.com/curio-go/curio/internal/wait"
)

// Handshake agrees with the other side on keys, and verifies its certificate as the
// configuration says. Recv, SendAll and the others do it first if nobody has; a server
// calls it to put a timeout on it. It does the handshake of the Conn below before its own,
// if that has one. One task does it, and others that call it meanwhile wait for the
// outcome. If it has been done already, it returns nil at once.
//
// Whatever goes wrong is final, also if ctx ends when the handshake has begun: the
// connection can only be closed, and all later calls return the error, or one that says
// so. If that is of this side's making, as a certificate that cannot be verified, the peer
// is told by an alert, as long as that takes no waiting. The error is a *net.OpError around
// that of ctx or one of these: a [*crypto/tls.CertificateVerificationError], a
// [crypto/tls.AlertError] from the other side, a [crypto/tls.RecordHeaderError] if that
// does not speak TLS, [io.ErrUnexpectedEOF], or another one of package tls.
//
// The functions of the configuration, such as GetCertificate, get a context that is derived
// from ctx. It is Curio's do_handshake.
func (c *TLSConn) Handshake(ctx context.Context) error {
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
	c.failure = errPanicked
	err := c.shake(ctx)
	if err == nil {
		c.failure = nil
		c.done.Store(true)
		return nil
	}
	if _, ended := wait.At(ctx); ended != nil {
		// Package tls, or a function of the user's, may have had another word for it. It
		// is told to no other task, which has not been cancelled.
		c.failure = fmt.Errorf("the handshake was cut short: %v", ended)
		return c.failed("handshake", ended)
	}
	c.failure = err
	c.wire.push(ctx, true)
	return c.failed("handshake", err)
}

// shake does the handshakes, and returns what package tls and the Conn below call an error.
func (c *TLSConn) shake(ctx context.Context) error {
	if below, ok := c.wire.below.(handshaker); ok {
		if err := below.Handshake(ctx); err != nil {
			return &wireError{err}
		}
	}
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

// ready does the handshake if that has not been done.
func (c *TLSConn) ready(ctx context.Context) error {
	switch {
	case c.done.Load():
		return nil
	case c.bound > 0:
		return handshakeWithin(ctx, c, c.bound)
	}
	return c.Handshake(ctx)
}
