package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// Who comes when there is no place waits, and is served when somebody has left.
func TestMaxConnections(t *testing.T) {
	s := serveWith(t, &network.ServerConfig{MaxConnections: 2}, echo)
	first, second := testutil.Dial(t, s.Addr), testutil.Dial(t, s.Addr)
	testutil.EchoTwice(t, first)
	testutil.EchoTwice(t, second)
	testutil.Await(t, "the server to be full", func() bool { return s.Task.State() == "SEMA_ACQUIRE" })
	third := testutil.Dial(t, s.Addr)
	if _, err := third.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n := s.handlers(); n != 2 {
		t.Errorf("%d are served", n)
	}
	first.Close()
	if err := third.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(third, buf); err != nil || string(buf) != "hello" {
		t.Errorf("%q, %v", buf, err)
	}
	is(t, s.cancel(), taskCancelled...)
}

// There are never more handlers than places, however they end.
func TestMaxConnectionsIsKept(t *testing.T) {
	const places = 3
	running := curio.NewSemaphore(places)
	s := serveWith(t, &network.ServerConfig{MaxConnections: places}, func(ctx context.Context, conn network.Conn) error {
		if !running.TryAcquire(ctx) {
			t.Error("one too many")
			return nil
		}
		defer running.Release(ctx)
		buf := make([]byte, 1)
		if _, err := conn.Recv(ctx, buf); err != nil {
			return nil
		}
		if buf[0]%3 == 0 {
			panic("a handler's")
		}
		_, err := conn.SendAll(ctx, buf)
		return err
	})
	ended := make(chan error, 60)
	for i := range cap(ended) {
		go func() {
			conn, err := net.Dial("tcp", s.Addr)
			if err == nil {
				_, err = conn.Write([]byte{byte(i)})
				_, _ = io.ReadAll(conn)
				conn.Close()
			}
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := testutil.Receive(t, "client", ended); err != nil {
			t.Error(err)
		}
	}
	is(t, s.cancel(), taskCancelled...)
	if n := len(s.Log.Take(msgPanic)); n != cap(ended)/3 {
		t.Errorf("%d panics", n)
	}
}

// A peer that says nothing, one that takes nothing, and one that never ends.
func TestPatience(t *testing.T) {
	for name, test := range map[string]struct {
		config  network.ServerConfig
		handler func(ctx context.Context, conn network.Conn) error
	}{
		"Recv": {network.ServerConfig{IdleTimeout: short}, func(ctx context.Context, conn network.Conn) error {
			_, err := conn.Recv(ctx, make([]byte, 1))
			return err
		}},
		"WaitRead": {network.ServerConfig{IdleTimeout: short}, func(ctx context.Context, conn network.Conn) error {
			return conn.WaitRead(ctx)
		}},
		"SendAll": {network.ServerConfig{IdleTimeout: short}, func(ctx context.Context, conn network.Conn) error {
			n, err := conn.SendAll(ctx, make([]byte, 64<<20))
			if n == 0 {
				t.Error("nothing is sent")
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			errs := make(chan error, 1)
			s := serveWith(t, &test.config, func(ctx context.Context, conn network.Conn) error {
				err := test.handler(ctx, conn)
				errs <- err
				return err
			})
			conn := testutil.Dial(t, s.Addr)
			err := testutil.Receive(t, "end", errs)
			var op *net.OpError
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || !op.Timeout() || op.Addr == nil || errors.Is(err, curio.ErrCancelled) {
				t.Errorf("%v", err)
			}
			_, _ = io.Copy(io.Discard, conn) // up to its end
			testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
			is(t, s.cancel(), taskCancelled...)
			if n := len(s.Log.Take(msgLost)); n != 1 {
				t.Errorf("%d lines are logged", n)
			}
		})
	}
}

func TestLifetime(t *testing.T) {
	errs := make(chan error, 1)
	s := serveWith(t, &network.ServerConfig{Lifetime: short}, func(ctx context.Context, conn network.Conn) error {
		_, err := conn.Recv(ctx, make([]byte, 1))
		errs <- err
		return err
	})
	conn := testutil.Dial(t, s.Addr)
	atEnd(t, conn)
	is(t, testutil.Receive(t, "end", errs), taskTimeout...)
	is(t, s.cancel(), taskCancelled...)
	if n := len(s.Log.Take(msgLost)); n != 1 {
		t.Errorf("%d lines are logged", n)
	}
}

// A slow peer is not an idle one: what counts is the time for each piece. Two who send
// do not mix. Time here is the bubble's.
func TestPatienceIsForEachPiece(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &slowConn{takes: 9 * time.Second}
		conn := network.Impatient(below, 10*time.Second)
		var tasks []*curio.Task[struct{}]
		for _, b := range []byte("ab") {
			tasks = append(tasks, curio.Go(t.Context(), func(ctx context.Context) error {
				data := make([]byte, 1<<20)
				for i := range data {
					data[i] = b
				}
				n, err := conn.SendAll(ctx, data)
				if n != len(data) {
					t.Errorf("%d are sent", n)
				}
				return err
			}))
		}
		for _, task := range tasks {
			if _, err := task.Join(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if len(below.got) != 2<<20 {
			t.Fatalf("%d are received", len(below.got))
		}
		for i := range 1 << 20 {
			if below.got[i] != below.got[0] || below.got[1<<20+i] == below.got[0] {
				t.Fatalf("mixed at %d", i)
			}
		}
		below.takes = 11 * time.Second
		if n, err := conn.SendAll(t.Context(), []byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A slowConn takes its time for all that is sent.
type slowConn struct {
	network.Conn
	takes time.Duration
	got   []byte
}

func (c *slowConn) SendAll(ctx context.Context, buf []byte) (int, error) {
	if err := curio.Sleep(ctx, c.takes); err != nil {
		return 0, err
	}
	c.got = append(c.got, buf...)
	return len(buf), nil
}

func (c *slowConn) LocalAddr() net.Addr  { return nil }
func (c *slowConn) RemoteAddr() net.Addr { return nil }

func TestBadServerConfig(t *testing.T) {
	testutil.NoLeaks(t)
	for name, config := range map[string]network.ServerConfig{
		"Backlog":        {Backlog: -1},
		"MaxConnections": {MaxConnections: -1},
		"IdleTimeout":    {IdleTimeout: -1},
		"Lifetime":       {Lifetime: -1},
	} {
		t.Run(name, func(t *testing.T) {
			mustPanic(t, "ServerConfig."+name+" is negative", func() {
				_, _ = network.ListenTCP(t.Context(), "127.0.0.1:0", &config)
			})
		})
	}
	t.Run("Mode", func(t *testing.T) {
		mustPanic(t, "more than permissions", func() {
			_, _ = network.ListenUnix(t.Context(), socketPath(t), &network.ServerConfig{Mode: os.ModeSetuid | 0o700})
		})
	})
	t.Run("NewListener", func(t *testing.T) {
		s := listen(t, "127.0.0.1:0", nil).Socket()
		mustPanic(t, "leave out Backlog", func() { network.NewListener(s, &network.ServerConfig{Backlog: 1}) })
	})
	t.Run("TLS", func(t *testing.T) { // no client could ever connect, and nobody would see why
		mustPanic(t, "ServerConfig.TLS has no certificate; set Certificates, GetCertificate or GetConfigForClient", func() {
			_, _ = network.ListenTCP(t.Context(), "127.0.0.1:0", &network.ServerConfig{TLS: new(tls.Config)})
		})
	})
	t.Run("RunServer", func(t *testing.T) {
		mustPanic(t, "curio/network: nil Listener", func() { _ = network.RunServer(t.Context(), nil, echo) })
		mustPanic(t, "curio/network: nil Listener", func() { _ = network.RunServers(t.Context(), []*network.Listener{nil}, echo) })
	})
	t.Run("RunServers", func(t *testing.T) {
		mustPanic(t, "without a listener", func() { _ = network.RunServers(t.Context(), nil, echo) })
	})
}

// A setting that this kind of listener cannot have is an error, and nothing listens then.
// If the listener listens already, it is a panic, and so is every setting that says how to
// listen.
func TestServerConfigThatDoesNotFit(t *testing.T) {
	testutil.NoLeaks(t)
	path := socketPath(t)
	tcpOnly := &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	unixOnly := &network.ProxyConfig{Unix: true}
	for _, c := range []struct {
		name, on, addr string
		config         network.ServerConfig
		says           string
	}{
		{"Mode on TCP", "tcp", "127.0.0.1:0", network.ServerConfig{Mode: 0o600}, "Mode, for TCP"},
		{"Proxy of Unix on TCP", "tcp", "127.0.0.1:0", network.ServerConfig{Proxy: unixOnly}, "Proxy without From"},
		{"Proxy of TCP on Unix", "unix", path, network.ServerConfig{Proxy: tcpOnly}, "Proxy without Unix"},
		{"ReusePort on Unix", "unix", path, network.ServerConfig{ReusePort: true}, "no port for ReusePort"},
		{"Mode of an abstract name", "unix", "@" + path, network.ServerConfig{Mode: 0o600}, "Mode, for an abstract name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.addr, "@") && runtime.GOOS != "linux" {
				t.Skip("abstract names are Linux's")
			}
			listen, serve := network.ListenTCP, network.TCPServer
			if c.on == "unix" {
				listen, serve = network.ListenUnix, network.UnixServer
			}
			l, err := listen(t.Context(), c.addr, &c.config)
			if err == nil {
				l.Close()
			}
			for _, err := range []error{err, serve(t.Context(), c.addr, echo, &c.config)} {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %q", err, c.says)
				}
				isOp(t, "listen", err)
			}
			if _, err := os.Lstat(c.addr); err == nil {
				t.Error("there is a file")
			}
			theirs, err := net.Listen(c.on, c.addr)
			must(t, err)
			defer theirs.Close()
			s, err := socket.FromConn(theirs.(syscall.Conn))
			must(t, err)
			defer s.Close()
			says := c.says
			if c.config.Proxy == nil {
				says = "settings for the listening socket"
			}
			mustPanic(t, says, func() { network.FromListener(theirs, &c.config) })
			mustPanic(t, says, func() { network.NewListener(s, &c.config) })
		})
	}
}
