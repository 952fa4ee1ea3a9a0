package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// TLS through NetListener, which net/http has to recognise as that of package tls.

// tlsPlace returns a place for TLS, whose configurations a test may change.
func tlsPlace(t *testing.T) *place { t.Helper(); return kind{name: "TLS", tls: true}.place(t) }

// A handler sees the names in a client's certificate, with both versions of HTTP.
func TestNetListenerClientCertificates(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			p := tlsPlace(t)
			p.server.ClientAuth = tls.RequireAndVerifyClientCert
			p.server.ClientCAs = p.authority.Pool
			if version == "HTTP/2.0" {
				p.server.NextProtos = []string{"h2"}
			}
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s %s", r.Proto, r.TLS.VerifiedChains[0][0].DNSNames)
			})
			addr, _ := p.serveHTTP(t, handler, nil)
			p.client.Certificates = []tls.Certificate{p.authority.Certificate(t, "client.example")}
			transport := &http.Transport{TLSClientConfig: p.client, ForceAttemptHTTP2: version == "HTTP/2.0"}
			defer transport.CloseIdleConnections()
			answer, err := (&http.Client{Transport: transport}).Get("https://" + addr)
			must(t, err)
			defer answer.Body.Close()
			said, err := io.ReadAll(answer.Body)
			if want := version + " [client.example]"; err != nil || string(said) != want {
				t.Errorf("the server says %q, %v, want %q", said, err, want)
			}
		})
	}
}

// A client that speaks HTTP without TLS is told so, as by any server of net/http.
func TestNetListenerWithoutTLS(t *testing.T) {
	p := tlsPlace(t)
	addr, log := p.serveHTTP(t, pages(nil), nil)
	answer, err := http.Get("http://" + addr)
	must(t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(said), "HTTP request to an HTTPS server") {
		t.Errorf("%s: %q, %v", answer.Status, said, err)
	}
	testutil.Await(t, "log", func() bool { return len(log.Find("TLS handshake error")) == 1 })
}

// When the listener's context is done, operations on its connections fail with its error.
func TestNetListenerTLSInAContext(t *testing.T) {
	for _, shaken := range []bool{true, false} {
		t.Run(fmt.Sprintf("shaken=%v", shaken), func(t *testing.T) {
			testutil.NoLeaks(t)
			p := tlsPlace(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l, err := p.listen(ctx, network.ServerConfig{})
			must(t, err)
			n := network.NetListener(ctx, l)
			defer n.Close()
			client := tls.Client(p.raw(t, l.LocalAddr().String()), p.client)
			conn, err := n.Accept()
			must(t, err)
			defer conn.Close()
			if shaken {
				done := make(chan error, 1)
				go func() { done <- client.Handshake() }()
				must(t, conn.(*tls.Conn).Handshake())
				must(t, testutil.Receive(t, "handshake", done))
			}
			read := make(chan error, 1)
			go func() { read <- second(conn.Read(make([]byte, 1))) }()
			cancel()
			if err := testutil.Receive(t, "end of Read", read); !errors.Is(err, context.Canceled) {
				t.Errorf("Read: %v", err)
			}
		})
	}
}

// A deadline bounds the handshake, too, and one that passes later does no harm.
func TestNetListenerTLSDeadlines(t *testing.T) {
	testutil.NoLeaks(t)
	p := tlsPlace(t)
	l, err := p.listen(t.Context(), network.ServerConfig{HandshakeTimeout: time.Hour})
	must(t, err)
	n := network.NetListener(t.Context(), l)
	defer n.Close()
	p.raw(t, l.LocalAddr().String())
	mute, err := n.Accept()
	must(t, err)
	defer mute.Close()
	must(t, mute.SetDeadline(time.Now().Add(short)))
	is(t, second(mute.Read(make([]byte, 1))), os.ErrDeadlineExceeded)

	client := p.dial(t, l.LocalAddr().String())
	conn, err := n.Accept()
	must(t, err)
	defer conn.Close()
	said := make(chan error, 1)
	go func() { said <- second(client.Write([]byte("x"))) }()
	must(t, second(conn.Read(make([]byte, 1))))
	must(t, testutil.Receive(t, "byte", said))
	must(t, conn.SetReadDeadline(longAgo))
	is(t, second(conn.Read(make([]byte, 1))), os.ErrDeadlineExceeded)
	must(t, conn.SetReadDeadline(time.Time{}))
	must(t, second(client.Write([]byte("y"))))
	must(t, second(conn.Read(make([]byte, 1))))
}

// The HandshakeTimeout no longer counts when the handshake is over in time.
func TestHandshakeTimeoutIsNoLifetime(t *testing.T) {
	testutil.NoLeaks(t)
	p := tlsPlace(t)
	l, err := p.listen(t.Context(), network.ServerConfig{HandshakeTimeout: time.Second})
	must(t, err)
	n := network.NetListener(t.Context(), l)
	defer n.Close()
	client := tls.Client(p.raw(t, l.LocalAddr().String()), p.client)
	began := time.Now()
	conn, err := n.Accept()
	must(t, err)
	defer conn.Close()
	must(t, client.Handshake())
	must(t, conn.(*tls.Conn).Handshake())
	must(t, conn.SetReadDeadline(began.Add(time.Second+2*short)))
	isLate := second(conn.Read(make([]byte, 1)))
	is(t, isLate, os.ErrDeadlineExceeded)
	must(t, conn.SetReadDeadline(time.Time{}))
	must(t, second(client.Write([]byte("x"))))
	must(t, second(conn.Read(make([]byte, 1))))
}

// A panic in a function of the configuration ends its connection, is logged, and does the
// server no harm.
func TestNetListenerTLSPanics(t *testing.T) {
	testutil.NoLeaks(t)
	log := testutil.CaptureLog(t)
	p := tlsPlace(t)
	p.client.InsecureSkipVerify = true
	certificates := p.server.Certificates
	p.server.Certificates = nil
	p.server.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == "bad" {
			panic("no such name")
		}
		return &certificates[0], nil
	}
	l, err := p.listen(t.Context(), network.ServerConfig{MaxConnections: 1})
	must(t, err)
	n := network.NetListener(t.Context(), l)
	defer n.Close()
	for _, host := range []string{"bad", "good"} {
		config := p.client.Clone()
		config.ServerName = host
		client := tls.Client(p.raw(t, l.LocalAddr().String()), config)
		said := make(chan error, 1)
		go func() { said <- second(client.Write([]byte("x"))) }()
		conn, err := n.Accept()
		must(t, err)
		testutil.Await(t, "handshake", func() bool { return host == "good" || len(log.Find("ServerConfig.TLS panicked")) > 0 })
		err = second(conn.Read(make([]byte, 1)))
		if (err == nil) != (host == "good") {
			t.Errorf("%s: %v", host, err)
		}
		must(t, conn.Close())
		testutil.Receive(t, "end of the client", said)
	}
	if r := log.TakeOne(t, "ServerConfig.TLS panicked"); r.Level != slog.LevelError || r.Attrs["panic"] == nil {
		t.Errorf("the log says %v", r)
	}
}

