package foreign

import (
	"context"
	"io"
	"net"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// holding is how much WaitRead reads at most. Each connection keeps a buffer of this size
// for it. A byte would do; but those who wait before each small Recv, as package stream
// does, would then read a byte at a time.
const holding = 512

// WaitRead waits until Recv would not wait: there is something to receive, the end, or an
// error. It receives nothing.
//
// A plain socket can be asked. From any other connection WaitRead has to read: one message
// if it moves messages, or else something of the stream. That is held for the next Recv,
// which then returns only that.
func (f *Conn) WaitRead(ctx context.Context) error {
	if err := f.do(ctx, &f.reader, f.ready); err != nil {
		return f.error("wait", err)
	}
	return nil
}

// ready is called with the reader's turn.
func (f *Conn) ready() error {
	switch {
	case len(f.held) > 0 || f.failed != nil || f.packets && f.space != nil:
		return nil
	case f.raw != nil:
		return f.raw.Read(func(fd uintptr) bool { return poll.Readable(int(fd)) })
	case f.packets:
		return f.holdPacket()
	}
	if f.space == nil {
		f.space = make([]byte, holding)
	}
	n, err := f.read(f.space)
	f.held = f.space[:n]
	if n > 0 {
		return nil
	}
	if expired(err) || err == io.ErrNoProgress || f.isClosed() {
		return err
	}
	f.failed = err // for the next Recv: it would not wait
	return nil
}

// rawOf gives access to the descriptor of a socket of package net. Types that embed one
// of these, as many wrappers do, may keep data that the descriptor knows nothing of.
func rawOf(c net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	switch c := c.(type) {
	case *net.TCPConn:
		raw, _ = c.SyscallConn()
	case *net.UnixConn:
		raw, _ = c.SyscallConn()
	case *net.UDPConn:
		raw, _ = c.SyscallConn()
	case *net.IPConn:
		raw, _ = c.SyscallConn()
	}
	return raw
}
