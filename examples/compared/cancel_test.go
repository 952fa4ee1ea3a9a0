package main

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/examples/compared/balancer"
	"github.com/curio-go/curio/examples/compared/chat"
	"github.com/curio-go/curio/examples/compared/pipeline"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// The programs that wait by Curio are cancelled at each of their waits. Those of fetch are in
// net/http: see TestFetchCancelled.

// withServer calls body while a server runs, all in one group.
func withServer[S any](ctx context.Context, program func(context.Context, string, S, func(net.Addr)) error, settings S, body func(context.Context, string) error) error {
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		ready := make(chan string, 1)
		g.Go(func(ctx context.Context) error {
			return program(ctx, "127.0.0.1:0", settings, func(addr net.Addr) { ready <- addr.String() })
		}, curio.Daemon())
		addr, err := curio.Receive(ctx, ready)
		if err == nil {
			err = body(ctx, addr)
		}
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled // and so was the server, which may have gone first
		}
		return err
	})
}

// talk sends what, and reads lines until there is want.
func talk(ctx context.Context, addr, what, want string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	lines := stream.New(conn)
	defer lines.Close()
	if _, err := lines.WriteString(ctx, what); err != nil {
		return err
	}
	for {
		if line, err := lines.ReadLine(ctx); err != nil || line == want {
			return err
		}
	}
}

func TestChatCancelledEverywhere(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return withServer(ctx, chat.ServeCurio, chat.Default, func(ctx context.Context, addr string) error {
			return talk(ctx, addr, "Ann\nhello\n", "Ann: hello\n")
		})
	})
}

// echo is a backend.
func echo(ctx context.Context, addr string, _ struct{}, ready func(net.Addr)) error {
	listener, err := network.ListenTCP(ctx, addr, nil)
	if err != nil {
		return err
	}
	ready(listener.LocalAddr())
	return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
		_, err := io.Copy(stream.Writer(ctx, conn), stream.Reader(ctx, conn))
		return err
	})
}

func TestBalancerCancelledEverywhere(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return withServer(ctx, echo, struct{}{}, func(ctx context.Context, backend string) error {
			settings := balancer.Default
			settings.Backends = []*balancer.Backend{{Addr: backend}}
			return withServer(ctx, balancer.ServeCurio, settings, func(ctx context.Context, addr string) error {
				for {
					err := talk(ctx, addr, "hello\n", "hello\n")
					if err == nil || errors.Is(err, curio.ErrCancelled) {
						return err
					}
					if err := curio.Sleep(ctx, time.Millisecond); err != nil { // it has not been checked yet
						return err
					}
				}
			})
		})
	})
}

func TestPipelineCancelledEverywhere(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		l := newLine(10)
		err := pipeline.RunCurio(ctx, l.stages, settings)
		if got, stored := l.got.Load(), l.stored.Load(); got != stored {
			t.Errorf("%d items were got, and %d results stored", got, stored)
		}
		return err
	})
}
