package network_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A stuckConn is one on which CloseWrite waits for ever.
type stuckConn struct {
	network.Conn
	within chan struct{}
	calls  int
}

func (c *stuckConn) CloseWrite(ctx context.Context) error {
	c.calls++
	if c.calls == 1 {
		close(c.within)
	}
	<-ctx.Done()
	return second(c.Conn.Recv(ctx, make([]byte, 1))) // the error of ctx, as it should be
}

// A CloseWrite that has to wait, as with TLS, is bounded by what bounds a Write.
func TestNetConnCloseWriteEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(t *testing.T, conn net.Conn, cancel func())
		want func(t *testing.T, err error)
	}{
		"deadline": {func(t *testing.T, conn net.Conn, _ func()) {
			must(t, conn.SetWriteDeadline(longAgo))
		}, func(t *testing.T, err error) { isDeadline(t, "close", err) }},
		"closed": {func(t *testing.T, conn net.Conn, _ func()) {
			must(t, conn.Close())
		}, func(t *testing.T, err error) { is(t, err, net.ErrClosed); isOp(t, "close", err) }},
		"cancelled": {func(_ *testing.T, _ net.Conn, cancel func()) {
			cancel()
		}, func(t *testing.T, err error) { is(t, err, foreignCancel...); isOp(t, "close", err) }},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, _ := twoSockets(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			below := &stuckConn{Conn: a, within: make(chan struct{})}
			conn := network.NetConn(ctx, below)
			ended := make(chan error, 1)
			go func() { ended <- conn.(interface{ CloseWrite() error }).CloseWrite() }()
			testutil.Receive(t, "CloseWrite", below.within)
			c.end(t, conn, cancel)
			c.want(t, testutil.Receive(t, "end of CloseWrite", ended))
		})
	}
}

// A deadline that is moved away in the last moment lets it go on.
func TestNetConnCloseWriteBeginsAgain(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := twoSockets(t)
	below := &stuckConn{Conn: a, within: make(chan struct{})}
	conn := network.NetConn(t.Context(), below)
	ended := make(chan error, 1)
	go func() { ended <- conn.(interface{ CloseWrite() error }).CloseWrite() }()
	testutil.Receive(t, "CloseWrite", below.within)
	must(t, conn.SetWriteDeadline(longAgo))
	must(t, conn.SetWriteDeadline(time.Time{}))
	must(t, conn.SetWriteDeadline(longAgo))
	isDeadline(t, "close", testutil.Receive(t, "end of CloseWrite", ended))
}

// After Close, all deadlines are refused, with one error of the usual kind.
func TestNetConnSetDeadlineClosed(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := twoSockets(t)
	conn := network.NetConn(t.Context(), a)
	must(t, conn.Close())
	for _, err := range []error{conn.SetDeadline(farAhead), conn.SetReadDeadline(farAhead), conn.SetWriteDeadline(farAhead)} {
		is(t, err, net.ErrClosed)
		isOp(t, "set", err)
	}
}
