package network

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A bounded is what the adapters to net.Conn and net.PacketConn have in common: a Conn
// whose operations end with a context, by deadlines, and by Close.
//
// Its scopes are a tree of their own, so that setting deadlines meets no other connection
// on the way:
//
//	ctx ── base ─┬─ reads.scope
//	             └─ writes.scope
type bounded struct {
	// Set at birth.
	conn Conn
	ctx  context.Context
	base *wait.Scope

	handshake time.Duration // how long learn may take, as handshakeWithin has it; set at birth

	reads, writes deadline
}

func (b *bounded) init(ctx context.Context, conn Conn) {
	ctx = lasting(ctx)
	b.conn, b.ctx, b.base = conn, ctx, wait.NewTimeout(ctx, 0)
	b.reads.init(b.base)
	b.writes.init(b.base)
}

// lasting is ctx, or, if nothing ends that, a context which is in no task. ctx may have the
// values of one, and a scope below ctx would end with that task.
func lasting(ctx context.Context) context.Context {
	if _, ours := ctx.(*wait.Scope); !ours && ctx != nil && ctx.Done() == nil {
		return context.Background()
	}
	return ctx
}

// Close closes the Conn too. Operations in progress end with net.ErrClosed.
func (b *bounded) Close() error {
	b.retire()
	return b.renamed("close", b.conn.Close())
}

// retire ends all operations, and all later ones, and leaves the Conn alone.
func (b *bounded) retire() {
	b.reads.close()
	b.writes.close()
	b.base.Close()
}

// LocalAddr is that of the Conn, nil if not known.
func (b *bounded) LocalAddr() net.Addr {
	b.learn()
	return b.conn.LocalAddr()
}

// RemoteAddr is that of the Conn, nil if not known.
func (b *bounded) RemoteAddr() net.Addr {
	b.learn()
	return b.conn.RemoteAddr()
}

// learn waits for the header of a proxy, before which the addresses are those of the
// proxy: libraries ask for them once, and before they read anything. If that fails, so will
// the next Read, and say why.
func (b *bounded) learn() {
	for c := range layersOf(b.conn) {
		if p, ok := c.(*proxied); ok && p.phase.Load() == proxyUnread {
			_ = handshakeWithin(b.reads.scope.Load(), p, b.handshake)
		}
	}
}

// SetDeadline moves both deadlines; see deadline.
func (b *bounded) SetDeadline(t time.Time) error {
	if err := b.SetReadDeadline(t); err != nil {
		return err
	}
	return b.SetWriteDeadline(t)
}

// SetReadDeadline moves the deadline of those who read.
func (b *bounded) SetReadDeadline(t time.Time) error { return b.set(&b.reads, t) }

// SetWriteDeadline moves the deadline of those who write.
func (b *bounded) SetWriteDeadline(t time.Time) error { return b.set(&b.writes, t) }

func (b *bounded) set(d *deadline, t time.Time) error {
	if !d.set(t) {
		return b.opError("set", net.ErrClosed)
	}
	return nil
}

// SyscallConn is that of the socket.
func (b *bounded) SyscallConn() (syscall.RawConn, error) {
	c, ok := b.conn.(syscall.Conn)
	if !ok {
		return nil, b.opError("raw-control", errors.ErrUnsupported)
	}
	return c.SyscallConn()
}

// failed says what has become of an operation under scope that failed with err: it is to
// begin again, or this is its error.
func (b *bounded) failed(op string, d *deadline, scope *wait.Scope, err error) (again bool, _ error) {
	again, cause := d.failed(b.ctx, scope, err)
	if again {
		return true, nil
	}
	return false, b.as(op, err, cause)
}

// renamed is err, of the Conn, under the name that the operation has in package net. Some
// libraries go by that.
func (b *bounded) renamed(op string, err error) error {
	if err == nil {
		return nil
	}
	return b.as(op, err, causeOf(err))
}

// as is the error of op for cause, in the wrapping that err has.
func (b *bounded) as(op string, err, cause error) error {
	e, ok := err.(*net.OpError)
	switch {
	case ok:
		return &net.OpError{Op: op, Net: e.Net, Source: e.Source, Addr: e.Addr, Err: cause}
	case cause == err:
		return err // TLS and others have errors of their own
	}
	return b.opError(op, cause)
}

func (b *bounded) opError(op string, cause error) error { return opError(op, b.conn, cause) }
