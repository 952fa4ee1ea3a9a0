package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
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

// The settings of a ServerConfig for connections that are not served by RunServer.

// A taken is a connection that was accepted by a taker.
type taken struct {
	io.Closer
	read func() error
}

// A taker is a listener with one of the ways to accept connections from it.
type taker struct {
	io.Closer
	accept      func(ctx context.Context) (taken, error)
	setDeadline func(t time.Time) error // nil if it has none
}

var takers = map[string]func(ctx context.Context, l *network.Listener) taker{
	"Accept": func(_ context.Context, l *network.Listener) taker {
		return taker{l, func(ctx context.Context) (taken, error) {
			conn, err := l.Accept(ctx)
			if err != nil {
				return taken{}, err
			}
			return taken{conn, func() error { return second(conn.Recv(context.Background(), make([]byte, 1))) }}, nil
		}, nil}
	},
	"stream of Accept": func(_ context.Context, l *network.Listener) taker {
		return taker{l, func(ctx context.Context) (taken, error) {
			conn, err := l.Accept(ctx)
			if err != nil {
				return taken{}, err
			}
			return takenStream(stream.New(conn)), nil
		}, nil}
	},
	"stream of NetListener": func(ctx context.Context, l *network.Listener) taker {
		n := network.NetListener(ctx, l)
		return taker{n, func(context.Context) (taken, error) {
			conn, err := n.Accept()
			if err != nil {
				return taken{}, err
			}
			return takenStream(stream.New(network.FromConn(conn))), nil
		}, nil}
	},
	"Handshake after Accept": func(_ context.Context, l *network.Listener) taker {
		return taker{l, func(ctx context.Context) (taken, error) {
			conn, err := l.Accept(ctx)
			if err != nil {
				return taken{}, err
			}
			return taken{conn, func() error {
				if h, ok := conn.(interface {
					Handshake(ctx context.Context) error
				}); ok {
					if err := h.Handshake(context.Background()); err != nil {
						return err
					}
				}
				return second(conn.Recv(context.Background(), make([]byte, 1)))
			}}, nil
		}, nil}
	},
	"NetListener": func(ctx context.Context, l *network.Listener) taker {
		n := network.NetListener(ctx, l)
		return taker{n, func(context.Context) (taken, error) {
			conn, err := n.Accept()
			if err != nil {
				return taken{}, err
			}
			return taken{conn, func() error { return second(conn.Read(make([]byte, 1))) }}, nil
		}, n.(interface{ SetDeadline(t time.Time) error }).SetDeadline}
	},
	"FromConn of NetListener": func(ctx context.Context, l *network.Listener) taker {
		n := network.NetListener(ctx, l)
		return taker{n, func(context.Context) (taken, error) {
			c, err := n.Accept()
			if err != nil {
				return taken{}, err
			}
			conn := network.FromConn(c)
			return taken{conn, func() error { return second(conn.Recv(context.Background(), make([]byte, 1))) }}, nil
		}, nil}
	},
}

// A closeStream closes its stream by Stream.Close, which ends the connection below
// properly.
type closeStream struct{ *stream.Stream }

func (s closeStream) Close() error { return s.Stream.CloseContext(context.Background()) }

func takenStream(s *stream.Stream) taken {
	return taken{closeStream{s}, func() error { return second(s.Read(context.Background(), make([]byte, 1))) }}
}

// eachTaker runs test for each way to accept, on each kind of listener.
func eachTaker(t *testing.T, config network.ServerConfig, kinds []kind, test func(t *testing.T, p *place, l *network.Listener, k taker)) {
	for _, k := range kinds {
		for name, take := range takers {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				testutil.NoLeaks(t)
				p := k.place(t)
				l, err := p.listen(t.Context(), config)
				must(t, err)
				closeAtEnd(t, l)
				test(t, p, l, take(t.Context(), l))
			})
		}
	}
}

// acceptLater starts a task that accepts a connection.
func acceptLater(t *testing.T, k taker) (conn <-chan taken, task *curio.Task[struct{}]) {
	t.Helper()
	accepted := make(chan taken, 1)
	task = curio.Go(context.Background(), func(ctx context.Context) error {
		conn, err := k.accept(ctx)
		if err == nil {
			accepted <- conn
		}
		return err
	}, curio.ReportCrash(false))
	return accepted, task
}

