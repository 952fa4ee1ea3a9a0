package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
	"github.com/curio-go/curio/socket"
)

// answers checks that a monitor answers in both ways.
func answers(t *testing.T, s *monitor.Server, want string) {
	t.Helper()
	c := connect(t, s.Addr())
	defer c.conn.Close()
	c.begin()
	for _, line := range []string{"ps", "tree"} {
		if said := c.asks(line); !strings.Contains(said, want) {
			t.Errorf("%s: %q lacks %q", line, said, want)
		}
	}
	if status, body, _ := do(t, s.Addr(), request{path: "/api/tasks"}); status != 200 || !strings.Contains(body, want) {
		t.Errorf("%d %s", status, body)
	}
}

// Every task is blocked: in locks, in the poller, in threads, with no slot for a thread left.
func TestAnswersWhileAllIsBlocked(t *testing.T) {
	w := newWorld(t)
	w.deadlock()
	release := make(chan struct{})
	slots := curio.NewBoundedSemaphore(2)
	for i := range 4 {
		name := fmt.Sprintf("thread %d", i)
		curio.Go(w.main, func(ctx context.Context) error {
			_, err := curio.RunInThreadLimited(ctx, slots, func() (int, error) { <-release; return 0, nil })
			return err
		}, curio.Name(name))
	}
	defer func() {
		close(release)
		testutil.Await(t, "the threads end", func() bool { return len(w.ThreadCalls()) == 0 })
	}()
	testutil.Await(t, "no slot is left", func() bool {
		states := make(map[string]int)
		for _, t := range w.Tasks() {
			if strings.HasPrefix(t.Name(), "thread ") {
				states[t.State()]++
			}
		}
		return states["THREAD_CALL"] == 2 && states["THREAD_SLOT"] == 2
	})
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	defer a.Close()
	w.task("reader", "READ_WAIT", func(ctx context.Context) error {
		_, err := a.Recv(ctx, make([]byte, 1))
		return err
	})
	s := on(t, socketIn(t), w.Kernel)
	answers(t, s, "READ_WAIT")
	answers(t, s, "LOCK_ACQUIRE")
}

// A kernel is being shut down, and a task does not end.
func TestAnswersDuringShutdown(t *testing.T) {
	testutil.NoLeaks(t)
	k := curio.NewKernel()
	var gate curio.Event
	begun := make(chan *curio.AnyTask, 1)
	done := make(chan error, 1)
	go func() {
		done <- k.Run(context.Background(), func(ctx context.Context) error {
			begun <- curio.CurrentTask(ctx)
			return curio.DisableCancellation(ctx, gate.Wait)
		})
	}()
	main := testutil.Receive(t, "main", begun)
	shut := make(chan error, 1)
	go func() { shut <- k.Shutdown(context.Background()) }()
	testutil.Await(t, "main is cancelled", main.Cancelled)
	s, err := monitor.On(socketIn(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	answers(t, s, "EVENT_WAIT")
	c := connect(t, s.Addr())
	c.begin()
	if said := c.asks("tree"); !strings.Contains(said, ", cancelled ") {
		t.Errorf("tree: %q", said)
	}
	gate.Set()
	testutil.Receive(t, "end of main", done)
	if err := testutil.Receive(t, "the shutdown", shut); err != nil {
		t.Error(err)
	}
	if status, body, _ := do(t, s.Addr(), request{path: "/api/tasks"}); status != 200 || strings.Contains(body, "EVENT_WAIT") {
		t.Errorf("after the shutdown: %d %s", status, body)
	}
}

// A task computes without end, on the only processor that the program has.
func TestAnswersWhileATaskSpins(t *testing.T) {
	testutil.NoLeaks(t)
	path := sockets(t) + "/m.sock"
	p := testutil.Self(t, "spin", path)
	addr := p.After("monitor at ")
	c := connect(t, addr)
	c.begin()
	// The task begins after the monitor.
	var id uint64
	testutil.Await(t, "the task is seen", func() bool {
		for line := range strings.Lines(c.asks("ps")) {
			if _, err := fmt.Sscanf(line, "%d RUNNING", &id); err == nil {
				return true
			}
		}
		return false
	})
	if status, body, _ := do(t, addr, request{path: "/api/tasks"}); status != 200 || !strings.Contains(body, "RUNNING") {
		t.Errorf("%d %s", status, body)
	}
	// The stack of a task that never waits.
	if said := c.asks(fmt.Sprintf("where %d", id)); !strings.Contains(said, "is at monitor/main_test.go:") {
		t.Errorf("where: %q", said)
	}
}

// Close disconnects the clients and lets nothing be left, whatever they are at.
func TestClose(t *testing.T) {
	w := newWorld(t)
	defer monitor.SetGreetAfter(time.Hour)() // a slow machine takes long for what follows
	for range testutil.Times(50) {
		s := on(t, "127.0.0.1:0", w.Kernel, monitor.OpenReading())
		idle, talking, half := connect(t, s.Addr()), connect(t, s.Addr()), connect(t, s.Addr())
		talking.begin()
		half.say("GET / HTTP/1.1\r\n")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, c := range []*terminal{idle, talking, half} {
			if said, _ := io.ReadAll(c.in); len(said) > 0 {
				t.Errorf("it said %q", said)
			}
			c.conn.Close()
		}
		if conn, err := net.Dial("tcp", s.Addr()); err == nil {
			conn.Close()
			t.Error("it still listens")
		}
	}
}

// Tasks come and go while they are looked at, and some are cancelled from there.
func TestTasksComeAndGo(t *testing.T) {
	w := newWorld(t)
	s := on(t, socketIn(t), w.Kernel, monitor.AllowChanges())
	stop := curio.Go(w.main, func(ctx context.Context) error {
		for {
			batch := make([]*curio.Task[struct{}], 50)
			for i := range batch {
				batch[i] = curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Millisecond) }, curio.Name("short"))
			}
			for _, b := range batch {
				if _, err := b.Join(ctx); err != nil && errors.Is(err, ctx.Err()) {
					return err
				}
			}
		}
	})
	for range testutil.Times(200) {
		all := get[tasks](t, s.Addr(), "/api/tasks?filter=short")
		for _, its := range all.Tasks[:min(3, len(all.Tasks))] {
			status, body, _ := do(t, s.Addr(), request{
				"POST", fmt.Sprintf("/api/tasks/%d/cancel", its.ID), `{"name":"short"}`, map[string]string{"Content-Type": "application/json"},
			})
			if status != 200 && status != 404 {
				t.Errorf("%d %s", status, body)
			}
		}
	}
	if _, err := stop.Cancel(context.Background()); err != nil {
		t.Error(err)
	}
}
