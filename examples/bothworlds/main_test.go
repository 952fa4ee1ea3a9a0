package main

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T, args ...string) (server *testutil.Child, addrs []string) {
	t.Helper()
	testutil.NoLeaks(t)
	server = testutil.Self(t, append([]string{"-tasks", "127.0.0.1:0", "-goroutines", "127.0.0.1:0"}, args...)...)
	return server, []string{server.After("tasks listen on "), server.After("goroutines listen on ")}
}

// Both echo, and clients of both get the end at Ctrl-C.
func TestBoth(t *testing.T) {
	server, addrs := start(t)
	var idle []net.Conn
	for _, addr := range addrs {
		conn := testutil.Dial(t, addr)
		if err := testutil.EchoAll(conn, testutil.Pattern(1, 1<<18)); err != nil {
			t.Error(err)
		}
		conn = testutil.Dial(t, addr)
		testutil.EchoTwice(t, conn)
		idle = append(idle, conn)
	}
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
	for i, conn := range idle {
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("client %d received %d, %v, and not the end", i, n, err)
		}
	}
}

func TestIdle(t *testing.T) {
	server, addrs := start(t, "-idle", "100ms")
	for _, addr := range addrs {
		if n, err := testutil.Dial(t, addr).Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("an idle client received %d, %v, and not the end", n, err)
		}
	}
	server.Interrupt()
	server.EndedBy(syscall.SIGINT)
}

func TestRefusesToStart(t *testing.T) {
	_, addrs := start(t)
	for _, args := range [][]string{
		{"-tasks", addrs[0], "-goroutines", "127.0.0.1:0"},
		{"-tasks", "127.0.0.1:0", "-goroutines", addrs[1]},
	} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 1 || !strings.Contains(c.Stderr(), "address already in use") {
			t.Errorf("it said %q, complained %q and ended with %d", said, c.Stderr(), status)
		}
	}
	c := testutil.Self(t, "-idle", "0s")
	if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-idle duration") {
		t.Errorf("it said %q, complained %q and ended with %d", said, c.Stderr(), status)
	}
}
