package network

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// An impatient is a Conn that bounds each wait for the peer, or its own lifetime. A proxy's
// header and TLS are built on it, and not the other way round: so it sees what the peer
// really accepts, and handlers get a *TLSConn.
//
// SendAll sends in pieces, and the peer has to accept some of each piece in time; its lock
// keeps the pieces together. The handshake of the Conn, if it has one, has its own bound.
type impatient struct {
	Conn
	patience time.Duration // 0 for no bound
	ends     int64         // when its lifetime is over, as a reading of wait.Now; 0 for never
	lifetime time.Duration
	free     func()        // called by Close, if not nil
	bound    time.Duration // of the handshake, which the first operation then does; 0 for no bound

	shaken  atomic.Bool
	sending curio.Lock
}

// piece is how much is sent in one bound.
const piece = 64 << 10

// An idleError is the cause of an impatient's errors. Its value is the patience.
type idleError time.Duration

func (e idleError) Error() string { return "the peer was idle for " + time.Duration(e).String() }
func (e idleError) Timeout() bool { return true }
func (e idleError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == ErrIdle
}

// Below returns the connection that c adds a limit to.
func (c *impatient) Below() Conn { return c.Conn }

func (c *impatient) within(ctx context.Context, op string, fn func(ctx context.Context) error) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	limit, late := c.limit()
	switch {
	case late == nil:
		return fn(ctx)
	case limit <= 0:
		return opError(op, c, late)
	}
	return within(ctx, limit, c, op, late, fn)
}

// limit returns how long a wait may take now, and the error that it fails with after that.
// The error is nil if there is no limit.
func (c *impatient) limit() (limit time.Duration, late error) {
	if c.patience > 0 {
		limit, late = c.patience, idleError(c.patience)
	}
	if c.ends != 0 {
		if left := time.Duration(c.ends - wait.Now()); late == nil || left < limit {
			limit, late = left, lifetimeError(c.lifetime)
		}
	}
	return limit, late
}

// ready does the handshake for an operation that needs it, if the handshake has a bound. If
// it has none, the connection does the handshake by itself.
func (c *impatient) ready(ctx context.Context) error {
	if c.bound == 0 || c.shaken.Load() {
		return nil
	}
	return c.Handshake(ctx)
}

// Close closes the connection, and gives its slot back.
func (c *impatient) Close() error { return c.close(noWait) }

// CloseContext calls the Conn's CloseContext, or Close if it has none. It also closes a
// connection that has no time left, or had no handshake.
func (c *impatient) CloseContext(ctx context.Context) error { return c.close(ctx) }

// close is CloseContext, or Close if ctx is nil.
func (c *impatient) close(ctx context.Context) error {
	if c.free != nil {
		defer c.free()
	}
	polite := func(ctx context.Context) error { return closeConn(ctx, c.Conn) }
	limit, late := c.limit()
	if ctx == nil || late == nil {
		return polite(ctx)
	}
	return within(ctx, max(limit, 0), c, "close", late, polite)
}

func (c *impatient) Recv(ctx context.Context, buf []byte) (n int, err error) {
	err = c.within(ctx, "recv", func(ctx context.Context) (err error) {
		n, err = c.Conn.Recv(ctx, buf)
		return err
	})
	return n, err
}

func (c *impatient) WaitRead(ctx context.Context) error {
	return c.within(ctx, "wait", c.Conn.WaitRead)
}

func (c *impatient) CloseWrite(ctx context.Context) error {
	return c.within(ctx, "shutdown", c.Conn.CloseWrite)
}

func (c *impatient) SendAll(ctx context.Context, buf []byte) (int, error) {
	if err := c.sending.Acquire(ctx); err != nil {
		return 0, opError("send", c, err)
	}
	defer c.sending.Release(ctx)
	piece := piece
	if len(buf) > piece && c.Datagrams() {
		piece = len(buf) // one message
	}
	sent := 0
	for {
		before := sent
		err := c.within(ctx, "send", func(ctx context.Context) error {
			n, err := c.Conn.SendAll(ctx, buf[sent:sent+min(len(buf)-sent, piece)])
			sent += n
			return err
		})
		slow := errors.Is(err, ErrIdle) && sent > before // but it accepts something
		if !slow && (err != nil || sent == len(buf)) {
			return sent, err
		}
	}
}

// Handshake does the Conn's handshake. It counts as one wait, as the waits inside of it
// cannot be seen.
func (c *impatient) Handshake(ctx context.Context) error {
	below, ok := c.Conn.(handshaker)
	if !ok {
		return nil
	}
	limit, late := c.limit()
	if c.bound > 0 && (late == nil || c.bound < limit) {
		limit, late = c.bound, lateError(c.bound)
	}
	var err error
	if late == nil {
		err = below.Handshake(ctx)
	} else {
		err = within(ctx, max(limit, 0), c, "handshake", late, below.Handshake)
	}
	if err == nil {
		c.shaken.Store(true)
	}
	return err
}
