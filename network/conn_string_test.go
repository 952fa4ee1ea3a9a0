package network_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// Connections, and everything around them, can be printed while they are used: without a
// data race, and in a few words.
func TestConnectionsCanBePrinted(t *testing.T) {
	testutil.NoLeaks(t)
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for _, k := range kinds {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{IdleTimeout: testutil.Patience}, func(ctx context.Context, conn network.Conn) error {
				print(t, ctx, conn, network.NetConn(ctx, conn))
				return echo(ctx, conn)
			})
			client := p.dress(t, p.raw(t, s.Addr))
			foreign := network.FromConn(client)
			lines := stream.New(foreign)
			busy := curio.Go(ctx, func(ctx context.Context) error {
				for range 50 {
					if _, err := lines.Write(ctx, []byte("hello\n")); err != nil {
						return err
					}
					if _, err := lines.ReadLine(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			for !busy.Terminated() {
				print(t, ctx, foreign, lines, busy)
			}
			if _, err := busy.Join(ctx); err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
			_ = lines.CloseContext(ctx)
			_ = s.cancel()
		}
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			l, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
			if err != nil {
				return err
			}
			g.Go(func(ctx context.Context) error { return curio.Sleep(ctx, 0) })
			of := network.NetListener(ctx, l)
			print(t, ctx, g, l, of, curio.NewKernel())
			return of.Close()
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// print prints each of what in every way that logs and mocks do.
func print(t *testing.T, ctx context.Context, what ...any) {
	t.Helper()
	for _, v := range append(what, ctx) {
		for _, format := range []string{"%v", "%+v", "%s"} {
			if text := fmt.Sprintf(format, v); len(text) > 300 || strings.Contains(text, "0x") {
				t.Errorf("%T prints as %.300s", v, text)
			}
		}
	}
}
