package network_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// An http.Server behind a proxy sees its clients: it asks for the address before it reads
// anything.
func TestHTTPBehindProxy(t *testing.T) {
	testutil.NoLeaks(t)
	l := listen(t, "127.0.0.1:0", &network.ServerConfig{
		Proxy: &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr, " ", r.Context().Value(http.LocalAddrContextKey))
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(network.NetListener(t.Context(), l)) }()
	conn := testutil.Dial(t, l.LocalAddr().String())
	writeAll(t, conn, "PROXY TCP4 192.0.2.1 192.0.2.2 111 222\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), "192.0.2.1:111 192.0.2.2:222") {
		t.Errorf("%q, %v", got, err)
	}
	must(t, server.Close())
	is(t, testutil.Receive(t, "end of the server", served)) // http.ErrServerClosed
}

// Who asks for the address of a client whose proxy says nothing gets that of the proxy, as
// soon as a deadline has passed, or the connection is closed.
func TestNetConnAddrsEnd(t *testing.T) {
	for name, end := range map[string]func(conn net.Conn) error{
		"deadline": func(conn net.Conn) error { return conn.SetReadDeadline(longAgo) },
		"closed":   func(conn net.Conn) error { return conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			l := listen(t, "127.0.0.1:0", &network.ServerConfig{
				Proxy:            &network.ProxyConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
				HandshakeTimeout: time.Hour,
			})
			proxy := testutil.Dial(t, l.LocalAddr().String())
			conn, err := network.NetListener(t.Context(), l).Accept()
			must(t, err)
			defer conn.Close()
			addrs := make(chan net.Addr, 2)
			go func() { addrs <- conn.RemoteAddr() }()
			go func() { addrs <- conn.RemoteAddr() }()
			must(t, end(conn))
			for range 2 {
				if got := testutil.Receive(t, "address", addrs); got.String() != proxy.LocalAddr().String() {
					t.Errorf("%v", got)
				}
			}
		})
	}
}
