package network_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
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

// The file that is sent by the system.
type sender struct {
	network.Conn
	calls []string
	whole bool
}

func (s *sender) SendFile(ctx context.Context, f *os.File, offset, count int64) (int64, error) {
	if !s.whole && count > 10 {
		count = 10 // as far as it gets
	}
	buf := make([]byte, count)
	if _, err := f.ReadAt(buf, offset); err != nil {
		return 0, err
	}
	n, err := s.Conn.SendAll(ctx, buf)
	s.calls = append(s.calls, string(buf[:n]))
	return int64(n), err
}

const story = "It was a dark and stormy night."

func TestReadFromFile(t *testing.T) {
	for name, c := range map[string]struct {
		limit, from int64
		hidden      bool // io.Copy, which goes through the file's WriteTo
		want        string
		sent        int // by SendFile
	}{
		"whole":       {-1, 0, false, story, len(story)},
		"io.Copy":     {-1, 0, true, story, len(story)},
		"from offset": {-1, 7, false, story[7:], len(story) - 7},
		"limited":     {12, 3, false, story[3:15], 12},
		"beyond end":  {1000, 20, false, story[20:], len(story) - 20},
		"nothing":     {0, 0, false, "", 0},
		"at end":      {-1, int64(len(story)), false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			path := t.TempDir() + "/story"
			must(t, os.WriteFile(path, []byte(story), 0o600))
			f, err := os.Open(path)
			must(t, err)
			defer f.Close()
			_, err = f.Seek(c.from, io.SeekStart)
			must(t, err)
			x, y := twoSockets(t)
			s := &sender{Conn: x}
			conn := network.NetConn(t.Context(), s)
			var src io.Reader = f
			if c.limit >= 0 {
				src = io.LimitReader(f, c.limit)
			}
			var n int64
			if c.hidden {
				n, err = io.Copy(conn, src)
			} else {
				n, err = conn.(io.ReaderFrom).ReadFrom(src)
			}
			if err != nil || n != int64(len(c.want)) {
				t.Errorf("%d, %v", n, err)
			}
			if got := strings.Join(s.calls, ""); got != c.want[:c.sent] {
				t.Errorf("SendFile sent %q", s.calls)
			}
			if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != c.from+int64(len(c.want)) {
				t.Errorf("the file is at %d, %v", at, err)
			}
			if l, ok := src.(*io.LimitedReader); ok && l.N != c.limit-int64(len(c.want)) {
				t.Errorf("the limit is %d", l.N)
			}
			must(t, conn.Close())
			got, err := io.ReadAll(network.NetConn(t.Context(), y))
			if err != nil || string(got) != c.want {
				t.Errorf("received %q, %v", got, err)
			}
		})
	}
}

// A file that has become shorter ends sooner, as for io.Copy.
func TestReadFromFileThatShrinks(t *testing.T) {
	testutil.NoLeaks(t)
	path := t.TempDir() + "/story"
	must(t, os.WriteFile(path, []byte(story), 0o600))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	x, y := twoSockets(t)
	conn := network.NetConn(t.Context(), &shrinking{x})
	n, err := io.Copy(conn, f)
	if n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	must(t, conn.Close())
	got, err := io.ReadAll(network.NetConn(t.Context(), y))
	if err != nil || string(got) != story[:5] {
		t.Errorf("received %q, %v", got, err)
	}
}

// A shrinking Conn finds the file cut off at five bytes.
type shrinking struct{ network.Conn }

func (s *shrinking) SendFile(ctx context.Context, f *os.File, _, _ int64) (int64, error) {
	if err := os.Truncate(f.Name(), 5); err != nil {
		return 0, err
	}
	n, err := s.SendAll(ctx, []byte(story[:5]))
	return int64(n), errors.Join(err, io.ErrUnexpectedEOF)
}

// What is no file is copied; an error of the source is that of ReadFrom.
func TestReadFromOther(t *testing.T) {
	testutil.NoLeaks(t)
	x, y := twoSockets(t)
	conn := network.NetConn(t.Context(), &sender{Conn: x, whole: true})
	boom := errors.New("boom")
	n, err := conn.(io.ReaderFrom).ReadFrom(io.MultiReader(strings.NewReader("some"), failing{boom}))
	if n != 4 || err != boom {
		t.Errorf("%d, %v", n, err)
	}
	buf := make([]byte, 10)
	if n, err := y.Recv(t.Context(), buf); err != nil || !bytes.Equal(buf[:n], []byte("some")) {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

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

// W11 for a net.Listener: out of descriptors it pauses, and Close ends the pause.
func TestNetListenerPauses(t *testing.T) {
	s := newServer(t)
	defer restoreLimit(t)
	l := listen(t, "127.0.0.1:0", nil)
	testutil.Dial(t, l.LocalAddr().String())
	ready := make(chan net.Listener, 1)
	var err error
	s.run(func(ctx context.Context) error {
		listener := network.NetListener(ctx, l)
		noMoreDescriptors(t)
		ready <- listener
		_, err = listener.Accept()
		return nil
	})
	listener := testutil.Receive(t, "listener", ready)
	s.pauses(t)
	must(t, listener.Close())
	must(t, s.end())
	restoreLimit(t)
	is(t, err, net.ErrClosed)
	isOp(t, "accept", err)
	s.Log.Take(msgPause)
}
