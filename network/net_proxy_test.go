package network_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
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
