package network_test

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// Both ends of a connection ask after the other one, as those of package net do.
func TestKeepAlive(t *testing.T) {
	asks := func(conn network.Conn) {
		t.Helper()
		s := network.SocketOf(conn)
		on, err := socket.KeepAlive.Get(s)
		idle, err2 := socket.KeepAliveIdle.Get(s)
		interval, err3 := socket.KeepAliveInterval.Get(s)
		count, err4 := socket.KeepAliveCount.Get(s)
		for _, err := range []error{err, err2, err3, err4} {
			if err != nil {
				t.Error(err)
			}
		}
		if !on || idle != 15*time.Second || interval != 15*time.Second || count != 9 {
			t.Errorf("%v, %v, %v, %d", on, idle, interval, count)
		}
	}
	s := serve(t, func(ctx context.Context, conn network.Conn) error {
		asks(conn)
		return echo(ctx, conn)
	})
	conn := open(t, s.Addr, nil)
	asks(conn)
	if _, err := conn.SendAll(t.Context(), []byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := conn.Recv(t.Context(), make([]byte, 1)); err != nil {
		t.Error(err)
	}
	conn.Close()
	testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
}