// The same holds if the log handler panics as well.
func TestNetListenerTLSPanicsAndSoDoesTheLog(t *testing.T) {
	testutil.NoLeaks(t)
	logged := make(chan struct{}, 1)
	logger := &odd{fn: func() { logged <- struct{}{}; panic("in the log") }}
	k := curio.NewKernel(curio.Logger(slog.New(logger)))
	must(t, k.Run(t.Context(), func(ctx context.Context) error {
		l := listen(t, "127.0.0.1:0", &network.ServerConfig{TLS: &tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("no such name") },
		}})
		n := network.NetListener(ctx, l)
		client := tls.Client(testutil.Dial(t, l.LocalAddr().String()), &tls.Config{InsecureSkipVerify: true})
		said := make(chan error, 1)
		go func() { said <- client.HandshakeContext(ctx) }()
		conn, err := n.Accept()
		must(t, err)
		testutil.Receive(t, "line of the log", logged)
		if err := second(conn.Read(make([]byte, 1))); err == nil {
			t.Error("there is something to read")
		}
		must(t, conn.Close())
		if testutil.Receive(t, "end of the client", said) == nil {
			t.Error("the handshake succeeds")
		}
		return nil
	}))
	must(t, k.Shutdown(context.Background()))
}

// The handshake of a TLSConn that was made a net.Conn can be ended like other operations.
func TestNetConnHandshakeEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(t *testing.T, conn net.Conn, cancel func())
		want func(err error) bool
	}{
		"context":        {func(_ *testing.T, _ net.Conn, cancel func()) { cancel() }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"read deadline":  {func(t *testing.T, conn net.Conn, _ func()) { must(t, conn.SetReadDeadline(longAgo)) }, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		"write deadline": {func(t *testing.T, conn net.Conn, _ func()) { must(t, conn.SetWriteDeadline(longAgo)) }, func(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }},
		"Close":          {func(t *testing.T, conn net.Conn, _ func()) { must(t, conn.Close()) }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := twoSockets(t)
			conn := network.NetConn(t.Context(), network.TLSClient(a, &tls.Config{InsecureSkipVerify: true}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			shaken := make(chan error, 1)
			go func() {
				shaken <- conn.(interface {
					HandshakeContext(ctx context.Context) error
				}).HandshakeContext(ctx)
			}()
			must(t, b.WaitRead(t.Context())) // the handshake has begun
			c.end(t, conn, cancel)
			err := testutil.Receive(t, "end of the handshake", shaken)
			isOp(t, "handshake", err)
			if !c.want(err) {
				t.Errorf("the handshake ended with %v", err)
			}
		})
	}
}
