package network_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// TLS with the programs that everybody has.

// serveTLS serves handler over TLS. ca is the file of its authority.
func serveTLS(t *testing.T, config *tls.Config, handler network.Handler) (s *server, ca string) {
	t.Helper()
	authority := testutil.NewAuthority(t)
	config.Certificates = []tls.Certificate{authority.Certificate(t)}
	s = serve(t, func(ctx context.Context, conn network.Conn) error {
		server := network.TLSServer(conn, config)
		defer server.Close()
		return handler(ctx, server)
	})
	return s, testutil.WriteFile(t, "ca.pem", authority.PEM)
}

func TestTLSServesCurl(t *testing.T) {
	testutil.Need(t, "curl")
	body := string(testutil.Pattern(1, 100_000))
	s, ca := serveTLS(t, &tls.Config{NextProtos: []string{"http/1.1"}}, func(ctx context.Context, conn network.Conn) error {
		var request []byte
		for buf := make([]byte, 1000); !bytes.HasSuffix(request, []byte("\r\n\r\n")); {
			n, err := conn.Recv(ctx, buf)
			if err != nil {
				return err
			}
			request = append(request, buf[:n]...)
		}
		_, err := fmt.Fprintf(writer{ctx, conn}, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
		return err
	})
	_, port, _ := net.SplitHostPort(s.Addr)
	curl := testutil.Program(t, "curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", ca, "https://localhost:"+port+"/")
	if got, status := curl.Rest(); got != body || status != 0 {
		t.Errorf("curl has %d bytes of %d, status %d", len(got), len(body), status)
	}
	is(t, s.cancel(), taskCancelled...)
}

// A writer is for package fmt.
type writer struct {
	ctx  context.Context
	conn network.Conn
}

func (w writer) Write(p []byte) (int, error) { return w.conn.SendAll(w.ctx, p) }

// A line there and back, also after openssl has asked for new keys.
func TestTLSServesOpenSSL(t *testing.T) {
	testutil.Need(t, "openssl")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			s, ca := serveTLS(t, &tls.Config{}, echo)
			client := testutil.Program(t, "openssl", "s_client", "-connect", s.Addr, "-CAfile", ca,
				"-verify_return_error", "-verify_hostname", "localhost", "-servername", "localhost", version)
			skipTo(t, client, "Verify return code: 0 (ok)")
			for i := range 3 {
				if version == "-tls1_3" {
					fmt.Fprintln(client.Stdin, "K") // and nothing behind it, or openssl swallows that
					testutil.Await(t, "request for new keys", func() bool {
						return strings.Count(client.Stderr(), "KEYUPDATE") == i+1
					})
				}
				line := fmt.Sprint("this is line ", i)
				fmt.Fprintln(client.Stdin, line)
				skipTo(t, client, line)
			}
			fmt.Fprintln(client.Stdin, "Q")
			if status := client.Wait(); status != 0 {
				t.Errorf("openssl ends with status %d", status)
			}
			testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// skipTo takes what the child prints up to line.
func skipTo(t *testing.T, child *testutil.Child, line string) {
	t.Helper()
	for strings.TrimSpace(child.Line()) != line {
	}
}

// The server is openssl, which sends back what it receives, each line reversed. If the
// record of a line is cut anywhere, the rest is sent by the Recv that waits for the
// reversed line.
func TestTLSWithOpenSSLServer(t *testing.T) {
	testutil.Need(t, "openssl")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			testutil.NoLeaks(t)
			authority := testutil.NewAuthority(t)
			cert, key := testutil.WriteCertificate(t, authority.Certificate(t))
			server := testutil.Program(t, "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-rev", version)
			var addr string
			for addr == "" {
				addr, _ = strings.CutPrefix(server.Line(), "ACCEPT ")
				if !strings.HasPrefix(addr, "127.") {
					addr = ""
				}
			}
			inTasks(t, func(ctx context.Context) error {
				conn, err := network.OpenConnection(ctx, addr, nil)
				if err != nil {
					return err
				}
				v := newValve(conn)
				client := network.TLSClient(nonblocking{v}, &tls.Config{RootCAs: authority.Pool, ServerName: "localhost"})
				defer client.Close()
				for range 3 {
					if _, err := client.SendAll(ctx, []byte("desserts\n")); err != nil {
						return err
					}
					if err := expectText(ctx, client, "stressed\n"); err != nil {
						return err
					}
				}
				c := &course{conn: client, valve: v}
				for at := range len("desserts\n") + 22 {
					v.shut(at)
					n := 0
					err := c.during(ctx, func(ctx context.Context) (err error) {
						n, err = client.SendAll(ctx, []byte("desserts\n"))
						return err
					}, func(cancel func()) { cancel() })
					if n != len("desserts\n") || !errors.Is(err, context.Canceled) {
						return fmt.Errorf("at %d: %d, %w", at, n, err)
					}
					v.again()
					if err := c.during(ctx, func(ctx context.Context) error {
						return expectText(ctx, client, "stressed\n")
					}, func(func()) { v.open() }); err != nil {
						return fmt.Errorf("at %d: %w", at, err)
					}
				}
				return nil
			})
		})
	}
}

