package network_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// What package net says of networks and families, and that ctx bounds the dialing alone.
func TestDialContext(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	for _, network_ := range []string{"tcp", "tcp4"} {
		ctx, cancel := context.WithCancel(t.Context())
		conn, err := network.DialContext(ctx, network_, addr)
		must(t, err)
		cancel()
		peer := testutil.Receive(t, "connection", conns)
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s: after the end of the context: %v", network_, err)
		}
		must(t, errors.Join(conn.Close(), peer.Close()))
	}
	for _, c := range []struct{ network, addr, says string }{
		{"tcp6", addr, "no suitable address"},
		{"tcp4", "[::1]:80", "no suitable address"},
		{"udp6", addr, "no suitable address"},
		{"udp", "127.0.0.1:no-such-service", "unknown port"},
		{"udp", "127.255.255.255:53", "permission denied"}, // a broadcast, which needs no other network
		{"smoke", addr, "unknown network smoke"},
		{"tcp", "127.0.0.1", "missing port"},
		{"tcp", testutil.Refusing(t), "connection refused"},
		{"unix", t.TempDir() + "/none", "no such file"},
	} {
		conn, err := network.DialContext(t.Context(), c.network, c.addr)
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.addr) {
			t.Errorf("%s %s: %v, want %q", c.network, c.addr, err, c.says)
		}
		isOp(t, "dial", err)
	}
}

// A connection that a task has dialed belongs to nobody.
func TestDialedConnectionOutlivesItsTask(t *testing.T) {
	testutil.NoLeaks(t)
	addr, conns := accepting(t, "127.0.0.1:0")
	task := curio.Spawn(t.Context(), func(ctx context.Context) (net.Conn, error) {
		return network.DialContext(ctx, "tcp", addr)
	})
	conn, err := task.Join(t.Context())
	must(t, err)
	defer conn.Close()
	peer := testutil.Receive(t, "connection", conns)
	defer peer.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Error(err)
	}
}

// Services of UDP are not those of TCP.
func TestDialContextForUDPService(t *testing.T) {
	testutil.NoLeaks(t)
	const service = "tftp"
	if _, err := net.LookupPort("udp", service); err != nil {
		t.Skipf("this machine knows no %s: %v", service, err)
	}
	conn, err := network.DialContext(t.Context(), "udp", "127.0.0.1:"+service)
	must(t, err)
	if got := conn.RemoteAddr().String(); got != "127.0.0.1:69" {
		t.Errorf("connected with %v", got)
	}
	must(t, conn.Close())
}

// The resolver of package net, on our datagrams and streams.
func TestDialContextForUDP(t *testing.T) {
	testutil.NoLeaks(t)
	theirs, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	var echo sync.WaitGroup
	echo.Go(func() {
		buf := make([]byte, 100)
		n, from, err := theirs.ReadFrom(buf)
		if err == nil {
			_, err = theirs.WriteTo(buf[:n], from)
		}
		if err != nil {
			t.Error(err)
		}
	})
	conn, err := network.DialContext(t.Context(), "udp", theirs.LocalAddr().String())
	must(t, err)
	if _, ok := conn.(net.PacketConn); !ok {
		t.Errorf("%T is no net.PacketConn, by which net.Resolver tells datagrams", conn)
	}
	if conn.RemoteAddr().String() != theirs.LocalAddr().String() {
		t.Errorf("connected with %v", conn.RemoteAddr())
	}
	if err := testutil.Echo(conn, []byte("hello")); err != nil {
		t.Error(err)
	}
	echo.Wait()
	must(t, errors.Join(conn.Close(), theirs.Close()))
}
