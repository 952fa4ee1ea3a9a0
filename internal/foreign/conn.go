package foreign

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// A Conn is a net.Conn whose calls take a context. It comes from New. It is safe for concurrent
// use if the net.Conn is, as the contract of net.Conn says: one task may receive while another
// sends, and those who do the same take turns, in the order in which they came.
//
// A cancelled operation is interrupted by a deadline. A net.Conn whose deadlines cannot be
// set is closed instead, and so is one that accepts a deadline but does not heed it within
// five seconds. If the net.Conn's method does not return even then, the operation goes on
// waiting, in the same state, as a goroutine cannot be ended from outside; no other
// operation waits for it. If the net.Conn panics when its deadline is set, it is closed as
// well, and the panic becomes a part of the operation's error. A panic in the operation
// itself reaches its caller.
//
// It owns the net.Conn, deadlines included: one that somebody else sets is gone after the
// next cancellation, and ends an operation with os.ErrDeadlineExceeded before.
//
// With a *tls.Conn, and whatever else handshakes by itself, the first operation does the
// handshake. A handshake that is cut short cannot be continued: all that is left to do is
// to close the connection. The same holds for sending, as a piece of a record may be on
// its way: once a SendAll or CloseWrite has been cancelled in the middle, those that
// follow fail. Receiving goes on as if nothing had happened.
type Conn struct {
	// Set at birth.
	conn       net.Conn
	handshaker handshaker      // nil if it has none
	raw        syscall.RawConn // of a plain socket, nil for others
	packets    bool            // it moves messages; see packets.go

	closed  atomic.Bool           // by Close
	broken  atomic.Bool           // by breakOff
	closing atomic.Bool           // set by the first to close, which calls the net.Conn's Close
	faulty  atomic.Pointer[error] // see breakOff
	known   atomic.Pointer[addresses]

	handshake, reader, writer direction

	// Guarded by reader's turn: what was read and not yet received.
	held   []byte // the rest of space, see WaitRead
	space  []byte // nil until it is needed
	failed error  // what Read returned with it, or after it
}

// isPlain reports whether c is a socket of package net, or TLS on one, which just passes
// deadlines on. Types that embed one of these may do anything.
func isPlain(c net.Conn) bool {
	switch c := c.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	case *tls.Conn:
		return isPlain(c.NetConn())
	}
	return false
}

// A handshaker is a *tls.Conn, or like one.
type handshaker interface {
	HandshakeContext(ctx context.Context) error
}

// New takes over c. It panics if c is nil.
func New(c net.Conn) *Conn {
	if c == nil {
		panic("curio: a connection made of a nil net.Conn")
	}
	f := &Conn{conn: c}
	f.handshaker, _ = c.(handshaker)
	f.raw = rawOf(c)
	f.packets = Datagrams(c)
	f.handshake.once = true
	f.handshake.init(f, "HANDSHAKE_TURN", "HANDSHAKE_WAIT", "SetDeadline", c.SetDeadline)
	f.reader.init(f, "READ_TURN", "READ_WAIT", "SetReadDeadline", c.SetReadDeadline)
	f.writer.init(f, "WRITE_TURN", "WRITE_WAIT", "SetWriteDeadline", c.SetWriteDeadline)
	return f
}

// NetConn is the net.Conn. A caller that reads from it may miss what WaitRead has read.
func (f *Conn) NetConn() net.Conn { return f.conn }

// Shakes reports whether there is a handshake to do before anything else.
func (f *Conn) Shakes() bool { return f.handshaker != nil }

// Handshake does the handshake of a net.Conn that has one, if nobody has done so yet. Recv,
// SendAll and the others call it.
func (f *Conn) Handshake(ctx context.Context) error {
	if err := f.shake(ctx); err != nil {
		return f.error("handshake", err)
	}
	return nil
}

func (f *Conn) shake(ctx context.Context) error {
	if f.handshaker == nil || f.handshake.over.Load() {
		return nil
	}
	return f.handshake.do(ctx, func() error {
		// With ctx's values, which callbacks may ask for. Its end is ours to handle.
		return f.handshaker.HandshakeContext(context.WithoutCancel(ctx))
	})
}

// do is direction.do after the handshake.
func (f *Conn) do(ctx context.Context, d *direction, call func() error) error {
	if err := f.shake(ctx); err != nil {
		return err
	}
	return d.do(ctx, call)
}

// Recv waits until there is something to receive, puts as much of it into buf as fits,
// and returns how many bytes that was. At the end it returns io.EOF. A call that is
// cancelled has received nothing. If the net.Conn moves messages, Recv receives one
// message, which may be empty.
func (f *Conn) Recv(ctx context.Context, buf []byte) (n int, err error) {
	switch {
	case len(buf) == 0:
		err = f.nothing(ctx)
	default:
		err = f.do(ctx, &f.reader, func() (err error) {
			n, err = f.read(buf)
			return err
		})
	}
	if err != nil && err != io.EOF {
		err = f.error("recv", err)
	}
	return n, err
}

