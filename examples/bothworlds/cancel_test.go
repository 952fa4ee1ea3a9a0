package main

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
)

// Both servers and a client of each run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		ours, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		defer ours.Close()
		theirs, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer theirs.Close()
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error { return withTasks(ctx, ours, time.Hour) }, curio.Daemon())
			g.Go(func(ctx context.Context) error { return withGoroutines(ctx, theirs, time.Hour) }, curio.Daemon())
			for _, addr := range []net.Addr{ours.LocalAddr(), theirs.Addr()} {
				err := visit(ctx, addr.String())
				if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
					return cancelled // and so was the server, which may have gone first
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func visit(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		return err
	}
	buf := make([]byte, 100)
	n, err := conn.Recv(ctx, buf)
	if err == nil && string(buf[:n]) != "hello" {
		err = fmt.Errorf("received %q", buf[:n])
	}
	return err
}
