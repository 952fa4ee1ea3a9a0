package network_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

const msgGrace = "handlers have not ended in the grace time and are cancelled"

// serveWith is serve with a config.
func serveWith(t testing.TB, config *network.ServerConfig, handler network.Handler) *server {
	t.Helper()
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", config)
	s.Addr = listener.LocalAddr().String()
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, handler) })
	return s
}

// requests answers each byte with the same, and waits for the next until the server
// stops.
func requests(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 1)
	for {
		idle, cancel := curio.UntilStop(ctx)
		_, err := conn.Recv(idle, buf)
		cancel()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if _, err := conn.SendAll(ctx, buf); err != nil {
			return err
		}
	}
}

// Handlers that have nothing to do end at once when the server stops, and what has begun
// is finished; meanwhile nobody new is let in.
func TestGracefulStop(t *testing.T) {
	begun, finish := new(curio.Event), new(curio.Event)
	s := serveWith(t, &network.ServerConfig{Grace: time.Hour}, func(ctx context.Context, conn network.Conn) error {
		buf := make([]byte, 1)
		if _, err := conn.Recv(ctx, buf); err != nil {
			return err
		}
		if buf[0] != 'b' {
			if _, err := conn.SendAll(ctx, buf); err != nil {
				return err
			}
			return requests(ctx, conn)
		}
		begun.Set()
		if err := finish.Wait(ctx); err != nil {
			return err
		}
		_, err := conn.SendAll(ctx, []byte("done"))
		return err
	})
	idle := make([]net.Conn, 10)
	for i := range idle {
		idle[i] = testutil.Dial(t, s.Addr)
		testutil.EchoTwice(t, idle[i])
	}
	busy := testutil.Dial(t, s.Addr)
	if _, err := busy.Write([]byte("b")); err != nil {
		t.Fatal(err)
	}
	testutil.Await(t, "request", begun.IsSet)
	s.Task.CancelNow()
	for _, conn := range idle {
		atEnd(t, conn)
	}
	testutil.Await(t, "end of the idle handlers", func() bool { return s.handlers() == 1 })
	refused(t, s.Addr)
	if s.Task.Terminated() {
		t.Error("it has not waited for the busy handler")
	}
	finish.Set()
	if got, err := io.ReadAll(busy); string(got) != "done" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	err := s.end()
	is(t, err, taskCancelled...)
	if late := (*network.GraceError)(nil); errors.As(err, &late) {
		t.Errorf("it tells of handlers that were late: %v", err)
	}
}

// A handler that is in UntilStop when the server stops, and one that comes to it after,
// see why.
func TestUntilStopSays(t *testing.T) {
	begun, errs := new(curio.Event), make(chan error, 2)
	s := serveWith(t, &network.ServerConfig{Grace: time.Hour}, func(ctx context.Context, conn network.Conn) error {
		for range 2 {
			idle, cancel := curio.UntilStop(ctx)
			begun.Set()
			_, err := conn.Recv(idle, make([]byte, 1))
			cancel()
			errs <- err
		}
		return curio.CheckCancellation(context.WithoutCancel(ctx))
	})
	testutil.Dial(t, s.Addr)
	testutil.Await(t, "handler", begun.IsSet)
	is(t, s.cancel(), taskCancelled...)
	for range 2 {
		err := testutil.Receive(t, "error", errs)
		if !errors.Is(err, curio.ErrStopping) || !errors.Is(err, curio.ErrCancelled) || errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("%v", err)
		}
	}
}

// Without a server, and in one without a grace time, UntilStop ends with its context.
func TestUntilStopElsewhere(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, cancel := curio.WithTimeout(t.Context(), curio.NoTimeout)
	idle, stop := curio.UntilStop(ctx)
	if err := curio.CheckCancellation(idle); err != nil {
		t.Error(err)
	}
	cancel()
	if err := curio.CheckCancellation(idle); !errors.Is(err, curio.ErrCancelled) {
		t.Error(err)
	}
	stop()
}

