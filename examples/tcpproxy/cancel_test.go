package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
)

// Client, proxy and server run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			to, err := serve(ctx, g, answer)
			if err != nil {
				return err
			}
			forwards := forwardTo(to, time.Hour)
			addr, err := serve(ctx, g, func(ctx context.Context, conn network.Conn) error {
				err := forwards(ctx, conn)
				if curio.CheckCancellation(ctx) == nil {
					err = nil // the others may have been cancelled before it: that is a reset
				}
				return err
			})
			if err != nil {
				return err
			}
			err = ask(ctx, addr)
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so were the servers, which may have gone first
			}
			return err
		})
	})
}

// serve runs a server in a group.
func serve(ctx context.Context, g *curio.TaskGroup[struct{}], handler network.Handler) (addr string, err error) {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		return "", err
	}
	addr = listener.LocalAddr().String()
	g.Go(func(ctx context.Context) error { return network.RunServer(ctx, listener, handler) }, curio.Daemon())
	return addr, nil
}

// answer waits for all of the question.
func answer(ctx context.Context, conn network.Conn) error {
	for {
		_, err := conn.Recv(ctx, make([]byte, 10))
		if err == io.EOF {
			_, err = conn.SendAll(ctx, []byte("answer"))
			return err
		}
		if err != nil {
			return err
		}
	}
}

func ask(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.SendAll(ctx, []byte("question")); err != nil {
		return err
	}
	if err := conn.CloseWrite(ctx); err != nil {
		return err
	}
	buf := make([]byte, 10)
	n, err := conn.Recv(ctx, buf)
	if err == nil && string(buf[:n]) != "answer" {
		err = fmt.Errorf("received %q", buf[:n])
	}
	if err == nil {
		if _, err = conn.Recv(ctx, buf); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return err
}
