package network

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
)

// A TLSConn carries TLS on top of another [Conn]: package crypto/tls with a context for every call.
// TLSConns come from [TLSClient] and [TLSServer]; the zero value cannot be used. A TLSConn must not
// be copied. It is safe for concurrent use: one task may receive while another sends. Tasks that
// receive do so one at a time, and so do tasks that send.
//
// A call that is cancelled, except Handshake, leaves the connection usable: a record that was
// received in part is kept, and so is the unsent part of a record; see SendAll.
//
// Errors are of type [*net.OpError] with the operation and the addresses of the connection. The
// text of errors of TLS itself contains "tls:", and [errors.As] finds their types: see Handshake.
// An alert from the peer is a [crypto/tls.AlertError] at any time.
//
// It is Curio's wrap_socket.
type TLSConn struct {
	wire  wire
	tls   *tls.Conn
	bound time.Duration // of the handshake, if that is left to the first operation; 0 for no bound; set at birth

	// Each is taken with the operation's context, and in this order.
	handshakes curio.Lock
	receivers  curio.Lock
	senders    curio.Lock

	closed  atomic.Bool
	hurried atomic.Bool  // there was a second Close, which may have closed the Conn below before the first did
	notify  atomic.Int64 // the length of close_notify once it is in the wire, as the last record
	done    atomic.Bool  // the handshake has succeeded
	failure error        // why the handshake has not succeeded; guarded by handshakes

	// A byte that WaitRead has received; of who holds receivers.
	kept [1]byte
	full bool
}

// round is how much is encrypted at a time before it is sent: four full records.
const round = 64 << 10

// TLSClient makes the client side of a TLS connection on top of conn and takes ownership of conn:
// close the TLSConn, not conn. It sends nothing itself; the first operation, or Handshake, does the
// handshake. The client verifies the server: the handshake fails unless config has a ServerName or
// InsecureSkipVerify. Renegotiation, which only TLS 1.2 has, is not supported: TLSClient panics if
// config allows it, or if conn is nil.
func TLSClient(conn Conn, config *tls.Config) *TLSConn {
	if config != nil && config.Renegotiation != tls.RenegotiateNever {
		panic("curio/network: TLSClient cannot renegotiate: leave Config.Renegotiation at RenegotiateNever")
	}
	c := newTLSConn(conn)
	c.tls = tls.Client(&c.wire, config)
	return c
}

// TLSServer makes the server side of a TLS connection on top of conn and takes ownership of conn:
// close the TLSConn, not conn. It receives nothing itself; the first operation, or Handshake, does
// the handshake. config needs a certificate, or one of the functions that return one; see
// [Certificates]. TLSServer panics if conn or config is nil.
func TLSServer(conn Conn, config *tls.Config) *TLSConn {
	if config == nil {
		panic("curio/network: TLSServer without a config: it needs one with a certificate")
	}
	c := newTLSConn(conn)
	c.tls = tls.Server(&c.wire, config)
	return c
}

func newTLSConn(conn Conn) *TLSConn {
	if conn == nil {
		panic("curio/network: TLS needs a connection: conn is nil")
	}
	if foreign.Datagrams(conn) {
		panic("curio/network: TLS needs a stream, and the connection moves messages; use DTLS, from another package, for these")
	}
	c := new(TLSConn)
	c.wire.below = conn
	c.wire.pusher.wire, c.wire.pusher.senders = &c.wire, &c.senders
	return c
}

var _ Conn = (*TLSConn)(nil)

// Recv waits until there is something to receive, copies as much of it into buf as fits, at most
// one record, and returns the number of bytes. It does the handshake first, unless that has been
// done. If buf is empty it returns 0 at once. If ctx is done first, Recv returns an error that
// wraps ctx's error and has received nothing, even in the middle of a record.
//
// While Recv waits, it sends data that an interrupted SendAll has left. If that fails for a reason
// that the peer does not notice, Recv returns the error once, and can be called again.
//
// When the peer has ended the stream with close_notify, Recv returns io.EOF. If the connection
// below ends without a close_notify, the stream may have been truncated, and the error wraps
// io.ErrUnexpectedEOF. Some programs end their connections in this way; whether that matters
// depends on the data received.
func (c *TLSConn) Recv(ctx context.Context, buf []byte) (int, error) {
	if len(buf) == 0 {
		return 0, c.nothing(ctx)
	}
	if err := c.begin(ctx, "recv", &c.receivers); err != nil {
		return 0, err
	}
	defer c.receivers.Release(ctx)
	if c.full {
		c.full = false
		buf[0] = c.kept[0]
		n := 0
		if len(buf) > 1 {
			n, _ = c.receive(buf[1:]) // an error is there for the next call, too
			c.answer(ctx, false)
		}
		return 1 + n, nil
	}
	n, err := c.await(ctx, buf)
	if err != nil && err != io.EOF {
		err = c.failed("recv", err)
	}
	return n, err
}

// WaitRead waits until Recv would not wait: there is something to receive, or the stream has ended.
// It does the handshake first, unless that has been done. To be sure that data has come, and not
// only a message between the two TLS implementations, it receives one byte and keeps it for the
// next Recv. If ctx is done first, WaitRead returns an error that wraps ctx's error. If another
// error occurs, WaitRead returns it, and so will Recv.
func (c *TLSConn) WaitRead(ctx context.Context) error {
	if err := c.begin(ctx, "wait", &c.receivers); err != nil {
		return err
	}
	defer c.receivers.Release(ctx)
	if c.full {
		return nil
	}
	n, err := c.await(ctx, c.kept[:])
	c.full = n > 0
	if err != nil && err != io.EOF {
		return c.failed("wait", err)
	}
	return nil
}

