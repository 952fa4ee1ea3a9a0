package monitor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

func TestMain(m *testing.M) { testutil.Main(m, child) }

// child is a program with a monitor, as its arguments say: "spin ADDR" computes in every processor that it has, of which
// there is one; "environment" has what the environment asks for.
func child() {
	switch os.Args[1] {
	case "spin":
		runtime.GOMAXPROCS(1)
		server, err := monitor.On(os.Args[2])
		if err != nil {
			panic(err)
		}
		fmt.Println("monitor at", server.Addr())
		_ = curio.Run(context.Background(), func(context.Context) error {
			for n := 0; ; n++ { // it never waits, and calls nothing
				_ = n
			}
		})
	case "environment": // which the init function has read
		fmt.Println("running")
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Hour)
		})
	}
}

// on starts a monitor of the kernel k alone.
func on(t *testing.T, addr string, k *curio.Kernel, opts ...monitor.Option) *monitor.Server {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	s, err := monitor.On(addr, append([]monitor.Option{monitor.Kernel(k), monitor.Logger(quiet)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sockets has a directory for sockets. The ones of t.TempDir may have long names.
func sockets(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func socketIn(t *testing.T) string { return "unix:" + filepath.Join(sockets(t), "m.sock") }

// A world is a kernel whose tasks wait for what a test decides.
type world struct {
	*curio.Kernel

	t    *testing.T
	main context.Context
	end  func()
}

// newWorld runs main, with nothing in it yet. At the end of the test all tasks are cancelled.
func newWorld(t *testing.T) *world {
	t.Helper()
	testutil.NoLeaks(t)
	w := &world{Kernel: curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler))), t: t}
	begun, done := make(chan context.Context), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- w.Run(ctx, func(ctx context.Context) error {
			begun <- ctx
			<-ctx.Done()
			return nil
		})
	}()
	w.main = testutil.Receive(t, "main", begun)
	w.end = func() {
		cancel()
		testutil.Receive(t, "end of main", done)
	}
	t.Cleanup(func() {
		w.end()
		if err := w.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// task spawns a task, and waits until it waits in the given state.
func (w *world) task(name, state string, fn func(context.Context) error, opts ...curio.SpawnOption) *curio.AnyTask {
	w.t.Helper()
	t := curio.Go(w.main, fn, append(opts, curio.Name(name))...).AnyTask
	testutil.Await(w.t, name+" waits", func() bool { return t.State() == state })
	return t
}

func (w *world) sleeper(name string) *curio.AnyTask {
	return w.task(name, "TIME_SLEEP", func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
}

// deadlock has three tasks wait for each other: two over two locks, and one that joins the first.
func (w *world) deadlock() (a, b, c *curio.AnyTask) {
	var left, right curio.Lock
	var go1 curio.Event
	take := func(first, second *curio.Lock) func(context.Context) error {
		return func(ctx context.Context) error {
			return first.Do(ctx, func(ctx context.Context) error {
				if err := go1.Wait(ctx); err != nil {
					return err
				}
				return second.Do(ctx, func(context.Context) error { return nil })
			})
		}
	}
	a = w.task("a", "EVENT_WAIT", take(&left, &right))
	b = w.task("b", "EVENT_WAIT", take(&right, &left))
	c = w.task("c", "TASK_WAIT", func(ctx context.Context) error { return a.Wait(ctx) })
	go1.Set()
	for _, t := range []*curio.AnyTask{a, b} {
		testutil.Await(w.t, "a lock is waited for", func() bool { return t.State() == "LOCK_ACQUIRE" })
	}
	return a, b, c
}

// A terminal is a client of commands.
type terminal struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// connect connects to a monitor, and says nothing yet.
func connect(t *testing.T, addr string) *terminal {
	t.Helper()
	network, path := "tcp", strings.TrimPrefix(addr, "unix:")
	if strings.Contains(path, "/") {
		network, addr = "unix", path
	}
	conn, err := net.DialTimeout(network, addr, testutil.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	return &terminal{t, conn, bufio.NewReader(conn)}
}

func (c *terminal) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// asks sends a line, and returns the answer up to the next prompt, without both. What comes before the first prompt goes
// with the first answer.
func (c *terminal) asks(line string) string {
	c.t.Helper()
	c.say(line + "\n")
	return c.hears()
}

func (c *terminal) hears() string {
	c.t.Helper()
	const prompt = "curio > "
	var b strings.Builder
	for !strings.HasSuffix(b.String(), prompt) {
		ch, err := c.in.ReadByte()
		if err != nil {
			c.t.Fatalf("heard %q, %v", b.String(), err)
		}
		b.WriteByte(ch)
	}
	return strings.TrimSuffix(b.String(), prompt)
}

// begin is the first words: an empty line makes the connection one of commands.
func (c *terminal) begin() (greeting string) {
	c.t.Helper()
	greeting = c.asks("")
	c.hears() // the answer to the empty line
	return greeting
}

// rest is all that comes until the connection ends.
func (c *terminal) rest() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.t.Fatalf("heard %q, %v, and not the end", rest, err)
	}
	return string(rest)
}

// A request is one over HTTP, and what has to come of it.
type request struct {
	method, path, body string
	header             map[string]string // "Host" too
}

// web is a client of HTTP.
func web(t *testing.T, addr string) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: testutil.Patience}
}

// do sends a request and returns the answer.
func do(t *testing.T, addr string, r request) (status int, body string, header http.Header) {
	t.Helper()
	host := addr
	if strings.HasPrefix(addr, "unix:") {
		host = "localhost"
	}
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+host+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	answer, err := web(t, addr).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}