// With MaxConnections, closing a connection makes room for one more, however often it is
// closed. An Accept that waits for room can be ended like any other.
func TestMaxConnectionsElsewhere(t *testing.T) {
	eachTaker(t, network.ServerConfig{MaxConnections: 1}, kinds, func(t *testing.T, p *place, l *network.Listener, k taker) {
		addr := l.LocalAddr().String()
		for range 3 {
			p.raw(t, addr)
		}
		first, err := k.accept(t.Context())
		must(t, err)
		for range 2 {
			accepted, task := acceptLater(t, k)
			// A client is there to be accepted, so it is not a client that Accept waits
			// for.
			testutil.Await(t, "wait for room", func() bool { return network.WaitsForSlot(l) })
			if len(accepted) > 0 {
				t.Fatal("it has accepted one too many")
			}
			must(t, first.Close())
			_ = first.Close()
			first = testutil.Receive(t, "connection", accepted)
			must(t, end(t, task))
		}
		accepted, task := acceptLater(t, k)
		testutil.Await(t, "wait for room", func() bool { return network.WaitsForSlot(l) })
		if k.setDeadline != nil {
			must(t, k.setDeadline(longAgo))
			_, err := task.Join(context.Background())
			isDeadline(t, "accept", errors.Unwrap(err))
			must(t, k.setDeadline(time.Time{}))
			accepted, task = acceptLater(t, k)
			testutil.Await(t, "wait for room", func() bool { return network.WaitsForSlot(l) })
		}
		must(t, l.Close()) // the Listener, not the net.Listener
		_, err = task.Join(context.Background())
		is(t, err, net.ErrClosed)
		must(t, first.Close())
		if len(accepted) > 0 {
			t.Error("it has accepted one after Close")
		}
	})
}

// An Accept that fails gives its slot back.
func TestFailedAcceptTakesNoSlot(t *testing.T) {
	testutil.NoLeaks(t)
	l := listen(t, "127.0.0.1:0", &network.ServerConfig{MaxConnections: 1})
	n := network.NetListener(t.Context(), l)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		must(t, n.(bounded).SetDeadline(longAgo))
		_, err := n.Accept()
		isDeadline(t, "accept", err)
		_, err = l.Accept(cancelled)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Accept: %v", err)
		}
	}
	must(t, n.(bounded).SetDeadline(time.Now().Add(testutil.Patience)))
	testutil.Dial(t, n.Addr().String())
	conn, err := n.Accept()
	must(t, err)
	must(t, conn.Close())
}

// A peer that never begins its handshake keeps nobody waiting for longer than the
// HandshakeTimeout, whatever deadlines are set.
func TestHandshakeTimeoutElsewhere(t *testing.T) {
	var layered []kind
	for _, k := range kinds {
		if k.layered() {
			layered = append(layered, k)
		}
	}
	eachTaker(t, network.ServerConfig{HandshakeTimeout: short}, layered, func(t *testing.T, p *place, l *network.Listener, k taker) {
		p.raw(t, l.LocalAddr().String())
		conn, err := k.accept(t.Context())
		must(t, err)
		defer conn.Close()
		isLimit(t, conn.read(), network.ErrHandshakeTimeout)
		if err := conn.read(); err == nil {
			t.Error("the second read succeeds")
		}
	})
}

// givenUp accepts the connection of client, and reads until that fails. It checks that the
// error is limit, and that the connection can then be closed.
func givenUp(t *testing.T, k taker, client net.Conn, limit error) {
	t.Helper()
	conn, err := k.accept(t.Context())
	must(t, err)
	for err == nil {
		err = conn.read()
	}
	isLimit(t, err, limit)
	err = conn.read()
	if err == nil && limit == network.ErrIdle { // the client was slower than the limit
		err = conn.read()
	}
	if err == nil {
		t.Error("after that there is something to read")
	}
	conn.Close()
	must(t, client.SetReadDeadline(time.Now().Add(testutil.Patience)))
	for err = nil; err == nil; {
		_, err = client.Read(make([]byte, 1<<10))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it is still open after Close")
	}
	client.Close()
}

