package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// calls is a Control function that notes for what it is called.
type calls struct {
	mu   sync.Mutex
	seen []string
	do   func(network string, fd int) error
}

func (c *calls) control(network, address string, raw syscall.RawConn) (err error) {
	c.mu.Lock()
	c.seen = append(c.seen, network+" "+address)
	c.mu.Unlock()
	if c.do == nil {
		return nil
	}
	return errors.Join(raw.Control(func(fd uintptr) { err = c.do(network, int(fd)) }), err)
}

func (c *calls) were(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.seen, want) {
		t.Errorf("called for %q, want %q", c.seen, want)
	}
	c.seen = nil
}

// The function of package net has the same form.
var _ network.ControlFunc = net.Dialer{}.Control

// Control is called once for each socket, before it is bound or connected, with what it is for.
func TestControl(t *testing.T) {
	testutil.NoLeaks(t)
	server, client := new(calls), new(calls)
	unbound := func(_ string, fd int) error {
		name, err := syscall.Getsockname(fd)
		if in4, ok := name.(*syscall.SockaddrInet4); ok && in4.Port != 0 {
			t.Errorf("it is bound to %v already", in4)
		}
		return err
	}
	server.do, client.do = unbound, unbound
	config, serverConfig := &network.ConnectConfig{Control: client.control}, &network.ServerConfig{Control: server.control}
	ctx := t.Context()

	l := listen(t, "127.0.0.1:0", serverConfig)
	server.were(t, "tcp4 127.0.0.1:0")
	addr := l.LocalAddr().String()
	conn, err := network.OpenConnection(ctx, addr, config)
	must(t, err)
	must(t, conn.Close())
	client.were(t, "tcp4 "+addr)

	all := listen(t, ":0", serverConfig)
	if all.LocalAddr().(*net.TCPAddr).IP.To4() == nil {
		server.were(t, "tcp6 :0")
	}

	path := socketPath(t)
	listenUnix(t, path, serverConfig)
	server.were(t, "unix "+path)
	conn, err = network.OpenUnixConnection(ctx, path, config)
	must(t, err)
	must(t, conn.Close())
	client.were(t, "unix "+path)

	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	defer peer.Close()
	for _, c := range [][2]string{{"tcp", "tcp4 " + addr}, {"tcp4", "tcp4 " + addr}, {"unix", "unix " + path}, {"udp", "udp4 " + peer.LocalAddr().String()}} {
		conn, err := config.DialContext(ctx, c[0], c[1][strings.IndexByte(c[1], ' ')+1:])
		must(t, err)
		must(t, conn.Close())
		client.were(t, c[1])
	}

	// A free port is taken again if the socket has met itself; and each of several addresses is tried.
	down := testutil.Refusing(t)
	several := &network.ConnectConfig{Control: client.control, AttemptDelay: -1, Resolver: &hosts{v4: reply{addrs: "127.0.0.2 127.0.0.1"}}}
	_, err = network.OpenConnection(ctx, byName("host", down), several)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	_, port, _ := net.SplitHostPort(down)
	client.were(t, "tcp4 127.0.0.2:"+port, "tcp4 127.0.0.1:"+port)
}

