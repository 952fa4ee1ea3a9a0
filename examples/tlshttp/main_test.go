package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// start starts the server. ca is the file that it has written.
func start(t *testing.T) (server *testutil.Child, addr, ca string) {
	t.Helper()
	testutil.NoLeaks(t)
	ca = t.TempDir() + "/ca.pem"
	server = testutil.Self(t, "-addr", "127.0.0.1:0", "-ca", ca)
	return server, server.After("listening on "), ca
}

// interrupt is Ctrl-C, after which the server ends well and has said nothing.
func interrupt(t *testing.T, server *testutil.Child) {
	t.Helper()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

const hello = "hello over TLS, from GET /hello\n"

func TestOwnClient(t *testing.T) {
	server, addr, ca := start(t)
	client := testutil.Self(t, "-addr", addr, "-ca", ca, "-get", "/hello")
	if said, status := client.Rest(); said != hello || status != 0 {
		t.Errorf("it said %q, complained %q and ended with %d", said, client.Stderr(), status)
	}
	for complaint, args := range map[string][]string{
		"404 Not Found": {"-addr", addr, "-ca", ca, "-get", "/nowhere"},
		"certificate signed by unknown authority": {"-addr", addr, "-get", "/hello"},
		"connection refused":                      {"-addr", testutil.Refusing(t), "-ca", ca, "-get", "/hello"},
		"no such file":                            {"-addr", addr, "-ca", ca + "x", "-get", "/hello"},
		"missing port":                            {"-addr", "127.0.0.1", "-ca", ca, "-get", "/hello"},
	} {
		client := testutil.Self(t, args...)
		if said, status := client.Rest(); said != "" || status != 1 || !strings.Contains(client.Stderr(), complaint) {
			t.Errorf("it said %q, complained %q and ended with %d, want %q", said, client.Stderr(), status, complaint)
		}
	}
	interrupt(t, server)
}

// Curl speaks HTTP/2 if it can.
func TestCurl(t *testing.T) {
	testutil.Need(t, "curl")
	server, addr, ca := start(t)
	curl := testutil.Program(t, "curl", "-sS", "--noproxy", "*", "--cacert", ca, "https://"+addr+"/hello")
	if said, status := curl.Rest(); said != hello || status != 0 {
		t.Errorf("curl said %q, complained %q and ended with %d", said, curl.Stderr(), status)
	}
	interrupt(t, server)
}

func TestRefusesToStart(t *testing.T) {
	_, addr, _ := start(t)
	for complaint, args := range map[string][]string{
		"address already in use": {"-addr", addr},
		"no such file":           {"-addr", "127.0.0.1:0", "-ca", t.TempDir() + "/nowhere/ca.pem"},
	} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 1 || !strings.Contains(c.Stderr(), complaint) {
			t.Errorf("it said %q, complained %q and ended with %d", said, c.Stderr(), status)
		}
	}
	c := testutil.Self(t, "/hello")
	if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-get PATH") {
		t.Errorf("it said %q, complained %q and ended with %d", said, c.Stderr(), status)
	}
}
