package network_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

func udp(t testing.TB) *socket.Socket {
	t.Helper()
	s, err := socket.New(socket.AF_INET, socket.SOCK_DGRAM, 0)
	must(t, err)
	closeAtEnd(t, s)
	must(t, s.Bind(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	return s
}

func unixgram(t testing.TB) *socket.Socket {
	t.Helper()
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
	must(t, err)
	closeAtEnd(t, s)
	must(t, s.Bind(&net.UnixAddr{Name: t.TempDir() + "/s", Net: "unixgram"}))
	return s
}

// Datagrams there and back with a net.PacketConn of package net.
func TestNetPacketConn(t *testing.T) {
	for name, peers := range map[string]func(t *testing.T) (ours, theirs net.PacketConn){
		"udp": func(t *testing.T) (ours, theirs net.PacketConn) {
			theirs, err := net.ListenPacket("udp", "127.0.0.1:0")
			must(t, err)
			return network.NetPacketConn(t.Context(), udp(t)), theirs
		},
		"unixgram": func(t *testing.T) (ours, theirs net.PacketConn) {
			theirs, err := net.ListenPacket("unixgram", t.TempDir()+"/theirs")
			must(t, err)
			return network.NetPacketConn(t.Context(), unixgram(t)), theirs
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			ours, theirs := peers(t)
			defer theirs.Close()
			defer ours.Close()
			must(t, theirs.SetDeadline(time.Now().Add(testutil.Patience)))
			buf := make([]byte, 100)
			for _, message := range []string{"one", "", "three"} {
				if n, err := ours.WriteTo([]byte(message), theirs.LocalAddr()); n != len(message) || err != nil {
					t.Fatal(n, err)
				}
				n, from, err := theirs.ReadFrom(buf)
				if err != nil || string(buf[:n]) != message || from.String() != ours.LocalAddr().String() {
					t.Fatalf("%q, %v, %v", buf[:n], from, err)
				}
				if _, err := theirs.WriteTo(buf[:n], from); err != nil {
					t.Fatal(err)
				}
				n, from, err = ours.ReadFrom(buf)
				if err != nil || string(buf[:n]) != message || from.String() != theirs.LocalAddr().String() {
					t.Fatalf("back: %q, %v, %v", buf[:n], from, err)
				}
			}
		})
	}
}

func TestNetPacketConnAddrPort(t *testing.T) {
	testutil.NoLeaks(t)
	type addrPorts interface {
		ReadFromUDPAddrPort(buf []byte) (int, netip.AddrPort, error)
		WriteToUDPAddrPort(buf []byte, to netip.AddrPort) (int, error)
	}
	a, b := udp(t), udp(t)
	x := network.NetPacketConn(t.Context(), a).(addrPorts)
	y := network.NetPacketConn(t.Context(), b).(addrPorts)
	if n, err := x.WriteToUDPAddrPort([]byte("hello"), b.LocalAddr().(*net.UDPAddr).AddrPort()); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	n, from, err := y.ReadFromUDPAddrPort(make([]byte, 10))
	if n != 5 || err != nil || from.String() != a.LocalAddr().String() {
		t.Errorf("%d, %v, %v", n, from, err)
	}
}

// Every call of a packet connection ends with its deadline, and with Close.
func TestNetPacketConnEndings(t *testing.T) {
	calls := map[string]func(c net.PacketConn) error{
		"ReadFrom": func(c net.PacketConn) error { _, _, err := c.ReadFrom(make([]byte, 1)); return err },
		"Read":     func(c net.PacketConn) error { _, err := c.(net.Conn).Read(make([]byte, 1)); return err },
		"ReadFromUDPAddrPort": func(c net.PacketConn) error {
			_, _, err := c.(interface {
				ReadFromUDPAddrPort(buf []byte) (int, netip.AddrPort, error)
			}).ReadFromUDPAddrPort(make([]byte, 1))
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			s := udp(t)
			c := network.NetPacketConn(t.Context(), s)
			must(t, c.SetReadDeadline(time.Now().Add(short)))
			isDeadline(t, "read", call(c))
			must(t, c.SetReadDeadline(time.Time{}))
			var err error
			task := curio.Go(context.Background(), func(ctx context.Context) error {
				err = call(network.NetPacketConn(ctx, s))
				return nil
			})
			testutil.Await(t, "wait", func() bool { return task.State() == "READ_WAIT" })
			task.CancelNow()
			_ = end(t, task)
			is(t, err, taskCancelled...)
			isOp(t, "read", err)
			closed := make(chan error, 1)
			go func() { closed <- call(c) }()
			must(t, c.Close())
			err = testutil.Receive(t, "end", closed)
			is(t, err, net.ErrClosed)
			_, err = c.WriteTo([]byte("x"), s.LocalAddr())
			is(t, err, net.ErrClosed)
			isOp(t, "write", err)
		})
	}
}
