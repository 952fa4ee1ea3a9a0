package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// What is logged.
const (
	msgFailed = "handler failed"
	msgPanic  = "panicked"
	msgShake  = "handshake failed"
	msgLost   = "connection lost"
	msgPause  = "cannot accept connections for the moment"
	msgResume = "connections are accepted again"
	msgFull   = "all connections are in use"
	msgRoom   = "there is room for connections again"
)

// W1 of the original: echo twice, then the server is cancelled, in this order.
func TestEcho(t *testing.T) {
	s := newServer(t)
	var events []string
	var mu sync.Mutex
	happens := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, fmt.Sprintf(format, args...))
	}
	listener := listen(t, "127.0.0.1:0", nil) // only to learn of a port that is free
	s.Addr = listener.LocalAddr().String()
	listener.Close()
	s.run(func(ctx context.Context) error {
		return network.TCPServer(ctx, s.Addr, func(ctx context.Context, conn network.Conn) error {
			happens("connected")
			buf := make([]byte, 100)
			for {
				n, err := conn.Recv(ctx, buf)
				if err != nil {
					happens("received %v", err)
					return nil
				}
				happens("received %s", buf[:n])
				if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
					return err
				}
			}
		}, nil)
	})
	client := s.spawn(func(ctx context.Context) error {
		testutil.Await(t, "server", func() bool { return s.Task.State() == "ACCEPT_WAIT" })
		conn, err := network.OpenConnection(ctx, s.Addr, nil)
		if err != nil {
			return err
		}
		defer conn.Close()
		buf := make([]byte, 100)
		for _, text := range []string{"one", "two"} {
			if _, err := conn.SendAll(ctx, []byte(text)); err != nil {
				return err
			}
			n, err := conn.Recv(ctx, buf)
			if err != nil {
				return err
			}
			happens("back %s", buf[:n])
		}
		return nil
	})
	if err := end(t, client); err != nil {
		t.Fatal(err)
	}
	testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
	is(t, s.cancel(), taskCancelled...)
	want := []string{"connected", "received one", "back one", "received two", "back two", "received EOF"}
	if !slices.Equal(events, want) {
		t.Errorf("%q, want %q", events, want)
	}
	refused(t, s.Addr)
}

func TestServesNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	s := serve(t, echo)
	host, port, _ := strings.Cut(s.Addr, ":")
	nc := testutil.Program(t, "nc", "-N", host, port)
	fmt.Fprint(nc.Stdin, "a line\nand no more")
	nc.Stdin.Close()
	if printed, status := nc.Rest(); printed != "a line\nand no more" || status != 0 {
		t.Errorf("nc printed %q and ended with status %d", printed, status)
	}
}

func TestServesPython(t *testing.T) {
	testutil.Need(t, "python3")
	s := serve(t, echo)
	host, port, _ := strings.Cut(s.Addr, ":")
	python := testutil.Program(t, "python3", "-c", `
import socket, sys
conn = socket.create_connection((sys.argv[1], int(sys.argv[2])))
data = bytes(range(256)) * 400
conn.settimeout(20)
for i in range(3):
    conn.sendall(data)
    back = b""
    while len(back) < len(data):
        back += conn.recv(1 << 16)
    assert back == data
conn.shutdown(socket.SHUT_WR)
assert conn.recv(1) == b""
print("all there")
`, host, port)
	if printed, status := python.Rest(); printed != "all there\n" || status != 0 {
		t.Errorf("python printed %q and ended with status %d", printed, status)
	}
}

// curl sends a request and reads what comes to the end of the stream.
func TestServesCurl(t *testing.T) {
	testutil.Need(t, "curl")
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		if _, err := conn.Recv(ctx, make([]byte, 4096)); err != nil {
			return err
		}
		_, err := conn.SendAll(ctx, []byte("HTTP/1.0 200 OK\r\n\r\nhello curl"))
		return err
	})
	curl := testutil.Program(t, "curl", "--silent", "--show-error", "--noproxy", "*", "http://"+s.Addr)
	if printed, status := curl.Rest(); printed != "hello curl" || status != 0 {
		t.Errorf("curl printed %q and ended with status %d", printed, status)
	}
}

