package network_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// A valve is a Conn that lets a given number of bytes out, and then none until it is
// opened, like a connection whose peer accepts no more.
type valve struct {
	network.Conn
	full chan struct{} // gets a value when a send waits for room

	mu     sync.Mutex
	room   int           // in bytes; -1 for no limit
	moved  chan struct{} // closed when it is opened or closed
	closed bool
}

func newValve(conn network.Conn) *valve {
	return &valve{Conn: conn, full: make(chan struct{}, 1), room: -1, moved: make(chan struct{})}
}

// Below lets SocketOf and similar functions see through the valve.
func (v *valve) Below() network.Conn { return v.Conn }

// shut lets room more bytes out.
func (v *valve) shut(room int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.room = room
}

// again forgets that a send has waited for room.
func (v *valve) again() {
	select {
	case <-v.full:
	default:
	}
}

func (v *valve) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.room = -1
	close(v.moved)
	v.moved = make(chan struct{})
}

func (v *valve) Close() error {
	v.mu.Lock()
	if !v.closed {
		v.closed = true
		close(v.moved)
		v.moved = make(chan struct{})
	}
	v.mu.Unlock()
	return v.Conn.Close()
}

// take returns how many of n bytes may go out, and what to wait for if that is 0.
func (v *valve) take(n int) (int, <-chan struct{}, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		return 0, nil, &net.OpError{Op: "send", Err: net.ErrClosed}
	case v.room < 0:
		return n, nil, nil
	}
	n = min(n, v.room)
	v.room -= n
	return n, v.moved, nil
}

func (v *valve) SendAll(ctx context.Context, buf []byte) (n int, err error) {
	for {
		k, moved, err := v.take(len(buf) - n)
		if err != nil {
			return n, err
		}
		if k > 0 || len(buf) == 0 {
			if k, err = v.Conn.SendAll(ctx, buf[n:n+k]); err != nil {
				return n + k, err
			}
			n += k
		}
		if n == len(buf) {
			return n, nil
		}
		if k > 0 {
			continue
		}
		select {
		case v.full <- struct{}{}:
		default:
		}
		if _, err := curio.Receive(ctx, moved); err != curio.ErrChannelClosed {
			return n, &net.OpError{Op: "send", Err: err}
		}
	}
}

// A nonblocking is a valve that can send without waiting.
type nonblocking struct{ *valve }

func (v nonblocking) SendFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	if flags&syscall.MSG_DONTWAIT == 0 {
		return v.SendAll(ctx, buf)
	}
	k, _, err := v.take(len(buf))
	if err == nil && k == 0 {
		err = syscall.EAGAIN
	}
	if err != nil {
		return 0, err
	}
	return v.Conn.SendAll(ctx, buf[:k])
}

// A correspondent, at the other end of a valve, receives all the time. When it has got as
// much as it was promised, it replies.
type correspondent struct {
	conn network.Conn

	mu       sync.Mutex
	got      []byte
	promised int // -1 while not known
	replied  bool

	ended chan struct{}
	err   error // how receiving has ended; nil for the end of the stream
}

const thanks = "thanks\n"

func (c *correspondent) run(ctx context.Context) {
	defer close(c.ended)
	for buf := make([]byte, 5000); ; {
		n, err := c.conn.Recv(ctx, buf)
		c.mu.Lock()
		c.got = append(c.got, buf[:n]...)
		c.mu.Unlock()
		c.maybeThank(ctx)
		if err != nil {
			if err != io.EOF {
				c.err = err
			}
			return
		}
	}
}

// promise tells the correspondent how many bytes will come.
func (c *correspondent) promise(ctx context.Context, n int) {
	c.mu.Lock()
	c.promised = n
	c.mu.Unlock()
	c.maybeThank(ctx)
}

func (c *correspondent) maybeThank(ctx context.Context) {
	c.mu.Lock()
	due := !c.replied && c.promised >= 0 && len(c.got) >= c.promised
	c.replied = c.replied || due
	c.mu.Unlock()
	if due { // in parallel with receiving: there may be no room at all
		go func() { _, _ = c.conn.SendAll(ctx, []byte(thanks)) }()
	}
}

// A course is a connection through a valve, with a correspondent at its end.
type course struct {
	conn  network.Conn
	valve *valve
	peer  *correspondent
}

// A ground is a combination of layers. make returns what a course is made of: conn, the
// valve in it, and the other side.
type ground struct {
	name  string
	exact bool // SendAll returns how much has gone out
	frail bool // nothing can be sent after a SendAll that was cut short
	make  func(t testing.TB) (conn network.Conn, v *valve, peer network.Conn)
}

