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

// A TLSConn carries TLS on top of another Conn: package crypto/tls, every call of which
// takes a context. TLSConns come from TLSClient and TLSServer; there is no useful zero
// value. A TLSConn must not be copied. It is safe for concurrent use: one task may receive
// while another sends, and those who do the same take turns.
//
// A call that is cancelled, except for Handshake, does the connection no harm: a record
// that was received in part is kept, and so is what is still to be sent of a record; see
// SendAll.
//
// Errors are *net.OpError with the operation and the addresses of the connection. Those of
// TLS itself say "tls:", and can be asked for with [errors.As]: see Handshake. An alert
// from the other side is a [crypto/tls.AlertError] at any time.
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

// TLSClient makes the client's side of a TLS connection on top of conn, which it takes
// over: to close it, close the TLSConn. Nothing is sent before the handshake, which the
// first operation does, or Handshake. The server is verified: config must have a
// ServerName, or InsecureSkipVerify; or the handshake fails. Renegotiation, of which only
// TLS 1.2 knows, is not supported: TLSClient panics if config allows it, or if conn is nil.
func TLSClient(conn Conn, config *tls.Config) *TLSConn {
	if config != nil && config.Renegotiation != tls.RenegotiateNever {
		panic("curio/network: TLSClient cannot renegotiate: leave Config.Renegotiation at RenegotiateNever")
	}
	c := newTLSConn(conn)
	c.tls = tls.Client(&c.wire, config)
	return c
}

// TLSServer makes the server's side of a TLS connection on top of conn, which it takes
// over: to close it, close the TLSConn. Nothing is received before the handshake, which
// the first operation does, or Handshake. config needs a certificate, or one of the
// functions that return one; see Certificates. TLSServer panics if conn or config is nil.
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
		panic("curio/network: TLS needs a stream, and the connection moves messages; for these there is DTLS, of other packages")
	}
	c := new(TLSConn)
	c.wire.below = conn
	c.wire.pusher.wire, c.wire.pusher.senders = &c.wire, &c.senders
	return c
}

var _ Conn = (*TLSConn)(nil)

// Recv waits until there is something to receive, puts as much of it into buf as fits, of
// one record at most, and returns how many bytes that was. It does the handshake first if
// nobody has. If buf is empty it returns 0 at once. A call that is cancelled has received
// nothing, even if it was in the middle of a record.
//
// While it waits, it sends what an interrupted SendAll has left to be sent. If that turns
// out to be impossible, for a reason that the other side does not notice, Recv returns that
// error once, and can be called again.
//
// When the other side has ended the stream, by close_notify, Recv returns io.EOF. If the
// connection below has ended without that, somebody may have cut it off: the error is
// io.ErrUnexpectedEOF. Some programs end their connections like that, and whether it
// matters is to be seen by what was received.
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

// WaitRead waits until Recv would not wait: there is something to receive, or the stream
// has ended. It does the handshake first if nobody has. It receives nothing, but for a
// byte that is kept for the next Recv: so there is something indeed, and not only a
// message between the two TLS implementations. If another error has come instead, WaitRead
// returns it, and so will Recv.
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

// SendAll sends all of buf. It does the handshake first if nobody has. Other tasks that
// send wait meanwhile, so that what they send is not mixed in.
//
// It encrypts up to 64 KiB, sends that, and so on. If it is cancelled or fails halfway, it
// returns how many bytes of buf have been encrypted. These cannot be taken back. They, and
// no others, reach the other side, if the connection lasts and is still used: what was
// encrypted and not sent, 64 KiB at most, is kept, and the error says how much that is. It
// goes out before anything else with the next SendAll or CloseWrite, and while a Recv or
// WaitRead waits for the other side, as it may be the request whose answer they wait for.
// Close sends as much of it as there is room for, and returns an error if that was not all.
//
// So to go on, send the rest, even if that is empty: SendAll of an empty buf sends what is
// kept.
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

// CloseWrite ends the stream in this direction, by close_notify, after what others are
// sending and after what an interrupted SendAll has left: the other side receives all of
// that and then the end, and can go on sending. CloseWrite waits for all of that as long as
// ctx allows. It does the handshake first if nobody has. It leaves the connection below
// open in both directions. If it is cancelled, call it again. After it, SendAll must not be
// called except with an empty buf.
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

// ConnectionState tells the version, the other side's certificates, the protocol agreed
// on (ALPN) and the like. It is empty before the handshake has succeeded.
func (c *TLSConn) ConnectionState() tls.ConnectionState {
	if !c.done.Load() {
		return tls.ConnectionState{}
	}
	return c.tls.ConnectionState()
}

// Below returns the connection that carries this one. Who sends or receives there breaks
// the TLS connection.
func (c *TLSConn) Below() Conn { return c.wire.below }

// LocalAddr is the address of this side of the connection below.
func (c *TLSConn) LocalAddr() net.Addr { return c.wire.below.LocalAddr() }

// RemoteAddr is the address of the other side of the connection below.
func (c *TLSConn) RemoteAddr() net.Addr { return c.wire.below.RemoteAddr() }

// String is that of the connection below, after "tls over".
func (c *TLSConn) String() string { return fmt.Sprintf("tls over %v", c.wire.below) }
