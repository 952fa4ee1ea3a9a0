package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// A dual is the program, and where it listens.
type dual struct {
	*testutil.Child
	tcp, path, tls, ca string
}

func start(t *testing.T, args ...string) dual {
	t.Helper()
	testutil.NoLeaks(t)
	dir := t.TempDir()
	d := dual{path: filepath.Join(dir, "dual.sock"), ca: filepath.Join(dir, "ca.pem")}
	d.Child = testutil.Self(t, append([]string{"-tcp", "127.0.0.1:0", "-tls", "127.0.0.1:0", "-unix", d.path, "-ca", d.ca}, args...)...)
	d.tcp = d.After("listening on tcp ")
	if path := d.After("listening on unix "); path != d.path {
		t.Errorf("it listens on %q", path)
	}
	d.tls = d.After("listening on tls ")
	return d
}

// ends interrupts the program, which must take its socket file with it.
func (d dual) ends(t *testing.T) {
	t.Helper()
	d.Interrupt()
	if said := d.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
	if _, err := os.Lstat(d.path); !os.IsNotExist(err) {
		t.Errorf("its file: %v", err)
	}
}

// The same handler, for the same text, on all three.
func TestPrograms(t *testing.T) {
	d := start(t)
	host, port, err := net.SplitHostPort(d.tcp)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"nc", "-N", host, port},
		{"nc", "-N", "-U", d.path},
		{"socat", "-t", "30", "STDIO", "TCP:" + d.tcp},
		{"socat", "-t", "30", "STDIO", "UNIX-CONNECT:" + d.path},
		{"socat", "-t", "30", "STDIO", "OPENSSL:" + d.tls + ",cafile=" + d.ca},
	} {
		t.Run(strings.Join(args[:len(args)-1], " "), func(t *testing.T) {
			testutil.Need(t, args[0])
			client := testutil.Program(t, args[0], args[1:]...)
			fmt.Fprintln(client.Stdin, "hello")
			if line := client.Line(); line != "hello" {
				t.Errorf("it received %q", line)
			}
			fmt.Fprint(client.Stdin, "and good-bye")
			client.Stdin.Close()
			if rest, status := client.Rest(); rest != "and good-bye" || status != 0 {
				t.Errorf("it received %q and ended with status %d", rest, status)
			}
		})
	}
	d.ends(t)
}

// Who is connected when the server stops sees a proper end.
func TestOpenSSL(t *testing.T) {
	testutil.Need(t, "openssl")
	d := start(t)
	client := testutil.Program(t, "openssl", "s_client", "-connect", d.tls, "-CAfile", d.ca,
		"-verify_return_error", "-verify_ip", "127.0.0.1", "-quiet")
	fmt.Fprintln(client.Stdin, "hello")
	if line := client.Line(); line != "hello" {
		t.Errorf("openssl received %q", line)
	}
	d.ends(t)
	if status := client.Wait(); status != 0 { // it has got close_notify
		t.Errorf("openssl ended with status %d: %s", status, client.Stderr())
	}
}

// connections is one of each kind.
func (d dual) connections(t *testing.T) []net.Conn {
	t.Helper()
	text, err := os.ReadFile(d.ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	unix, err := net.Dial("unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close() })
	return []net.Conn{
		testutil.Dial(t, d.tcp), unix,
		tls.Client(testutil.Dial(t, d.tls), &tls.Config{RootCAs: pool, ServerName: "localhost"}),
	}
}

// With Ctrl-C those who are idle are let go at once, on all three, without an error, as
// they are without a grace time.
func TestInterrupt(t *testing.T) {
	for _, grace := range []string{"1h", "0"} {
		d := start(t, "-grace", grace)
		conns := d.connections(t)
		for _, conn := range conns {
			testutil.EchoTwice(t, conn)
		}
		d.ends(t)
		for _, conn := range conns {
			if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("a client received %d, %v, and not the end", n, err)
			}
		}
	}
}

// A client that does not read its answer holds up the stop for the grace time. A second Ctrl-C cuts
// it off, and the server names it.
func TestInterruptedTwice(t *testing.T) {
	d := start(t, "-grace", "1h")
	conn := testutil.Dial(t, d.tcp)
	flooded := make(chan error, 1)
	go func() {
		for block := make([]byte, 1<<20); ; {
			if err := conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				flooded <- err
				return
			}
			if _, err := conn.Write(block); err != nil { // no room for more
				flooded <- err
				return
			}
		}
	}()
	if err := testutil.Receive(t, "end of the flood", flooded); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	d.Interrupt()
	testutil.Await(t, "end of listening", func() bool { // the server has seen the first Ctrl-C
		probe, err := net.Dial("tcp", d.tcp)
		if err == nil {
			probe.Close()
		}
		return err != nil
	})
	_ = d.InterruptAgain()
	if said := d.EndedBy(syscall.SIGINT); !strings.Contains(said, conn.LocalAddr().String()) || strings.Contains(said, "panic") {
		t.Errorf("it said %q", said)
	}
}

// Clients that send nothing are disconnected, on all three listeners, even before the
// handshake of TLS.
func TestIdle(t *testing.T) {
	d := start(t, "-idle", "200ms")
	for _, conn := range append(d.connections(t), testutil.Dial(t, d.tls)) {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a client received %d, %v, and not the end", n, err)
		}
	}
	d.ends(t)
}

// Nothing is left of the listeners that could be had if another one cannot.
func TestWhatCannotBeDone(t *testing.T) {
	d := start(t)
	path := filepath.Join(t.TempDir(), "dual.sock")
	for _, c := range []struct {
		complaint string
		args      []string
	}{
		{"address already in use", []string{"-tcp", d.tcp}},
		{"address already in use", []string{"-unix", d.path}},
		{"address already in use", []string{"-tls", d.tls}},
		{"missing port", []string{"-tls", "127.0.0.1"}},
		{"no such file", []string{"-ca", path + "/nowhere/ca.pem"}},
	} {
		child := testutil.Self(t, append([]string{"-tcp", "127.0.0.1:0", "-tls", "127.0.0.1:0", "-unix", path}, c.args...)...)
		printed, status := child.Rest()
		if status != 1 || printed != "" || !strings.Contains(child.Stderr(), c.complaint) {
			t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%v: the file of the socket: %v", c.args, err)
		}
	}
	d.ends(t)
}
