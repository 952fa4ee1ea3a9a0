package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// A target is where the proxy forwards to.
type target struct {
	addr  string
	conns chan *net.TCPConn
}

func newTarget(t *testing.T) *target {
	t.Helper()
	testutil.NoLeaks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := &target{listener.Addr().String(), make(chan *net.TCPConn, 100)}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			to.conns <- conn.(*net.TCPConn)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		accepting.Wait()
	})
	return to
}

// accept returns the next connection, which lasts until the test ends.
func (to *target) accept(t *testing.T) *net.TCPConn {
	t.Helper()
	conn := testutil.Receive(t, "connection", to.conns)
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// start starts the program.
func start(t *testing.T, to string, args ...string) (proxy *testutil.Child, addr string) {
	t.Helper()
	proxy = testutil.Self(t, append([]string{"-addr", "127.0.0.1:0", "-to", to}, args...)...)
	return proxy, proxy.After("listening on ")
}

// ends interrupts the program.
func ends(t *testing.T, proxy *testutil.Child) {
	t.Helper()
	proxy.Interrupt()
	if said := proxy.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// through returns both ends of a connection through the proxy.
func through(t *testing.T, args ...string) (proxy *testutil.Child, client, server *net.TCPConn) {
	t.Helper()
	to := newTarget(t)
	proxy, addr := start(t, to.addr, args...)
	client = testutil.Dial(t, addr).(*net.TCPConn)
	return proxy, client, to.accept(t)
}

func send(t *testing.T, conn *net.TCPConn, data string) {
	t.Helper()
	if _, err := io.WriteString(conn, data); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn *net.TCPConn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("received %q, %v, want %q", got[:n], err, want)
	}
}

func receiveAll(t *testing.T, conn *net.TCPConn, want string) {
	t.Helper()
	if got, err := io.ReadAll(conn); err != nil || string(got) != want {
		t.Fatalf("received %q, %v, want %q", got, err, want)
	}
}

func wasReset(t *testing.T, conn *net.TCPConn) {
	t.Helper()
	if rest, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("received %q, %v, and no reset", rest, err)
	}
}

func TestNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	to := newTarget(t)
	proxy, addr := start(t, to.addr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc := testutil.Program(t, "nc", "-N", host, port)
	fmt.Fprint(nc.Stdin, "question")
	nc.Stdin.Close()
	server := to.accept(t)
	receiveAll(t, server, "question") // up to its end, and the other direction is still open
	send(t, server, "answer")
	server.Close()
	if printed, status := nc.Rest(); printed != "answer" || status != 0 {
		t.Errorf("nc received %q and ended with status %d", printed, status)
	}
	ends(t, proxy)
}

// Either side may be the first to have sent all.
func TestHalfClose(t *testing.T) {
	for _, first := range []string{"client", "server"} {
		t.Run(first, func(t *testing.T) {
			proxy, a, b := through(t)
			if first == "server" {
				a, b = b, a
			}
			send(t, a, "all that I have")
			if err := a.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			receiveAll(t, b, "all that I have")
			send(t, b, "go on")
			receive(t, a, "go on")
			send(t, b, "and on")
			b.Close()
			receiveAll(t, a, "and on")
			ends(t, proxy)
		})
	}
}

func TestLargeBothWays(t *testing.T) {
	proxy, a, b := through(t)
	var ways sync.WaitGroup
	for i, conn := range []*net.TCPConn{a, b} {
		ways.Go(func() {
			if _, err := conn.Write(testutil.Pattern(i, 8<<20)); err != nil {
				t.Error(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		ways.Go(func() {
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, testutil.Pattern(1-i, 8<<20)) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	ways.Wait()
	ends(t, proxy)
}

// What is cut off on one side is cut off on the other. That a client has gone is nothing
// to complain about; that the server has is.
func TestReset(t *testing.T) {
	for _, who := range []string{"client", "server"} {
		t.Run(who, func(t *testing.T) {
			proxy, a, b := through(t)
			if who == "server" {
				a, b = b, a
			}
			send(t, a, "I have begun")
			receive(t, b, "I have begun")
			if err := a.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			a.Close()
			wasReset(t, b)
			if who == "client" {
				ends(t, proxy)
				return
			}
			testutil.Await(t, "complaint", func() bool { return strings.Contains(proxy.Stderr(), "connection reset by peer") })
		})
	}
}

// Nothing is left of connections that have ended, however they have.
func TestManyConnections(t *testing.T) {
	to := newTarget(t)
	proxy, addr := start(t, to.addr)
	idle := testutil.Descriptors(proxy.PID())
	for i := range 30 {
		client := testutil.Dial(t, addr).(*net.TCPConn)
		server := to.accept(t)
		send(t, client, "hello")
		receive(t, server, "hello")
		if i%3 == 0 {
			if err := client.SetLinger(0); err != nil {
				t.Fatal(err)
			}
		}
		client.Close()
		if i%3 == 1 {
			receiveAll(t, server, "")
		}
		server.Close()
	}
	testutil.Await(t, "end of all connections", func() bool { return len(testutil.Descriptors(proxy.PID())) <= len(idle) })
	client := testutil.Dial(t, addr).(*net.TCPConn) // it still works
	send(t, client, "hello")
	receive(t, to.accept(t), "hello")
}

func TestTargetRefuses(t *testing.T) {
	testutil.NoLeaks(t)
	to := testutil.Refusing(t)
	proxy, addr := start(t, to)
	for range 2 {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			wasReset(t, conn.(*net.TCPConn))
		} else if !errors.Is(err, syscall.ECONNRESET) { // so soon
			t.Error(err)
		}
	}
	testutil.Await(t, "complaint", func() bool { return strings.Count(proxy.Stderr(), to+": connect: connection refused") == 2 })
}

func TestIdle(t *testing.T) {
	proxy, a, b := through(t, "-idle", "50ms")
	wasReset(t, a)
	wasReset(t, b)
	ends(t, proxy)
}

func TestInterrupted(t *testing.T) {
	proxy, a, b := through(t)
	send(t, a, "hello")
	receive(t, b, "hello")
	ends(t, proxy)
	wasReset(t, a)
	wasReset(t, b)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-to", "127.0.0.1:1", "-idle", "0s"}, {"-to", "127.0.0.1:1", "more"}} {
		child := testutil.Self(t, args...)
		if printed, status := child.Rest(); printed != "" || status != 2 || !strings.Contains(child.Stderr(), "-to HOST:PORT") {
			t.Errorf("%q: it printed %q, complained %q and ended with status %d", args, printed, child.Stderr(), status)
		}
	}
}
