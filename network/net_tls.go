package network

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A tlsConn is a TLSConn as a net.Conn, with the methods of *tls.Conn that libraries look
// for.
type tlsConn struct {
	halfConn
	tls     *TLSConn // set at birth
	closing atomic.Bool
}

// ConnectionState returns the TLSConn's state, which is empty before the handshake.
func (c *tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Handshake does the handshake if that has not been done, within both deadlines.
func (c *tlsConn) Handshake() error { return c.HandshakeContext(context.Background()) }

// HandshakeContext is Handshake bounded by ctx, too.
func (c *tlsConn) HandshakeContext(ctx context.Context) error {
	if c.tls.done.Load() {
		return nil
	}
	bound, cancel := context.WithCancel(ctx)
	defer cancel()
	deadlines := []*deadline{&c.reads, &c.writes}
	var scopes []*wait.Scope
	for _, d := range deadlines {
		scope := d.scope.Load()
		scopes = append(scopes, scope)
		defer context.AfterFunc(scope, cancel)()
	}
	err := c.tls.Handshake(bound)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return c.opError("handshake", ctx.Err())
	}
	for i, d := range deadlines {
		_, ended := wait.At(scopes[i])
		if ended == nil {
			continue
		}
		if again, err := c.failed("handshake", d, scopes[i], c.opError("handshake", ended)); !again {
			return err
		}
		return c.opError("handshake", os.ErrDeadlineExceeded) // the deadline was moved too late: a handshake cannot be tried again
	}
	return c.renamed("handshake", err)
}

// Close closes the TLSConn, too. All that was written is to arrive, and then the end of the
// stream: Close waits for that as long as package tls does, whereas TLSConn.Close does not
// wait. As with package tls, a second Close does not cut the first one short.
func (c *tlsConn) Close() error {
	if c.closing.Swap(true) {
		return c.opError("close", net.ErrClosed)
	}
	if c.tls.done.Load() && c.writing.TryLock() {
		_ = curio.TimeoutAfter(c.base, goodBye, c.tls.CloseWrite)
		c.writing.Unlock()
	}
	return c.halfConn.Close()
}

const goodBye = 5 * time.Second
