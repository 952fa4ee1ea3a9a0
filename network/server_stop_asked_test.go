package network_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

const msgLateTasks = "tasks have not ended in the grace time and are cancelled"

// A crowd is a server that runs under curio.Run, and its clients: some are idle, one waits for an
// answer, and the handler of one does not hear of a stop.
type crowd struct {
	addrs     []string
	idle      []net.Conn
	busy      net.Conn
	straggler net.Conn
	begun     curio.Event          // by the busy handler
	cut       chan error           // what the straggler has ended with
	handling  chan context.Context // of the straggler
	wish      context.CancelFunc
	ended     chan error // what Run has returned
	log       *testutil.Journal
}

func (c *crowd) serve(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 1)
	if _, err := conn.Recv(ctx, buf); err != nil {
		return err
	}
	switch buf[0] {
	case 'b':
		c.begun.Set()
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		if err := curio.Sleep(idle, time.Hour); !errors.Is(err, curio.ErrStopping) {
			return err
		}
		_, err := conn.SendAll(ctx, []byte("done"))
		return err
	case 's':
		c.handling <- ctx
		err := curio.Sleep(ctx, time.Hour)
		c.cut <- err
		return err
	}
	if _, err := conn.SendAll(ctx, buf); err != nil {
		return err
	}
	return requests(ctx, conn)
}