// Who has not ended when the grace time is over is cancelled, and named.
func TestGraceRunsOut(t *testing.T) {
	ends := make(chan error, 2)
	s := serveWith(t, &network.ServerConfig{Grace: short}, func(ctx context.Context, conn network.Conn) error {
		if _, err := conn.SendAll(ctx, []byte("+")); err != nil {
			return err
		}
		_, err := conn.Recv(ctx, make([]byte, 1))
		ends <- err
		return err
	})
	var names []string
	for range 2 {
		conn := testutil.Dial(t, s.Addr)
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		names = append(names, conn.LocalAddr().String())
	}
	err := s.cancel()
	is(t, err, taskCancelled...)
	var late *network.GraceError
	if !errors.As(err, &late) {
		t.Fatalf("%v is no GraceError", err)
	}
	slices.Sort(names)
	slices.Sort(late.Connections)
	if !slices.Equal(late.Connections, names) {
		t.Errorf("%v, want %v", late.Connections, names)
	}
	if text := err.Error(); !strings.Contains(text, names[0]) || !strings.Contains(text, names[1]) {
		t.Errorf("%q does not name them", text)
	}
	for range 2 {
		if err := testutil.Receive(t, "end", ends); !errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("the handler sees %v", err)
		}
	}
	if r := s.Log.TakeOne(t, msgGrace); r.Level != slog.LevelWarn {
		t.Errorf("logged as %v", r)
	}
}

// Of several servers, all late handlers are told of.
func TestGraceRunsOutForSeveral(t *testing.T) {
	s := newServer(t)
	config := &network.ServerConfig{Grace: short}
	first, second := listen(t, "127.0.0.1:0", config), listen(t, "127.0.0.1:0", config)
	s.run(func(ctx context.Context) error {
		return network.RunServers(ctx, []*network.Listener{first, second}, echo)
	})
	var names []string
	for _, l := range []*network.Listener{first, second} {
		conn := testutil.Dial(t, l.LocalAddr().String())
		testutil.EchoTwice(t, conn)
		names = append(names, conn.LocalAddr().String())
	}
	err := s.cancel()
	is(t, err, taskCancelled...)
	var late *network.GraceError
	if !errors.As(err, &late) {
		t.Fatalf("%v is no GraceError", err)
	}
	slices.Sort(names)
	slices.Sort(late.Connections)
	if !slices.Equal(late.Connections, names) {
		t.Errorf("%v, want %v", late.Connections, names)
	}
	s.Log.Take(msgGrace)
}

// A negative grace time is no bound, and a listener that is closed is another way to
// begin the stop.
func TestGraceWithoutBound(t *testing.T) {
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", &network.ServerConfig{Grace: -1})
	finish := new(curio.Event)
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
			if err := finish.Wait(ctx); err != nil {
				return err
			}
			_, err := conn.SendAll(ctx, []byte("done"))
			return err
		})
	})
	conn := testutil.Dial(t, listener.LocalAddr().String())
	testutil.Await(t, "handler", func() bool { return s.handlers() == 1 })
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	testutil.Await(t, "stop", func() bool { return s.Task.State() == "SEMA_ACQUIRE" })
	finish.Set()
	if got, err := io.ReadAll(conn); string(got) != "done" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	is(t, s.end(), net.ErrClosed)
}

// Connections that come, go, and are in the middle of something while the server stops,
// many times: it ends each time, and within the grace time everybody is either served or
// at an end.
func TestGraceAtAnyMoment(t *testing.T) {
	s := newServer(t)
	for range 300 {
		listener := listen(t, "127.0.0.1:0", &network.ServerConfig{Grace: testutil.Patience, MaxConnections: 2})
		addr := listener.LocalAddr().String()
		s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, requests) })
		clients := make(chan error, 3)
		for range cap(clients) {
			go func() { clients <- talk(addr) }()
		}
		if err := testutil.Receive(t, "client", clients); err != nil {
			t.Fatal(err)
		}
		err := s.cancel()
		is(t, err, taskCancelled...)
		if late := (*network.GraceError)(nil); errors.As(err, &late) {
			t.Fatal(err)
		}
		for range cap(clients) - 1 {
			if err := testutil.Receive(t, "client", clients); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// talk asks three times; that the server has gone is no error between two of them.
func talk(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		return err
	}
	for i := range 3 {
		if _, err := conn.Write([]byte{byte(i)}); err != nil {
			return nil
		}
		buf := make([]byte, 1)
		switch _, err := conn.Read(buf); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case err != nil:
			return nil
		case buf[0] != byte(i):
			return errors.New("another answer")
		}
	}
	return nil
}
