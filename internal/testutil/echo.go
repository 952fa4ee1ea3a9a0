package testutil

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// CheckEchoServer tests a program that is an echo server. It listens on the address in
// -addr, prints the actual address, ends with Ctrl-C, and lets clients be idle for as long
// as -idle says. It runs as a child of the test binary: see Main.
func CheckEchoServer(t *testing.T) {
	t.Run("nc", func(t *testing.T) { echoesForNetcat(t) })
	t.Run("clients=50", func(t *testing.T) { echoesForMany(t, 50) })
	t.Run("interrupt", func(t *testing.T) { endsWhenInterrupted(t) })
	t.Run("interrupt when alone", func(t *testing.T) {
		server, addr := startEcho(t, "127.0.0.1:0")
		endsSoftly(t, server, addr)
	})
	t.Run("idle", func(t *testing.T) { letsGoOfTheIdle(t) })
	t.Run("reset", func(t *testing.T) { survivesResets(t) })
	t.Run("address in use", func(t *testing.T) {
		_, addr := startEcho(t, "127.0.0.1:0")
		refusesToStart(t, addr, addr, "address already in use")
	})
	t.Run("bad address", func(t *testing.T) {
		refusesToStart(t, "127.0.0.1", "127.0.0.1", "missing port")
	})
	t.Run("IPv6", func(t *testing.T) {
		NeedIPv6(t)
		_, addr := startEcho(t, "[::1]:0")
		EchoTwice(t, Dial(t, addr))
	})
}

func startEcho(t *testing.T, on string, args ...string) (server *Child, addr string) {
	t.Helper()
	NoLeaks(t)
	server = Self(t, append([]string{"-addr", on}, args...)...)
	return server, server.After("listening on ")
}

// endsSoftly interrupts the server and checks how it ends: at once, and not when its clients have been
// idle for minutes, or EndedBy finds that it hangs; and by the signal, as a shell wants to see it.
func endsSoftly(t *testing.T, server *Child, addr string) {
	t.Helper()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	listener.Close()
}

func echoesForNetcat(t *testing.T) {
	Need(t, "nc")
	server, addr := startEcho(t, "127.0.0.1:0")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc := Program(t, "nc", "-N", host, port) // -N: ends its side at the end of its input
	fmt.Fprintln(nc.Stdin, "hello")
	if line := nc.Line(); line != "hello" {
		t.Errorf("nc received %q", line)
	}
	fmt.Fprint(nc.Stdin, "and good-bye")
	nc.Stdin.Close()
	if rest, status := nc.Rest(); rest != "and good-bye" || status != 0 {
		t.Errorf("nc received %q and ended with status %d", rest, status)
	}
	endsSoftly(t, server, addr)
}

func echoesForMany(t *testing.T, n int) {
	server, addr := startEcho(t, "127.0.0.1:0")
	idle := Descriptors(server.PID())
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = Dial(t, addr)
	}
	var clients sync.WaitGroup
	for i, conn := range conns {
		clients.Go(func() {
			if err := EchoAll(conn, Pattern(i, 1<<18)); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	clients.Wait()
	// All clients have ended; so has the server's part of it.
	var open []string
	if !Eventually(func() bool { open = Descriptors(server.PID()); return len(open) <= len(idle) }) {
		t.Errorf("the server has kept descriptors: %q", open)
	}
	endsSoftly(t, server, addr)
}

func endsWhenInterrupted(t *testing.T) {
	server, addr := startEcho(t, "127.0.0.1:0")
	conns := make([]net.Conn, 20)
	for i := range conns {
		conns[i] = Dial(t, addr)
		EchoTwice(t, conns[i])
	}
	endsSoftly(t, server, addr)
	for _, conn := range conns {
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a client received %d, %v, and not the end", n, err)
		}
		conn.Close()
	}
	again := Self(t, "-addr", addr)
	again.After("listening on " + addr)
	EchoTwice(t, Dial(t, addr))
}

// letsGoOfTheIdle checks that the server disconnects clients that send nothing, that have
// sent something, and that do not read. Other clients are still served, and the server ends
// without an error.
func letsGoOfTheIdle(t *testing.T) {
	server, addr := startEcho(t, "127.0.0.1:0", "-idle", "300ms")
	silent, once, deaf := Dial(t, addr), Dial(t, addr), Dial(t, addr)
	EchoTwice(t, once)
	for block := make([]byte, 1<<20); ; {
		if _, err := deaf.Write(block); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a client that does not read is served all the time")
		} else if err != nil {
			break
		}
	}
	for _, conn := range []net.Conn{silent, once} {
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("an idle client received %d, %v, and not the end", n, err)
		}
	}
	EchoTwice(t, Dial(t, addr))
	endsSoftly(t, server, addr)
}

// survivesResets checks that clients may reset their connections.
func survivesResets(t *testing.T) {
	server, addr := startEcho(t, "127.0.0.1:0")
	for range 10 {
		conn := Dial(t, addr)
		EchoTwice(t, conn)
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	EchoTwice(t, Dial(t, addr))
	endsSoftly(t, server, addr)
}

func refusesToStart(t *testing.T, on string, says ...string) {
	t.Helper()
	server := Self(t, "-addr", on)
	printed, status := server.Rest()
	if status != 1 || printed != "" {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
	for _, want := range says {
		if !strings.Contains(server.Stderr(), want) {
			t.Errorf("its complaint is %q, without %q", server.Stderr(), want)
		}
	}
}

// Dial connects with addr until the test ends. No operation on the connection
// takes longer than Patience.
func Dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// EchoTwice checks that what is sent comes back.
func EchoTwice(t testing.TB, conn net.Conn) {
	t.Helper()
	for i := range 2 {
		if err := Echo(conn, Pattern(i, 1000)); err != nil {
			t.Fatalf("echo %d: %v", i, err)
		}
	}
}

// Echo sends data and receives as much, which must be the same.
func Echo(conn io.ReadWriter, data []byte) error {
	if _, err := conn.Write(data); err != nil {
		return err
	}
	back := make([]byte, len(data))
	if _, err := io.ReadFull(conn, back); err != nil {
		return err
	}
	return same(back, data)
}

// EchoAll sends data, and then its end, while it receives; what comes back must be
// the same, up to its end.
func EchoAll(conn net.Conn, data []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		if err == nil {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	back, err := io.ReadAll(conn)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	return same(back, data)
}

func same(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back for %d that were sent, and they differ", len(got), len(want))
	}
	return nil
}

// Pattern is n bytes that do not repeat soon, others for each seed.
func Pattern(seed, n int) []byte {
	data := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}

// NeedIPv6 skips the test if ::1 does not exist here.
func NeedIPv6(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 on loopback here: %v", err)
	}
	listener.Close()
}
