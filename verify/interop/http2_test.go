package interop_test

//lint:file-ignore SA1019 Programs use golang.org/x/net/http2 directly, deprecated as it is.

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// greetTLS tells what the server knows of a request's TLS.
func greetTLS(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil {
		fmt.Fprint(w, r.Proto, " without TLS")
		return
	}
	fmt.Fprintf(w, "%s %s %v", r.Proto, r.TLS.NegotiatedProtocol, r.TLS.HandshakeComplete)
}

// An http.Server on a listener that does the TLS: HTTP/2, and Request.TLS, as with one of
// package tls.
func TestHTTPSOnAListener(t *testing.T) {
	for _, protos := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}, nil} {
		t.Run(fmt.Sprint(protos), func(t *testing.T) {
			testutil.NoLeaks(t)
			certificate, roots := testutil.Certificate(t)
			server := &http.Server{Handler: http.HandlerFunc(greetTLS)}
			config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: protos}
			if len(protos) == 0 { // as those do who bring an HTTP/2 of their own
				server.TLSConfig = config
				must(t, http2.ConfigureServer(server, nil))
			}
			l, err := network.ListenTCP(t.Context(), "127.0.0.1:0", &network.ServerConfig{TLS: config, MaxConnections: 1})
			must(t, err)
			served := make(chan error, 1)
			go func() { served <- server.Serve(network.NetListener(context.Background(), l)) }()
			transport := &http.Transport{
				DialContext: network.DialContext, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots},
			}
			w := &web{client: &http.Client{Transport: transport}, url: "https://" + l.LocalAddr().String()}
			want := "HTTP/2.0 h2 true"
			if len(protos) == 1 {
				want = "HTTP/1.1 http/1.1 true"
			}
			for range 10 {
				if got := w.get(t, "/"); got != want {
					t.Errorf("the server says %q, want %q", got, want)
				}
			}
			transport.CloseIdleConnections()
			must(t, server.Shutdown(t.Context()))
			if err := testutil.Receive(t, "end of Serve", served); err != http.ErrServerClosed {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// HTTP/2 of golang.org/x/net on TLS of ours, on both sides.
func TestHTTP2OnTLSConn(t *testing.T) {
	testutil.NoLeaks(t)
	certificate, roots := testutil.Certificate(t, "localhost")
	l, err := network.ListenTCP(t.Context(), "127.0.0.1:0", &network.ServerConfig{
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}},
	})
	must(t, err)
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := l.Accept(t.Context())
		if err == nil {
			err = conn.(*network.TLSConn).Handshake(t.Context())
		}
		if err == nil {
			new(http2.Server).ServeConn(network.NetConn(t.Context(), conn), &http2.ServeConnOpts{Handler: http.HandlerFunc(greetTLS)})
		}
		served <- err
	}()
	transport := &http2.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialTLSContext: func(ctx context.Context, _, addr string, config *tls.Config) (net.Conn, error) {
			config = config.Clone()
			config.ServerName = "localhost"
			conn, err := network.OpenConnection(ctx, addr, &network.ConnectConfig{TLS: config})
			if err != nil {
				return nil, err
			}
			return network.NetConn(context.Background(), conn), nil
		},
	}
	w := &web{client: &http.Client{Transport: transport}, url: "https://" + l.LocalAddr().String()}
	for range 10 {
		answer, err := w.client.Get(w.url)
		must(t, err)
		if got := body(t, answer); got != "HTTP/2.0 h2 true" {
			t.Errorf("the server says %q", got)
		}
		if answer.TLS == nil || answer.TLS.NegotiatedProtocol != "h2" || len(answer.TLS.PeerCertificates) == 0 {
			t.Errorf("the client knows of TLS %+v", answer.TLS)
		}
	}
	transport.CloseIdleConnections()
	must(t, testutil.Receive(t, "end of the server", served))
}
