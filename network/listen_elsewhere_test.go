package network_test

import (
	"context"
	"errors"
	"fmt"
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
)

// settingsOf returns those options of a TCP connection that package network sets.
func settingsOf(s *socket.Socket) string {
	noDelay, err := socket.NoDelay.Get(s)
	keepAlive, err2 := socket.KeepAlive.Get(s)
	idle, err3 := socket.KeepAliveIdle.Get(s)
	interval, err4 := socket.KeepAliveInterval.Get(s)
	count, err5 := socket.KeepAliveCount.Get(s)
	return fmt.Sprint(noDelay, keepAlive, idle, interval, count, errors.Join(err, err2, err3, err4, err5))
}

const usualSettings = "true true 15s 15s 9 <nil>"

// plain returns a TCP listener that has none of these options set.
func plain(t testing.TB) *socket.Socket {
	t.Helper()
	s, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	must(t, err)
	closeAtEnd(t, s)
	must(t, socket.NoDelay.Set(s, false))
	must(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	must(t, s.Listen(0))
	return s
}

// A listener that was made elsewhere serves like one made by this package, except that it
// keeps the keep-alive times that its maker has chosen.
func TestListenerFromElsewhere(t *testing.T) {
	chosen := plain(t)
	must(t, socket.KeepAlive.Set(chosen, true))
	must(t, socket.KeepAliveIdle.Set(chosen, time.Minute))
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	detached, err := plain(t).Detach()
	must(t, err)
	passed, err := socket.FromFD(detached)
	must(t, err)
	for name, c := range map[string]struct {
		l    *network.Listener
		want string
	}{
		"New":          {network.NewListener(plain(t), nil), usualSettings},
		"FromFD":       {network.NewListener(passed, nil), usualSettings},
		"chosen":       {network.NewListener(chosen, nil), "true true 1m0s 1m15s 9 <nil>"},
		"FromListener": {network.FromListener(theirs, nil), usualSettings},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "chosen" && runtime.GOOS != "linux" {
				t.Skip("the times are those of Linux")
			}
			s := newServer(t)
			got := make(chan string, 1)
			s.run(func(ctx context.Context) error {
				return network.RunServer(ctx, c.l, func(ctx context.Context, conn network.Conn) error {
					got <- settingsOfConn(t, conn)
					return nil
				})
			})
			testutil.Dial(t, c.l.LocalAddr().String())
			if got := testutil.Receive(t, "connection", got); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// settingsOfConn returns the settings of the connection at the bottom of conn.
func settingsOfConn(t testing.TB, conn network.Conn) string {
	t.Helper()
	if s := network.SocketOf(conn); s != nil {
		return settingsOf(s)
	}
	below := conn.(interface{ NetConn() net.Conn }).NetConn()
	s, err := socket.FromConn(below.(*net.TCPConn))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer s.Close()
	return settingsOf(s)
}

// The address that a listener reports can be listened on again and means the same. It is
// reported after Close, too.
func TestListenAddressesThereAndBack(t *testing.T) {
	testutil.NoLeaks(t)
	ipv6 := func() bool { l, err := net.Listen("tcp6", "[::1]:0"); return err == nil && l.Close() == nil }()
	reached := func(l *network.Listener, host string) bool {
		_, port, err := net.SplitHostPort(l.LocalAddr().String())
		must(t, err)
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			return false
		}
		defer conn.Close()
		// It may be another program that has this port in the other family. What has connected
		// with l is in its queue already.
		var accepted network.Conn
		expired, err := curio.IgnoreAfter(t.Context(), time.Second, func(ctx context.Context) (err error) {
			accepted, err = l.Accept(ctx)
			return err
		})
		must(t, err)
		if expired {
			return false
		}
		defer accepted.Close()
		return accepted.RemoteAddr().String() == conn.LocalAddr().String()
	}
	for addr, both := range map[string]struct{ v4, v6 bool }{
		":0":                 {true, ipv6},
		"[::]:0":             {true, true},
		"0.0.0.0:0":          {true, false},
		"127.0.0.1:0":        {true, false},
		"[::1]:0":            {false, true},
		"[::ffff:0.0.0.0]:0": {true, false},
	} {
		if !ipv6 && both.v6 {
			continue
		}
		told, second := listenAgain(t, addr)
		if got := second.LocalAddr().String(); got != told {
			t.Errorf("%s: %s, want %s", addr, got, told)
		}
		if reached(second, "127.0.0.1") != both.v4 || ipv6 && reached(second, "::1") != both.v6 {
			t.Errorf("%s, as %s: not reached by IPv4 and IPv6 as before, %v", addr, told, both)
		}
		must(t, second.Close())
	}
	// An IPv6-only socket has the same address, and stays IPv6-only in NewListener.
	if ipv6 {
		s, err := socket.New(socket.AF_INET6, socket.SOCK_STREAM, 0)
		must(t, err)
		must(t, socket.V6Only.Set(s, true))
		must(t, s.Bind(&net.TCPAddr{}))
		must(t, s.Listen(0))
		only := network.NewListener(s, nil)
		closeAtEnd(t, only)
		if reached(only, "127.0.0.1") || !reached(only, "::1") {
			t.Error("it is not for IPv6 alone")
		}
	}
}

// listenAgain listens on addr, closes the listener, and listens on the address that it had. If
// another program takes that meanwhile, listenAgain begins anew.
func listenAgain(t *testing.T, addr string) (told string, again *network.Listener) {
	t.Helper()
	for {
		first := listen(t, addr, nil)
		told = first.LocalAddr().String()
		must(t, first.Close())
		if closed := first.LocalAddr(); closed == nil || closed.String() != told {
			t.Errorf("%s: after Close %v, before %s", addr, closed, told)
		}
		again, err := network.ListenTCP(t.Context(), told, nil)
		if err == nil {
			closeAtEnd(t, again)
			return told, again
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
}

// A name with a zero byte is refused everywhere, unless it is an abstract name.
func TestAddressesWithZeroBytes(t *testing.T) {
	testutil.NoLeaks(t)
	ctx := t.Context()
	t.Chdir(filepath.Dir(socketPath(t)))
	_, listening := network.ListenTCP(ctx, "localhost\x00.example:0", nil)
	_, connecting := network.OpenConnection(ctx, "localhost\x00:80", nil)
	_, service := network.OpenConnection(ctx, "localhost:http\x00", nil)
	_, dialling := network.DialContext(ctx, "udp", "localhost\x00:80")
	_, path := network.ListenUnix(ctx, "s\x00x", nil)
	_, first := network.ListenUnix(ctx, "\x00s", nil)
	_, unix := network.OpenUnixConnection(ctx, "s\x00x", nil)
	for i, err := range []error{listening, connecting, service, dialling, path, first, unix} {
		if err == nil || !strings.Contains(err.Error(), "zero byte") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) > 0 {
		t.Errorf("there are files: %q", left)
	}
	if runtime.GOOS == "linux" {
		name := fmt.Sprintf("@a\x00b-%d", os.Getpid())
		l := listenUnix(t, name, nil)
		if got := l.LocalAddr().String(); got != name {
			t.Errorf("%q", got)
		}
		conn, err := network.OpenUnixConnection(ctx, name, nil)
		must(t, err)
		if got := conn.RemoteAddr().String(); got != name {
			t.Errorf("%q", got)
		}
		must(t, conn.Close())
	}
}

// The file of a Unix socket is removed with its listener, unless that is told to leave it
// to a process that has taken the socket over.
func TestUnixSocketTakenOver(t *testing.T) {
	testutil.NoLeaks(t)
	path := socketPath(t)
	first := listenUnix(t, path, nil)
	twin, err := first.Socket().Dup() // as another process would get it
	must(t, err)
	first.SetUnlinkOnClose(false)
	must(t, first.Close())
	second := network.NewListener(twin, nil)
	closeAtEnd(t, second)
	conn, err := net.Dial("unix", path)
	must(t, err)
	conn.Close()
	first.SetUnlinkOnClose(true) // too late, and no longer its file
	is(t, first.Close(), net.ErrClosed)
	if !exists(path) {
		t.Fatal("the file is gone")
	}
	third, err := second.Socket().Dup()
	must(t, err)
	must(t, second.Close()) // a listener made of a socket leaves the file
	if !exists(path) {
		t.Fatal("the file is gone")
	}
	last := network.NewListener(third, nil)
	last.SetUnlinkOnClose(true)
	must(t, last.Close())
	if exists(path) {
		t.Error("the file is left")
	}
}

// SetUnlinkOnClose makes Close remove only the file that was there at the time.
func TestUnlinkOnCloseOfAnother(t *testing.T) {
	testutil.NoLeaks(t)
	path := socketPath(t)
	l := listenUnix(t, path, nil)
	l.SetUnlinkOnClose(false)
	must(t, os.Remove(path))
	stale(t, path)
	l.SetUnlinkOnClose(true)
	must(t, l.Close())
	if !exists(path) {
		t.Error("it has removed another file")
	}
	tcp := listen(t, "127.0.0.1:0", nil)
	tcp.SetUnlinkOnClose(true)
	must(t, tcp.Close())

	must(t, os.Remove(path))
	theirs, err := net.Listen("unix", path)
	must(t, err)
	foreign := network.FromListener(theirs, nil)
	foreign.SetUnlinkOnClose(false)
	must(t, foreign.Close())
	if !exists(path) {
		t.Error("the file of a net.UnixListener is gone")
	}
}

// A client that connects before the server has its listener is served like all others. With
// socket activation, that is the first client.
func TestConnectedBeforeTheServer(t *testing.T) {
	s := newServer(t)
	listening := plain(t)
	testutil.Dial(t, listening.LocalAddr().String())
	got := make(chan string, 1)
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, network.NewListener(listening, nil), func(ctx context.Context, conn network.Conn) error {
			got <- settingsOfConn(t, conn)
			return nil
		})
	})
	if got := testutil.Receive(t, "connection", got); got != usualSettings {
		t.Errorf("%s, want %s", got, usualSettings)
	}
	is(t, s.cancel(), taskCancelled...)
}
