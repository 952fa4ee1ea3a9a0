package network

import (
	"context"
	"errors"
	"syscall"
)

// A flagSender is a Conn that can send without waiting, with MSG_DONTWAIT. *socket.Socket
// is one. What is built on another Conn has the method, too, and fails with
// errors.ErrUnsupported if that one has none: see sendFlags.
type flagSender interface {
	SendFlags(ctx context.Context, buf []byte, flags int) (int, error)
}

// sendFlags is SendFlags of conn.
func sendFlags(ctx context.Context, conn Conn, buf []byte, flags int) (int, error) {
	if s, ok := conn.(flagSender); ok {
		return s.SendFlags(ctx, buf, flags)
	}
	return 0, opError("send", conn, errors.ErrUnsupported)
}

// SendFlags does not wait for the header of the proxy, if it is not to wait.
func (p *proxied) SendFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	if flags&syscall.MSG_DONTWAIT != 0 && p.phase.Load() == proxyUnread {
		return 0, opError("send", p.conn, syscall.EAGAIN)
	}
	if err := p.ready(ctx); err != nil {
		return 0, err
	}
	return sendFlags(ctx, p.conn, buf, flags)
}

// SendFlags does not come between the pieces of a SendAll.
func (c *impatient) SendFlags(ctx context.Context, buf []byte, flags int) (n int, err error) {
	if !c.sending.TryAcquire(ctx) {
		if flags&syscall.MSG_DONTWAIT != 0 {
			return 0, opError("send", c, syscall.EAGAIN)
		}
		if err := c.sending.Acquire(ctx); err != nil {
			return 0, opError("send", c, err)
		}
	}
	defer c.sending.Release(ctx)
	err = c.within(ctx, "send", func(ctx context.Context) (err error) {
		n, err = sendFlags(ctx, c.Conn, buf, flags)
		return err
	})
	return n, err
}
