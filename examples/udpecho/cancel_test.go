package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

// Server and client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		server, err := listen("127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Spawn(func(ctx context.Context) (struct{}, error) {
				return struct{}{}, echo(ctx, server)
			}, curio.Daemon())
			client, err := listen("127.0.0.1:0")
			if err != nil {
				return err
			}
			defer client.Close()
			buf := make([]byte, 10)
			for range 3 {
				if _, err := client.SendTo(ctx, []byte("hello"), 0, server.LocalAddr()); err != nil {
					return err
				}
				n, from, err := client.RecvFrom(ctx, buf, 0)
				if err != nil {
					return err
				}
				if string(buf[:n]) != "hello" || from.String() != server.LocalAddr().String() {
					return fmt.Errorf("%q from %v", buf[:n], from)
				}
			}
			return nil
		})
	})
}

// The client asks a server that is cancelled with it.
func TestClientCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		server, err := listen("127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error { return echo(ctx, server) }, curio.Daemon())
			reply, err := ask(ctx, server.LocalAddr().String(), "hello", time.Hour)
			if err == nil && reply != "hello" {
				err = fmt.Errorf("the reply is %q", reply)
			}
			return err
		})
	})
}
