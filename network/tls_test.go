package network_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// inTasks runs each of sides as a task, and all must succeed.
func inTasks(t testing.TB, sides ...func(ctx context.Context) error) {
	t.Helper()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.TimeoutAfter(ctx, testutil.Patience, func(ctx context.Context) error {
			return together(ctx, sides...)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func socketPair(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, a)
	closeAtEnd(t, b)
	return a, b
}

// configs are for a client and a server that trust each other's authority.
func configs(t testing.TB) (client, server *tls.Config) {
	t.Helper()
	cert, pool := testutil.Certificate(t)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}, &tls.Config{Certificates: []tls.Certificate{cert}}
}

// tlsOver makes both sides of a TLS connection, without handshake.
func tlsOver(t testing.TB, a, b network.Conn) (client, server *network.TLSConn) {
	t.Helper()
	forClient, forServer := configs(t)
	return network.TLSClient(a, forClient), network.TLSServer(b, forServer)
}

// tlsPair is a TLS connection that has been made.
func tlsPair(t testing.TB) (client, server *network.TLSConn) {
	t.Helper()
	a, b := socketPair(t)
	client, server = tlsOver(t, a, b)
	inTasks(t, client.Handshake, server.Handshake)
	return client, server
}

// sendsThenEnds sends data and then the end of the stream.
func sendsThenEnds(conn network.Conn, data []byte) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if _, err := conn.SendAll(ctx, data); err != nil {
			return err
		}
		return conn.CloseWrite(ctx)
	}
}

// receivesAll receives data, and then the end of the stream.
func receivesAll(conn network.Conn, data []byte) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		got, err := recvAll(ctx, conn, 5000)
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", len(got), err)
		}
		return same(got, data)
	}
}

