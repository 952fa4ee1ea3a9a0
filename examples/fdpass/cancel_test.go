package main

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// Both halves, without a process between them, and a client run in one group, which is
// cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		defer listener.Close()
		to, from, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer to.Close()
		defer from.Close()
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error { return pass(ctx, listener, to) }, curio.Daemon())
			g.Go(func(ctx context.Context) error { return work(ctx, from, time.Minute) }, curio.Daemon())
			err := client(ctx, listener.LocalAddr().String())
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so were the others, which may have gone first
			}
			return err
		})
	})
}

func client(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		return err
	}
	_, err = conn.Recv(ctx, make([]byte, 10))
	return err
}