// read reads something, or fails. It is called with the reader's turn.
func (f *Conn) read(buf []byte) (int, error) {
	if f.packets {
		return f.readPacket(buf)
	}
	if len(f.held) > 0 {
		n := copy(buf, f.held)
		f.held = f.held[n:]
		return n, nil
	}
	if err := f.failed; err != nil {
		f.failed = nil
		return 0, err
	}
	const patience = 100 // as in package bufio
	for range patience {
		n, err := f.conn.Read(buf)
		if n > 0 {
			if !expired(err) { // that of this operation, which has completed
				f.failed = err
			}
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

// SendAll sends all of buf, or returns how much of it the net.Conn says it has taken. If
// the net.Conn moves messages, buf is one message, even if it is empty.
func (f *Conn) SendAll(ctx context.Context, buf []byte) (n int, err error) {
	switch {
	case len(buf) == 0 && !f.packets:
		err = f.nothing(ctx)
	default:
		err = f.do(ctx, &f.writer, func() (err error) {
			n, err = f.conn.Write(buf)
			if err == nil && n < len(buf) {
				err = io.ErrShortWrite
			}
			return err
		})
	}
	if err != nil {
		err = f.error("send", err)
	}
	return n, err
}

// nothing is an operation on an empty buffer, with which a net.Conn may do anything.
func (f *Conn) nothing(ctx context.Context) error {
	if _, err := wait.At(ctx); err != nil {
		return err
	}
	if f.isClosed() {
		return net.ErrClosed
	}
	return nil
}

// CloseWrite ends the stream in this direction, in turn with those who send. Without a
// CloseWrite method of the net.Conn's it fails with errors.ErrUnsupported.
func (f *Conn) CloseWrite(ctx context.Context) error {
	err := f.do(ctx, &f.writer, func() error {
		if half, ok := f.conn.(interface{ CloseWrite() error }); ok {
			return half.CloseWrite()
		}
		return errors.ErrUnsupported
	})
	if err != nil {
		return f.error("shutdown", err)
	}
	return nil
}

// Close closes the net.Conn. Operations in progress end with net.ErrClosed, and so do all
// later ones, a second Close included. It has no context, and takes as long as the
// net.Conn's Close: a *tls.Conn sends close_notify, which takes up to five seconds if the
// other side does not read. A net.Conn that a cancellation has closed is not closed again.
// Close then returns at once; if the net.Conn panicked when it was interrupted, it returns
// that panic as an error.
func (f *Conn) Close() error {
	if f.closed.Swap(true) {
		return f.error("close", net.ErrClosed)
	}
	f.dismiss()
	var err error
	if f.closing.Swap(true) {
		err = f.fault()
	} else {
		err = f.conn.Close()
	}
	if err != nil {
		return f.wrap("close", err)
	}
	return nil
}

// LocalAddr is the net.Conn's local address.
func (f *Conn) LocalAddr() net.Addr { return f.conn.LocalAddr() }

// RemoteAddr is the net.Conn's address of the other side.
func (f *Conn) RemoteAddr() net.Addr { return f.conn.RemoteAddr() }

// addresses are the addresses that a net.Conn returned.
type addresses struct{ local, remote net.Addr }

// addresses asks the net.Conn for its addresses, for errors and for the monitor. A net.Conn
// that was broken off may never answer: then the addresses that it returned last are used.
func (f *Conn) addresses() (a addresses) {
	if !f.isBroken() {
		return addresses{f.conn.LocalAddr(), f.conn.RemoteAddr()}
	}
	if known := f.known.Load(); known != nil {
		a = *known
	}
	return a
}

// String returns the network and the addresses, as "tcp 127.0.0.1:80->127.0.0.1:4711".
func (f *Conn) String() string {
	a := f.addresses()
	return fmt.Sprintf("%s %v->%v", a.network(), a.local, a.remote)
}

func (a *addresses) network() string {
	if a.local != nil {
		return a.local.Network()
	}
	return "conn"
}

// error is the error of the operation op. Each implementation has a word of its own for
// a connection that has been closed.
func (f *Conn) error(op string, err error) error {
	if f.isClosed() && !errors.Is(err, wait.ErrCancelled) {
		err = net.ErrClosed
	}
	return f.wrap(op, err)
}

// wrap wraps err in a net.OpError, which replaces the one that package net has wrapped it
// in. If that is about another connection, used by a function that a handshake calls, it
// stays.
func (f *Conn) wrap(op string, err error) error {
	if inner, ok := err.(*net.OpError); ok && (op != "handshake" || inner.Addr == nil || sameAddr(inner.Addr, f.RemoteAddr())) {
		err = inner.Err
	}
	a := f.addresses()
	return &net.OpError{Op: op, Net: a.network(), Source: a.local, Addr: a.remote, Err: err}
}

func sameAddr(a, b net.Addr) bool { return a != nil && b != nil && a.String() == b.String() }
