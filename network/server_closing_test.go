package network_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A server that has no place left notices that its listener is closed, and does not wait
// for a handler to end.
func TestListenerClosedWhileFull(t *testing.T) {
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", &network.ServerConfig{MaxConnections: 1})
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
	conn := testutil.Dial(t, listener.LocalAddr().String())
	testutil.EchoTwice(t, conn)
	testutil.Await(t, "the server to be full", func() bool { return s.Task.State() == "SEMA_ACQUIRE" })
	must(t, listener.Close())
	err := s.end()
	is(t, err, net.ErrClosed)
	isOp(t, "accept", err)
	if addr := listener.LocalAddr().String(); !strings.Contains(err.Error(), addr) {
		t.Errorf("%v does not name %s", err, addr)
	}
	atEnd(t, conn)
}

// With a grace time that is the beginning of the stop.
func TestListenerClosedWhileFullWithGrace(t *testing.T) {
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", &network.ServerConfig{MaxConnections: 1, Grace: time.Hour})
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, requests) })
	conn := testutil.Dial(t, listener.LocalAddr().String())
	testutil.EchoTwice(t, conn)
	testutil.Await(t, "the server to be full", func() bool { return s.Task.State() == "SEMA_ACQUIRE" })
	must(t, listener.Close())
	is(t, s.end(), net.ErrClosed)
	atEnd(t, conn)
}

// A pause is no reason not to notice either.
func TestListenerClosedInAPause(t *testing.T) {
	s := newServer(t)
	defer restoreLimit(t)
	listener := listen(t, "127.0.0.1:0", nil)
	testutil.Dial(t, listener.LocalAddr().String())
	s.run(func(ctx context.Context) error {
		noMoreDescriptors(t)
		return network.RunServer(ctx, listener, echo)
	})
	testutil.Await(t, "pause", func() bool { return len(s.Log.Find(msgPause)) > 0 && s.Task.State() == "TIME_SLEEP" })
	must(t, listener.Close())
	restoreLimit(t)
	is(t, s.end(), net.ErrClosed)
	s.Log.Take(msgPause)
}

// The server is cancelled and its listener closed in the same moment, many times: the end
// is that of the one or of the other.
func TestRaceListenerClosedAndCancelled(t *testing.T) {
	s := newServer(t)
	for range rounds(300) {
		listener := listen(t, "127.0.0.1:0", &network.ServerConfig{MaxConnections: 1})
		s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
		closed := make(chan error, 1)
		go func() { closed <- listener.Close() }()
		s.Task.CancelNow()
		err := s.end()
		if err := testutil.Receive(t, "end of Close", closed); err != nil && !isClosed(err) {
			t.Error(err)
		}
		if isClosed(err) {
			is(t, err, net.ErrClosed)
		} else {
			is(t, err, taskCancelled...)
		}
	}
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
