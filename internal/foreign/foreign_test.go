package foreign_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/internal/waittest"
)

// What a test does in the name of a task.
var (
	newTask     = waittest.Task
	cancel      = waittest.Cancel
	awaitParked = waittest.AwaitParked
	in          = waittest.In
)

func TestMain(m *testing.M) { testutil.Main(m, nil) }

var background = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("%v, want %v", err, target)
		}
	}
}

// wrapped is a net.Conn about which nothing is known.
type wrapped struct{ net.Conn }

// pairs are connections of several kinds, each with its other side.
var pairs = map[string]func(t testing.TB) (a, b net.Conn){
	"pipe": func(testing.TB) (a, b net.Conn) { return net.Pipe() },
	"tcp":  func(t testing.TB) (a, b net.Conn) { return dial(t, "tcp", "127.0.0.1:0") },
	"unix": func(t testing.TB) (a, b net.Conn) { return dial(t, "unix", t.TempDir()+"/s") },
	"wrapped": func(t testing.TB) (a, b net.Conn) {
		a, b = dial(t, "tcp", "127.0.0.1:0")
		return wrapped{a}, b
	},
	"tls": func(t testing.TB) (a, b net.Conn) {
		a, b = dial(t, "tcp", "127.0.0.1:0")
		return secure(t, a, b)
	},
}

func dial(t testing.TB, network, addr string) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	check(t, err)
	defer l.Close()
	a, err = net.Dial(network, l.Addr().String())
	check(t, err)
	b, err = l.Accept()
	check(t, err)
	return a, b
}

// each runs f with a connection of each kind and its other side. With TLS, hands have been
// shaken.
func each(t *testing.T, f func(t *testing.T, a *foreign.Conn, b net.Conn)) {
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			inner, b := pair(t)
			a := foreign.New(inner)
			t.Cleanup(func() { a.Close(); b.Close() })
			shaken := make(chan error, 1)
			go func() {
				if s, ok := b.(interface{ Handshake() error }); ok {
					shaken <- s.Handshake()
					return
				}
				shaken <- nil
			}()
			check(t, a.Handshake(background))
			check(t, testutil.Receive(t, "handshake", shaken))
			f(t, a, b)
		})
	}
}

// exchange sends a message in both directions.
func exchange(t *testing.T, a *foreign.Conn, b net.Conn) {
	t.Helper()
	_, sent := in(t, func(context.Context) error { _, err := b.Write([]byte("ping")); return err })
	buf := make([]byte, 100)
	for got := ""; got != "ping"; {
		n, err := a.Recv(background, buf)
		check(t, err)
		if got += string(buf[:n]); len(got) > 4 {
			t.Fatalf("received %q", got)
		}
	}
	check(t, sent())
	_, sent = in(t, func(ctx context.Context) error { _, err := a.SendAll(ctx, []byte("pong")); return err })
	_, err := io.ReadFull(b, buf[:4])
	check(t, err)
	check(t, sent())
}

// What is cancelled while it waits has done nothing, and what comes after is not
// disturbed.
func TestReadingCancelled(t *testing.T) {
	each(t, func(t *testing.T, a *foreign.Conn, b net.Conn) {
		for name, op := range map[string]func(ctx context.Context) error{
			"Recv":     func(ctx context.Context) error { return received(a.Recv(ctx, make([]byte, 10))) },
			"WaitRead": a.WaitRead,
		} {
			o, join := in(t, op)
			awaitParked(t, o)
			cancel(o)
			err := join()
			want(t, err, wait.ErrTaskCancelled, context.Canceled)
			ctx, stop := context.WithTimeout(background, time.Millisecond)
			defer stop()
			want(t, op(ctx), wait.ErrCancelled, context.DeadlineExceeded)
			dead := newTask(t)
			cancel(dead)
			err = op(&dead.Scope)
			want(t, err, wait.ErrTaskCancelled)
			var wrapped *net.OpError
			if !errors.As(err, &wrapped) || wrapped.Net == "" || wrapped.Op == "read" {
				t.Errorf("%s: %#v", name, err)
			}
			exchange(t, a, b)
		}
	})
}

func received(n int, err error) error {
	if n != 0 {
		return fmt.Errorf("%d bytes, and %w", n, err)
	}
	return err
}
