package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A side is who makes the listener or dials: we or package net.
type side struct {
	name   string
	listen func(t *testing.T) net.Listener
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
}

var sides = []side{
	{"curio", func(t *testing.T) net.Listener {
		l, err := network.ListenTCP(t.Context(), "127.0.0.1:0", nil)
		must(t, err)
		return network.NetListener(context.Background(), l)
	}, network.DialContext},
	{"net", func(t *testing.T) net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		return l
	}, new(net.Dialer).DialContext},
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bothWays runs test with each server and each client.
func bothWays(t *testing.T, test func(t *testing.T, server, client side)) {
	for _, server := range sides {
		for _, client := range sides {
			t.Run("server="+server.name+"/client="+client.name, func(t *testing.T) {
				testutil.NoLeaks(t)
				test(t, server, client)
			})
		}
	}
}

// A web is an HTTP server and its client.
type web struct {
	server *http.Server
	client *http.Client
	url    string
	conns  atomic.Int32 // that were accepted
	served chan error
}

// serve starts a web, with HTTP/2 over TLS if secure is set. It is shut down at the end.
func serve(t *testing.T, server, client side, secure bool, handler http.HandlerFunc) *web {
	t.Helper()
	listener := server.listen(t)
	transport := &http.Transport{DialContext: client.dial, ForceAttemptHTTP2: secure}
	w := &web{
		server: &http.Server{Handler: handler},
		client: &http.Client{Transport: transport},
		url:    "http://" + listener.Addr().String(),
		served: make(chan error, 1),
	}
	w.server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			w.conns.Add(1)
		}
	}
	if secure {
		certificate, roots := testutil.Certificate(t)
		w.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		w.url = strings.Replace(w.url, "http:", "https:", 1)
		go func() { w.served <- w.server.ServeTLS(listener, "", "") }()
	} else {
		go func() { w.served <- w.server.Serve(listener) }()
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := testutil.Receive(t, "end of Serve", w.served); err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return w
}

// get returns the body of a successful answer.
func (w *web) get(t *testing.T, path string) string {
	t.Helper()
	answer, err := w.client.Get(w.url + path)
	must(t, err)
	return body(t, answer)
}

func body(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", answer.Status, text)
	}
	return string(text)
}

// Many requests go over one connection.
func TestKeepAlive(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		w := serve(t, server, client, false, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })
		for i := range 100 {
			path := fmt.Sprintf("/%d", i)
			if got := w.get(t, path); got != path {
				t.Fatalf("%q for %q", got, path)
			}
		}
		if n := w.conns.Load(); n != 1 {
			t.Errorf("100 requests took %d connections", n)
		}
	})
}

func TestHTTP2(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		w := serve(t, server, client, true, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
		w.get(t, "/") // so that there is a connection to share
		answers := make(chan string, 20)
		for range cap(answers) {
			go func() {
				answer, err := w.client.Get(w.url)
				if err != nil {
					answers <- err.Error()
					return
				}
				defer answer.Body.Close()
				text, err := io.ReadAll(answer.Body)
				answers <- fmt.Sprint(string(text), err)
			}()
		}
		for range cap(answers) {
			if got := testutil.Receive(t, "answer", answers); got != "HTTP/2.0<nil>" {
				t.Errorf("answer %q", got)
			}
		}
		if n := w.conns.Load(); n != 1 {
			t.Errorf("one client of HTTP/2 has %d connections", n)
		}
	})
}

// 32 MB there and back, over HTTP/1.1 and HTTP/2.
func TestLargeBodies(t *testing.T) {
	const size = 32 << 20
	data := testutil.Pattern(1, size)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			bothWays(t, func(t *testing.T, server, client side) {
				w := serve(t, server, client, secure, func(w http.ResponseWriter, r *http.Request) {
					got, err := io.ReadAll(r.Body)
					if err != nil || !bytes.Equal(got, data) {
						http.Error(w, fmt.Sprintf("%d bytes, %v", len(got), err), http.StatusBadRequest)
						return
					}
					_, _ = w.Write(got)
				})
				answer, err := w.client.Post(w.url, "", bytes.NewReader(data))
				must(t, err)
				if got := body(t, answer); got != string(data) {
					t.Errorf("%d bytes came back, or others", len(got))
				}
			})
		})
	}
}

