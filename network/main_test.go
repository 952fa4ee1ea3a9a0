package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// children are what the test binary does when it plays a child process; the first
// argument says which.
var children = map[string]func(args []string){
	"clients": clientsMain,
	"short":   shortMain,
	"crash":   crashMain,

	"computes": computesMain,
}

func TestMain(m *testing.M) {
	testutil.Main(m, func() { children[os.Args[1]](os.Args[2:]) })
}

// A server is one that a test runs, in a kernel of its own. What the kernel and the
// package log is in Log.
type server struct {
	Addr   string
	Kernel *curio.Kernel
	Task   *curio.Task[struct{}]
	Log    *testutil.Journal

	t testing.TB
}

// serve starts a server on any port of loopback. At the end of the test it is
// stopped, if it still runs, and nothing may be left: no task, descriptor or
// goroutine, and nothing in the log that the test has not taken.
func serve(t testing.TB, handler network.Handler) *server {
	t.Helper()
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", nil)
	s.Addr = listener.LocalAddr().String()
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, handler) })
	return s
}

// newServer has a kernel, and nothing in it.
func newServer(t testing.TB) *server {
	t.Helper()
	testutil.NoLeaks(t)
	s := &server{t: t, Log: testutil.CaptureLog(t)}
	s.Kernel = curio.NewKernel(curio.Logger(slog.New(s.Log)))
	t.Cleanup(func() {
		ctx, cancel := curio.WithTimeout(context.Background(), testutil.Patience)
		defer cancel()
		if err := s.Kernel.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if tasks := s.Kernel.Tasks(); len(tasks) > 0 {
			t.Errorf("tasks are left: %v", tasks)
		}
		s.Log.Take(msgFull) // MaxConnections is there for that
		s.Log.Empty(t, slog.LevelInfo)
	})
	return s
}

// run runs fn as the server's task.
func (s *server) run(fn func(ctx context.Context) error) {
	s.t.Helper()
	s.Task = s.spawn(fn)
}

// spawn runs fn in a task of the server's kernel.
func (s *server) spawn(fn func(ctx context.Context) error) (task *curio.Task[struct{}]) {
	s.t.Helper()
	err := s.Kernel.Run(context.Background(), func(ctx context.Context) error {
		// A daemon, as the context of the main task ends with it.
		task = curio.Go(ctx, fn, curio.Daemon(), curio.ReportCrash(false))
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return task
}

// cancel cancels the server and returns what it ended with.
func (s *server) cancel() error {
	s.t.Helper()
	s.Task.CancelNow()
	return s.end()
}

// end waits for the server to end and returns what it ended with.
func (s *server) end() error {
	s.t.Helper()
	return end(s.t, s.Task)
}

func end(t testing.TB, task *curio.Task[struct{}]) error {
	t.Helper()
	testutil.Await(t, "end of "+task.Name(), task.Terminated)
	return task.Err()
}

// running is the tasks that have not ended. Those that have stay in the kernel's list
// for a moment.
func (s *server) running() []*curio.AnyTask {
	return slices.DeleteFunc(s.Kernel.Tasks(), (*curio.AnyTask).Terminated)
}

// handlers counts the connections that are served.
func (s *server) handlers() int {
	n := len(s.running())
	if !s.Task.Terminated() {
		n--
	}
	return n
}

// refused checks that nobody listens on addr.
func refused(t testing.TB, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
		t.Errorf("%s still takes connections", addr)
	}
}

// listen is ListenTCP in no task. The socket is closed at the end of the test.
func listen(t testing.TB, addr string, config *network.ServerConfig) *network.Listener {
	t.Helper()
	listener, err := network.ListenTCP(context.Background(), addr, config)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, listener)
	return listener
}

func closeAtEnd(t testing.TB, s io.Closer) {
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// echo is a handler.
func echo(ctx context.Context, conn network.Conn) error {
	return echoUntil(ctx, conn, func([]byte) error { return nil })
}

// echoUntil sends back what it receives, until end, which is told of it, returns an error.
func echoUntil(ctx context.Context, conn network.Conn, end func(said []byte) error) error {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
		if err := end(buf[:n]); err != nil {
			return err
		}
	}
}

// atEnd checks that the stream of conn ends without another byte.
func atEnd(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("received %d, %v, and not the end", n, err)
	}
}

// is checks of which of the errors err is one: exactly of those in want.
func is(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, target := range []error{
		curio.ErrCancelled, curio.ErrTaskCancelled, curio.ErrTaskTimeout, curio.ErrTimeoutCancellation,
		curio.ErrUncaughtTimeout, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		net.ErrClosed, io.EOF,
	} {
		if got := errors.Is(err, target); got != slices.Contains(want, target) {
			t.Errorf("errors.Is(%q, %q) = %v", fmt.Sprint(err), target, got)
		}
	}
}

// What errors.Is is true for, of each error in the table of the design.
var (
	taskCancelled  = []error{curio.ErrTaskCancelled, curio.ErrCancelled, context.Canceled}
	taskTimeout    = []error{curio.ErrTaskTimeout, curio.ErrCancelled, context.DeadlineExceeded, os.ErrDeadlineExceeded}
	outerTimeout   = []error{curio.ErrTimeoutCancellation, curio.ErrCancelled, context.DeadlineExceeded}
	foreignCancel  = []error{curio.ErrCancelled, context.Canceled}
	foreignTimeout = []error{curio.ErrCancelled, context.DeadlineExceeded, os.ErrDeadlineExceeded}
)

// mustPanic checks that fn panics, and with what.
func mustPanic(t testing.TB, says string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := fmt.Sprint(recover()); !strings.Contains(v, says) {
			t.Errorf("it panics with %s, want %q", v, says)
		}
	}()
	fn()
}
