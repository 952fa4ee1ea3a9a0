package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A server in no task, with all limits, stops as well as any other.
func TestGraceInNoTask(t *testing.T) {
	testutil.NoLeaks(t)
	log := testutil.CaptureLog(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listener := listen(t, "127.0.0.1:0", &network.ServerConfig{
		Grace: time.Hour, MaxConnections: 1, IdleTimeout: time.Hour, Lifetime: time.Hour,
	})
	ended := make(chan error, 1)
	go func() { ended <- network.RunServer(ctx, listener, requests) }()
	conn := testutil.Dial(t, listener.LocalAddr().String())
	testutil.EchoTwice(t, conn)
	cancel()
	is(t, testutil.Receive(t, "end of the server", ended), foreignCancel...)
	atEnd(t, conn)
	log.TakeOne(t, msgFull)
	log.Empty(t, slog.LevelDebug)
}

// The kernel is shut down: that begins the stop, and waits for the handlers to end.
func TestGraceAtShutdown(t *testing.T) {
	s := serveWith(t, &network.ServerConfig{Grace: time.Hour, MaxConnections: 2}, requests)
	conn := testutil.Dial(t, s.Addr)
	testutil.EchoTwice(t, conn)
	ctx, cancel := curio.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	must(t, s.Kernel.Shutdown(ctx))
	atEnd(t, conn)
	if err := s.Task.Err(); !errors.Is(err, curio.ErrCancelled) {
		t.Error(err)
	}
}

// And when the grace time runs out during the shutdown, handlers are cancelled.
func TestGraceRunsOutAtShutdown(t *testing.T) {
	s := serveWith(t, &network.ServerConfig{Grace: short}, echo)
	conn := testutil.Dial(t, s.Addr)
	testutil.EchoTwice(t, conn)
	ctx, cancel := curio.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	must(t, s.Kernel.Shutdown(ctx))
	atEnd(t, conn)
	var late *network.GraceError
	if err := s.Task.Err(); !errors.As(err, &late) || len(late.Connections) != 1 || late.Connections[0] != conn.LocalAddr().String() {
		t.Errorf("%v", err)
	}
	s.Log.TakeOne(t, msgGrace)
}

// A handshake that panics gives its place back, and is heard.
func TestHandshakePanics(t *testing.T) {
	client, server := configs(t)
	calls := 0
	s := serveWith(t, &network.ServerConfig{MaxConnections: 1, TLS: &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			if calls++; calls == 1 {
				panic("kaboom")
			}
			return server, nil
		},
	}}, echo)
	conn := tls.Client(testutil.Dial(t, s.Addr), client)
	if err := conn.Handshake(); err == nil {
		t.Error("no error")
	}
	s.Log.TakeOne(t, msgPanic)
	s.talkTLS(t, client)
	is(t, s.cancel(), taskCancelled...)
}

// A connection that is in its handshake when the grace time has run out is named, too, and
// is no error of the server.
func TestGraceInTheHandshake(t *testing.T) {
	_, server := configs(t)
	s := serveWith(t, &network.ServerConfig{Grace: short, TLS: server, HandshakeTimeout: -1}, echo)
	conn := testutil.Dial(t, s.Addr)
	testutil.Await(t, "handshake", func() bool { return s.handlers() == 1 })
	err := s.cancel()
	var late *network.GraceError
	if !errors.As(err, &late) || len(late.Connections) != 1 || late.Connections[0] != conn.LocalAddr().String() {
		t.Errorf("%v", err)
	}
	s.Log.TakeOne(t, msgGrace)
}

// A server that fails for good stops the others. If handlers are late then, the error says
// so in addition to why the server failed, not instead of that.
func TestGraceKeepsWhatFailed(t *testing.T) {
	s := newServer(t)
	failure := errors.New("the listener has failed for good")
	broken := newScripted()
	fails := network.FromListener(broken, &network.ServerConfig{Grace: short})
	other := listen(t, "127.0.0.1:0", &network.ServerConfig{Grace: short})
	s.run(func(ctx context.Context) error {
		return network.RunServers(ctx, []*network.Listener{fails, other}, echo)
	})
	conn := testutil.Dial(t, other.LocalAddr().String())
	testutil.EchoTwice(t, conn)
	broken.fail(failure)
	err := s.end()
	var late *network.GraceError
	if !errors.As(err, &late) || len(late.Connections) != 1 || !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
	atEnd(t, conn)
	s.Log.TakeOne(t, msgGrace)
}

// A foreign listener that fails with a cancellation of its own has not been closed, and its
// server has not been cancelled: the error says what happened.
func TestListenerFailsWithACancellation(t *testing.T) {
	s := newServer(t)
	broken := newScripted()
	s.run(func(ctx context.Context) error {
		return network.RunServer(ctx, network.FromListener(broken, nil), echo)
	})
	earlier := curio.TimeoutAfter(t.Context(), 0, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
	broken.fail(earlier)
	if err := s.end(); !errors.Is(err, curio.ErrTaskTimeout) || errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
