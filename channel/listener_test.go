package channel_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

var withKey = &channel.Config{Key: []byte("secret")}

// listen listens on a free port of loopback, until the end of the test.
func listen(t testing.TB, ctx context.Context, config *channel.Config) (l *channel.Listener, addr string) {
	t.Helper()
	l, err := channel.Listen(ctx, "tcp", "127.0.0.1:0", config)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return l, l.LocalAddr().String()
}

// talks shows that the two are the ends of one connection that works.
func talks(t testing.TB, a, b *channel.Conn) {
	t.Helper()
	for _, way := range [][2]*channel.Conn{{a, b}, {b, a}} {
		check(t, way[0].SendBytes(background, []byte("hello")))
		m, err := way[1].RecvBytes(background)
		got(t, m, err, "hello")
	}
}

// meets connects with addr and accepts that.
func meets(t testing.TB, l *channel.Listener, config *channel.Config) (client, server *channel.Conn) {
	t.Helper()
	addr := l.LocalAddr()
	_, join := in(t, func(ctx context.Context) (err error) {
		client, err = channel.Connect(ctx, addr.Network(), addr.String(), config)
		return err
	})
	server, err := l.Accept(background)
	check(t, err)
	check(t, join())
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// behaviours H4, H12, H13: over TCP and Unix sockets, with and without a key.
func TestListenAndConnect(t *testing.T) {
	for _, config := range []*channel.Config{nil, withKey} {
		for _, where := range [][2]string{{"tcp", "127.0.0.1:0"}, {"tcp", "localhost:0"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
			ctx := curiotest.NoLeaks(t)
			l, err := channel.Listen(ctx, where[0], where[1], config)
			check(t, err)
			client, server := meets(t, l, config)
			talks(t, client, server)
			check(t, l.Close())
			check(t, l.Close())
			talks(t, client, server) // which do not belong to the listener
			check(t, client.Close())
			check(t, server.Close())
		}
	}
}

// traps 81, behaviours H14, H19: silent peers, those that break off, those without the key and those that send
// garbage delay nobody, and Accept returns none of them.
func TestBadPeersDelayNobody(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	l, addr := listen(t, ctx, &channel.Config{Key: []byte("secret"), HandshakeTimeout: -1})
	var silent []net.Conn
	for range 10 {
		silent = append(silent, testutil.Dial(t, addr))
	}
	testutil.Dial(t, addr).Close() // as a port scan does
	garbage := testutil.Dial(t, addr)
	_, err := garbage.Write(bytes.Repeat([]byte("garbage "), 100))
	check(t, err)
	_, err = channel.Connect(background, "tcp", addr, &channel.Config{Key: []byte("wrong")})
	want(t, err, channel.ErrRefused)
	client, server := meets(t, l, withKey)
	talks(t, client, server)
	for _, c := range silent {
		check(t, c.SetReadDeadline(time.Now().Add(testutil.Patience)))
		_, err := io.ReadFull(c, make([]byte, len(frame(challenge+"{sha256}"+up(40)))))
		check(t, err)
	}
	check(t, l.Close())
	for _, c := range silent {
		if _, err := c.Read(make([]byte, 1000)); err == nil || os.IsTimeout(err) {
			t.Errorf("the connection is open: %v", err)
		}
	}
}

// A silent peer is let go of after the HandshakeTimeout, which is a timeout of nobody else.
func TestHandshakeTimeout(t *testing.T) {
	journal := testutil.CaptureLog(t)
	var err error
	kernel := curio.NewKernel(curio.Logger(slog.New(journal)))
	check(t, kernel.Run(background, func(ctx context.Context) error {
		l, addr := listen(t, ctx, &channel.Config{Key: []byte("secret"), HandshakeTimeout: 20 * time.Millisecond})
		silent := testutil.Dial(t, addr)
		testutil.Await(t, "the end of the silent one", func() bool {
			_, err = silent.Read(make([]byte, 1000))
			return err != nil
		})
		return l.Close()
	}))
	check(t, kernel.Shutdown(background))

	a, _ := socketPair(t)
	_, err = channel.Server(background, a, &channel.Config{Key: []byte("secret"), HandshakeTimeout: time.Millisecond})
	want(t, err, network.ErrHandshakeTimeout, os.ErrDeadlineExceeded)
	isNot(t, err, curio.ErrCancelled, curio.ErrTaskTimeout)
	if !strings.Contains(err.Error(), "not done within 1ms") {
		t.Error(err)
	}
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("%#v is no timeout", err)
	}
}

// At most Config.Backlog connections are in hand, and the next one waits until one of them is gone.
func TestBacklog(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	checked := make(chan struct{}, 10)
	config := &channel.Config{Backlog: 2, Key: []byte("secret"), HandshakeTimeout: -1, Check: func(net.Addr) bool {
		checked <- struct{}{}
		return true
	}}
	l, addr := listen(t, ctx, config)
	first, second := testutil.Dial(t, addr), testutil.Dial(t, addr)
	defer second.Close()
	testutil.Receive(t, "a handshake", checked)
	testutil.Receive(t, "a handshake", checked)
	o, join := in(t, func(ctx context.Context) error {
		c, err := channel.Connect(ctx, "tcp", addr, withKey)
		if err == nil {
			c.Close()
		}
		return err
	})
	awaitIn(t, o, "READ_WAIT") // connected, and not accepted
	testutil.Rest()
	if len(checked) > 0 {
		t.Error("a third one is in hand")
	}
	check(t, first.Close())
	testutil.Receive(t, "a handshake", checked)
	c, err := l.Accept(background)
	check(t, err)
	check(t, join())
	c.Close()
}

// Connections that are ready hold up those that come after them, until Accept returns them; Close closes them.
func TestReadyConnectionsCount(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	var count atomic.Int32
	l, addr := listen(t, ctx, &channel.Config{Backlog: 2, Check: func(net.Addr) bool { count.Add(1); return true }})
	var clients []*channel.Conn
	for range 4 {
		c, err := channel.Connect(background, "tcp", addr, nil)
		check(t, err)
		defer c.Close()
		clients = append(clients, c)
	}
	testutil.Await(t, "two that are ready", func() bool { return count.Load() == 2 })
	testutil.Rest()
	if n := count.Load(); n != 2 {
		t.Errorf("%d are in hand", n)
	}
	server, err := l.Accept(background)
	check(t, err)
	defer server.Close()
	// Handshakes end in any order.
	accepted := slices.IndexFunc(clients, func(c *channel.Conn) bool { return c.LocalAddr().String() == server.RemoteAddr().String() })
	talks(t, clients[accepted], server)
	testutil.Await(t, "a third one", func() bool { return count.Load() == 3 })
	check(t, l.Close())
	talks(t, clients[accepted], server)
	for _, c := range slices.Delete(clients, accepted, accepted+1) {
		if _, err := c.RecvBytes(background); err == nil {
			t.Error("one that nobody has accepted is open")
		}
	}
	_, err = l.Accept(background)
	want(t, err, net.ErrClosed)
}

// Peers that Check does not want are closed without a byte; one in which it panics concerns nobody else.
func TestCheck(t *testing.T) {
	testutil.NoLeaks(t)
	journal := testutil.CaptureLog(t)
	kernel := curio.NewKernel(curio.Logger(slog.New(journal)))
	var mode atomic.Value
	mode.Store("refuse")
	check(t, kernel.Run(background, func(ctx context.Context) error {
		l, addr := listen(t, ctx, &channel.Config{Key: []byte("secret"), Check: func(peer net.Addr) bool {
			if _, ok := peer.(*net.TCPAddr); !ok {
				t.Errorf("the peer is %v", peer)
			}
			switch mode.Load() {
			case "panic":
				panic("Check")
			case "exit":
				runtime.Goexit()
			}
			return mode.Load() == "accept"
		}})
		for _, m := range []string{"refuse", "panic", "exit"} {
			mode.Store(m)
			c := testutil.Dial(t, addr)
			if n, err := c.Read(make([]byte, 100)); n != 0 || err == nil {
				t.Errorf("%s: %d bytes, %v", m, n, err)
			}
		}
		mode.Store("accept")
		client, server := meets(t, l, withKey)
		talks(t, client, server)
		testutil.Await(t, "the refusal in the log", func() bool {
			return len(journal.Find("curio: a connection was not accepted")) == 1
		})
		return l.Close()
	}))
	check(t, kernel.Shutdown(background))
}

// Behind a proxy, Check is asked about the client and not about the proxy; also if there is TLS above the header.
func TestCheckBehindProxy(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	for _, secured := range []bool{false, true} {
		peers := make(chan string, 1)
		server := &network.ServerConfig{Proxy: &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
		if secured {
			server.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return nil, errors.New("the handshake comes after Check")
			}}
		}
		_, addr := listen(t, ctx, &channel.Config{Server: server, Check: func(peer net.Addr) bool {
			peers <- peer.String()
			return false
		}})
		raw := testutil.Dial(t, addr)
		_, err := io.WriteString(raw, "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n")
		check(t, err)
		if n, err := raw.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if peer := <-peers; peer != "192.0.2.1:4711" {
			t.Errorf("the peer is %s", peer)
		}
	}
}