// isLimit checks that err is limit, and none of the other limits.
func isLimit(t *testing.T, err, limit error) {
	t.Helper()
	for _, l := range []error{network.ErrIdle, network.ErrHandshakeTimeout, network.ErrLifetime} {
		if errors.Is(err, l) != (l == limit) {
			t.Errorf("errors.Is(%v, %q) is %t", err, l, l != limit)
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v is no os.ErrDeadlineExceeded", err)
	}
}

// A connection whose peer becomes idle is given up.
func TestIdleTimeoutElsewhere(t *testing.T) {
	eachTaker(t, network.ServerConfig{IdleTimeout: 2 * short}, kinds, func(t *testing.T, p *place, l *network.Listener, k taker) {
		client := p.dial(t, l.LocalAddr().String())
		said := make(chan struct{})
		go func() { defer close(said); _, _ = client.Write([]byte("x")) }()
		givenUp(t, k, client, network.ErrIdle)
		testutil.Receive(t, "end of the client", said)
	})
}

// A connection whose peer goes on sending is given up, too, when its lifetime is over.
func TestLifetimeElsewhere(t *testing.T) {
	eachTaker(t, network.ServerConfig{Lifetime: 4 * short}, kinds, func(t *testing.T, p *place, l *network.Listener, k taker) {
		client := p.dial(t, l.LocalAddr().String())
		said := make(chan struct{})
		go func() {
			defer close(said)
			for err := error(nil); err == nil; {
				_, err = client.Write([]byte("x"))
				testutil.Rest()
			}
		}()
		givenUp(t, k, client, network.ErrLifetime)
		testutil.Receive(t, "end of the client", said)
	})
}

// Setting a deadline does not bring a connection back whose lifetime is over.
func TestLifetimeIsOver(t *testing.T) {
	testutil.NoLeaks(t)
	l := network.NetListener(t.Context(), listen(t, "127.0.0.1:0", &network.ServerConfig{Lifetime: short}))
	client := testutil.Dial(t, l.Addr().String())
	conn, err := l.Accept()
	must(t, err)
	isDeadline(t, "read", second(conn.Read(make([]byte, 1))))
	is(t, conn.SetDeadline(farAhead), os.ErrDeadlineExceeded)
	isDeadline(t, "read", second(conn.Read(make([]byte, 1))))
	isDeadline(t, "write", second(conn.Write([]byte("x"))))
	must(t, conn.Close())
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client: %v", err)
	}
}

// The limits also hold in the handshake of a foreign TLS connection, if nothing else bounds
// that.
func TestLimitsInAForeignHandshake(t *testing.T) {
	_, server := configs(t)
	for _, limit := range []error{network.ErrIdle, network.ErrLifetime} {
		t.Run(limit.Error(), func(t *testing.T) {
			testutil.NoLeaks(t)
			config := &network.ServerConfig{HandshakeTimeout: -1, IdleTimeout: short}
			if limit == network.ErrLifetime {
				config.IdleTimeout, config.Lifetime = 0, short
			}
			theirs, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			l := network.FromListener(tls.NewListener(theirs, server), config)
			closeAtEnd(t, l)
			testutil.Dial(t, l.LocalAddr().String()) // a client that sends nothing
			conn, err := l.Accept(t.Context())
			must(t, err)
			isLimit(t, conn.(interface {
				Handshake(ctx context.Context) error
			}).Handshake(t.Context()), limit)
			must(t, conn.Close())
		})
	}
}

// A client that hangs occupies the only slot of an HTTP server for no longer than the
// server allows.
func TestHTTPServerIsNotHeldUp(t *testing.T) {
	for _, k := range kinds {
		for _, hangs := range []string{"at once", "in its request"} {
			t.Run(k.name+"/"+hangs, func(t *testing.T) {
				testutil.NoLeaks(t)
				p := k.place(t)
				l, err := p.listen(t.Context(), network.ServerConfig{MaxConnections: 1, HandshakeTimeout: 2 * short})
				must(t, err)
				server := &http.Server{
					Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
					ReadHeaderTimeout: 2 * short,
					ErrorLog:          log.New(io.Discard, "", 0),
				}
				served := make(chan error, 1)
				go func() { served <- server.Serve(network.NetListener(t.Context(), l)) }()
				defer func() {
					must(t, server.Close())
					is(t, testutil.Receive(t, "end of the server", served), http.ErrServerClosed)
				}()
				addr := l.LocalAddr().String()
				if hangs == "at once" {
					p.raw(t, addr)
				} else {
					// On a busy machine the time limit is over before the handshake, at times.
					testutil.Await(t, "one that hangs in its request", func() bool {
						first := p.dial(t, addr)
						t.Cleanup(func() { first.Close() })
						_, err := io.WriteString(first, "GET / HTTP/1.1\r\n")
						return err == nil
					})
				}
				// The limits are for this one, too, and a busy machine may need more time.
				testutil.Await(t, "another that is served", func() bool {
					second := p.dial(t, addr)
					defer second.Close()
					must(t, second.SetDeadline(time.Now().Add(testutil.Patience)))
					_, _ = io.WriteString(second, "GET / HTTP/1.0\r\n\r\n")
					answer, err := io.ReadAll(second)
					return err == nil && strings.HasSuffix(string(answer), "hello")
				})
			})
		}
	}
}

