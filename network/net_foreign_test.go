package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// Ours there and back again is the same, and no adapter is left that could be used.
func TestFromConnUnwraps(t *testing.T) {
	testutil.NoLeaks(t)
	x, y := twoSockets(t)
	ctx, cancel := context.WithCancel(t.Context())
	adapter := network.NetConn(ctx, x)
	must(t, adapter.SetDeadline(longAgo))
	conn := network.FromConn(adapter)
	if conn != network.Conn(x) {
		t.Errorf("%v, not the socket", conn)
	}
	cancel() // bounds the adapter alone
	if _, err := conn.SendAll(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := y.Recv(t.Context(), make([]byte, 1)); err != nil {
		t.Error(err)
	}
	_, err := adapter.Write([]byte("x"))
	is(t, err, net.ErrClosed)
}

// Somebody else's connection as a handler's: net.Pipe, which is no socket.
func TestFromConn(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := net.Pipe()
	conn, peer := network.FromConn(a), network.FromConn(b)
	closeAtEnd(t, conn)
	closeAtEnd(t, peer)
	task := curio.Go(t.Context(), func(ctx context.Context) error { return echo(ctx, peer) }, curio.ReportCrash(false))
	back := make([]byte, 5)
	if n, err := conn.SendAll(t.Context(), []byte("hello")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := conn.Recv(t.Context(), back); n != 5 || err != nil || string(back) != "hello" {
		t.Fatal(n, err)
	}
	_, err := task.Cancel(t.Context())
	must(t, err)
	is(t, task.Err(), taskCancelled...)
}

// A foreign listener serves as ours do, and stops as they do.
func TestFromListener(t *testing.T) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"with deadlines":    func(l net.Listener) net.Listener { return l },
		"without deadlines": func(l net.Listener) net.Listener { return struct{ net.Listener }{l} },
		"ours":              func(l net.Listener) net.Listener { return l }, // replaced below
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			theirs, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			if name == "ours" {
				theirs.Close()
				theirs = network.NetListener(t.Context(), listen(t, "127.0.0.1:0", nil))
			}
			addr := theirs.Addr().String()
			listener := network.FromListener(wrap(theirs), nil)
			if listener.Socket() != nil || listener.LocalAddr().String() != addr {
				t.Errorf("%v, %v", listener.Socket(), listener.LocalAddr())
			}
			s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
			for range 3 {
				testutil.EchoTwice(t, testutil.Dial(t, addr))
			}
			is(t, s.cancel(), taskCancelled...)
			refused(t, addr)
			is(t, listener.Close(), net.ErrClosed)
			_, err = listener.Accept(t.Context())
			is(t, err, net.ErrClosed)
		})
	}
}

func TestFromListenerRefusesWhatComesTooLate(t *testing.T) {
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer theirs.Close()
	defer func() {
		if v, _ := recover().(string); !strings.Contains(v, "FromListener with a ServerConfig") {
			t.Errorf("it panics with %q", v)
		}
	}()
	network.FromListener(theirs, &network.ServerConfig{Backlog: 1})
}

// What makes no sense is refused here too: a ProxyConfig that trusts nobody, above all.
func TestFromListenerRefusesNonsense(t *testing.T) {
	testutil.NoLeaks(t)
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer theirs.Close()
	mustPanic(t, "names no proxies", func() {
		network.FromListener(theirs, &network.ServerConfig{Proxy: new(network.ProxyConfig)})
	})
	mustPanic(t, "MaxConnections is negative", func() {
		network.FromListener(theirs, &network.ServerConfig{MaxConnections: -1})
	})
}

// However often Accept is cancelled, each connection is accepted once.
func TestRaceForeignAccept(t *testing.T) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"with deadlines":    func(l net.Listener) net.Listener { return l },
		"without deadlines": func(l net.Listener) net.Listener { return struct{ net.Listener }{l} },
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			theirs, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			listener := network.FromListener(wrap(theirs), nil)
			defer listener.Close()
			n := rounds(500)
			var clients sync.WaitGroup
			clients.Go(func() {
				for i := range n {
					conn, err := net.Dial("tcp", theirs.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					fmt.Fprintf(conn, "%d", i)
					conn.Close()
				}
			})
			for accepted, tries := 0, 0; accepted < n; tries++ {
				ctx, cancel := curio.WithTimeout(t.Context(), time.Duration(tries%30)*time.Microsecond)
				conn, err := listener.Accept(ctx)
				cancel()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					continue
				}
				must(t, err)
				var who [8]byte
				k, err := conn.Recv(t.Context(), who[:])
				if err != nil || string(who[:k]) != fmt.Sprint(accepted) {
					t.Errorf("%q, %v, want %d", who[:k], err, accepted)
				}
				conn.Close()
				accepted++
			}
			clients.Wait()
		})
	}
}

// A connection that came for a cancelled Accept is closed with the listener.
func TestForeignAcceptKeptAndClosed(t *testing.T) {
	testutil.NoLeaks(t)
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	gate := &gate{Listener: theirs, returned: make(chan struct{}, 1)}
	listener := network.FromListener(gate, nil)
	err = curio.TimeoutAfter(t.Context(), short, func(ctx context.Context) error {
		_, err := listener.Accept(ctx)
		return err
	})
	is(t, err, taskTimeout...)
	conn := testutil.Dial(t, theirs.Addr().String())
	testutil.Receive(t, "accepted connection", gate.returned)
	must(t, listener.Close())
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

// A gate is a listener without deadlines that tells when it has accepted.
type gate struct {
	net.Listener
	returned chan struct{}
}

func (g *gate) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err == nil {
		g.returned <- struct{}{}
	}
	return conn, err
}

// A strangeAddr has no ==.
type strangeAddr struct{ text []byte }

func (strangeAddr) Network() string  { return "strange" }
func (a strangeAddr) String() string { return string(a.text) }

// A strange listener's connections make their addresses anew each time.
type strange struct{ net.Listener }

func (l strange) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return strangeConn{conn}, err
}

type strangeConn struct{ net.Conn }

func (c strangeConn) LocalAddr() net.Addr  { return strangeAddr{[]byte("here")} }
func (c strangeConn) RemoteAddr() net.Addr { return strangeAddr{[]byte("there")} }

// That a peer has gone is seen by what addresses say.
func TestForeignPeerResets(t *testing.T) {
	s := newServer(t)
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := network.FromListener(strange{theirs}, &network.ServerConfig{Grace: time.Hour})
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, l, echo) })
	conn := testutil.Dial(t, theirs.Addr().String())
	testutil.EchoTwice(t, conn)
	reset(t, conn)
	if r := s.Log.TakeOne(t, msgLost); r.Level != slog.LevelDebug || r.Attrs["peer"] != "there" {
		t.Errorf("logged: %v", r)
	}
	is(t, s.cancel(), taskCancelled...)
}
