package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T, on string) (server *testutil.Child, addr string) {
	t.Helper()
	testutil.NoLeaks(t)
	server = testutil.Self(t, "-addr", on)
	return server, server.After("listening on ")
}

// ends interrupts the server, which ends without a word, and whose port is free then.
func ends(t *testing.T, server *testutil.Child, addr string) {
	t.Helper()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	conn.Close()
}

func TestNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	server, addr := start(t, "127.0.0.1:0")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc := testutil.Program(t, "nc", "-u", host, port)
	for _, line := range []string{"hello", "and good-bye"} {
		fmt.Fprintln(nc.Stdin, line)
		if back := nc.Line(); back != line {
			t.Errorf("nc received %q", back)
		}
	}
	nc.Kill()
	ends(t, server, addr)
}

func TestSizes(t *testing.T) {
	for _, on := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(on, func(t *testing.T) {
			if strings.HasPrefix(on, "[") {
				testutil.NeedIPv6(t)
			}
			server, addr := start(t, on)
			conn, err := net.Dial("udp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 1<<16)
			for _, size := range []int{1, 0, 1400, 65000} {
				data := testutil.Pattern(size, size)
				if _, err := conn.Write(data); err != nil {
					t.Fatal(err)
				}
				n, err := conn.Read(buf)
				if err != nil || !bytes.Equal(buf[:n], data) {
					t.Errorf("%d bytes came back for %d, %v", n, size, err)
				}
			}
			ends(t, server, addr)
		})
	}
}

func TestRefusesToStart(t *testing.T) {
	_, addr := start(t, "127.0.0.1:0")
	for on, says := range map[string]string{addr: "address already in use", "127.0.0.1": "not an ip:port"} {
		second := testutil.Self(t, "-addr", on)
		if printed, status := second.Rest(); printed != "" || status != 1 || !strings.Contains(second.Stderr(), says) {
			t.Errorf("it printed %q, %q and ended with status %d", printed, second.Stderr(), status)
		}
	}
}

// A sender that might be another echo server gets no answer.
func TestAnswers(t *testing.T) {
	for from, want := range map[string]bool{"192.0.2.1:7": false, "192.0.2.1:53": false, "[2001:db8::1]:1023": false, "192.0.2.1:1024": true, "192.0.2.1:40000": true} {
		if got := answers(netip.MustParseAddrPort(from)); got != want {
			t.Errorf("answers %s: %v", from, got)
		}
	}
}

func TestOwnClient(t *testing.T) {
	server, addr := start(t, "127.0.0.1:0")
	client := testutil.Self(t, "-addr", addr, "-client", "-within", "1h", "hello", "you")
	if said, status := client.Rest(); said != "hello you\n" || status != 0 {
		t.Errorf("it said %q, complained %q and ended with %d", said, client.Stderr(), status)
	}
	ends(t, server, addr)
}

// A server that never answers is asked five times.
func TestSilentServer(t *testing.T) {
	testutil.NoLeaks(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	client := testutil.Self(t, "-addr", silent.LocalAddr().String(), "-client", "-within", "1ms", "hello")
	if said, status := client.Rest(); said != "" || status != 1 || !strings.Contains(client.Stderr(), errSilent.Error()) {
		t.Errorf("it said %q, complained %q and ended with %d", said, client.Stderr(), status)
	}
	if err := silent.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	for range attempts {
		buf := make([]byte, 100)
		if n, _, err := silent.ReadFrom(buf); err != nil || string(buf[:n]) != "hello" {
			t.Errorf("it received %q, %v", buf[:n], err)
		}
	}
}
