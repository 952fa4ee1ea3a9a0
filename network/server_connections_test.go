package network_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A server can be asked for its connections: those in a handshake, those that are served, in the
// order in which they came, and no more once they have ended.
func TestConnections(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := newServer(t)
			l, err := p.listen(t.Context(), network.ServerConfig{HandshakeTimeout: time.Hour})
			must(t, err)
			s.Addr = l.LocalAddr().String()
			handled := make(chan network.Conn, 2)
			s.run(func(ctx context.Context) error {
				return network.RunServer(ctx, l, func(ctx context.Context, conn network.Conn) error {
					handled <- conn
					return echo(ctx, conn)
				})
			})
			if got := l.Connections(); len(got) != 0 {
				t.Errorf("before: %v", got)
			}
			from := time.Now()
			mute := p.raw(t, s.Addr) // says nothing
			testutil.Await(t, "the first", func() bool {
				got := l.Connections()
				return len(got) == 1 && got[0].Task != nil && got[0].Handshake == k.layered()
			})
			if !k.layered() {
				testutil.Receive(t, "handler", handled)
			}
			client := p.dial(t, s.Addr)
			must(t, testutil.Echo(client, []byte("hello\n")))
			conn := testutil.Receive(t, "handler", handled)

			got := l.Connections()
			if len(got) != 2 || got[0].Handshake != k.layered() || got[1].Handshake || got[1].Conn != conn {
				t.Fatalf("%+v", got)
			}
			for i, c := range got {
				if c.Since.Before(from.Add(-time.Second)) || c.Since.After(time.Now().Add(time.Second)) || c.Since.Before(got[0].Since) {
					t.Errorf("%d: since %v", i, c.Since)
				}
				testutil.Await(t, "wait", func() bool { return c.Task.State() == "READ_WAIT" })
			}
			if k.proxy && (got[1].Peer != conn.RemoteAddr().String() || got[0].Peer == got[1].Peer) {
				t.Errorf("peers %q, and the client is %v", []string{got[0].Peer, got[1].Peer}, conn.RemoteAddr())
			}

			got[0].Task.CancelNow() // an operator ends it
			if n, err := mute.Read(make([]byte, 1)); err == nil {
				t.Errorf("read %d", n)
			}
			testutil.Await(t, "the end of the first", func() bool { now := l.Connections(); return len(now) == 1 && now[0].Conn == conn })
			must(t, client.Close())
			testutil.Await(t, "the end of both", func() bool { return len(l.Connections()) == 0 })
			is(t, s.cancel(), taskCancelled...)
			s.Log.Take("connection lost")
		})
	}
}

// With several servers on one listener, each keeps to its own when it stops, and all are told of.
func TestConnectionsOfManyAtOnce(t *testing.T) {
	l := listen(t, "127.0.0.1:0", nil)
	s := newServer(t)
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, l, echo) })
	var clients sync.WaitGroup
	ended := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for range 50 {
				conn := testutil.Dial(t, l.LocalAddr().String())
				if err := testutil.Echo(conn, []byte("x")); err != nil {
					t.Error(err)
				}
				conn.Close()
			}
		})
	}
	go func() { clients.Wait(); close(ended) }()
	looks, most := 0, 0
	for done := false; !done; looks++ {
		select {
		case <-ended:
			done = true
		default:
		}
		got := l.Connections()
		most = max(most, len(got))
		if !slices.IsSortedFunc(got, func(a, b network.ServedConnection) int { return a.Since.Compare(b.Since) }) {
			t.Error("they are in disorder")
		}
		runtime.Gosched()
	}
	testutil.Await(t, "their end", func() bool { return len(l.Connections()) == 0 })
	if most == 0 {
		t.Errorf("none was seen in %d looks", looks)
	}
	is(t, s.cancel(), taskCancelled...)
}

// Nothing of a connection is kept after its end.
func TestConnectionsKeepNothing(t *testing.T) {
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	conns := make(chan weak.Pointer[markedConn], 3)
	l := network.FromListener(&markingListener{theirs, conns}, nil)
	s := newServer(t)
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, l, echo) })
	for range 3 {
		conn := testutil.Dial(t, l.LocalAddr().String())
		must(t, testutil.Echo(conn, []byte("x")))
		conn.Close()
	}
	testutil.Await(t, "their end", func() bool { return len(l.Connections()) == 0 && s.handlers() == 0 })
	for range 3 {
		conn := testutil.Receive(t, "connection", conns)
		testutil.Await(t, "its collection", func() bool { runtime.GC(); return conn.Value() == nil })
	}
	is(t, s.cancel(), taskCancelled...)
}

// A markingListener tells of the connections that it accepts.
type markingListener struct {
	net.Listener
	conns chan<- weak.Pointer[markedConn]
}

type markedConn struct{ net.Conn }

func (l *markingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	marked := &markedConn{conn}
	l.conns <- weak.Make(marked)
	return marked, nil
}

// Connections lists what a server is serving.
func ExampleListener_Connections() {
	greet := func(ctx context.Context, conn network.Conn) error {
		if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
			return err
		}
		_, err := conn.Recv(ctx, make([]byte, 1)) // until the client has gone
		if err == io.EOF {
			return nil
		}
		return err
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{
			MaxConnections: 1000, IdleTimeout: time.Minute,
		})
		if err != nil {
			return err
		}
		server := curio.Go(ctx, func(ctx context.Context) error {
			return network.RunServer(ctx, listener, greet)
		})
		conn, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.WaitRead(ctx); err != nil { // the handler has begun
			return err
		}
		for _, c := range listener.Connections() {
			fmt.Println(c.Peer == conn.LocalAddr().String(), c.Handshake, time.Since(c.Since) < time.Minute)
		}
		_, err = server.Cancel(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: true false true
}
