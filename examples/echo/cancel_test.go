package main

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
)

// Server and client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := listen("127.0.0.1:0")
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Spawn(func(ctx context.Context) (struct{}, error) {
				return struct{}{}, serve(ctx, listener, time.Minute)
			}, curio.Daemon())
			err := client(ctx, listener.LocalAddr().String())
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
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
	// It lets the server close first, which else could see a reset as an error.
	defer func() {
		_ = conn.CloseWrite(ctx)
		_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
			for {
				if _, err := conn.Recv(ctx, make([]byte, 10)); err != nil {
					return err
				}
			}
		})
	}()
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		return err
	}
	_, err = conn.Recv(ctx, make([]byte, 10))
	return err
}