// A Control that fails, or panics, fails what it is called for, and leaves no socket.
func TestControlFails(t *testing.T) {
	testutil.NoLeaks(t)
	mine := errors.New("not this one")
	fails := func(string, string, syscall.RawConn) error { return mine }
	explodes := func(string, string, syscall.RawConn) error { panic("kaboom") }
	path, ctx := socketPath(t), t.Context()
	for name, run := range map[string]func(control network.ControlFunc) error{
		"OpenConnection": func(control network.ControlFunc) error {
			return secondConn(network.OpenConnection(ctx, "127.0.0.1:1", &network.ConnectConfig{Control: control}))
		},
		"OpenUnixConnection": func(control network.ControlFunc) error {
			return secondConn(network.OpenUnixConnection(ctx, path, &network.ConnectConfig{Control: control}))
		},
		"DialContext": func(control network.ControlFunc) error {
			_, err := (&network.ConnectConfig{Control: control}).DialContext(ctx, "udp", "127.0.0.1:1")
			return err
		},
		"ListenTCP": func(control network.ControlFunc) error {
			return secondListener(network.ListenTCP(ctx, ":0", &network.ServerConfig{Control: control}))
		},
		"ListenUnix": func(control network.ControlFunc) error {
			return secondListener(network.ListenUnix(ctx, path, &network.ServerConfig{Control: control}))
		},
	} {
		before := len(testutil.Descriptors(os.Getpid()))
		called := 0
		err := run(func(n, a string, c syscall.RawConn) error { called++; return fails(n, a, c) })
		if _, ok := errors.AsType[*net.OpError](err); !ok || !errors.Is(err, mine) || called != 1 {
			t.Errorf("%s: %v, called %d times", name, err, called)
		}
		mustPanic(t, "kaboom", func() { _ = run(explodes) })
		testutil.NoMoreDescriptors(t, before)
	}
	if exists(path) {
		t.Error("a file is left")
	}

	// With several addresses, the attempts are tasks. One that panics is one that has failed.
	config := &network.ConnectConfig{Control: explodes, Resolver: &hosts{v4: reply{addrs: "127.0.0.1 127.0.0.2"}}}
	err := curio.Run(ctx, func(ctx context.Context) error {
		return secondConn(network.OpenConnection(ctx, "host:1", config))
	}, curio.Logger(slog.New(slog.DiscardHandler)))
	if _, ok := errors.AsType[*curio.PanicError](err); !ok {
		t.Errorf("%v", err)
	}
}

func secondConn(_ network.Conn, err error) error          { return err }
func secondListener(_ *network.Listener, err error) error { return err }

// A Control may set options with which a short receive says nothing: SO_RCVLOWAT, for which the
// system tells of less than that only when it is asked, and SO_OOBINLINE. What arrives is received
// all the same. The RawConn is good for nothing once the socket is closed.
func TestControlOfOddOptions(t *testing.T) {
	testutil.NoLeaks(t)
	for range 3 { // the first few descriptors of a process are treated otherwise
		socketPair(t)
	}
	for _, odd := range []int{syscall.SO_RCVLOWAT, syscall.SO_OOBINLINE} {
		var kept syscall.RawConn
		control := func(_, _ string, raw syscall.RawConn) (err error) {
			kept = raw
			return errors.Join(raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, odd, 100) }), err)
		}
		l := listen(t, "127.0.0.1:0", &network.ServerConfig{Control: control})
		conn, err := network.OpenConnection(t.Context(), l.LocalAddr().String(), &network.ConnectConfig{Control: control})
		must(t, err)
		theirs, err := l.Accept(t.Context())
		must(t, err)
		for _, way := range [][2]network.Conn{{conn, theirs}, {theirs, conn}} {
			for _, text := range []string{"one", "two", "three"} {
				must(t, second(way[0].SendAll(t.Context(), []byte(text))))
				got := ""
				testutil.Await(t, text, func() bool { // what SO_RCVLOWAT keeps back comes to those who ask
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					buf := make([]byte, 50)
					n, err := way[1].Recv(ctx, buf)
					got += string(buf[:n])
					return err == nil && got == text
				})
			}
		}
		must(t, errors.Join(conn.Close(), theirs.Close()))
		if err := kept.Control(func(uintptr) { t.Error("it has a descriptor") }); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

func keepAliveOf(t *testing.T, conn network.Conn) (c network.KeepAliveConfig) {
	t.Helper()
	s := network.SocketOf(conn)
	on, err := socket.KeepAlive.Get(s)
	must(t, err)
	c.Disable = !on
	c.Idle, err = socket.KeepAliveIdle.Get(s)
	must(t, err)
	c.Interval, err = socket.KeepAliveInterval.Get(s)
	must(t, err)
	c.Count, err = socket.KeepAliveCount.Get(s)
	must(t, err)
	return c
}

