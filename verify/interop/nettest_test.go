package interop_test

import (
	"context"
	"crypto/tls"
	"errors"
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

func TestUnix(t *testing.T) {
	testutil.NoLeaks(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := network.ListenUnix(t.Context(), t.TempDir()+"/s", nil)
		if err != nil {
			return nil, nil, nil, err
		}
		return connected(network.NetListener(context.Background(), l), network.DialContext)
	})
}

// Ours on one side and package net's on the other.
func TestMixed(t *testing.T) {
	testutil.NoLeaks(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		return connected(l, network.DialContext)
	})
}

// TLS of ours. The handshake is done by the first who reads or writes.
func TestTLS(t *testing.T) {
	testutil.NoLeaks(t)
	certificate, roots := testutil.Certificate(t, "localhost")
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return nil, nil, nil, err
		}
		ctx := context.Background()
		client := network.TLSClient(a, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		server := network.TLSServer(b, &tls.Config{Certificates: []tls.Certificate{certificate}})
		shaken := make(chan error, 1)
		go func() { shaken <- server.Handshake(ctx) }()
		if err := errors.Join(client.Handshake(ctx), <-shaken); err != nil {
			return nil, nil, nil, err
		}
		c1, c2 = network.NetConn(ctx, client), network.NetConn(ctx, server)
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}
