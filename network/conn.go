package network

import (
	"context"
	"net"

	"github.com/curio-go/curio/socket"
)

// A Conn is a connection, plain or not: a [*socket.Socket] is one, and so is what
// carries TLS or the address of a proxy's client on top of another one. Every call
// that may wait takes a context. A Conn is safe for concurrent use: one task may
// receive while another sends, and those who do the same take turns.
//
// Errors are *net.OpError with the operation and the addresses, but for [io.EOF].
type Conn interface {
	// Recv waits until there is something to receive, puts as much of it into buf as
	// fits, and returns how many bytes that was. At the end of the stream it returns
	// io.EOF. If it is cancelled it has received nothing.
	Recv(ctx context.Context, buf []byte) (int, error)

	// SendAll sends all of buf. If it is cut short, it returns how many bytes will reach
	// the other side if the connection lasts. To go on, send the rest, even if that is
	// empty: TLS may have accepted something that it still has to send.
	SendAll(ctx context.Context, buf []byte) (int, error)

	// WaitRead waits until Recv would not wait, or only for the rest of what has
	// begun to arrive. It receives nothing.
	WaitRead(ctx context.Context) error

	// CloseWrite ends the stream in this direction, after what others send at the
	// moment: the other side receives the rest and then io.EOF, and can go on sending.
	CloseWrite(ctx context.Context) error

	// Close closes the connection. Operations in progress end with net.ErrClosed.
	Close() error

	// LocalAddr and RemoteAddr are the addresses of both ends, nil if not known.
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

var _ Conn = (*socket.Socket)(nil)