// Both sides have the settings that they are told to have; those that are left to the system are its.
func TestKeepAliveConfig(t *testing.T) {
	testutil.NoLeaks(t)
	fresh, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	must(t, err)
	defer fresh.Close()
	system := keepAliveOf(t, fresh)
	const usual = 15 * time.Second
	for _, c := range []struct{ set, want network.KeepAliveConfig }{
		{network.KeepAliveConfig{}, network.KeepAliveConfig{Idle: usual, Interval: usual, Count: 9}},
		{network.KeepAliveConfig{Disable: true}, network.KeepAliveConfig{Disable: true, Idle: system.Idle, Interval: system.Interval, Count: system.Count}},
		{network.KeepAliveConfig{Idle: time.Minute + 1}, network.KeepAliveConfig{Idle: 61 * time.Second, Interval: usual, Count: 9}},
		{network.KeepAliveConfig{Interval: time.Second, Count: 3}, network.KeepAliveConfig{Idle: usual, Interval: time.Second, Count: 3}},
		{network.KeepAliveConfig{Idle: -1, Interval: -1, Count: -1}, network.KeepAliveConfig{Idle: system.Idle, Interval: system.Interval, Count: system.Count}},
	} {
		made := listen(t, "127.0.0.1:0", &network.ServerConfig{KeepAlive: c.set})
		for name, l := range map[string]*network.Listener{"ListenTCP": made, "NewListener": adoptedListener(t, c.set)} {
			if name == "NewListener" && c.set == (network.KeepAliveConfig{}) {
				continue // what its socket has stays
			}
			for range 2 { // the first connection may be older than the listener's settings
				conn, err := (&network.ConnectConfig{KeepAlive: c.set}).DialContext(t.Context(), "tcp", l.LocalAddr().String())
				must(t, err)
				if got := keepAliveOf(t, network.FromConn(conn)); got != c.want {
					t.Errorf("%+v: a client has %+v", c.set, got)
				}
				theirs, err := l.Accept(t.Context())
				must(t, err)
				if got := keepAliveOf(t, theirs); got != c.want && (name == "ListenTCP" || c.set.Idle >= 0 && !c.set.Disable) {
					t.Errorf("%s, %+v: a server has %+v", name, c.set, got)
				}
				if theirs := keepAliveOf(t, theirs); theirs.Disable != c.set.Disable {
					t.Errorf("%s, %+v: disabled %v", name, c.set, theirs.Disable)
				}
				must(t, errors.Join(conn.Close(), theirs.Close()))
			}
		}
	}
}

// adoptedListener has a socket that was made elsewhere, and keeps times of its own.
func adoptedListener(t *testing.T, config network.KeepAliveConfig) *network.Listener {
	t.Helper()
	theirs, err := (&net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Hour, Interval: time.Hour, Count: 2}}).
		Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer theirs.Close()
	s, err := socket.FromConn(theirs.(*net.TCPListener))
	must(t, err)
	l := network.NewListener(s, &network.ServerConfig{KeepAlive: config})
	closeAtEnd(t, l)
	return l
}