// Grace is about handlers, and only RunServer has any.
func TestGraceElsewhere(t *testing.T) {
	l := listen(t, "127.0.0.1:0", &network.ServerConfig{Grace: time.Second})
	_, err := l.Accept(t.Context())
	isOp(t, "accept", err)
	if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "Grace") {
		t.Errorf("Accept: %v", err)
	}
	mustPanic(t, "Grace", func() { network.NetListener(t.Context(), l) })
}

// Each way to make a listener accepts the settings that have a meaning for it, and refuses
// the others.
func TestListenSettings(t *testing.T) {
	from := &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	unix := &network.ProxyConfig{Unix: true}
	makers := map[string]func(t *testing.T, config *network.ServerConfig) (*network.Listener, error){
		"TCP": func(t *testing.T, config *network.ServerConfig) (*network.Listener, error) {
			return network.ListenTCP(t.Context(), "127.0.0.1:0", config)
		},
		"Unix": func(t *testing.T, config *network.ServerConfig) (*network.Listener, error) {
			return network.ListenUnix(t.Context(), socketPath(t), config)
		},
		"abstract": func(t *testing.T, config *network.ServerConfig) (*network.Listener, error) {
			return network.ListenUnix(t.Context(), "@curio"+filepath.Base(filepath.Dir(socketPath(t))), config)
		},
		"NewListener": func(t *testing.T, config *network.ServerConfig) (l *network.Listener, err error) {
			s, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
			must(t, errors.Join(err, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}), s.Listen(0)))
			closeAtEnd(t, s)
			defer panicAsError(&err)
			return network.NewListener(s, config), nil
		},
		"NewListener on Unix": func(t *testing.T, config *network.ServerConfig) (l *network.Listener, err error) {
			s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
			must(t, errors.Join(err, s.Bind(&net.UnixAddr{Name: socketPath(t), Net: "unix"}), s.Listen(0)))
			closeAtEnd(t, s)
			defer panicAsError(&err)
			return network.NewListener(s, config), nil
		},
		"FromListener": func(t *testing.T, config *network.ServerConfig) (l *network.Listener, err error) {
			theirs, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			t.Cleanup(func() { theirs.Close() })
			defer panicAsError(&err)
			return network.FromListener(theirs, config), nil
		},
		"FromListener on Unix": func(t *testing.T, config *network.ServerConfig) (l *network.Listener, err error) {
			theirs, err := net.Listen("unix", socketPath(t))
			must(t, err)
			t.Cleanup(func() { theirs.Close() })
			defer panicAsError(&err)
			return network.FromListener(theirs, config), nil
		},
	}
	for _, c := range []struct {
		field  string
		config network.ServerConfig
		taken  string // the makers that accept it
	}{
		{"Backlog", network.ServerConfig{Backlog: 3}, "TCP Unix abstract"},
		{"ReusePort", network.ServerConfig{ReusePort: true}, "TCP"},
		{"NoReuseAddr", network.ServerConfig{NoReuseAddr: true}, "TCP Unix abstract"},
		{"Mode", network.ServerConfig{Mode: 0o600}, "Unix"},
		{"Proxy", network.ServerConfig{Proxy: from}, "TCP, NewListener, FromListener"},
		{"Proxy", network.ServerConfig{Proxy: unix}, "Unix, abstract, NewListener on Unix, FromListener on Unix"},
		{"Proxy", network.ServerConfig{Proxy: everyProxy}, "TCP, Unix, abstract, NewListener, NewListener on Unix, FromListener, FromListener on Unix"},
		{"MaxConnections", network.ServerConfig{MaxConnections: 1}, "TCP, Unix, abstract, NewListener, NewListener on Unix, FromListener, FromListener on Unix"},
		{"Backlog", network.ServerConfig{Backlog: -1}, ""},
		{"Mode", network.ServerConfig{Mode: fs.ModeDir | 0o700}, ""},
	} {
		for name, make := range makers {
			t.Run(fmt.Sprintf("%s/%+v", name, c.field), func(t *testing.T) {
				if name == "abstract" && runtime.GOOS != "linux" {
					t.Skip("there are abstract names on Linux only")
				}
				l, err := func() (l *network.Listener, err error) {
					defer panicAsError(&err)
					return make(t, &c.config)
				}()
				if err == nil {
					l.Close()
				}
				sep := " "
				if strings.Contains(c.taken, ",") {
					sep = ", "
				}
				takes := false
				for by := range strings.SplitSeq(c.taken, sep) {
					takes = takes || by == name
				}
				if takes != (err == nil) || err != nil && !strings.Contains(err.Error(), c.field) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// panicAsError turns a panic about a configuration into an error.
func panicAsError(err *error) {
	if v, ok := recover().(string); ok {
		*err = errors.New(v)
	}
}