// A handler knows its peer, and its task is named after it.
func TestHandlersTask(t *testing.T) {
	type seen struct{ remote, local, task, parent string }
	got := make(chan seen, 1)
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		task := curio.CurrentTask(ctx)
		got <- seen{conn.RemoteAddr().String(), conn.LocalAddr().String(), task.Name(), task.Parent().Name()}
		return nil
	})
	conn := testutil.Dial(t, s.Addr)
	atEnd(t, conn)
	want := seen{conn.LocalAddr().String(), s.Addr, conn.LocalAddr().String(), s.Task.Name()}
	if got := testutil.Receive(t, "connection", got); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// W9: a handler that fails ends its own connection. The error is logged, with who
// the peer was, and the next client is served.
func TestHandlerFails(t *testing.T) {
	boom := errors.New("boom")
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		if _, err := conn.Recv(ctx, make([]byte, 1)); err != nil {
			return err
		}
		return boom
	})
	for range 2 {
		conn := testutil.Dial(t, s.Addr)
		fmt.Fprint(conn, "x")
		atEnd(t, conn)
		record := s.Log.TakeOne(t, msgFailed)
		if record.Level != slog.LevelError || record.Attrs["err"] != boom {
			t.Errorf("logged: %v", record)
		}
		if peer := conn.LocalAddr().String(); record.Attrs["peer"] != peer || record.Attrs["server"] != s.Addr {
			t.Errorf("%v does not name the peer, %s, and the server", record, peer)
		}
	}
	is(t, s.cancel(), taskCancelled...)
}

// A panic is logged while the server lives on, with the stack of where it happened.
func TestHandlerPanics(t *testing.T) {
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		buf := make([]byte, 1)
		for {
			if _, err := conn.Recv(ctx, buf); err != nil {
				return nil
			}
			if buf[0] == '!' {
				explode()
			}
			if _, err := conn.SendAll(ctx, buf); err != nil {
				return err
			}
		}
	})
	other := testutil.Dial(t, s.Addr)
	sendByte(t, other, 'a')
	conn := testutil.Dial(t, s.Addr)
	fmt.Fprint(conn, "!")
	atEnd(t, conn)
	record := s.Log.TakeOne(t, msgPanic)
	p, ok := record.Attrs["err"].(*curio.PanicError)
	if record.Level != slog.LevelError || !ok || p.Value != "kaboom" {
		t.Errorf("logged: %v", record)
	}
	if peer := conn.LocalAddr().String(); record.Attrs["peer"] != peer || record.Attrs["server"] != s.Addr {
		t.Errorf("%v does not name the peer, %s, and the server", record, peer)
	}
	if stack := fmt.Sprint(record.Attrs["stack"]); !strings.Contains(stack, "network_test.explode") {
		t.Errorf("the stack does not show where it was:\n%s", stack)
	}
	sendByte(t, other, 'b')
	sendByte(t, testutil.Dial(t, s.Addr), 'c')
	if s.Task.Terminated() {
		t.Errorf("the server has ended: %v", s.Task.Err())
	}
}

//go:noinline
func explode() { panic("kaboom") }

func sendByte(t testing.TB, conn net.Conn, b byte) {
	t.Helper()
	if err := testutil.Echo(conn, []byte{b}); err != nil {
		t.Fatal(err)
	}
}

func TestHandlerCallsGoexit(t *testing.T) {
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		runtime.Goexit()
		return nil
	})
	atEnd(t, testutil.Dial(t, s.Addr))
	if record := s.Log.TakeOne(t, msgFailed); record.Attrs["err"] != curio.ErrGoexit {
		t.Errorf("logged: %v", record)
	}
	atEnd(t, testutil.Dial(t, s.Addr))
	s.Log.TakeOne(t, msgFailed)
}

// A handler may close the connection itself.
func TestHandlerCloses(t *testing.T) {
	s := serve(t, func(ctx context.Context, conn network.Conn) error { return conn.Close() })
	for range 3 {
		atEnd(t, testutil.Dial(t, s.Addr))
	}
}