// What means nothing is refused, and not ignored.
func TestSettingsRefused(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, path := t.Context(), socketPath(t)
	some, wrong := network.KeepAliveConfig{Idle: time.Minute}, network.KeepAliveConfig{Disable: true, Count: 1}
	l := listen(t, "127.0.0.1:0", nil)
	addr := l.LocalAddr().String()
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("OpenConnection", secondConn(network.OpenConnection(ctx, addr, &network.ConnectConfig{KeepAlive: wrong})))
	refused("OpenUnixConnection", secondConn(network.OpenUnixConnection(ctx, path, &network.ConnectConfig{KeepAlive: some})))
	refused("ListenUnix", secondListener(network.ListenUnix(ctx, path, &network.ServerConfig{KeepAlive: some})))
	refused("too long", secondConn(network.OpenConnection(ctx, addr, &network.ConnectConfig{KeepAlive: network.KeepAliveConfig{Idle: 1e6 * time.Second}})))
	mustPanic(t, "Disable", func() { _, _ = network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{KeepAlive: wrong}) })
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer theirs.Close()
	mustPanic(t, "KeepAlive", func() { network.FromListener(theirs, &network.ServerConfig{KeepAlive: some}) })
	control := func(string, string, syscall.RawConn) error { return nil }
	mustPanic(t, "Control", func() { network.FromListener(theirs, &network.ServerConfig{Control: control}) })
	mustPanic(t, "Control", func() { network.NewListener(l.Socket(), &network.ServerConfig{Control: control}) })
	mustPanic(t, "refuses", func() {
		network.NewListener(l.Socket(), &network.ServerConfig{KeepAlive: network.KeepAliveConfig{Count: 1e6}})
	})

	clientTLS, _ := configs(t)
	for what, config := range map[string]network.ConnectConfig{
		"TLS": {TLS: clientTLS}, "HandshakeTimeout": {HandshakeTimeout: 1}, "AttemptDelay": {AttemptDelay: 1},
		"ResolutionDelay": {ResolutionDelay: 1}, "KeepAlive": {KeepAlive: some},
	} {
		_, err := config.DialContext(ctx, "udp", "127.0.0.1:1")
		refused(what+" for UDP", err)
	}
	for what, config := range map[string]network.ConnectConfig{
		"Source": {Source: netip.MustParseAddrPort("127.0.0.1:0")}, "AttemptDelay": {AttemptDelay: 1}, "ResolutionDelay": {ResolutionDelay: 1},
		"Resolver": {Resolver: net.DefaultResolver}, "KeepAlive": {KeepAlive: some},
	} {
		_, err := config.DialContext(ctx, "unix", path)
		refused(what+" for unix", err)
	}
}

// The method honours what its ConnectConfig says, for each network; a nil one is the default.
func TestDialContextWithConfig(t *testing.T) {
	testutil.NoLeaks(t)
	ctx := t.Context()
	l := listen(t, "127.0.0.1:0", nil)
	addr := l.LocalAddr().String()
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	defer peer.Close()
	names := &hosts{v4: reply{addrs: "127.0.0.1"}, v6: reply{addrs: "::1"}}
	source := netip.MustParseAddrPort("127.0.0.9:0")
	for network_, to := range map[string]string{
		"tcp": addr, "tcp4": byName("host", addr), "udp": peer.LocalAddr().String(), "udp4": byName("host", peer.LocalAddr().String()),
	} {
		conn, err := (&network.ConnectConfig{Source: source, Resolver: names}).DialContext(ctx, network_, to)
		if err != nil {
			t.Errorf("%s: %v", network_, err)
			continue
		}
		if host, _, _ := net.SplitHostPort(conn.LocalAddr().String()); host != "127.0.0.9" {
			t.Errorf("%s: from %v", network_, conn.LocalAddr())
		}
		must(t, conn.Close())
		for _, other := range []string{"tcp6", "udp6"} {
			if conn, err := (&network.ConnectConfig{Source: source, Resolver: names}).DialContext(ctx, other, byName("host", to)); err == nil {
				conn.Close()
				t.Errorf("%s: with a source of IPv4", other)
			}
		}
	}
	conn, err := (&network.ConnectConfig{Source: netip.AddrPortFrom(netip.Addr{}, 0), Resolver: names}).DialContext(ctx, "udp", byName("host", peer.LocalAddr().String()))
	must(t, err)
	must(t, second(conn.Write([]byte("hello"))))
	n, _, err := peer.ReadFrom(make([]byte, 10))
	if n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	must(t, conn.Close())
	conn, err = (*network.ConnectConfig)(nil).DialContext(ctx, "tcp", addr)
	must(t, err)
	must(t, conn.Close())

	place := tlsPlace(t)
	s := place.serve(t, network.ServerConfig{}, echo)
	conn, err = (&network.ConnectConfig{TLS: place.client}).DialContext(ctx, "tcp", s.Addr)
	must(t, err)
	must(t, testutil.Echo(conn, []byte("hello\n")))
	if _, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); !ok {
		t.Errorf("it is a %T", conn)
	}
	must(t, conn.Close())
	is(t, s.cancel(), taskCancelled...)
}