func recvAll(ctx context.Context, conn network.Conn, size int) (got []byte, err error) {
	for buf := make([]byte, size); ; {
		n, err := conn.Recv(ctx, buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

func same(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes have come of %d that were sent, or others", len(got), len(want))
	}
	return nil
}

// bothWays checks that a connection carries data in both directions at once.
func bothWays(t testing.TB, a, b network.Conn) {
	t.Helper()
	there, back := testutil.Pattern(1, 300_000), testutil.Pattern(2, 200_001)
	inTasks(t, sendsThenEnds(a, there), sendsThenEnds(b, back), receivesAll(a, back), receivesAll(b, there))
}

func TestTLSOverEverything(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, pair := range map[string]func(t *testing.T) (a, b network.Conn){
			"socketpair": func(t *testing.T) (a, b network.Conn) { return socketPair(t) },
			"tcp":        func(t *testing.T) (a, b network.Conn) { return connected(t, listen(t, "127.0.0.1:0", nil)) },
			"unix":       func(t *testing.T) (a, b network.Conn) { return unixConnected(t) },
			"tls": func(t *testing.T) (a, b network.Conn) {
				c, d := socketPair(t)
				return tlsOver(t, c, d)
			},
		} {
			t.Run(tls.VersionName(version)+" over "+name, func(t *testing.T) {
				testutil.NoLeaks(t)
				a, b := pair(t)
				forClient, forServer := configs(t)
				forClient.MaxVersion = version
				client, server := network.TLSClient(a, forClient), network.TLSServer(b, forServer)
				bothWays(t, client, server)
				for _, conn := range []*network.TLSConn{client, server} {
					if got := conn.ConnectionState(); got.Version != version || !got.HandshakeComplete {
						t.Errorf("the version is %x, want %x", got.Version, version)
					}
				}
				if client.Below() != a || client.LocalAddr() != a.LocalAddr() || client.RemoteAddr() != a.RemoteAddr() {
					t.Error("it is not the connection below, or has not its addresses")
				}
				if want := "tls over " + fmt.Sprint(a); client.String() != want {
					t.Errorf("shown as %q, want %q", client, want)
				}
				if err := errors.Join(client.Close(), server.Close()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// connected makes a connection with l.
func connected(t testing.TB, l *network.Listener) (client, server network.Conn) {
	t.Helper()
	inTasks(t, func(ctx context.Context) (err error) {
		client, err = network.OpenConnection(ctx, l.LocalAddr().String(), nil)
		return err
	}, func(ctx context.Context) (err error) {
		server, err = l.Accept(ctx)
		return err
	})
	closeAtEnd(t, client)
	closeAtEnd(t, server)
	return client, server
}

func unixConnected(t testing.TB) (client, server network.Conn) {
	t.Helper()
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"}
	l, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, a)
	if err := errors.Join(l.Bind(addr), l.Listen(1), a.Connect(context.Background(), addr)); err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, b)
	return a, b
}

// What is agreed on in the handshake is what the configurations say.
func TestTLSNegotiation(t *testing.T) {
	a, b := socketPair(t)
	forClient, forServer := configs(t)
	forClient.NextProtos = []string{"first", "second"}
	forServer.NextProtos = []string{"second"}
	type key struct{}
	var asked, passed string
	cert := forServer.Certificates[0]
	forServer.Certificates = nil
	forServer.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		asked = hello.ServerName
		passed, _ = hello.Context().Value(key{}).(string)
		if hello.Conn.LocalAddr() == nil || hello.Conn.RemoteAddr() == nil {
			t.Error("the connection has no addresses")
		}
		return &cert, nil
	}
	client, server := network.TLSClient(a, forClient), network.TLSServer(b, forServer)
	if client.ConnectionState().HandshakeComplete || server.ConnectionState().Version != 0 {
		t.Error("there is a state before the handshake")
	}
	inTasks(t, client.Handshake, func(ctx context.Context) error {
		return server.Handshake(context.WithValue(ctx, key{}, "value"))
	})
	if got := client.ConnectionState().NegotiatedProtocol; got != "second" {
		t.Errorf("ALPN has agreed on %q", got)
	}
	if got := server.ConnectionState(); got.ServerName != "localhost" || asked != "localhost" {
		t.Errorf("the client has asked for %q and %q", got.ServerName, asked)
	}
	if passed != "value" {
		t.Error("the function has not got the context")
	}
	inTasks(t, client.Handshake, server.Handshake) // again, which does nothing
}

func TestTLSClientCertificate(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			authority := testutil.NewAuthority(t)
			forServer := &tls.Config{
				Certificates: []tls.Certificate{authority.Certificate(t)}, MaxVersion: version,
				ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool,
			}
			forClient := &tls.Config{
				RootCAs: authority.Pool, ServerName: "localhost",
				Certificates: []tls.Certificate{authority.Certificate(t, "somebody")},
			}
			a, b := socketPair(t)
			client, server := network.TLSClient(a, forClient), network.TLSServer(b, forServer)
			bothWays(t, client, server)
			if got := server.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "somebody" {
				t.Errorf("the client is %q", got)
			}

			a, b = socketPair(t)
			forClient.Certificates = nil
			client, server = network.TLSClient(a, forClient), network.TLSServer(b, forServer)
			var failed error
			inTasks(t, func(ctx context.Context) error {
				failed = server.Handshake(ctx)
				return nil
			}, func(ctx context.Context) error {
				// In TLS 1.3 the client has done its part when the server refuses.
				err := client.Handshake(ctx)
				if err == nil {
					_, err = client.Recv(ctx, make([]byte, 1))
				}
				alert, ok := errors.AsType[tls.AlertError](err)
				if !ok || !strings.Contains(err.Error(), "remote error: tls: ") {
					t.Errorf("the client sees %v, alert %v", err, alert)
				}
				return nil
			})
			wantOp(t, failed, "handshake", server)
			if !strings.Contains(failed.Error(), "didn't provide a certificate") {
				t.Errorf("the server sees %v", failed)
			}
		})
	}
}

// wantOp checks that err is a *net.OpError, one and not two, of an operation on conn.
func wantOp(t testing.TB, err error, op string, conn network.Conn) {
	t.Helper()
	e, ok := err.(*net.OpError)
	if !ok || e.Op != op || e.Addr != conn.RemoteAddr() || e.Source != conn.LocalAddr() || e.Net != conn.LocalAddr().Network() {
		t.Errorf("%#v is not a *net.OpError of %s on %v", err, op, conn)
		return
	}
	if _, ok := errors.AsType[*net.OpError](e.Err); ok {
		t.Errorf("%v has another *net.OpError in it", err)
	}
}

func TestTLSResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		forClient, forServer := configs(t)
		forClient.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		forClient.MaxVersion = version
		for i := range 3 {
			a, b := socketPair(t)
			client, server := network.TLSClient(a, forClient), network.TLSServer(b, forServer)
			bothWays(t, client, server)
			if got := server.ConnectionState().DidResume; got != (i > 0) || client.ConnectionState().DidResume != got {
				t.Errorf("%s: connection %d has resumed a session: %v", tls.VersionName(version), i, got)
			}
		}
	}
}

// shakeHands does both sides of a handshake, and returns how they end. Who fails closes.
func shakeHands(t testing.TB, client, server *network.TLSConn) (atClient, atServer error) {
	t.Helper()
	shake := func(conn *network.TLSConn, err *error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			*err = conn.Handshake(ctx)
			return nil
		}
	}
	inTasks(t, shake(client, &atClient), shake(server, &atServer))
	return atClient, atServer
}

