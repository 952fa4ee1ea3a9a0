package network

import (
	"context"
	"net"
	"sync/atomic"
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

	limits *limits // nil for none; set at birth

	reads, writes deadline

	// The first thing that has ended it for good: Close or its limits. nil if nothing has.
	fate atomic.Pointer[error]
}

func (b *bounded) init(ctx context.Context, conn Conn, limits *limits) {
	ctx = lasting(ctx)
	b.conn, b.ctx, b.base = conn, ctx, wait.NewTimeout(ctx, 0)
	b.reads.init(b.base)
	b.writes.init(b.base)
	if limits != nil {
		b.limits = limits
		limits.term.over = b.end
		b.live()
	}
}

// An adapter is a net.Conn that this package has made of a Conn.
type adapter interface{ bound() *bounded }

func (b *bounded) bound() *bounded { return b }

// live lets b go on until its lifetime is over. If b has been ended, the term must not ring
// any more: Close and release end b before they stop the term, so either they or live stop
// it for good.
func (b *bounded) live() {
	b.limits.term.set(b.limits.ends, lifetimeError(b.limits.lifetime))
	if b.fate.Load() != nil {
		b.limits.term.set(0, nil)
	}
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
	b.end(net.ErrClosed)
	if l := b.limits; l != nil {
		l.term.set(0, nil)
		if l.free != nil {
			defer l.free() // even if the Conn is foreign, and panics
		}
	}
	return b.renamed("close", b.conn.Close())
}

// end ends all operations, present and later, and leaves the Conn alone. They fail with
// why, unless something else has ended b already.
func (b *bounded) end(why error) {
	b.fate.CompareAndSwap(nil, &why)
	b.lockBoth()
	b.reads.closeLocked()
	b.writes.closeLocked()
	b.unlockBoth()
	b.settle()
	b.base.Close()
}

func (b *bounded) lockBoth() {
	b.reads.mu.Lock()
	b.writes.mu.Lock()
}

func (b *bounded) unlockBoth() {
	b.writes.mu.Unlock()
	b.reads.mu.Unlock()
}

// settle ends both deadlines' scopes if their time has come, so that operations that begin
// from now on notice. Without it, a goroutine that knows from a read that the deadline has
// passed could still write after it.
func (b *bounded) settle() {
	b.reads.settle()
	b.writes.settle()
}

// release ends b, and returns the Conn with the limits that still apply to it.
func (b *bounded) release() Conn {
	b.end(net.ErrClosed)
	l := b.limits
	if l == nil || l.free == nil && l.ends == 0 {
		return b.conn
	}
	l.term.set(0, nil)
	return &impatient{Conn: b.conn, ends: l.ends, lifetime: l.lifetime, free: l.free}
}

// LocalAddr returns the Conn's address, or nil if it is not known.
func (b *bounded) LocalAddr() net.Addr {
	b.learn()
	return b.conn.LocalAddr()
}

// RemoteAddr returns the address of the Conn's peer, or nil if it is not known.
func (b *bounded) RemoteAddr() net.Addr {
	b.learn()
	return b.conn.RemoteAddr()
}

// learn waits for the header of a proxy, before which the proxy's addresses would be returned:
// libraries ask for them once, and before they read anything. If that fails, so will the next Read,
// and say why.
func (b *bounded) learn() {
	for c := range layersOf(b.conn) {
		if p, ok := c.(*proxied); ok && p.phase.Load() == proxyUnread {
			_ = handshakeWithin(b.reads.scope.Load(), p, b.handshakeLimit())
		}
	}
}

func (b *bounded) handshakeLimit() time.Duration {
	if b.limits == nil {
		return 0
	}
	return b.limits.handshake
}

// SetDeadline moves both deadlines; see deadline.
func (b *bounded) SetDeadline(t time.Time) error {
	at, late := deadlineAt(t)
	b.lockBoth()
	reads, open := b.reads.moveLocked(at, late)
	writes, _ := b.writes.moveLocked(at, late) // both are closed, or neither is
	b.unlockBoth()
	if !open {
		return b.opError("set", b.ended())
	}
	if late {
		reads.Close()
		writes.Close()
	}
	return nil
}

// SetReadDeadline moves the deadline of those who read.
func (b *bounded) SetReadDeadline(t time.Time) error { return b.set(&b.reads, t) }

// SetWriteDeadline moves the deadline of those who write.
func (b *bounded) SetWriteDeadline(t time.Time) error { return b.set(&b.writes, t) }

func (b *bounded) set(d *deadline, t time.Time) error {
	if !d.set(t) {
		return b.opError("set", b.ended())
	}
	return nil
}

// ended returns why b has been ended.
func (b *bounded) ended() error {
	if why := b.fate.Load(); why != nil {
		return *why
	}
	return net.ErrClosed
}

// failed says what has become of an operation under scope that failed with err: it is to
// begin again, or this is its error.
func (b *bounded) failed(op string, d *deadline, scope *wait.Scope, err error) (again bool, _ error) {
	again, cause := d.failed(b.ctx, scope, err)
	if again {
		return true, nil
	}
	b.settle()
	if cause == net.ErrClosed {
		cause = b.ended()
	}
	return false, b.as(op, err, cause)
}

// do calls op under d, and calls it again if d was moved out of the past meanwhile. It is
// for operations that happen as a whole or not at all.
func (b *bounded) do(name string, d *deadline, op func(scope *wait.Scope) error) error {
	for {
		scope := d.scope.Load()
		err := op(scope)
		if err == nil {
			return nil
		}
		again, err := b.failed(name, d, scope, err)
		if !again {
			return err
		}
	}
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
