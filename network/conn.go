package network

import (
	"context"
	"net"

	"github.com/curio-go/curio/socket"
)

// A Conn is a connection in which every call that may wait takes a context. [*socket.Socket] and
// [*TLSConn] implement it, and so do the connections of this package that add a proxy's header,
// limits, or an adapter to package net. A Conn is safe for concurrent use: one task may receive
// while another sends. Tasks that receive do so one at a time, and so do tasks that send.
//
// Errors are of type [*net.OpError] with the operation and the addresses, except [io.EOF]. If a
// call fails because its context is done, the error wraps the context's error.
type Conn interface {
	// Recv waits until there is something to receive, copies as much of it into buf as fits, and
	// returns the number of bytes. At the end of the stream it returns io.EOF. If ctx is done
	// first, it has received nothing.
	Recv(ctx context.Context, buf []byte) (int, error)

	// SendAll sends all of buf. If ctx is done or sending fails halfway, it returns the error and
	// how many bytes will reach the peer if the connection lasts. To continue, send the rest, even
	// if that is empty: TLS may have accepted data that it still has to send.
	SendAll(ctx context.Context, buf []byte) (int, error)

	// WaitRead waits until Recv would not wait, or would wait only for the rest of something that
	// has begun to arrive. It receives nothing. If ctx is done first, it returns an error that
	// wraps ctx's error.
	WaitRead(ctx context.Context) error

	// CloseWrite ends the sending direction, after sends of other tasks that are in progress. The
	// peer receives the rest and then io.EOF, and can still send. If ctx is done first, it returns
	// an error that wraps ctx's error.
	CloseWrite(ctx context.Context) error

	// Close closes the connection. Operations in progress fail with net.ErrClosed.
	Close() error

	// LocalAddr and RemoteAddr return the addresses of both ends, or nil if they are not known.
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

var _ Conn = (*socket.Socket)(nil)