// A proxy that does not finish its header is not waited for longer than for any other handshake.
func TestCheckWithoutHeader(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	_, addr := listen(t, ctx, &channel.Config{
		HandshakeTimeout: 20 * time.Millisecond,
		Server:           &network.ServerConfig{Proxy: &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
		Check:            func(net.Addr) bool { t.Error("the peer is not known yet"); return true },
	})
	raw := testutil.Dial(t, addr)
	_, err := io.WriteString(raw, "PROXY TCP4")
	check(t, err)
	if n, err := raw.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// What is logged of a peer without an address is the descriptor that it had.
func TestRefusedUnixPeerInLog(t *testing.T) {
	testutil.NoLeaks(t)
	journal := testutil.CaptureLog(t)
	kernel := curio.NewKernel(curio.Logger(slog.New(journal)))
	check(t, kernel.Run(background, func(ctx context.Context) error {
		l, err := channel.Listen(ctx, "unix", filepath.Join(t.TempDir(), "socket"), withKey)
		check(t, err)
		_, err = channel.Connect(ctx, "unix", l.LocalAddr().String(), &channel.Config{Key: []byte("a guess")})
		want(t, err, channel.ErrRefused)
		testutil.Await(t, "the refusal in the log", func() bool {
			return len(journal.Find("curio: a connection was not accepted")) == 1
		})
		return l.Close()
	}))
	check(t, kernel.Shutdown(background))
	for _, record := range journal.Find("curio: a connection was not accepted") {
		if peer := fmt.Sprint(record.Attrs["peer"]); !strings.HasPrefix(peer, "fd ") || peer == "fd -1" {
			t.Errorf("the peer is %q", peer)
		}
	}
}

// The Listener outlives the task that has made it, and ends with its kernel.
func TestListenerEndsWithKernel(t *testing.T) {
	testutil.NoLeaks(t)
	kernel := curio.NewKernel()
	var l *channel.Listener
	check(t, kernel.Run(background, func(ctx context.Context) error {
		return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
			l, _ = listen(t, ctx, withKey)
			return nil
		})
	}))
	client, server := meets(t, l, withKey)
	talks(t, client, server)
	_, join := in(t, func(ctx context.Context) error { _, err := l.Accept(ctx); return err })
	silent := testutil.Dial(t, l.LocalAddr().String())
	defer silent.Close()
	check(t, kernel.Shutdown(background))
	want(t, join(), net.ErrClosed)
	talks(t, client, server)
	if _, err := net.Dial("tcp", l.LocalAddr().String()); err == nil {
		t.Error("it still listens")
	}
	check(t, l.Close())
}

