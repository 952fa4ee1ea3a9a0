package network

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/curio-go/curio"
)

// An impatient is a Conn that bounds each wait for the peer. It is what the header of a
// proxy and TLS are built on, and not the other way round: so it sees what the peer really
// takes, and handlers get a *TLSConn.
//
// SendAll moves on in pieces, of each of which the peer has to take something in time; its
// lock keeps the pieces together. The handshake of the Conn, if it has one, has a time of
// its own.
type impatient struct {
	Conn
	patience time.Duration
	sending  curio.Lock
}

// piece is how much is sent in one bound.
const piece = 64 << 10

// errIdle is what an idleError is.
var errIdle = errors.New("idle")

// An idleError is the cause of an impatient's errors. Its value is the patience.
type idleError time.Duration

func (e idleError) Error() string { return "the peer was idle for " + time.Duration(e).String() }
func (e idleError) Timeout() bool { return true }
func (e idleError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == errIdle
}

// Below is the connection whose patience is that of its peers.
func (c *impatient) Below() Conn { return c.Conn }

func (c *impatient) within(ctx context.Context, op string, fn func(ctx context.Context) error) error {
	return within(ctx, c.patience, c, op, idleError(c.patience), fn)
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
		slow := errors.Is(err, errIdle) && sent > before // but it takes something
		if !slow && (err != nil || sent == len(buf)) {
			return sent, err
		}
	}
}

func (c *impatient) Handshake(ctx context.Context) error {
	if below, ok := c.Conn.(handshaker); ok {
		return below.Handshake(ctx)
	}
	return nil
}
