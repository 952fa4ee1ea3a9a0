package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/curiotest"
)

// A producer and a consumer run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	cfg := &channel.Config{Key: testKey, MaxMessage: longest}
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		l, err := channel.Listen(ctx, "tcp", "127.0.0.1:0", cfg)
		if err != nil {
			return err
		}
		defer l.Close()
		s := &settings{addr: l.LocalAddr().String(), first: 2, count: 2, within: time.Minute, patience: time.Minute, idle: time.Minute}
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			g.Go(func(ctx context.Context) error {
				err := connectAndWork(ctx, ctx, io.Discard, s, cfg)
				if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
					return cancelled // and so was the producer, which may have gone first
				}
				return err
			})
			return newProducer(s).run(ctx, io.Discard, l)
		})
	})
}
