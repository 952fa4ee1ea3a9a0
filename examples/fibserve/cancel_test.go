package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/process"
	"github.com/curio-go/curio/stream"
)

// The server and a client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		if err := process.Configure(ctx, pool(1)); err != nil {
			return err
		}
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &config)
		if err != nil {
			return err
		}
		addr := listener.LocalAddr().String()
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error {
				return network.RunServer(ctx, listener, (&server{limit: time.Hour}).serve)
			}, curio.Daemon())
			err := ask(ctx, addr)
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			return err
		})
	})
}

func ask(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	s := stream.New(conn)
	defer func() { _ = curio.DisableCancellation(ctx, s.CloseContext) }()
	if _, err := s.WriteString(ctx, "10\n"); err != nil {
		return err
	}
	line, err := s.ReadLine(ctx)
	if err == nil && line != "55\n" {
		err = fmt.Errorf("heard %q", line)
	}
	return err
}