// Python's ssl module, which insists on close_notify.
func TestTLSServesPython(t *testing.T) {
	testutil.Need(t, "python3")
	s, ca := serveTLS(t, &tls.Config{NextProtos: []string{"echo"}}, echo)
	_, port, _ := net.SplitHostPort(s.Addr)
	python := testutil.Program(t, "python3", "-c", `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.set_alpn_protocols(["echo"])
raw = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
conn = context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
assert conn.selected_alpn_protocol() == "echo"
data = bytes(range(256)) * 400
for i in range(0, len(data), 10000):
    part, back = data[i:i+10000], b""
    conn.sendall(part)
    while len(back) < len(part):
        back += conn.recv(100000)
    assert back == part
print(conn.version())
conn.unwrap().close()
`, ca, port)
	if got, status := python.Rest(); got != "TLSv1.3\n" || status != 0 {
		t.Errorf("python prints %q, status %d", got, status)
	}
	testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
	is(t, s.cancel(), taskCancelled...)
}

// One server, for clients of this package and others (W3 to W6), over TCP.
func TestTLSServer(t *testing.T) {
	cert, pool := testutil.Certificate(t)
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		server := network.TLSServer(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		defer server.Close()
		return echo(ctx, server)
	})
	config := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	inTasks(t, func(ctx context.Context) error {
		conn, err := network.OpenConnection(ctx, s.Addr, nil)
		if err != nil {
			return err
		}
		client := network.TLSClient(conn, config)
		defer client.Close()
		for range 2 {
			if _, err := client.SendAll(ctx, []byte("hello")); err != nil {
				return err
			}
			if err := expectText(ctx, client, "hello"); err != nil {
				return err
			}
		}
		return nil
	})
	conn, err := tls.Dial("tcp", s.Addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := testutil.Echo(conn, testutil.Pattern(1, 1000)); err != nil {
		t.Error(err)
	}
	is(t, s.cancel(), taskCancelled...)
	// The handler was cancelled, and has closed with a good-bye.
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client of a server that was stopped sees %d, %v", n, err)
	}
}

// Certificates replaced while connections are open.
func TestTLSCertificates(t *testing.T) {
	testutil.NoLeaks(t)
	authority := testutil.NewAuthority(t)
	first, second := authority.Certificate(t, "first"), authority.Certificate(t, "second")
	var certs network.Certificates
	connect := func(name string) (client, server *network.TLSConn, err error) {
		a, b := socketPair(t)
		client = network.TLSClient(a, &tls.Config{RootCAs: authority.Pool, ServerName: name})
		server = network.TLSServer(b, &tls.Config{GetCertificate: certs.GetCertificate})
		atClient, atServer := shakeHands(t, client, server)
		return client, server, errors.Join(atClient, atServer)
	}
	if _, _, err := connect("first"); err == nil || !strings.Contains(err.Error(), "there is no certificate") {
		t.Errorf("without certificates: %v", err)
	}
	certFile, keyFile := testutil.WriteCertificate(t, first)
	if err := certs.Load(t.Context(), certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	client, server, err := connect("first")
	if err != nil {
		t.Fatal(err)
	}
	if err := certs.Load(t.Context(), certFile, certFile); err == nil {
		t.Error("it has loaded a certificate for a key")
	}
	if _, _, err := connect("first"); err != nil {
		t.Errorf("after what could not be loaded: %v", err)
	}
	certs.Set(second)
	if _, _, err := connect("first"); err == nil {
		t.Error("the certificate has not been replaced")
	}
	bothWays(t, client, server) // the one that is open
	certs.Set(first, second)
	for _, name := range []string{"first", "second"} {
		if _, _, err := connect(name); err != nil {
			t.Errorf("of several, %s: %v", name, err)
		}
	}
	if _, _, err := connect("third"); err == nil {
		t.Error("a certificate of another name is good enough")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, certs.Load(gone, certFile, keyFile), foreignCancel...)
}

// Reading files can take for ever, and so it can be cancelled.
func TestTLSCertificatesLoadCancelled(t *testing.T) {
	fifo := t.TempDir() + "/fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	var certs network.Certificates
	s.run(func(ctx context.Context) error { return certs.Load(ctx, fifo, fifo) })
	testutil.Await(t, "wait", func() bool { return s.Task.State() == "THREAD_CALL" })
	is(t, s.cancel(), taskCancelled...)
	testutil.Await(t, "end of the thread", func() bool {
		if f, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.Close() // the end of the file, for who reads it
		}
		return len(s.Kernel.ThreadCalls()) == 0
	})
}
