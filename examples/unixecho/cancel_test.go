package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
)

// Server and client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenUnix(ctx, path, nil)
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) }, curio.Daemon())
			var out strings.Builder
			err := client(ctx, &out, path, []string{"hello"})
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			if err == nil && out.String() != "hello\n" {
				err = fmt.Errorf("received %q", out.String())
			}
			return err
		})
	})
}

// A server alone, from its start on.
func TestServeCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		server := curio.Go(ctx, func(ctx context.Context) error { return serve(ctx, io.Discard, path, time.Minute) })
		if err := curio.Sleep(ctx, 0); err != nil {
			return err
		}
		_, err := server.Cancel(ctx)
		return err
	})
}
