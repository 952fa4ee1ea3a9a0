package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// The server and two clients run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &config)
		if err != nil {
			return err
		}
		addr := listener.LocalAddr().String()
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error {
				return network.RunServer(ctx, listener, (&room{patience: farewell}).serve)
			}, curio.Daemon())
			err := chat(ctx, addr)
			if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
				return cancelled // and so was the server, which may have gone first
			}
			return err
		})
	})
}

// chat has somebody talk to somebody else.
func chat(ctx context.Context, addr string) error {
	ann, err := enterIn(ctx, addr, "Ann")
	if err != nil {
		return err
	}
	defer hangUp(ctx, ann)
	bob, err := enterIn(ctx, addr, "Bob")
	if err != nil {
		return err
	}
	defer hangUp(ctx, bob)
	if _, err := ann.WriteString(ctx, "hello\n"); err != nil {
		return err
	}
	line, err := bob.ReadLine(ctx)
	if err == nil && line != "Ann: hello\n" {
		err = fmt.Errorf("heard %q", line)
	}
	return err
}

func enterIn(ctx context.Context, addr, name string) (*stream.Stream, error) {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return nil, err
	}
	s := stream.New(conn)
	if _, err = s.WriteString(ctx, name+"\n"); err == nil {
		if _, err = s.ReadLine(ctx); err == nil { // the question
			_, err = s.ReadLine(ctx) // the welcome
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// hangUp closes s, whether or not ctx has ended.
func hangUp(ctx context.Context, s *stream.Stream) {
	_ = curio.DisableCancellation(ctx, s.CloseContext)
}
