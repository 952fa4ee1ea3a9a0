package network_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// SocketOf finds the socket under all that a server puts on it.
func TestSocketOf(t *testing.T) {
	found := make(chan error, 1)
	config := &network.ServerConfig{
		IdleTimeout: time.Hour,
		Proxy:       &network.ProxyConfig{Unix: true},
	}
	s := newServer(t)
	listener := listenUnix(t, socketPath(t), config)
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(_ context.Context, conn network.Conn) error {
			found <- socket.KeepAlive.Set(network.SocketOf(conn), true)
			return nil
		})
	})
	client, err := net.Dial("unix", listener.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	writeAll(t, client, "PROXY UNKNOWN\r\n")
	if err := testutil.Receive(t, "socket", found); err != nil {
		t.Error(err)
	}
	a, b := net.Pipe()
	defer b.Close()
	foreign := network.TLSClient(network.FromConn(a), &tls.Config{ServerName: "nobody"})
	defer foreign.Close()
	if s := network.SocketOf(foreign); s != nil {
		t.Errorf("below a pipe there is %v", s)
	}
}