// In a kernel that has been shut down there is no Listener.
func TestListenAfterShutdown(t *testing.T) {
	testutil.NoLeaks(t)
	kernel := curio.NewKernel(curio.Logger(slog.New(testutil.CaptureLog(t))))
	var ended context.Context
	check(t, kernel.Run(background, func(ctx context.Context) error {
		ended = context.WithoutCancel(ctx)
		return nil
	}))
	check(t, kernel.Shutdown(background))
	below, err := network.ListenTCP(background, "127.0.0.1:0", nil)
	check(t, err)
	_, err = channel.NewListener(ended, below, nil)
	want(t, err, curio.ErrKernelShutdown)
	want(t, below.Close(), net.ErrClosed)
}

// A Listener and its handshakes are tasks that can be seen.
func TestListenerIsSeen(t *testing.T) {
	testutil.NoLeaks(t)
	kernel := curio.NewKernel()
	check(t, kernel.Run(background, func(ctx context.Context) error {
		l, addr := listen(t, ctx, withKey)
		silent := testutil.Dial(t, addr)
		defer silent.Close()
		var names string
		if !testutil.Eventually(func() bool {
			names = fmt.Sprint(kernel.Tasks())
			return strings.Contains(names, "channel on tcp "+addr) && strings.Contains(names, "handshake with "+silent.LocalAddr().String())
		}) {
			t.Error(names)
		}
		return l.Close()
	}))
	check(t, kernel.Shutdown(background))
}

