package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// Server and client run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error { return serve(ctx, listener) }, curio.Daemon())
			err := visit(ctx, listener.LocalAddr().String())
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			return err
		})
	})
}

// visit says that it is going, and waits for the answer.
func visit(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.SendAll(ctx, fmt.Appendf(nil, request, addr, "")); err != nil {
		return err
	}
	in := bufio.NewReader(stream.Reader(ctx, conn))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	if _, err := conn.SendAll(ctx, []byte{0x88, 0x80, 0, 0, 0, 0}); err != nil { // a mask that changes nothing
		return err
	}
	if head, err := in.Peek(2); err != nil || head[0] != 0x80|opClose {
		return fmt.Errorf("%x: %w", head, err)
	}
	return nil
}
