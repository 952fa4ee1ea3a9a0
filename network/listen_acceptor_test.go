package network_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A scripted is a listener whose connections and errors come from a channel.
type scripted struct {
	accepts chan func() (net.Conn, error)
	closed  chan struct{}
	close   sync.Once

	mu    sync.Mutex
	tries []time.Time
}

func newScripted() *scripted {
	return &scripted{accepts: make(chan func() (net.Conn, error)), closed: make(chan struct{})}
}

func (l *scripted) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.tries = append(l.tries, time.Now())
	l.mu.Unlock()
	select {
	case accept := <-l.accepts:
		return accept()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *scripted) Close() error   { l.close.Do(func() { close(l.closed) }); return nil }
func (l *scripted) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

// connect connects a client to l.
func (l *scripted) connect() net.Conn {
	ours, theirs := net.Pipe()
	l.accepts <- func() (net.Conn, error) { return theirs, nil }
	return ours
}

func (l *scripted) fail(err error) { l.accepts <- func() (net.Conn, error) { return nil, err } }

// scriptedServer runs a server in a bubble. It logs to logger, or to a journal if logger is
// nil.
func scriptedServer(t *testing.T, config *network.ServerConfig, logger slog.Handler, test func(l *scripted, log *testutil.Journal, server *curio.Task[struct{}])) {
	synctest.Test(t, func(t *testing.T) {
		log := new(testutil.Journal)
		if logger == nil {
			logger = log
		}
		kernel := curio.NewKernel(curio.Logger(slog.New(logger)))
		err := kernel.Run(t.Context(), func(ctx context.Context) error {
			l := newScripted()
			server := curio.Go(ctx, func(ctx context.Context) error {
				return network.RunServer(ctx, network.FromListener(l, config), echoOrFail)
			}, curio.ReportCrash(false))
			test(l, log, server)
			server.CancelNow()
			return server.Wait(context.WithoutCancel(ctx))
		})
		must(t, errors.Join(err, kernel.Shutdown(t.Context())))
	})
}

// echoOrFail is echo, except that it fails after "fail".
func echoOrFail(ctx context.Context, conn network.Conn) error {
	return echoUntil(ctx, conn, func(said []byte) error {
		if string(said) == "fail" {
			return errOwn
		}
		return nil
	})
}

// An episode without room for connections logs one warning, however many come and go in it,
// and one line at its end.
func TestFullIsSaidOnce(t *testing.T) {
	scriptedServer(t, &network.ServerConfig{MaxConnections: 1}, nil, func(l *scripted, log *testutil.Journal, _ *curio.Task[struct{}]) {
		const n = 100
		for i := range n {
			conn := l.connect()
			synctest.Wait()
			if found := log.Find(""); len(found) != 1 || found[0].Level != slog.LevelWarn || found[0].Text != "curio: all connections are in use that MaxConnections allows; others wait" ||
				found[0].Attrs["server"] != "192.0.2.1:80" || found[0].Attrs["max"] != int64(1) {
				t.Fatalf("after %d connections: %v", i+1, found)
			}
			time.Sleep(time.Second)
			conn.Close()
			time.Sleep(time.Second)
		}
		log.Take("")
		time.Sleep(9 * time.Second)
		synctest.Wait()
		found := log.Take("")
		if len(found) != 1 || found[0].Level != slog.LevelInfo || found[0].Text != "curio: "+msgRoom ||
			found[0].Attrs["server"] != "192.0.2.1:80" || found[0].Attrs["after"] != (2*n-1)*time.Second {
			t.Errorf("at the end: %v", found)
		}
		time.Sleep(time.Hour)
		l.connect().Close()
		synctest.Wait()
		if found := log.Take(""); len(found) != 1 {
			t.Errorf("in the next episode: %v", found)
		}
	})
}

// A server that is not full logs nothing.
func TestNotFullIsNotSaid(t *testing.T) {
	scriptedServer(t, &network.ServerConfig{MaxConnections: 2}, nil, func(l *scripted, log *testutil.Journal, _ *curio.Task[struct{}]) {
		for range 10 {
			l.connect().Close()
			time.Sleep(time.Second)
		}
		log.Empty(t, slog.LevelDebug)
	})
}