// An accepting is a net.Listener that fails as it is told.
type accepting struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (a *accepting) Accept() (net.Conn, error) {
	a.mu.Lock()
	if len(a.errs) > 0 {
		err := a.errs[0]
		a.errs = a.errs[1:]
		a.mu.Unlock()
		return nil, err
	}
	a.mu.Unlock()
	return a.Listener.Accept()
}

// Errors of accept(2) that pass do not end a Listener. Any other error is Accept's error.
func TestAcceptErrors(t *testing.T) {
	for name, test := range map[string]struct {
		err   error
		final bool
	}{
		"aborted": {syscall.ECONNABORTED, false}, "descriptors": {syscall.EMFILE, false}, "memory": {syscall.ENOMEM, false}, "lasting": {syscall.EINVAL, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := curiotest.NoLeaks(t)
			below, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			failing := &accepting{Listener: below, errs: []error{&net.OpError{Op: "accept", Err: os.NewSyscallError("accept", test.err)}}}
			l, err := channel.NewListener(ctx, network.FromListener(failing, nil), withKey)
			check(t, err)
			defer l.Close()
			if test.final {
				for range 2 {
					_, err := l.Accept(background)
					want(t, err, test.err)
				}
				return
			}
			client, server := meets(t, l, withKey)
			talks(t, client, server)
		})
	}
}

// traps 86: only this user may connect with a Unix socket; a file that nobody listens on is replaced, and no
// other.
func TestUnixFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	mode := func() fs.FileMode {
		info, err := os.Lstat(path)
		check(t, err)
		return info.Mode().Perm()
	}
	l, err := channel.Listen(background, "unix", path, nil)
	check(t, err)
	if m := mode(); m != 0o600 {
		t.Errorf("the mode is %v", m)
	}
	_, err = channel.Listen(background, "unix", path, nil)
	want(t, err, syscall.EADDRINUSE)
	check(t, l.Close())
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	// One that a crash has left.
	crashed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	crashed.SetUnlinkOnClose(false)
	check(t, crashed.Close())
	l, err = channel.Listen(background, "unix", path, &channel.Config{Server: &network.ServerConfig{Mode: 0o660}})
	check(t, err)
	if m := mode(); m != 0o660 {
		t.Errorf("the mode is %v", m)
	}
	client, server := meets(t, l, nil)
	talks(t, client, server)
	// Somebody else's file in its place is left alone.
	check(t, os.Remove(path))
	check(t, os.WriteFile(path, nil, 0o644))
	check(t, l.Close())
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	_, err = channel.Listen(background, "unix", path, nil)
	want(t, err, syscall.EADDRINUSE)
}

// traps 84: an abstract name is what was asked for by name.
func TestAbstractName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has abstract names")
	}
	l, err := channel.Listen(background, "unix", fmt.Sprintf("@curio-channel-%d", os.Getpid()), withKey)
	check(t, err)
	defer l.Close()
	client, server := meets(t, l, withKey)
	talks(t, client, server)
}

