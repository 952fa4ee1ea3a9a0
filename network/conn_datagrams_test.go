package network_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// A wrapper is a foreign connection around one of package net. Only its addresses tell what
// it is.
type wrapper struct{ net.Conn }

// unixSockets makes two connected sockets of package net in the Unix domain.
func unixSockets(t testing.TB, typ int) (a, b net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, typ, 0)
	must(t, err)
	conn := func(fd int) net.Conn {
		f := os.NewFile(uintptr(fd), "")
		defer f.Close()
		c, err := net.FileConn(f)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	return conn(fds[0]), conn(fds[1])
}

// udpConns makes two connected sockets of package net.
func udpConns(t testing.TB) (a, b net.Conn) {
	t.Helper()
	first, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	local := first.LocalAddr().(*net.UDPAddr)
	second, err := net.DialUDP("udp4", nil, local)
	must(t, err)
	t.Cleanup(func() { second.Close() })
	must(t, first.Close())
	again, err := net.DialUDP("udp4", local, second.LocalAddr().(*net.UDPAddr))
	must(t, err)
	t.Cleanup(func() { again.Close() })
	return again, second
}

// messageConns makes connections of every kind that moves messages.
var messageConns = map[string]func(t testing.TB) (a, b net.Conn){
	"udp":        udpConns,
	"unixgram":   func(t testing.TB) (a, b net.Conn) { return unixSockets(t, syscall.SOCK_DGRAM) },
	"unixpacket": func(t testing.TB) (a, b net.Conn) { return unixSockets(t, syscall.SOCK_SEQPACKET) },
	"wrapped udp": func(t testing.TB) (a, b net.Conn) {
		a, b = udpConns(t)
		return wrapper{a}, wrapper{b}
	},
	"wrapped unixgram": func(t testing.TB) (a, b net.Conn) {
		a, b = unixSockets(t, syscall.SOCK_DGRAM)
		return wrapper{a}, wrapper{b}
	},
	"ours": func(t testing.TB) (a, b net.Conn) {
		x, y := udp(t), udp(t)
		must(t, x.Connect(t.Context(), y.LocalAddr()))
		must(t, y.Connect(t.Context(), x.LocalAddr()))
		return network.NetConn(t.Context(), x), network.NetConn(t.Context(), y)
	},
	"ours, as packets": func(t testing.TB) (a, b net.Conn) {
		x, y := udp(t), udp(t)
		must(t, x.Connect(t.Context(), y.LocalAddr()))
		must(t, y.Connect(t.Context(), x.LocalAddr()))
		return network.NetPacketConn(t.Context(), x).(net.Conn), network.NetPacketConn(t.Context(), y).(net.Conn)
	},
}

// Messages stay whole: none is cut, joined with another, or dropped for being empty,
// whether WaitRead is called first or not.
func TestFromConnKeepsMessages(t *testing.T) {
	for name, pair := range messageConns {
		for _, wait := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s wait=%v", name, wait), func(t *testing.T) {
				testutil.NoLeaks(t)
				if strings.Contains(name, "packet") && runtime.GOOS != "linux" {
					t.Skip("no such sockets, or empty packets that look like the end")
				}
				a, b := pair(t)
				ours, theirs := network.FromConn(a), network.FromConn(b)
				closeAtEnd(t, ours)
				closeAtEnd(t, theirs)
				messages := []string{"one", "", "", strings.Repeat("x", 9000), "two", ""}
				for _, message := range messages {
					if n, err := ours.SendAll(t.Context(), []byte(message)); n != len(message) || err != nil {
						t.Fatal(n, err)
					}
				}
				for _, message := range messages {
					if wait {
						must(t, theirs.WaitRead(t.Context()))
						must(t, theirs.WaitRead(t.Context()))
					}
					buf := make([]byte, 10_000)
					n, err := theirs.Recv(t.Context(), buf)
					if err != nil || string(buf[:n]) != message {
						t.Fatalf("%d bytes, %v, want %d", n, err, len(message))
					}
				}
				err := curio.TimeoutAfter(t.Context(), short, func(ctx context.Context) error {
					if wait {
						return theirs.WaitRead(ctx)
					}
					_, err := theirs.Recv(ctx, make([]byte, 1))
					return err
				})
				is(t, err, taskTimeout...)
				_, err = ours.SendAll(t.Context(), []byte("and again"))
				must(t, err)
				buf := make([]byte, 3) // the rest is lost, as with any datagram
				if n, err := theirs.Recv(t.Context(), buf); err != nil || string(buf[:n]) != "and" {
					t.Errorf("%q, %v", buf[:n], err)
				}
			})
		}
	}
}