// Running out of a system resource is logged in the same way. The pauses get longer, up to
// a second, and start over when a connection has been accepted.
func TestShortageIsSaidOnce(t *testing.T) {
	scriptedServer(t, nil, nil, func(l *scripted, log *testutil.Journal, server *curio.Task[struct{}]) {
		for range 2 {
			for range 12 {
				l.fail(os.NewSyscallError("accept", syscall.EMFILE))
			}
			l.connect().Close()
		}
		synctest.Wait()
		found := log.Take("")
		if len(found) != 1 || found[0].Level != slog.LevelWarn || found[0].Text != "curio: "+msgPause || found[0].Attrs["server"] != "192.0.2.1:80" {
			t.Fatalf("%v", found)
		}
		if err, _ := found[0].Attrs["err"].(error); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%v", err)
		}
		want := []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000}
		l.mu.Lock()
		tries := slices.Clone(l.tries)
		l.mu.Unlock()
		for round := range 2 {
			for i, d := range want {
				at := round*(len(want)+1) + i
				if got := tries[at+1].Sub(tries[at]); got < d*time.Millisecond || got > (d+1)*time.Millisecond {
					t.Errorf("round %d: pause %d is %v, want %v ms", round, i, got, d)
				}
			}
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if found = log.Take(""); len(found) != 1 || found[0].Level != slog.LevelInfo || found[0].Text != "curio: "+msgResume || found[0].Attrs["after"] == nil {
			t.Errorf("at the end: %v", found)
		}
	})
}

// An odd is a log handler that calls fn, which is set in the bubble.
type odd struct{ fn func() }

func (*odd) Enabled(context.Context, slog.Level) bool    { return true }
func (o *odd) WithAttrs([]slog.Attr) slog.Handler        { return o }
func (o *odd) WithGroup(string) slog.Handler             { return o }
func (o *odd) Handle(context.Context, slog.Record) error { o.fn(); return nil }

// Whatever a log handler does, the server goes on, releases its slots, and ends.
func TestOddLogHandlers(t *testing.T) {
	for _, name := range []string{"panics", "exits", "hangs"} {
		t.Run(name, func(t *testing.T) {
			logger := new(odd)
			scriptedServer(t, &network.ServerConfig{MaxConnections: 1, Grace: time.Second}, logger, func(l *scripted, _ *testutil.Journal, server *curio.Task[struct{}]) {
				hung := make(chan struct{})
				logger.fn = map[string]func(){
					"panics": func() { panic("in the log") },
					"exits":  runtime.Goexit,
					"hangs":  func() { <-hung },
				}[name]
				l.fail(os.NewSyscallError("accept", syscall.EMFILE))
				for range 3 {
					conn := l.connect()
					if err := testutil.Echo(conn, []byte("fail")); err != nil {
						t.Error(err)
					}
					conn.Close()
				}
				conn := l.connect()
				if err := testutil.Echo(conn, []byte("x")); err != nil {
					t.Error(err)
				}
				server.CancelNow()
				time.Sleep(10 * time.Second) // the grace time is over, and the late handler is cancelled
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("the connection is open")
				}
				ended := server.State() == "TERMINATED"
				close(hung)
				var late *network.GraceError
				if err := server.Wait(context.Background()); err != nil || !errors.As(server.Err(), &late) || !ended {
					t.Errorf("%v, %v; ended before the log handler: %t", err, server.Err(), ended)
				}
			})
		})
	}
}

// A panic that is logged by the server still ends a process whose kernel crashes on panics,
// such as crashMain.
func TestCrashOnPanicOfAHandler(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "crash")
	conn := testutil.Dial(t, child.After("listening on "))
	defer conn.Close()
	if status := child.Wait(); status != 2 {
		t.Errorf("it ended with status %d", status)
	}
	for _, want := range []string{"handler panicked", "panic: kaboom", "network_test.explode"} {
		if !strings.Contains(child.Stderr(), want) {
			t.Errorf("it does not say %q:\n%s", want, child.Stderr())
		}
	}
}

func crashMain([]string) {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		l, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		fmt.Println("listening on", l.LocalAddr())
		return network.RunServer(ctx, l, func(context.Context, network.Conn) error { explode(); return nil })
	}, curio.CrashOnPanic())
}
