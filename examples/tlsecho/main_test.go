package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// start starts the server. ca is the file that it has written.
func start(t *testing.T, args ...string) (server *testutil.Child, addr, ca string) {
	t.Helper()
	testutil.NoLeaks(t)
	ca = t.TempDir() + "/ca.pem"
	server = testutil.Self(t, append([]string{"-addr", "127.0.0.1:0", "-ca", ca}, args...)...)
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

// expectEnd checks what a child prints to its end.
func expectEnd(t *testing.T, child *testutil.Child, want string, wantStatus int, complaint string) {
	t.Helper()
	printed, status := child.Rest()
	if printed != want || status != wantStatus || !strings.Contains(child.Stderr(), complaint) {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}

func TestOwnClient(t *testing.T) {
	server, addr, ca := start(t)
	expectEnd(t, testutil.Self(t, "-client", "-addr", addr, "-ca", ca, "hello", "you"), "hello you\n", 0, "")
	interrupt(t, server)
}

// A client that does not know the authority does not talk with the server, which goes on
// without a word.
func TestStranger(t *testing.T) {
	server, addr, ca := start(t)
	expectEnd(t, testutil.Self(t, "-client", "-addr", addr, "hello"), "", 1, "certificate signed by unknown authority")
	expectEnd(t, testutil.Self(t, "-client", "-addr", addr, "-ca", ca, "hello"), "hello\n", 0, "")
	interrupt(t, server)
	if said := server.Stderr(); said != "" {
		t.Errorf("the server said %q", said)
	}
}

func TestOpenSSL(t *testing.T) {
	testutil.Need(t, "openssl")
	server, addr, ca := start(t)
	client := testutil.Program(t, "openssl", "s_client", "-connect", addr, "-CAfile", ca,
		"-verify_return_error", "-verify_ip", "127.0.0.1", "-quiet")
	fmt.Fprintln(client.Stdin, "hello")
	if line := client.Line(); line != "hello" {
		t.Errorf("openssl received %q", line)
	}
	interrupt(t, server)
	if status := client.Wait(); status != 0 { // it has got close_notify
		t.Errorf("openssl ended with status %d: %s", status, client.Stderr())
	}
}

func TestGivenCertificate(t *testing.T) {
	cert, pool := testutil.Certificate(t)
	certFile, keyFile := testutil.WriteCertificate(t, cert)
	server, addr, ca := start(t, "-cert", certFile, "-key", keyFile)
	if _, err := os.Stat(ca); err == nil {
		t.Error("it has written an authority that is not its own")
	}
	conn := tls.Client(testutil.Dial(t, addr), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	testutil.EchoTwice(t, conn)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	interrupt(t, server)
}

func TestWhatCannotBeDone(t *testing.T) {
	certFile, keyFile := testutil.WriteCertificate(t, func() tls.Certificate { c, _ := testutil.Certificate(t); return c }())
	for _, c := range []struct {
		complaint string
		args      []string
	}{
		{"no such file", []string{"-cert", "nowhere.pem", "-key", keyFile}},
		{"no such file", []string{"-cert", certFile}},
		{"rather than a key", []string{"-cert", certFile, "-key", certFile}},
		{"missing port", []string{"-addr", "127.0.0.1"}},
		{"no such file", []string{"-ca", t.TempDir() + "/nowhere/ca.pem"}},
	} {
		expectEnd(t, testutil.Self(t, append([]string{"-addr", "127.0.0.1:0"}, c.args...)...), "", 1, c.complaint)
	}
	for _, c := range []struct {
		complaint string
		args      []string
	}{
		{"missing port", []string{"-addr", "127.0.0.1"}},
		{"no such file", []string{"-ca", "nowhere.pem"}},
		{"no certificate in it", []string{"-ca", keyFile}},
		{"connection refused", []string{"-addr", testutil.Refusing(t)}},
	} {
		child := testutil.Self(t, append([]string{"-client"}, c.args...)...)
		if _, status := child.Rest(); status != 1 || !strings.Contains(child.Stderr(), c.complaint) {
			t.Errorf("it complained %q and ended with status %d", child.Stderr(), status)
		}
	}
}

// What it makes is a certificate for this machine.
func TestSelfSigned(t *testing.T) {
	cert, authority, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A client that sends nothing is disconnected, before its handshake or after it, with a
// proper end of the stream.
func TestIdle(t *testing.T) {
	server, addr, ca := start(t, "-idle", "2s")
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	conn := tls.Client(testutil.Dial(t, addr), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	testutil.EchoTwice(t, conn)
	for _, conn := range []net.Conn{conn, testutil.Dial(t, addr)} {
		if rest, err := io.ReadAll(conn); err != nil {
			t.Errorf("the client received %q, %v, and not the end", rest, err)
		}
	}
	interrupt(t, server)
}
