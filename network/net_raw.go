package network

import (
	"context"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A rawConn is the socket of an adapter as a syscall.RawConn. The user's functions are
// called with a non-blocking descriptor. If a function of Read or Write returns false, it
// is called again as soon as the descriptor is ready. These calls take turns with other
// reads or writes, and end like those by the deadline and by Close.
//
// Only adapters of plain sockets have a rawConn. Below TLS or a proxy's header, it would
// show the bytes of another protocol, and would miss those that have been received already.
type rawConn struct {
	of  *bounded
	raw waiter
}

// A waiter is what the SyscallConn of a *socket.Socket returns.
type waiter interface {
	syscall.RawConn
	ReadContext(ctx context.Context, f func(fd uintptr) bool) error
	WriteContext(ctx context.Context, f func(fd uintptr) bool) error
}

// rawOf is the SyscallConn method of an adapter whose socket is s.
func rawOf(b *bounded, s *socket.Socket) (syscall.RawConn, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, b.renamed("raw-control", err)
	}
	return rawConn{b, raw.(waiter)}, nil
}

func (c rawConn) Control(f func(fd uintptr)) error {
	return c.of.renamed("raw-control", c.raw.Control(f))
}

func (c rawConn) Read(f func(fd uintptr) bool) error {
	return c.of.do("raw-read", &c.of.reads, func(scope *wait.Scope) error { return c.raw.ReadContext(scope, f) })
}

func (c rawConn) Write(f func(fd uintptr) bool) error {
	return c.of.do("raw-write", &c.of.writes, func(scope *wait.Scope) error { return c.raw.WriteContext(scope, f) })
}