// What network.ServerConfig has for connections holds for these, too: an idle peer ends an operation and nothing else.
func TestServerConfig(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	l, addr := listen(t, ctx, &channel.Config{Server: &network.ServerConfig{
		IdleTimeout: 50 * time.Millisecond, MaxConnections: 1, Proxy: &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}})
	raw := testutil.Dial(t, addr)
	_, err := io.WriteString(raw, "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"+frame("hello")[:6])
	check(t, err)
	server, err := l.Accept(background)
	check(t, err)
	if peer := server.RemoteAddr().String(); peer != "192.0.2.1:4711" {
		t.Errorf("the peer is %s", peer)
	}
	for range 2 {
		_, err = server.RecvBytes(background)
		want(t, err, network.ErrIdle)
	}
	_, err = io.WriteString(raw, frame("hello")[6:])
	check(t, err)
	m, err := server.RecvBytes(background)
	got(t, m, err, "hello")
	second := testutil.Dial(t, addr)
	_, err = io.WriteString(second, "PROXY UNKNOWN\r\n")
	check(t, err)
	o, join := in(t, func(ctx context.Context) error {
		c, err := l.Accept(ctx)
		if err == nil {
			c.Close()
		}
		return err
	})
	awaitIn(t, o, "QUEUE_GET") // there may be one connection
	testutil.Rest()
	awaitIn(t, o, "QUEUE_GET")
	check(t, server.Close())
	check(t, join())
}

// TLS below the messages, as the package's documentation advises.
func TestTLS(t *testing.T) {
	certificate, roots := testutil.Certificate(t, "localhost")
	ctx := curiotest.NoLeaks(t)
	config := &channel.Config{
		Key:    []byte("secret"),
		Server: &network.ServerConfig{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}},
		Client: &network.ConnectConfig{TLS: &tls.Config{RootCAs: roots, ServerName: "localhost"}},
	}
	l, addr := listen(t, ctx, config)
	client, server := meets(t, l, config)
	talks(t, client, server)
	if _, ok := client.Transport().(*network.TLSConn); !ok {
		t.Errorf("the transport is %v", client.Transport())
	}
	// A client that speaks no TLS waits for a challenge as long as it has time, and Connect does not try that
	// again.
	_, err := channel.Connect(background, "tcp", addr, &channel.Config{Key: []byte("secret"), HandshakeTimeout: 10 * time.Millisecond})
	want(t, err, network.ErrHandshakeTimeout)
	// Nor does it with a certificate that is not trusted.
	_, err = channel.Connect(background, "tcp", addr, &channel.Config{Key: []byte("secret"), Client: &network.ConnectConfig{TLS: &tls.Config{ServerName: "localhost"}}})
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Error(err)
	}
	// A silent one is let go of.
	silent := testutil.Dial(t, addr)
	check(t, l.Close())
	if _, err := silent.Read(make([]byte, 10)); err == nil {
		t.Error("it is open")
	}
}

// Half a message that is cut in a TLS connection.
func TestCutInTLS(t *testing.T) {
	certificate, roots := testutil.Certificate(t, "localhost")
	a, b := socketPair(t)
	server := network.TLSServer(a, &tls.Config{Certificates: []tls.Certificate{certificate}})
	client := network.TLSClient(b, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	var s *channel.Conn
	_, join := in(t, func(ctx context.Context) (err error) { s, err = channel.Server(ctx, server, nil); return err })
	c, err := channel.Client(background, client, nil)
	check(t, err)
	check(t, join())
	talks(t, c, s)
	err = during(t, func(ctx context.Context) error { return c.SendBytes(ctx, make([]byte, 8<<20)) })
	want(t, err, channel.ErrCut)
	_, err = s.RecvBytes(background)
	want(t, err, io.ErrUnexpectedEOF)
	s.Close()
}

func TestListenErrors(t *testing.T) {
	for name, call := range map[string]func() error{
		"listen":  func() error { _, err := channel.Listen(background, "udp", "127.0.0.1:0", nil); return err },
		"connect": func() error { _, err := channel.Connect(background, "udp", "127.0.0.1:0", nil); return err },
	} {
		err := call()
		if _, ok := errors.AsType[net.UnknownNetworkError](err); !ok || !strings.Contains(err.Error(), name) {
			t.Error(err)
		}
	}
	_, err := channel.Listen(background, "unix", "/nonexistent/s", nil)
	want(t, err, fs.ErrNotExist)
	below, err := network.ListenTCP(background, "127.0.0.1:0", &network.ServerConfig{})
	check(t, err)
	_, err = channel.NewListener(background, below, &channel.Config{Server: &network.ServerConfig{}})
	want(t, err, syscall.EINVAL)
	want(t, below.Close(), net.ErrClosed)
}