// A peer that goes away in the middle is nothing to be alarmed about.
func TestPeerResets(t *testing.T) {
	var received atomic.Int32
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		buf := make([]byte, 1)
		for {
			if _, err := conn.Recv(ctx, buf); err != nil {
				return fmt.Errorf("receiving: %w", err)
			}
			received.Add(1)
		}
	})
	conn := testutil.Dial(t, s.Addr)
	fmt.Fprint(conn, "x")
	testutil.Await(t, "byte", func() bool { return received.Load() == 1 })
	reset(t, conn)
	record := s.Log.TakeOne(t, msgLost)
	err, _ := record.Attrs["err"].(error)
	if record.Level != slog.LevelDebug || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("logged: %v", record)
	}
	if peer := conn.LocalAddr().String(); record.Attrs["peer"] != peer {
		t.Errorf("%v does not name the peer, %s", record, peer)
	}
}

// Sending to one that has gone away is the same.
func TestPeerResetsWhileReceiving(t *testing.T) {
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		block := make([]byte, 1<<20)
		for {
			if _, err := conn.SendAll(ctx, block); err != nil {
				return err
			}
		}
	})
	conn := testutil.Dial(t, s.Addr)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	reset(t, conn)
	if record := s.Log.TakeOne(t, msgLost); record.Level != slog.LevelDebug {
		t.Errorf("logged: %v", record)
	}
}

func reset(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// Another connection of the handler's that was lost is the handler's own trouble.
func TestLossOfAnotherConnectionIsLogged(t *testing.T) {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		back, err := network.OpenConnection(ctx, backend.Addr().String(), nil)
		if err != nil {
			return err
		}
		defer back.Close()
		if _, err := back.SendAll(ctx, []byte("x")); err != nil {
			return err
		}
		_, err = back.Recv(ctx, make([]byte, 1))
		return err
	})
	conn := testutil.Dial(t, s.Addr)
	back, err := backend.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := back.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	reset(t, back)
	atEnd(t, conn)
	record := s.Log.TakeOne(t, msgFailed)
	if err, _ := record.Attrs["err"].(error); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("logged: %v", record)
	}
}

// W10: cancelling the server cancels the handlers and waits for them, and nobody
// can connect any more.
func TestCancelEndsHandlers(t *testing.T) {
	ends := make(chan error, 3)
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		_, err := conn.Recv(ctx, make([]byte, 1))
		ends <- err
		return err
	})
	var conns []net.Conn
	for range cap(ends) {
		conns = append(conns, testutil.Dial(t, s.Addr))
	}
	testutil.Await(t, "handlers", func() bool { return s.handlers() == len(conns) })
	is(t, s.cancel(), taskCancelled...)
	if len(ends) != len(conns) { // there already: the server has waited for them
		t.Errorf("%d of %d handlers had ended", len(ends), len(conns))
	}
	for range conns {
		is(t, testutil.Receive(t, "handler's error", ends), taskCancelled...)
	}
	refused(t, s.Addr)
	for _, conn := range conns {
		atEnd(t, conn)
	}
}

// Clean-up of a handler may take its time, and say good-bye. The listener is closed
// at once all the same.
func TestCancelWithCleanUp(t *testing.T) {
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		_, err := conn.Recv(ctx, make([]byte, 1))
		_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
			if _, err := conn.SendAll(ctx, []byte("Bye")); err != nil {
				return err
			}
			_, err := conn.Recv(ctx, make([]byte, 1)) // until the client agrees
			return err
		})
		return err
	})
	conn := testutil.Dial(t, s.Addr)
	testutil.Await(t, "handler", func() bool { return s.handlers() == 1 })
	s.Task.CancelNow()
	bye := make([]byte, 3)
	if _, err := io.ReadFull(conn, bye); err != nil || string(bye) != "Bye" {
		t.Fatalf("%q, %v", bye, err)
	}
	// The listener closes while the handler stays; which of them comes first is open.
	testutil.Await(t, "end of listening", func() bool {
		probe, err := net.Dial("tcp", s.Addr)
		if err == nil {
			probe.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	if s.Task.Terminated() {
		t.Error("the server has ended, though a handler has not")
	}
	fmt.Fprint(conn, "x")
	is(t, s.end(), taskCancelled...)
	atEnd(t, conn)
}

// A connection that is accepted while the server is being cancelled is closed, and
// its handler waited for.
func TestCancelDuringAccept(t *testing.T) {
	s := newServer(t)
	for range 50 {
		listener := listen(t, "127.0.0.1:0", nil)
		addr := listener.LocalAddr().String()
		s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
		testutil.Await(t, "connections", func() bool { return s.Task.Cycles() > 2 })
		is(t, s.cancel(), taskCancelled...)
		testutil.Receive(t, "end of the client", done)
		if n := s.handlers(); n != 0 {
			t.Fatalf("%d handlers have outlived the server", n)
		}
	}
	s.Log.Take(msgLost)
}

func TestHandlersSeeTheTimeoutAsCancellation(t *testing.T) {
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", nil)
	seen := make(chan error, 1)
	expired := make(chan bool, 1)
	conn := testutil.Dial(t, listener.LocalAddr().String()) // waits to be accepted
	s.run(func(ctx context.Context) error {
		late, err := curio.IgnoreAfter(ctx, 200*time.Millisecond, func(ctx context.Context) error {
			return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
				_, err := conn.Recv(ctx, make([]byte, 1))
				seen <- err
				return err
			})
		})
		expired <- late
		return err
	})
	if err := s.end(); err != nil || !testutil.Receive(t, "expiry", expired) {
		t.Errorf("the server ended with %v", err)
	}
	is(t, testutil.Receive(t, "handler's error", seen), taskCancelled...)
	atEnd(t, conn)
}

