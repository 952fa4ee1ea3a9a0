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

// A Conn is a connection on which messages are sent and received. Conns come from [Connect], [Listener.Accept],
// [Server] and [Client]. The zero value is none: its methods return an error. A Conn must not be copied. It is safe
// for concurrent use: one task may receive while another sends, and those that do the same take turns, in the
// order in which they came.
//
// A Conn belongs to no task and to no context, and is open until somebody closes it. With JSON, an idle Conn has
// no buffers. With Gob, it keeps the buffers of the last messages, unless these were longer than 1 MiB.
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

// Close closes the connection at once. Operations in progress end with net.ErrClosed, and so do all later ones.
// Messages that have been sent are on their way, and arrive if the other side reads them; but over TCP the
// system drops them if messages have come that were not received: to be sure, call [Conn.CloseWrite], and Recv
// until io.EOF. What has come of a message and was not received is lost. The transport's Close is called, which
// may have something to send, as with TLS; the error is its error. A second Close does nothing.
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

// CloseWrite says that this side sends no more messages, after those that others are sending at the moment. The
// other side receives them and then io.EOF, and can go on sending. To end a connection so that nothing is lost,
// call CloseWrite, and then Recv until io.EOF. If ctx is done before the turn of CloseWrite, the error is ctx's
// error, and nothing has happened. If the transport has no CloseWrite, the error is errors.ErrUnsupported. A
// Send that comes later fails with syscall.EPIPE or net.ErrClosed.
//
// The system call is shutdown(2), or close(2) for a pipe. A task that waits is in the state LOCK_ACQUIRE or
// WRITE_WAIT.
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

// Transport returns what the connection is made of, such as for its options or its certificates:
// network.SocketOf takes a network.Conn. Do not send or receive there: the other side takes it for a message.
func (c *Conn) Transport() stream.Transport { return c.transport }

// LocalAddr is the address of this side, nil if it has none.
func (c *Conn) LocalAddr() net.Addr {
	if c.in == nil {
		return nil
	}
	return c.in.LocalAddr()
}

// RemoteAddr is the address of the other side, nil if it has none.
func (c *Conn) RemoteAddr() net.Addr {
	if c.in == nil {
		return nil
	}
	return c.out.RemoteAddr()
}

// String says what c is over. A Conn can be printed while others use it.
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
