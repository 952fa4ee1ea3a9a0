package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/signal"
)

// Server and client run in one group, which is cancelled at each of their waits, and the server is restarted once.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		hangups := signal.NewQueue(syscall.SIGHUP)
		defer hangups.Close()
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			server := g.Go(func(ctx context.Context) error {
				restart, err := serve(ctx, listener, time.Hour, hangups)
				if err == nil && !restart {
					err = fmt.Errorf("the server is not to be restarted")
				}
				return err
			})
			err := visit(ctx, listener.LocalAddr().String())
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			if err != nil {
				return err
			}
			return server.Wait(ctx)
		})
	})
}

// visit is a client that has the server restarted.
func visit(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 100)
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		return err
	}
	n, err := conn.Recv(ctx, buf)
	if err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		return err
	}
	if got := string(buf[:n]); got != "hello" {
		return fmt.Errorf("received %q", got)
	}
	n, err = conn.Recv(ctx, buf)
	if err == nil && string(buf[:n]) != "good-bye\n" {
		err = fmt.Errorf("received %q", buf[:n])
	}
	return err
}