// nothing is a Recv into an empty buffer.
func (c *TLSConn) nothing(ctx context.Context) error {
	if _, err := wait.At(ctx); err != nil {
		return c.failed("recv", err)
	}
	if c.closed.Load() {
		return c.failed("recv", net.ErrClosed)
	}
	return nil
}

// begin does the handshake if that is due, and takes the lock of an operation's direction.
func (c *TLSConn) begin(ctx context.Context, op string, direction *curio.Lock) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	if err := direction.Acquire(ctx); err != nil {
		return c.failed(op, err)
	}
	if c.closed.Load() {
		direction.Release(ctx)
		return c.failed(op, net.ErrClosed)
	}
	return nil
}

// await receives into p, with receivers held, and answers what the peer has asked for on
// the way.
func (c *TLSConn) await(ctx context.Context, p []byte) (int, error) {
	if c.wire.overfull() {
		if err := c.senders.Acquire(ctx); err != nil {
			return 0, err
		}
		err := c.wire.flush(ctx)
		c.release(ctx)
		if err != nil {
			return 0, err
		}
	}
	c.wire.ctx = ctx
	n, err := c.receive(p)
	c.wire.ctx = nil
	c.answer(ctx, fatal(err))
	return n, err
}

// receive is Read of package tls. Unless wire.ctx is set it does not wait. An error that
// comes with data is forgotten: if it matters, package tls repeats it.
func (c *TLSConn) receive(p []byte) (int, error) {
	n, err := c.tls.Read(p)
	if n > 0 {
		err = nil
	}
	return n, err
}

// answer sends what package tls has written while it received, such as new keys or an
// alert, if it can do so without waiting. The rest goes out with the next send, or while a
// task waits for the peer. If another task is sending, that one sends it now.
func (c *TLSConn) answer(ctx context.Context, urgent bool) {
	if c.wire.unsent.Load() > 0 && c.senders.TryAcquire(ctx) {
		_ = c.wire.push(ctx, urgent)
		c.senders.Release(ctx)
	}
}

// release releases senders. What is still to be sent is left to the tasks that wait for the
// peer.
func (c *TLSConn) release(ctx context.Context) {
	c.senders.Release(ctx)
	c.wire.pusher.push()
}

// SendAll sends all of buf. It does the handshake first, unless that has been done. Other tasks
// that send wait until it has returned, so their data is not mixed in.
//
// SendAll encrypts up to 64 KiB, sends that, and continues with the next part. If ctx is done or
// sending fails halfway, it returns the error and how many bytes of buf it has encrypted. Encrypted
// bytes cannot be taken back: the peer receives exactly these, if the connection lasts and is used
// further. The part of them that has not been sent, at most 64 KiB, is kept, and the error gives
// its size. It is sent before anything else by the next SendAll or CloseWrite, and while a Recv or
// WaitRead waits for the peer, as it may be the request that they wait for an answer to. Close
// sends as much of it as there is room for, and returns an error if that was not all.
//
// To continue after an error, send the rest of buf, even if that is empty: SendAll with an empty
// buf sends what is kept.
func (c *TLSConn) SendAll(ctx context.Context, buf []byte) (n int, err error) {
	if err := c.begin(ctx, "send", &c.senders); err != nil {
		return 0, err
	}
	defer c.release(ctx)
	for {
		if err := c.wire.flush(ctx); err != nil {
			return n, c.cut("send", err)
		}
		if n == len(buf) {
			return n, nil
		}
		c.wire.encrypting.Store(true)
		k, err := c.tls.Write(buf[n:min(len(buf), n+round)])
		c.wire.encrypting.Store(false)
		n += k
		if err != nil {
			return n, c.cut("send", err)
		}
	}
}

// CloseWrite ends the sending direction with close_notify, after data that other tasks are sending
// and data that an interrupted SendAll has left. The peer receives all of that and then the end of
// the stream, and can still send. CloseWrite does the handshake first, unless that has been done.
// If ctx is done first, it returns an error that wraps ctx's error; call it again to finish. It
// leaves the connection below open in both directions. After it, SendAll must not be called except
// with an empty buf.
func (c *TLSConn) CloseWrite(ctx context.Context) error {
	if err := c.begin(ctx, "shutdown", &c.senders); err != nil {
		return err
	}
	defer c.release(ctx)
	err := c.wire.flush(ctx)
	if err == nil {
		err = c.endStream()
	}
	if err == nil {
		err = c.wire.flush(ctx)
	}
	if err != nil {
		return c.cut("shutdown", err)
	}
	return nil
}

// ConnectionState returns details of the TLS connection, such as the version, the peer's
// certificates and the negotiated protocol (ALPN). It is empty before the handshake has succeeded.
func (c *TLSConn) ConnectionState() tls.ConnectionState {
	if !c.done.Load() {
		return tls.ConnectionState{}
	}
	return c.tls.ConnectionState()
}

// Below returns the connection that carries c. Sending or receiving on it breaks the TLS
// connection.
func (c *TLSConn) Below() Conn { return c.wire.below }

// LocalAddr returns the local address of the connection below.
func (c *TLSConn) LocalAddr() net.Addr { return c.wire.below.LocalAddr() }

// RemoteAddr returns the address of the peer of the connection below.
func (c *TLSConn) RemoteAddr() net.Addr { return c.wire.below.RemoteAddr() }

// String returns "tls over" and the description of the connection below.
func (c *TLSConn) String() string { return fmt.Sprintf("tls over %v", c.wire.below) }