func TestTLSVerification(t *testing.T) {
	authority := testutil.NewAuthority(t)
	good := authority.Certificate(t)
	for _, c := range []struct {
		name  string
		cert  tls.Certificate
		asks  *tls.Config
		cause func(err error) bool
		alert tls.AlertError
	}{
		{"wrong host name", good, &tls.Config{RootCAs: authority.Pool, ServerName: "elsewhere"}, func(err error) bool {
			_, ok := errors.AsType[x509.HostnameError](err)
			return ok
		}, 42},
		{"expired", authority.Expired(t), &tls.Config{RootCAs: authority.Pool, ServerName: "localhost"}, func(err error) bool {
			e, ok := errors.AsType[x509.CertificateInvalidError](err)
			return ok && e.Reason == x509.Expired
		}, 42},
		{"unknown authority", good, &tls.Config{RootCAs: testutil.NewAuthority(t).Pool, ServerName: "localhost"}, func(err error) bool {
			_, ok := errors.AsType[x509.UnknownAuthorityError](err)
			return ok
		}, 42},
	} {
		t.Run(c.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := socketPair(t)
			client, server := network.TLSClient(a, c.asks), network.TLSServer(b, &tls.Config{Certificates: []tls.Certificate{c.cert}, MaxVersion: tls.VersionTLS12})
			atClient, atServer := shakeHands(t, client, server)
			_, verification := errors.AsType[*tls.CertificateVerificationError](atClient)
			if !verification || !c.cause(atClient) {
				t.Errorf("the client sees %v", atClient)
			}
			wantOp(t, atClient, "handshake", client)
			if alert, _ := errors.AsType[tls.AlertError](atServer); alert != c.alert {
				t.Errorf("the server sees %v", atServer)
			}
			// It is final, and nothing is sent in the clear.
			for what, err := range map[string]error{
				"again": client.Handshake(t.Context()),
				"recv":  second(client.Recv(t.Context(), make([]byte, 1))),
				"send":  second(client.SendAll(t.Context(), []byte("secret"))),
				"wait":  client.WaitRead(t.Context()),
				"end":   client.CloseWrite(t.Context()),
			} {
				if err == nil || err.Error() != atClient.Error() || !c.cause(err) {
					t.Errorf("%s: %v, want %v", what, err, atClient)
				}
			}
		})
	}
}

func second(_ int, err error) error { return err }

// A client is never unverified but if it says so (W-N3).
func TestTLSUnverified(t *testing.T) {
	for _, config := range []*tls.Config{nil, {}} {
		a, _ := socketPair(t)
		err := network.TLSClient(a, config).Handshake(t.Context())
		if err == nil || !strings.Contains(err.Error(), "ServerName") {
			t.Errorf("%v, want that there must be a ServerName", err)
		}
	}
	a, b := socketPair(t)
	_, forServer := configs(t)
	bothWays(t, network.TLSClient(a, &tls.Config{InsecureSkipVerify: true}), network.TLSServer(b, forServer))

	a, b = socketPair(t)
	forClient, _ := configs(t)
	_, err := shakeHands(t, network.TLSClient(a, forClient), network.TLSServer(b, &tls.Config{}))
	if err == nil || !strings.Contains(err.Error(), "no certificates configured") {
		t.Errorf("a server without certificates: %v", err)
	}
}

func TestTLSMisuse(t *testing.T) {
	a, _ := socketPair(t)
	for what, f := range map[string]func(){
		"client without connection": func() { network.TLSClient(nil, &tls.Config{}) },
		"server without connection": func() { network.TLSServer(nil, &tls.Config{}) },
		"server without config":     func() { network.TLSServer(a, nil) },
		"renegotiation":             func() { network.TLSClient(a, &tls.Config{Renegotiation: tls.RenegotiateOnceAsClient}) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "curio/network: ") {
					t.Errorf("%s: %s", what, text)
				}
			}()
			f()
		}()
	}
}

// A function of the configuration that panics leaves nothing locked.
func TestTLSCallbackPanics(t *testing.T) {
	a, b := socketPair(t)
	forClient, _ := configs(t)
	client := network.TLSClient(a, forClient)
	server := network.TLSServer(b, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("oops") }})
	inTasks(t, func(ctx context.Context) error {
		_ = client.Handshake(ctx)
		return nil
	}, func(ctx context.Context) error {
		func() {
			defer func() { _ = recover() }()
			_ = server.Handshake(ctx)
			t.Error("it does not panic")
		}()
		if err := server.Handshake(ctx); err == nil || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("then %v", err)
		}
		return server.Close()
	})
}

// One of several that want the handshake does it.
func TestTLSConcurrentHandshakes(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := socketPair(t)
	client, server := tlsOver(t, a, b)
	data := testutil.Pattern(1, 1000)
	inTasks(t, client.Handshake, client.Handshake, server.Handshake, server.Handshake, server.WaitRead,
		sendsThenEnds(client, data), receivesAll(server, data), sendsThenEnds(server, data), receivesAll(client, data))
}

func usec(n int) time.Duration { return time.Duration(n) * time.Microsecond }
