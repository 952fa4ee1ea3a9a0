package network_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// net/http on our listeners, with clients that know nothing of them.

// pages is what the servers of these tests serve.
func pages(big []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s from %s\n", r.Proto, r.URL.Path, r.RemoteAddr)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	mux.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
	})
	return mux
}

// serveHTTP runs an http.Server on a NetListener until the test ends, and checks that
// then nothing is left. over is what is put on the listener, if it is not nil.
func (p *place) serveHTTP(t *testing.T, handler http.Handler, over func(net.Listener) net.Listener) (addr string, log *testutil.Journal) {
	t.Helper()
	testutil.NoLeaks(t)
	log = testutil.CaptureLog(t)
	l, err := p.listen(context.Background(), network.ServerConfig{})
	must(t, err)
	listener := network.NetListener(context.Background(), l)
	if over != nil {
		listener = over(listener)
	}
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := testutil.Receive(t, "end of the server", ended); err != http.ErrServerClosed {
			t.Errorf("the server ended with %v", err)
		}
		log.Empty(t, slog.LevelInfo)
	})
	return l.LocalAddr().String(), log
}

// curl runs curl against a server at addr, with the paths of URLs. What it prints is
// returned.
func (p *place) curl(t *testing.T, addr string, paths []string, args ...string) string {
	t.Helper()
	args = append([]string{"--silent", "--show-error", "--fail", "--noproxy", "*"}, args...)
	base := "http://" + addr
	if p.unix {
		args, base = append(args, "--unix-socket", addr), "http://localhost"
	}
	if p.tls {
		_, port, _ := net.SplitHostPort(addr)
		base = "https://localhost"
		if port != "" {
			base = "https://127.0.0.1:" + port
		}
		args = append(args, "--cacert", testutil.WriteFile(t, "ca.pem", p.authority.PEM))
	}
	if p.proxy {
		args = append(args, "--haproxy-protocol")
	}
	for _, path := range paths {
		args = append(args, base+path)
	}
	curl := testutil.Program(t, "curl", args...)
	printed, status := curl.Rest()
	if status != 0 {
		t.Errorf("curl ended with status %d: %s", status, curl.Stderr())
	}
	return printed
}

// Several pages on one connection, a large one there and one back, on every kind of
// listener, with HTTP/1.1 and, where TLS agrees on it, HTTP/2.
func TestHTTPCurl(t *testing.T) {
	testutil.Need(t, "curl")
	big := testutil.Pattern(5, 8<<20)
	file := testutil.WriteFile(t, "big", big)
	sum := fmt.Sprintf("%d %x <nil>", len(big), sha256.Sum256(big))
	for _, k := range append(kinds, kind{name: "package tls", tls: true}) {
		for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
			if version == "HTTP/2.0" && !k.tls {
				continue
			}
			t.Run(k.name+" "+version, func(t *testing.T) {
				p := k.place(t)
				var over func(net.Listener) net.Listener
				if p.tls {
					p.server.NextProtos = []string{"h2", "http/1.1"}
				}
				if k.name == "package tls" {
					config := p.server
					p.server = nil
					over = func(l net.Listener) net.Listener { return tls.NewListener(l, config) }
				}
				addr, _ := p.serveHTTP(t, pages(big), over)
				option := "--http1.1"
				if version == "HTTP/2.0" {
					option = "--http2"
				}
				said := p.curl(t, addr, []string{"/one", "/two", "/three"}, option, "--write-out", "connections %{num_connects}\n")
				from := regexp.MustCompile(` from \S*`)
				want := version + " /one\nconnections 1\n" + version + " /two\nconnections 0\n" + version + " /three\nconnections 0\n"
				if got := from.ReplaceAllString(said, ""); got != want {
					t.Errorf("curl printed %q, want %q", got, want)
				}
				if senders := from.FindAllString(said, -1); len(senders) != 3 || senders[0] != senders[2] {
					t.Errorf("the requests came from %q", senders)
				}
				down := filepath.Join(t.TempDir(), "down")
				p.curl(t, addr, []string{"/big"}, option, "--output", down)
				got, err := os.ReadFile(down)
				must(t, err)
				if err := same(got, big); err != nil {
					t.Error(err)
				}
				if got := p.curl(t, addr, []string{"/sum"}, option, "--data-binary", "@"+file); got != sum {
					t.Errorf("of what was uploaded the server says %s, want %s", got, sum)
				}
			})
		}
	}
}

// wrk asks for a second, as fast as it can, on many connections. None may fail.
func TestHTTPWrk(t *testing.T) {
	testutil.Need(t, "wrk")
	for _, k := range []kind{{name: "TCP"}, {name: "TLS", tls: true}} {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			addr, log := p.serveHTTP(t, pages(nil), nil)
			url := "http://" + addr
			if k.tls {
				url = "https://" + addr
			}
			wrk := testutil.Program(t, "wrk", "-t", "1", "-c", "30", "-d", "1s", url+"/page")
			said, status := wrk.Rest()
			requests := 0
			if found := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(said); found != nil {
				requests, _ = strconv.Atoi(found[1])
			}
			t.Logf("%d requests", requests)
			if status != 0 || requests < 1000 || strings.Contains(said, "Socket errors") || strings.Contains(said, "Non-2xx") {
				t.Errorf("wrk ended with status %d and said\n%s", status, said)
			}
			for _, record := range log.Find("") {
				if strings.Contains(record.Text, "panic") {
					t.Error(record)
				}
			}
		})
	}
}

// What is no HTTP is refused, and the next one is served.
func TestHTTPNuisances(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			addr, log := p.serveHTTP(t, pages(nil), nil)
			for _, text := range nuisances {
				for _, early := range []bool{false, true} { // instead of TLS and of the header, or after them
					raw := p.raw(t, addr)
					conn := raw
					if !early {
						conn = p.dress(t, raw)
					}
					_, err := io.WriteString(conn, text)
					if c, ok := conn.(interface{ CloseWrite() error }); ok && err == nil && c.CloseWrite() == nil {
						_, _ = io.Copy(io.Discard, conn)
					}
					vanish(raw)
				}
			}
			log.Take("TLS handshake error")
			conn := p.dial(t, addr)
			writeAll(t, conn, "GET /still HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			said, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 200 OK\r\n") || !strings.Contains(string(said), "HTTP/1.1 /still from ") {
				t.Errorf("the next one receives %q, %v", said, err)
			}
			conn.Close() // which the server has done already
		})
	}
}