// gather runs servers with config, and returns when all clients are where they are to be.
func gather(t *testing.T, config *network.ServerConfig, servers int, opts ...curio.KernelOption) *crowd {
	t.Helper()
	testutil.NoLeaks(t)
	c := &crowd{log: testutil.CaptureLog(t), cut: make(chan error, 1), handling: make(chan context.Context, 1), ended: make(chan error, 1)}
	var listeners []*network.Listener
	for range servers {
		l := listen(t, "127.0.0.1:0", config)
		listeners = append(listeners, l)
		c.addrs = append(c.addrs, l.LocalAddr().String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	c.wish = cancel
	go func() {
		c.ended <- curio.Run(ctx, func(ctx context.Context) error {
			if servers == 1 {
				return network.RunServer(ctx, listeners[0], c.serve)
			}
			return network.RunServers(ctx, listeners, c.serve)
		}, append(opts, curio.Logger(slog.New(c.log)))...)
	}()
	for i := range 4 {
		conn := testutil.Dial(t, c.addrs[i%servers])
		testutil.EchoTwice(t, conn)
		c.idle = append(c.idle, conn)
	}
	c.busy, c.straggler = testutil.Dial(t, c.addrs[0]), testutil.Dial(t, c.addrs[servers-1])
	for conn, what := range map[net.Conn]string{c.busy: "b", c.straggler: "s"} {
		if _, err := conn.Write([]byte(what)); err != nil {
			t.Fatal(err)
		}
	}
	testutil.Await(t, "request", c.begun.IsSet)
	return c
}

// answered checks that the busy handler has finished, and that the connection has then ended.
func (c *crowd) answered(t *testing.T) {
	t.Helper()
	buf := make([]byte, 4)
	if n, err := c.busy.Read(buf); string(buf[:n]) != "done" || err != nil {
		t.Errorf("the busy one: %q, %v", buf[:n], err)
	}
	atEnd(t, c.busy)
}

// closed waits until nobody listens on addr.
func closed(t *testing.T, addr string) {
	t.Helper()
	testutil.Await(t, "closed listener", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// A program is told to stop: handlers finish what they have begun, new connections are refused, and a
// handler that ignores the request is cancelled and named, when the first of the grace times is over.
func TestServerInAProgramThatStops(t *testing.T) {
	const grace = 10 * short
	for _, test := range []struct {
		name    string
		own     time.Duration
		program time.Duration
		servers int
	}{
		{"the program's grace", 0, grace, 1},
		{"the server's grace", grace, time.Hour, 1},
		{"several servers, the program's grace", 0, grace, 2},
		{"several servers, the server's grace", grace, time.Hour, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := gather(t, &network.ServerConfig{Grace: test.own}, test.servers, curio.Grace(test.program))
			handling := testutil.Receive(t, "straggler", c.handling)
			began := time.Now()
			c.wish()
			for _, conn := range c.idle {
				atEnd(t, conn)
			}
			c.answered(t)
			for _, addr := range c.addrs {
				closed(t, addr)
			}
			if handling.Err() != nil && time.Since(began) < grace {
				t.Error("the straggler was cancelled at once")
			}
			if err := testutil.Receive(t, "end of the straggler", c.cut); !errors.Is(err, curio.ErrTaskCancelled) || time.Since(began) < grace {
				t.Errorf("the straggler was cancelled with %v after %v", err, time.Since(began))
			}
			err := testutil.Receive(t, "end of Run", c.ended)
			var late *network.GraceError
			if !errors.As(err, &late) || !slices.Equal(late.Connections, []string{c.straggler.LocalAddr().String()}) {
				t.Errorf("Run returned %v", err)
			}
			var any *curio.GraceError
			if !errors.As(err, &any) || len(any.Tasks) == 0 {
				t.Errorf("Run returned %v", err)
			}
			atEnd(t, c.straggler)
			if test.own == 0 {
				c.log.TakeOne(t, msgLateTasks)
			}
			c.log.TakeOne(t, msgGrace)
			c.log.Empty(t, slog.LevelInfo)
		})
	}
}

// During the Pause a server goes on as ever.
func TestServerInThePause(t *testing.T) {
	const pause = 10 * short
	c := gather(t, nil, 1, curio.Pause(pause), curio.Grace(short))
	handling := testutil.Receive(t, "straggler", c.handling)
	began := time.Now()
	c.wish()
	testutil.Await(t, "announcement", func() bool { return curio.Stopping(handling) })
	if conn, err := net.Dial("tcp", c.addrs[0]); err == nil {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(testutil.Patience))
		if n, err := conn.Write([]byte("x")); n != 1 || err != nil {
			t.Error(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil && time.Since(began) < pause {
			t.Error(err)
		}
		atEnd(t, conn)
	} else if time.Since(began) < pause {
		t.Errorf("in the pause: %v", err)
	}
	if took := time.Since(began); took < pause {
		t.Errorf("it was asked after %v", took)
	}
	closed(t, c.addrs[0])
	c.answered(t)
	testutil.Receive(t, "end of the straggler", c.cut)
	testutil.Receive(t, "end of Run", c.ended)
	c.log.TakeOne(t, msgLateTasks)
	c.log.TakeOne(t, msgGrace)
	c.log.Empty(t, slog.LevelInfo)
}

// A server whose task is asked to stop ends when its handlers have, without and with a grace time of
// its own, and has not failed: the log, which would tell of a daemon's failure, is empty.
func TestServerTaskStops(t *testing.T) {
	for _, own := range []time.Duration{0, time.Hour, -1} {
		s := newServer(t)
		for servers := 1; servers <= 2; servers++ {
			var listeners []*network.Listener
			for range servers {
				listeners = append(listeners, listen(t, "127.0.0.1:0", &network.ServerConfig{Grace: own}))
			}
			s.run(func(ctx context.Context) error {
				if servers == 1 {
					return network.RunServer(ctx, listeners[0], requests)
				}
				return network.RunServers(ctx, listeners, requests)
			})
			var conns []net.Conn
			for _, l := range listeners {
				conn := testutil.Dial(t, l.LocalAddr().String())
				testutil.EchoTwice(t, conn)
				conns = append(conns, conn)
			}
			must(t, s.Task.Stop(t.Context(), testutil.Patience))
			err := s.end()
			is(t, err, curio.ErrCancelled, context.Canceled)
			var op *net.OpError
			if !errors.Is(err, curio.ErrStopping) || !errors.As(err, &op) || op.Op != "accept" {
				t.Errorf("it ended with %v", err)
			}
			for i, conn := range conns {
				atEnd(t, conn)
				refused(t, listeners[i].LocalAddr().String())
			}
		}
	}
}

// A task that serves a connection can be asked to stop by itself, and the server goes on.
func TestConnectionStops(t *testing.T) {
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", nil)
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, requests) })
	first, second := testutil.Dial(t, listener.LocalAddr().String()), testutil.Dial(t, listener.LocalAddr().String())
	testutil.EchoTwice(t, first)
	testutil.EchoTwice(t, second)
	for _, c := range listener.Connections() {
		if c.Peer == first.LocalAddr().String() {
			must(t, c.Task.Stop(t.Context(), testutil.Patience))
		}
	}
	atEnd(t, first)
	testutil.EchoTwice(t, second)
	must(t, s.Task.Stop(t.Context(), testutil.Patience))
	atEnd(t, second)
}

// A server that has been asked, and then is cancelled, many times and close together: it ends, and
// nobody is taken for a failure.
func TestServerIsAskedAndCancelled(t *testing.T) {
	s := newServer(t)
	for i := range 80 {
		config := &network.ServerConfig{}
		if i%2 == 1 {
			config.Grace = testutil.Patience
		}
		listener := listen(t, "127.0.0.1:0", config)
		s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, requests) })
		conn := testutil.Dial(t, listener.LocalAddr().String())
		if i%4 < 2 {
			testutil.EchoTwice(t, conn)
		}
		asked := make(chan error, 1)
		go func() { asked <- s.Task.Stop(context.Background(), testutil.Patience) }()
		s.Task.CancelNow()
		if err := s.end(); !errors.Is(err, curio.ErrCancelled) {
			t.Fatal(err)
		}
		must(t, testutil.Receive(t, "end of Stop", asked))
		conn.Close()
		s.Log.Take(msgGrace) // who was cancelled while it waited for handlers says so
	}
}
