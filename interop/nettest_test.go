package interop_test

import (
	"context"
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// connected returns both ends of a connection that goes through listener.
func connected(listener net.Listener, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (c1, c2 net.Conn, stop func(), err error) {
	type result struct {
		conn net.Conn
		err  error
	}
	accepted := make(chan result, 1)
	go func() {
		conn, err := listener.Accept()
		accepted <- result{conn, err}
	}()
	addr := listener.Addr()
	c1, err = dial(context.Background(), addr.Network(), addr.String())
	if err != nil {
		listener.Close()
		<-accepted
		return nil, nil, nil, err
	}
	r := <-accepted
	if r.err != nil {
		return nil, nil, nil, r.err
	}
	return c1, r.conn, func() {
		c1.Close()
		r.conn.Close()
		listener.Close()
	}, nil
}

func TestTCP(t *testing.T) {
	testutil.NoLeaks(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := network.ListenTCP(t.Context(), "127.0.0.1:0", nil)
		if err != nil {
			return nil, nil, nil, err
		}
		return connected(network.NetListener(context.Background(), l), network.DialContext)
	})
}

func TestSocketPair(t *testing.T) {
	testutil.NoLeaks(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return nil, nil, nil, err
		}
		ctx := context.Background()
		c1, c2 = network.NetConn(ctx, a), network.NetConn(ctx, b)
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}