var grounds = []ground{
	{"socket", true, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		return v, v, b
	}},
	{"TLS", false, false, tlsGround(func(v *valve, b *socket.Socket) (network.Conn, network.Conn) {
		return nonblocking{v}, b
	})},
	{"TLS without SendFlags", false, false, tlsGround(func(v *valve, b *socket.Socket) (network.Conn, network.Conn) {
		return v, b
	})},
	{"TLS over patience", false, false, tlsGround(func(v *valve, b *socket.Socket) (network.Conn, network.Conn) {
		return network.Impatient(nonblocking{v}, time.Hour), b
	})},
	{"TLS over PROXY", false, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		if _, err := b.SendAll(t.Context(), []byte(testProxyLine)); err != nil {
			t.Fatal(err)
		}
		_, proxied, err := network.ReadProxyHeader(t.Context(), network.Impatient(nonblocking{v}, time.Hour))
		must(t, err)
		forClient, forServer := configs(t)
		return network.TLSServer(proxied, forServer), v, network.TLSClient(b, forClient)
	}},
	{"PROXY over TLS", false, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		peer, conn := tlsOver(t, b, nonblocking{v})
		sent := curio.Go(context.Background(), func(ctx context.Context) error {
			_, err := peer.SendAll(ctx, []byte(testProxyLine))
			return err
		})
		_, proxied, err := network.ReadProxyHeader(t.Context(), conn)
		must(t, errors.Join(err, sent.Wait(t.Context())))
		return proxied, v, peer
	}},
	{"TLS over Unix", false, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		a, b := unixConnected(t)
		v := newValve(a)
		client, server := tlsOver(t, nonblocking{v}, b)
		return client, v, server
	}},
	{"TLS in TLS", false, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		a1, b1 := tlsOver(t, nonblocking{v}, b)
		a2, b2 := tlsOver(t, a1, b1)
		return a2, v, b2
	}},
	{"FromConn of a pipe", true, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		a, b := net.Pipe()
		v := newValve(network.FromConn(a))
		return v, v, network.FromConn(b)
	}},
	{"TLS over FromConn of a pipe", false, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		a, b := net.Pipe()
		v := newValve(network.FromConn(a))
		client, server := tlsOver(t, v, network.FromConn(b))
		return client, v, server
	}},
	{"TLS over FromConn of NetConn", false, false, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		hidden := struct{ net.Conn }{network.NetConn(context.Background(), v)} // so that it is not unwrapped
		client, server := tlsOver(t, network.FromConn(hidden), b)
		return client, v, server
	}},
	{"FromConn of crypto/tls", true, true, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		conn, server := foreignTLS(t, v, b)
		return conn, v, server
	}},
	{"TLS over FromConn of crypto/tls", false, true, func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		conn, server := foreignTLS(t, v, b)
		client, server := tlsOver(t, conn, server)
		return client, v, server
	}},
}

func valvePair(t testing.TB) (*valve, *socket.Socket) {
	a, b := socketPair(t)
	return newValve(a), b
}

func tlsGround(dress func(*valve, *socket.Socket) (a, b network.Conn)) func(testing.TB) (network.Conn, *valve, network.Conn) {
	return func(t testing.TB) (network.Conn, *valve, network.Conn) {
		v, b := valvePair(t)
		below, peer := dress(v, b)
		client, server := tlsOver(t, below, peer)
		return client, v, server
	}
}

// foreignTLS puts package tls over a Conn of ours, and our own TLS at the other end.
func foreignTLS(t testing.TB, a, b network.Conn) (conn, peer network.Conn) {
	forClient, forServer := configs(t)
	return network.FromConn(tls.Client(network.NetConn(context.Background(), a), forClient)), network.TLSServer(b, forServer)
}

// start makes a course and shakes hands.
func (g *ground) start(ctx context.Context, t testing.TB) *course {
	t.Helper()
	conn, v, peer := g.make(t)
	c := &course{conn: conn, valve: v, peer: &correspondent{conn: peer, promised: -1, ended: make(chan struct{})}}
	go c.peer.run(ctx)
	if _, err := conn.SendAll(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if h, ok := conn.(interface{ Handshake(context.Context) error }); ok {
		must(t, h.Handshake(ctx))
	}
	return c
}

// during calls op in a task. If op waits for room, it calls cut.
func (c *course) during(ctx context.Context, op func(ctx context.Context) error, cut func(cancel func())) (err error) {
	ended := make(chan struct{})
	task := curio.Go(ctx, func(ctx context.Context) error {
		defer close(ended)
		err = op(ctx)
		return nil
	})
	select {
	case <-ended:
	case <-c.valve.full:
		cut(func() { task.CancelNow() })
		<-ended
	}
	return err
}

// finish is called when conn has been closed. It waits for the correspondent to end, and
// checks that it has got the beginning of data, and all that was accepted, unless told says
// that something is missing.
func (c *course) finish(t testing.TB, data []byte, taken int, told error) {
	t.Helper()
	c.valve.open()
	testutil.Receive(t, "the end of the peer", c.peer.ended)
	_ = c.peer.conn.Close()
	switch got := c.peer.got; {
	case len(got) > taken || !bytes.Equal(got, data[:len(got)]):
		t.Errorf("%d were taken, and %d bytes have come, or others", taken, len(got))
	case len(got) < taken && told == nil:
		t.Errorf("%d were taken, %d have come, and nobody says anything; the peer has ended with %v", taken, len(got), c.peer.err)
	}
}
