package main

import (
	"bufio"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// After a restart the port is the same. Clients of before have got their farewell, and the end.
func TestRestart(t *testing.T) {
	testutil.NoLeaks(t)
	server := testutil.Self(t, "-addr", "127.0.0.1:0", "-grace", "1h")
	_, addr, _ := strings.Cut(server.After("start 1 of process "), ", listening on ")
	for _, start := range []string{"start 2 of process ", "start 3 of process "} {
		client := testutil.Dial(t, addr)
		testutil.EchoTwice(t, client)
		server.Signal(syscall.SIGHUP)
		if said, err := io.ReadAll(client); string(said) != "good-bye\n" || err != nil {
			t.Errorf("the client received %q, %v", said, err)
		}
		if _, again, _ := strings.Cut(server.After(start), ", listening on "); again != addr {
			t.Errorf("it listens on %s, and did on %s", again, addr)
		}
	}
	client := testutil.Dial(t, addr)
	testutil.EchoTwice(t, client)
	server.Interrupt()
	if line, err := bufio.NewReader(client).ReadString('\n'); line != "good-bye\n" || err != nil {
		t.Errorf("the client received %q, %v", line, err)
	}
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

func TestRefusesToStart(t *testing.T) {
	testutil.NoLeaks(t)
	first := testutil.Self(t, "-addr", "127.0.0.1:0")
	_, addr, _ := strings.Cut(first.After("start 1 of process "), ", listening on ")
	second := testutil.Self(t, "-addr", addr)
	if said, status := second.Rest(); said != "" || status != 1 || !strings.Contains(second.Stderr(), "address already in use") {
		t.Errorf("it said %q, complained %q and ended with %d", said, second.Stderr(), status)
	}
	third := testutil.Self(t, "-grace", "0s")
	if said, status := third.Rest(); said != "" || status != 2 || !strings.Contains(third.Stderr(), "-grace duration") {
		t.Errorf("it said %q, complained %q and ended with %d", said, third.Stderr(), status)
	}
}