// A client that gives up: both sides notice, and the server can be used as before.
func TestCancelledRequest(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			bothWays(t, func(t *testing.T, server, client side) {
				entered, left := make(chan struct{}), make(chan error)
				w := serve(t, server, client, secure, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/wait" {
						return
					}
					entered <- struct{}{}
					<-r.Context().Done()
					left <- r.Context().Err()
				})
				for range 5 {
					ctx, cancel := context.WithCancel(t.Context())
					request, err := http.NewRequestWithContext(ctx, "GET", w.url+"/wait", nil)
					must(t, err)
					failed := make(chan error, 1)
					go func() {
						answer, err := w.client.Do(request)
						if err == nil {
							answer.Body.Close()
						}
						failed <- err
					}()
					testutil.Receive(t, "request", entered)
					cancel()
					if err := testutil.Receive(t, "client", failed); !errors.Is(err, context.Canceled) {
						t.Errorf("the client: %v", err)
					}
					if err := testutil.Receive(t, "handler", left); !errors.Is(err, context.Canceled) {
						t.Errorf("the handler: %v", err)
					}
				}
				w.get(t, "/")
			})
		})
	}
}

// A handler takes the connection over, and talks another protocol on it.
func TestUpgrade(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		done := make(chan error, 1)
		w := serve(t, server, client, false, func(w http.ResponseWriter, r *http.Request) {
			conn, buffered, err := w.(http.Hijacker).Hijack()
			if err != nil {
				done <- err
				return
			}
			defer conn.Close()
			fmt.Fprint(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = buffered.Flush()
			line, err := buffered.ReadString('\n')
			if err == nil {
				_, err = buffered.WriteString("echo " + line)
			}
			done <- errors.Join(err, buffered.Flush())
		})
		request, err := http.NewRequest("GET", w.url, nil)
		must(t, err)
		request.Header.Set("Connection", "Upgrade")
		request.Header.Set("Upgrade", "echo")
		answer, err := w.client.Do(request)
		must(t, err)
		defer answer.Body.Close()
		stream, ok := answer.Body.(io.ReadWriter)
		if !ok || answer.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s, with a body of %T", answer.Status, answer.Body)
		}
		fmt.Fprintln(stream, "hello")
		line, err := bufio.NewReader(stream).ReadString('\n')
		if err != nil || line != "echo hello\n" {
			t.Errorf("%q, %v", line, err)
		}
		must(t, testutil.Receive(t, "handler", done))
	})
}

// The body is sent when the server has asked for it, and not if it has refused.
func TestExpectContinue(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		w := serve(t, server, client, false, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refuse" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			_, _ = io.Copy(w, r.Body)
		})
		w.client.Transport.(*http.Transport).ExpectContinueTimeout = testutil.Patience
		post := func(path string) (*http.Response, *counter) {
			sent := &counter{Reader: strings.NewReader("the body")}
			request, err := http.NewRequest("POST", w.url+path, sent)
			must(t, err)
			request.Header.Set("Expect", "100-continue")
			answer, err := w.client.Do(request)
			must(t, err)
			return answer, sent
		}
		answer, _ := post("/")
		if got := body(t, answer); got != "the body" {
			t.Errorf("%q came back", got)
		}
		answer, sent := post("/refuse")
		answer.Body.Close()
		if n := sent.n.Load(); answer.StatusCode != http.StatusForbidden || n != 0 {
			t.Errorf("%s, and %d bytes were sent", answer.Status, n)
		}
	})
}

type counter struct {
	io.Reader
	n atomic.Int64
}

func (c *counter) Read(buf []byte) (int, error) {
	n, err := c.Reader.Read(buf)
	c.n.Add(int64(n))
	return n, err
}

// Shutdown closes idle connections, and waits for the request in progress.
func TestShutdown(t *testing.T) {
	bothWays(t, func(t *testing.T, server, client side) {
		entered, finish := make(chan struct{}), make(chan struct{})
		w := serve(t, server, client, false, func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-finish
			fmt.Fprint(w, "done")
		})
		answered := make(chan string, 1)
		go func() {
			answer, err := w.client.Get(w.url)
			if err != nil {
				answered <- err.Error()
				return
			}
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			answered <- string(text)
		}()
		testutil.Receive(t, "request", entered)
		down := make(chan error, 1)
		go func() { down <- w.server.Shutdown(context.Background()) }()
		testutil.Await(t, "end of listening", func() bool {
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		close(finish)
		if got := testutil.Receive(t, "answer", answered); got != "done" {
			t.Errorf("the last answer is %q", got)
		}
		must(t, testutil.Receive(t, "end of Shutdown", down))
	})
}

// A whole server in a context: when that ends, so does everything on its connections.
func TestServerInAContext(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	l, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })}
	served := make(chan error, 1)
	go func() { served <- server.Serve(network.NetListener(ctx, l)) }()
	conn := testutil.Dial(t, l.LocalAddr().String())
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	cancel()
	if err := testutil.Receive(t, "end of Serve", served); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the client: %v", err)
	}
	must(t, server.Close())
}
