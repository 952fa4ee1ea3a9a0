package network_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// A flagged Conn can send without waiting.
type flagged interface {
	SendFlags(ctx context.Context, buf []byte, flags int) (int, error)
}

const testProxyLine = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"

// layers are what is built on a connection.
var layers = map[string]func(t *testing.T, conn network.Conn, peer *socket.Socket) network.Conn{
	"impatient": func(_ *testing.T, conn network.Conn, _ *socket.Socket) network.Conn {
		return network.Impatient(conn, time.Hour)
	},
	"proxied": func(t *testing.T, conn network.Conn, peer *socket.Socket) network.Conn {
		if _, err := peer.SendAll(t.Context(), []byte(testProxyLine)); err != nil {
			t.Fatal(err)
		}
		_, conn, err := network.ReadProxyHeader(t.Context(), conn)
		must(t, err)
		return conn
	},
	"both": func(t *testing.T, conn network.Conn, peer *socket.Socket) network.Conn {
		if _, err := peer.SendAll(t.Context(), []byte(testProxyLine)); err != nil {
			t.Fatal(err)
		}
		_, conn, err := network.ReadProxyHeader(t.Context(), network.Impatient(conn, time.Hour))
		must(t, err)
		return conn
	},
}

// What a socket sends without waiting goes through all layers.
func TestSendFlagsThroughLayers(t *testing.T) {
	for name, on := range layers {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := twoSockets(t)
			conn, ok := on(t, a, b).(flagged)
			if !ok {
				t.Fatal("it has no SendFlags")
			}
			total := 0
			for block := make([]byte, 4<<10); ; {
				n, err := conn.SendFlags(t.Context(), block, syscall.MSG_DONTWAIT)
				total += n
				if err != nil {
					isOp(t, "send", err)
					if !errors.Is(err, syscall.EAGAIN) {
						t.Fatal(err)
					}
					break
				}
			}
			drain(t, network.NetConn(t.Context(), b), total)

			// Where there is no such thing below, it says so.
			a, b = twoSockets(t)
			n, err := on(t, bareConn{a}, b).(flagged).SendFlags(t.Context(), []byte("x"), syscall.MSG_DONTWAIT)
			if n != 0 || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// A connection of package net is a socket too.
func TestSendFlagsOfForeign(t *testing.T) {
	testutil.NoLeaks(t)
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer theirs.Close()
	peer := testutil.Dial(t, theirs.Addr().String())
	accepted, err := theirs.Accept()
	must(t, err)
	conn := network.FromConn(accepted)
	defer conn.Close()
	total := 0
	for block := make([]byte, 1<<16); err == nil; {
		var n int
		n, err = conn.(flagged).SendFlags(t.Context(), block, syscall.MSG_DONTWAIT)
		total += n
	}
	isOp(t, "send", err)
	if !errors.Is(err, syscall.EAGAIN) || total == 0 {
		t.Errorf("after %d: %v", total, err)
	}
	drain(t, peer, total)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = conn.(flagged).SendFlags(ended, []byte("x"), syscall.MSG_DONTWAIT)
	is(t, err, foreignCancel...)
	must(t, conn.Close())
	_, err = conn.(flagged).SendFlags(t.Context(), []byte("x"), syscall.MSG_DONTWAIT)
	is(t, err, net.ErrClosed)

	a, b := net.Pipe()
	defer b.Close()
	pipe := network.FromConn(a)
	defer pipe.Close()
	if n, err := pipe.(flagged).SendFlags(t.Context(), []byte("x"), syscall.MSG_DONTWAIT); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("of a pipe: %d, %v", n, err)
	}
}

// Without waiting means that nobody's turn is waited for, and no header.
func TestSendFlagsDoesNotWait(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := twoSockets(t)
	conn := network.Impatient(a, time.Hour)
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		sending := curio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := conn.SendAll(ctx, make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		})
		testutil.Await(t, "wait", func() bool { return sending.State() == "WRITE_WAIT" })
		if n, err := conn.(flagged).SendFlags(ctx, []byte("x"), syscall.MSG_DONTWAIT); n != 0 || !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("in the middle of SendAll: %d, %v", n, err)
		}
		_, err := sending.Cancel(ctx)
		return err
	})
	must(t, err)

	x, _ := twoSockets(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, header, err := network.ReadProxyHeader(ended, x)
	is(t, err, foreignCancel...)
	if n, err := header.(flagged).SendFlags(t.Context(), []byte("x"), syscall.MSG_DONTWAIT); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("before the header has come: %d, %v", n, err)
	}
}

// A TLSConn says good-bye through all layers without waiting.
func TestTLSClosesThroughLayers(t *testing.T) {
	for name, on := range layers {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := twoSockets(t)
			below := &noWaiting{Socket: a}
			client, server := tlsOver(t, b, on(t, below, b))
			inTasks(t, client.Handshake, server.Handshake)
			below.shut = true
			must(t, server.Close())
			if below.flags != syscall.MSG_DONTWAIT {
				t.Errorf("it was sent with flags %#x", below.flags)
			}
			atEnd(t, network.NetConn(t.Context(), client))
		})
	}
}

// A noWaiting is a socket that must not be waited for once it is shut.
type noWaiting struct {
	*socket.Socket
	shut  bool
	flags int
}

func (s *noWaiting) SendAll(ctx context.Context, buf []byte) (int, error) {
	if s.shut {
		return 0, net.ErrClosed
	}
	return s.Socket.SendAll(ctx, buf)
}

func (s *noWaiting) SendFlags(ctx context.Context, buf []byte, flags int) (int, error) {
	s.flags = flags
	return s.Socket.SendFlags(ctx, buf, flags)
}