// Somebody else may close the listener: that ends the server, and its handlers.
func TestListenerClosed(t *testing.T) {
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", nil)
	seen := make(chan error, 1)
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
			_, err := conn.Recv(ctx, make([]byte, 1))
			seen <- err
			return err
		})
	})
	conn := testutil.Dial(t, listener.LocalAddr().String())
	testutil.Await(t, "handler", func() bool { return s.handlers() == 1 })
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	is(t, s.end(), net.ErrClosed)
	is(t, testutil.Receive(t, "handler's error", seen), taskCancelled...)
	atEnd(t, conn)
}

func TestServerInNoTask(t *testing.T) {
	testutil.NoLeaks(t)
	log := testutil.CaptureLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listener := listen(t, "127.0.0.1:0", nil)
	ended := make(chan error, 1)
	go func() { ended <- network.RunServer(ctx, listener, echo) }()
	conn := testutil.Dial(t, listener.LocalAddr().String())
	testutil.EchoTwice(t, conn)
	cancel()
	is(t, testutil.Receive(t, "end of the server", ended), foreignCancel...)
	atEnd(t, conn)
	log.Empty(t, slog.LevelDebug)
}

// A server in the style of net/http: the context of the handlers belongs to others,
// with values, and they see them.
func TestContextsValues(t *testing.T) {
	type key struct{}
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", nil)
	got := make(chan any, 1)
	s.run(func(ctx context.Context) error {
		ctx = context.WithValue(ctx, key{}, "value")
		return network.RunServer(ctx, listener, func(ctx context.Context, _ network.Conn) error {
			got <- ctx.Value(key{})
			return nil
		})
	})
	atEnd(t, testutil.Dial(t, listener.LocalAddr().String()))
	if v := testutil.Receive(t, "value", got); v != "value" {
		t.Errorf("the handler sees %v", v)
	}
}

// RunServer serves any kind of connection.
func TestUnixListener(t *testing.T) {
	s := newServer(t)
	listener, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/socket"
	if err := errors.Join(listener.Bind(&net.UnixAddr{Name: path}), listener.Listen(0)); err != nil {
		t.Fatal(err)
	}
	name := make(chan string, 1)
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, network.NewListener(listener, nil), func(ctx context.Context, conn network.Conn) error {
			name <- curio.CurrentTask(ctx).Name()
			return echo(ctx, conn)
		})
	})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	testutil.EchoTwice(t, conn)
	if got := testutil.Receive(t, "name", name); !strings.HasPrefix(got, "fd ") {
		t.Errorf("the handler's task is called %q", got)
	}
}

func TestNilHandler(t *testing.T) {
	testutil.NoLeaks(t)
	listener := listen(t, "127.0.0.1:0", nil)
	for name, call := range map[string]func(){
		"TCPServer": func() { _ = network.TCPServer(t.Context(), "127.0.0.1:0", nil, nil) },
		"RunServer": func() { _ = network.RunServer(t.Context(), listener, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v != "curio/network: nil handler" {
					t.Errorf("panics with %v", v)
				}
			}()
			call()
		})
	}
}
