package network

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A CopyError is the error of a [Copy]. It reports which of the two connections failed, and holds
// the data that was received and not sent, so that nothing is lost.
type CopyError struct {
	// Sending is true if dst failed, or if ctx was done while Copy was sending. Otherwise src
	// failed, or ctx was done while Copy was waiting for src.
	Sending bool

	// Unsent is the data that was received from src and not sent to dst. To continue, send it
	// before the next Copy, even if it is empty: see Conn.SendAll. Unsent is nil unless Sending is
	// true.
	Unsent []byte

	// Err is the connection's error, usually a *net.OpError. If ctx was done, it wraps ctx's error.
	Err error
}

// Error returns the text of Err.
func (e *CopyError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *CopyError) Unwrap() error { return e.Err }

// Timeout reports whether Err is a timeout.
func (e *CopyError) Timeout() bool {
	err, ok := e.Err.(interface{ Timeout() bool })
	return ok && err.Timeout()
}

// Copy sends to dst what it receives from src until src ends, and returns how many bytes it sent.
// The end of src, io.EOF, is not an error. Copy does not pass the end on: call dst.CloseWrite for
// that. [Relay] copies in both directions.
//
// Copy works with any two stream connections; dst may be src. It takes a buffer of 64 KiB from a
// pool when there is something to receive, and returns it when the data has been sent, so an idle
// connection has no buffer. It allocates no memory for each piece of data. Data of other tasks that
// send to dst may come between two pieces.
//
// If both are stream sockets, on Linux, Copy moves large streams with splice(2), which does not
// copy through the program. It starts after a receive that has filled the buffer, and stops when
// there is less to move. A splice needs a pipe of 256 KiB, which also comes from a pool. A process
// uses at most 64 pipes at a time, and the garbage collector closes unused ones. Without a pipe,
// Copy uses its buffer.
//
// Every error is a [*CopyError]. If ctx is done, its Err wraps ctx's error, and Unsent holds the
// data that was received and not sent. If dst or src moves messages, as UDP does, the error wraps
// errors.ErrUnsupported, and nothing has been received.
//
// If the peer of dst has closed the connection, splice(2) raises SIGPIPE, which a Go program
// ignores unless it asks for the signal with os/signal. The error wraps syscall.EPIPE.
//
// The task's state is the state of the operation that waits, such as READ_WAIT or WRITE_WAIT. Copy
// does what io.Copy does for a net.Conn. In a proxy on Linux it takes about as much CPU time as
// io.Copy between two connections of package net, which always splices: less for messages of a few
// KiB, and about the same for 64 KiB and for streams that always have more to receive.
func Copy(ctx context.Context, dst, src Conn) (n int64, err error) {
	return copyTelling(ctx, dst, src, nil, 0)
}

// copyTelling is Copy. It sets moved, unless that is nil, to the time, as a reading of wait.Now, when
// it has received or sent something. While dst accepts a piece slowly it does so each time that every
// is over, if that is not 0.
func copyTelling(ctx context.Context, dst, src Conn, moved *atomic.Int64, every time.Duration) (n int64, err error) {
	for _, conn := range [...]Conn{dst, src} {
		if foreign.Datagrams(conn) {
			return 0, &CopyError{Err: opError("copy", conn, syscall.EOPNOTSUPP)}
		}
	}
	c := copying{dst: dst, src: src, moved: moved, every: every}
	if every > 0 && !resumes(dst) {
		c.every = 0
	}
	c.socket, _ = src.(*socket.Socket)
	c.splicer.init(dst, src)
	for err == nil {
		err = c.piece(ctx)
	}
	if err == io.EOF {
		err = nil
	}
	return c.sent, err
}

// blockSize is how much is copied at once where the connection has no buffers of its own.
const blockSize = 64 << 10

var copyBlocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

// A copying is a Copy in progress. It belongs to one task.
type copying struct {
	dst, src Conn
	socket   *socket.Socket // src, if it is a socket
	moved    *atomic.Int64  // nil if nobody asks
	every    time.Duration  // how long a SendAll may take before it is looked at; 0 for no bound
	sent     int64
	splicer  splicer
}

// resumes reports whether sending on conn can go on when it was cut short. With crypto/tls it
// cannot: see FromConn.
func resumes(conn Conn) bool {
	for c := range layersOf(conn) {
		if f, ok := c.(*foreign.Conn); ok && f.Shakes() {
			return false
		}
	}
	return true
}

// piece waits for a piece and copies it. The error is io.EOF if src has ended.
func (c *copying) piece(ctx context.Context) error {
	if c.splicer.streaming {
		return c.splice(ctx)
	}
	if c.socket != nil {
		b, err := c.socket.RecvBuffer(ctx) // it waits without a buffer
		if err != nil {
			return received(err)
		}
		c.splicer.received(len(b.Bytes()))
		err = c.send(ctx, b.Bytes())
		b.Release()
		return err
	}
	if err := c.src.WaitRead(ctx); err != nil {
		return received(err)
	}
	block := copyBlocks.Get().(*[blockSize]byte)
	defer copyBlocks.Put(block)
	n, err := c.src.Recv(ctx, block[:])
	if n > 0 {
		if err := c.send(ctx, block[:n]); err != nil {
			return err
		}
	}
	return received(err)
}

// received is the error of receiving, as Copy returns it.
func received(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &CopyError{Err: err}
}

func (c *copying) send(ctx context.Context, data []byte) error {
	c.tell(len(data))
	n, err := c.sendAll(ctx, data)
	if err == nil && n < len(data) { // a Conn of somebody else's
		err = io.ErrShortWrite
	}
	if err != nil {
		n = min(max(n, 0), len(data))
		return &CopyError{Sending: true, Unsent: append([]byte{}, data[n:]...), Err: err}
	}
	return nil
}

// sendAll sends data. What a slow dst accepts of it is told meanwhile, and not only at the end.
func (c *copying) sendAll(ctx context.Context, data []byte) (sent int, err error) {
	for late := true; late; {
		n := 0
		send := func(ctx context.Context) (err error) {
			n, err = c.dst.SendAll(ctx, data[sent:])
			return err
		}
		if c.every > 0 {
			late, err = curio.IgnoreAfter(ctx, c.every, send)
		} else {
			late, err = false, send(ctx)
		}
		c.tell(n)
		c.sent += int64(n)
		if sent += n; err != nil || n < 0 || sent > len(data) { // a Conn of somebody else's
			break
		}
	}
	return sent, err
}

// tell notes that n bytes have moved just now.
func (c *copying) tell(n int) {
	if c.moved != nil && n > 0 {
		c.moved.Store(wait.Now())
	}
}