// WaitRead leaves a datagram socket's pending error for the next Recv. A reset by the peer
// does not look like the end of the stream.
func TestWaitReadTakesNoError(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := udpConns(t)
	conn := network.FromConn(a)
	closeAtEnd(t, conn)
	must(t, b.Close())
	_, err := conn.SendAll(t.Context(), []byte("x"))
	must(t, err)
	must(t, conn.WaitRead(t.Context()))
	_, err = conn.Recv(t.Context(), make([]byte, 1))
	is(t, err)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	server, err := l.Accept()
	must(t, err)
	conn = network.FromConn(server)
	closeAtEnd(t, conn)
	must(t, client.(*net.TCPConn).SetLinger(0))
	must(t, client.Close())
	must(t, conn.WaitRead(t.Context()))
	if _, err = conn.Recv(t.Context(), make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// Whatever needs a stream refuses a connection that moves messages, and says what to use.
func TestMessagesAreNoStream(t *testing.T) {
	testutil.NoLeaks(t)
	config := &tls.Config{ServerName: "localhost"}
	for _, pair := range messageConns {
		a, b := pair(t)
		mustPanic(t, "FromConn of a connection that moves messages", func() { stream.FromConn(a) })
		conn, patient := network.FromConn(a), network.FromConn(b)
		mustPanic(t, "New of a connection that moves messages", func() { stream.New(conn) })
		mustPanic(t, "moves messages", func() { network.TLSClient(conn, config) })
		mustPanic(t, "moves messages", func() { network.TLSServer(network.Impatient(patient, time.Hour), config) })
		mustPanic(t, "moves messages", func() { stream.New(network.Impatient(patient, time.Hour)) })
		mustPanic(t, "moves messages", func() { stream.FromConn(network.NetConn(t.Context(), patient)) })
		must(t, conn.Close())
		must(t, patient.Close())
	}
	a, _ := udpConns(t)
	mustPanic(t, "TLS on a datagram socket", func() { network.FromConn(tls.Client(a, config)) })
	mustPanic(t, "moves messages", func() { stream.FromConn(tls.Client(a, config)) })
	for _, c := range []struct{ family, typ int }{{socket.AF_INET, socket.SOCK_DGRAM}, {socket.AF_UNIX, socket.SOCK_DGRAM}, {socket.AF_UNIX, socket.SOCK_SEQPACKET}} {
		s, err := socket.New(c.family, c.typ, 0)
		must(t, err)
		closeAtEnd(t, s)
		mustPanic(t, "New of a connection that moves messages", func() { stream.New(s) })
		type embedding struct{ *socket.Socket }
		mustPanic(t, "New of a connection that moves messages", func() { stream.New(embedding{s}) })
	}
	if raw, err := socket.New(socket.AF_INET, socket.SOCK_RAW, 253); err == nil {
		closeAtEnd(t, raw)
		mustPanic(t, "New of a connection that moves messages", func() { stream.New(raw) })
	}
	l, err := net.Listen("unixpacket", socketPath(t))
	must(t, err)
	defer l.Close()
	mustPanic(t, "both need a stream", func() {
		network.FromListener(l, &network.ServerConfig{TLS: &tls.Config{Certificates: make([]tls.Certificate, 1)}})
	})
	mustPanic(t, "both need a stream", func() { network.FromListener(l, &network.ServerConfig{Proxy: everyProxy}) })
	s, err := socket.FromConn(l.(*net.UnixListener))
	must(t, err)
	closeAtEnd(t, s)
	mustPanic(t, "both need a stream", func() { network.NewListener(s, &network.ServerConfig{Proxy: everyProxy}) })
}

// A reliable protocol on top of datagrams is a stream with the addresses of its datagrams.
// As a Conn it loses nothing, and with a LocalAddr of its own it can be a stream.Stream.
func TestStreamOnDatagrams(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := net.Pipe()
	conn := network.FromConn(asUDP{a})
	closeAtEnd(t, conn)
	go func() {
		defer b.Close()
		_, _ = b.Write([]byte("a long line\n"))
	}()
	var got strings.Builder
	for buf := make([]byte, 4); ; {
		err := conn.WaitRead(t.Context())
		must(t, err)
		n, err := conn.Recv(t.Context(), buf)
		if err == io.EOF {
			break
		}
		must(t, err)
		got.WriteString(string(buf[:n]))
	}
	if got.String() != "a long line\n" {
		t.Errorf("%q", got.String())
	}
	stream.FromConn(wrapper{a}).CloseContext(t.Context())
	network.TLSClient(network.FromConn(a), &tls.Config{ServerName: "x"}).Close()
	network.FromConn(tls.Client(asUDP{a}, &tls.Config{ServerName: "x"}))
	stream.FromConn(tls.Client(asUDP{a}, &tls.Config{ServerName: "x"}))
}

type asUDP struct{ net.Conn }

func (asUDP) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }

// A server for packets keeps them whole, even long ones under an IdleTimeout, and sees the
// end.
func TestServerOfPackets(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("macOS has no such sockets")
	}
	for _, name := range []string{"NewListener", "FromListener"} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			path := socketPath(t)
			theirs, err := net.Listen("unixpacket", path)
			must(t, err)
			config := &network.ServerConfig{IdleTimeout: testutil.Patience}
			var l *network.Listener
			if name == "FromListener" {
				l = network.FromListener(theirs, config)
			} else {
				ours, err := socket.FromConn(theirs.(*net.UnixListener))
				must(t, err)
				theirs.(*net.UnixListener).SetUnlinkOnClose(false)
				must(t, theirs.Close())
				l = network.NewListener(ours, config)
			}
			ended := make(chan error, 1)
			s.run(func(ctx context.Context) error {
				return network.RunServer(ctx, l, func(ctx context.Context, conn network.Conn) error {
					err := echoPackets(ctx, conn)
					ended <- err
					return err
				})
			})
			client, err := net.Dial("unixpacket", path)
			must(t, err)
			defer client.Close()
			must(t, client.SetDeadline(time.Now().Add(testutil.Patience)))
			for _, message := range [][]byte{[]byte("one"), bytes.Repeat([]byte("x"), 100<<10), []byte("two")} {
				_, err := client.Write(message)
				must(t, err)
				buf := make([]byte, 200<<10)
				n, err := client.Read(buf)
				if err != nil || !bytes.Equal(buf[:n], message) {
					t.Fatalf("%d bytes, %v, want %d", n, err, len(message))
				}
			}
			must(t, client.Close())
			must(t, testutil.Receive(t, "end", ended))
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

func echoPackets(ctx context.Context, conn network.Conn) error {
	for buf := make([]byte, 200<<10); ; {
		n, err := conn.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

// A file goes to a datagram socket as with package net: in pieces, each a datagram.
func TestCopyFileToDatagrams(t *testing.T) {
	testutil.NoLeaks(t)
	x, y := udp(t), udp(t)
	must(t, x.Connect(t.Context(), y.LocalAddr()))
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, []byte("some text"), 0o600))
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	if n, err := x.SendFile(t.Context(), f, 0, -1); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("SendFile: %d, %v", n, err)
	}
	n, err := io.Copy(network.NetConn(t.Context(), x), f)
	if n != 9 || err != nil {
		t.Fatal(n, err)
	}
	buf := make([]byte, 100)
	if n, err := y.Recv(t.Context(), buf); err != nil || string(buf[:n]) != "some text" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
