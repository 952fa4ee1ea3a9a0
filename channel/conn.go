package channel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/stream"
)

// A Conn is a connection that sends and receives messages. Conns come from [Connect],
// [Listener.Accept], [Server] and [Client]. The zero value is not a connection: its methods return
// an error. A Conn must not be copied. It is safe for concurrent use: one task may receive while
// another sends. Tasks that receive do so one at a time, in the order in which they called; so do
// tasks that send.
//
// A Conn does not belong to a task or a context, and stays open until it is closed. With JSON, an
// idle Conn has no buffers. With Gob, it keeps the buffers of the last messages, up to 1 MiB.
//
// It is Curio's Connection.
type Conn struct {
	// Set at birth. in is nil in the zero value.
	in, out   *stream.Stream // the same one, unless each direction has one of its own
	transport stream.Transport
	codec     Codec
	most      int  // bytes in a message
	keyless   bool // nobody has authenticated

	// open ──► closed once, by Close or as the other side can no longer be understood. why is set with it: nil
	// after a Close.
	mu     sync.Mutex
	closed bool
	why    error

	// Order: receiving < the locks of in, sending < the locks of out. Nothing of the user's is called with mu
	// held.
	receiving curio.Lock
	arriving  arrival // what has come of the next message
	decoder   gobs.Decoder
	begun     bool // a message has been received
	longest   int  // how long the longest one was

	sending  curio.Lock
	encoder  gobs.Encoder
	unusable error // no further message can be sent, and why
}

var _ frames = (*Conn)(nil)

// Close closes the connection at once. Operations in progress and all later ones fail with
// net.ErrClosed. Messages that have been sent arrive if the peer reads them; but over TCP the
// system discards them if there are received messages that were not read. To be sure, call
// [Conn.CloseWrite], and then Recv until io.EOF. A partly received message is lost. Close calls the
// transport's Close, which may send something, as with TLS, and returns its error. A second Close
// does nothing.
func (c *Conn) Close() error {
	if c.in == nil {
		return opError("close", nil, nil, errUnusable)
	}
	err := c.close(nil)
	if err != nil {
		return opError("close", c.in, c.out, err)
	}
	return nil
}

// close closes c, unless that has been done. why is nil if the user wants it.
func (c *Conn) close(why error) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed, c.why = true, why
	c.mu.Unlock()
	err := unlessClosed(c.in.Close())
	if c.out != c.in {
		err = errors.Join(err, unlessClosed(c.out.Close()))
	}
	return err
}

// unlessClosed is the error of a close, except that it was closed before.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// CloseWrite ends the sending direction, after messages that other tasks are sending. The peer
// receives the messages and then io.EOF, and can still send. To end a connection without losing
// anything, call CloseWrite, and then Recv until io.EOF. If ctx is done first, CloseWrite returns
// an error that wraps ctx's error and the direction stays open. If the transport has no CloseWrite
// method, the error wraps errors.ErrUnsupported. A later Send fails with syscall.EPIPE or
// net.ErrClosed.
//
// The system call is shutdown(2), or close(2) for a pipe. A task that waits is in the state
// LOCK_ACQUIRE or WRITE_WAIT.
func (c *Conn) CloseWrite(ctx context.Context) error {
	if err := c.startSending(ctx); err != nil {
		return c.failed("shutdown", err)
	}
	defer c.sending.Release(ctx)
	if c.out != c.in {
		c.unusable = net.ErrClosed
		if err := c.out.CloseContext(ctx); err != nil {
			return c.failed("shutdown", err)
		}
		return nil
	}
	if err := c.out.CloseWrite(ctx); err != nil {
		return c.failed("shutdown", err)
	}
	return nil
}

// isClosed returns nil while c is open, and else why it is not.
func (c *Conn) isClosed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.closed:
		return nil
	case c.why != nil:
		return &closedError{c.why}
	}
	return net.ErrClosed
}

// start asks whether ctx is alive, and takes the turn to send or the turn to receive.
func (c *Conn) start(ctx context.Context, turn *curio.Lock) error {
	if c.in == nil {
		return errUnusable
	}
	if err := turn.Acquire(ctx); err != nil {
		return err
	}
	if err := c.isClosed(); err != nil {
		turn.Release(ctx)
		return err
	}
	return nil
}

// failed returns the error of an operation, during which c may have been closed.
func (c *Conn) failed(op string, err error) error {
	if c.in != nil && errors.Is(err, net.ErrClosed) {
		if closed := c.isClosed(); closed != nil {
			err = closed
		}
	}
	return opError(op, c.in, c.out, err)
}

// Transport returns the transport underneath, for example to read its options or certificates;
// network.SocketOf takes a network.Conn. Do not send or receive on it: the peer would take the data
// for a message.
func (c *Conn) Transport() stream.Transport { return c.transport }

// LocalAddr returns the local address, or nil if there is none.
func (c *Conn) LocalAddr() net.Addr {
	if c.in == nil {
		return nil
	}
	return c.in.LocalAddr()
}

// RemoteAddr returns the peer's address, or nil if there is none.
func (c *Conn) RemoteAddr() net.Addr {
	if c.in == nil {
		return nil
	}
	return c.out.RemoteAddr()
}

// String describes the transport underneath. It may be called while other tasks use c.
func (c *Conn) String() string {
	switch t := c.transport.(type) {
	case nil:
		return "channel.Conn"
	case fmt.Stringer:
		return "channel over " + t.String()
	default:
		return fmt.Sprintf("channel over a %T", t)
	}
}
