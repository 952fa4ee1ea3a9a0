package network_test

import (
	"bufio"
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

// For whom a proxy connects is what net/http asks for first of all, before it reads
// anything; and that is whom its handlers are told of.
func TestHTTPBehindAProxy(t *testing.T) {
	for _, k := range kinds {
		if !k.proxy {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			addr, _ := p.serveHTTP(t, pages(nil), nil)
			conn := p.dial(t, addr)
			writeAll(t, conn, "GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			defer response.Body.Close()
			said, err := bufio.NewReader(response.Body).ReadString('\n')
			must(t, err)
			if !strings.HasSuffix(said, " from 1.2.3.4:4660\n") {
				t.Errorf("the server says %q", said)
			}
		})
	}
}

// Who asks for the address of a client whose proxy says nothing gets the proxy's, when the
// time is up or the connection is closed, and once only.
func TestProxyThatSaysNothing(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"in time": short, "closed": -1} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			p := kind{proxy: true}.place(t)
			l, err := p.listen(t.Context(), network.ServerConfig{HandshakeTimeout: timeout})
			must(t, err)
			listener := network.NetListener(t.Context(), l)
			defer listener.Close()
			theirs := p.raw(t, l.LocalAddr().String())
			conn, err := listener.Accept()
			must(t, err)
			defer conn.Close()
			asked := make(chan net.Addr, 2)
			for range cap(asked) {
				go func() { asked <- conn.RemoteAddr() }()
			}
			if timeout < 0 {
				must(t, conn.Close())
			}
			for range cap(asked) {
				if addr := testutil.Receive(t, "address", asked); timeout > 0 && addr.String() != theirs.LocalAddr().String() {
					t.Errorf("it comes from %v", addr)
				}
			}
			if timeout > 0 {
				writeAll(t, theirs, header4+"hello")
				buf := make([]byte, 5)
				if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello" || conn.RemoteAddr().String() != "1.2.3.4:4660" {
					t.Errorf("%q, %v, from %v", buf, err, conn.RemoteAddr())
				}
			}
		})
	}
}

// An http.Server behind a proxy knows both addresses before it reads anything.
func TestHTTPBehindAProxyKnowsBothAddresses(t *testing.T) {
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
