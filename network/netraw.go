package network

import (
	"context"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A rawConn is the socket of an adapter as a syscall.RawConn. Its functions are called with
// a descriptor that does not block. Those of Read and Write are called again, when they have
// returned false, as soon as the descriptor is ready: in turn with those who read or write,
// by the deadline that bounds these, and until Close.
//
// Only adapters of plain sockets have one. Through TLS, or the header of a proxy, it would
// show the bytes of another protocol, and not those that have been received already.
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

// rawOf is SyscallConn of an adapter whose socket is s.
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
