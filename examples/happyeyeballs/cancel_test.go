package main

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
)

func TestCancelledEverywhere(t *testing.T) {
	addrs := []string{testutil.Refusing(t), testutil.Mute(t), listen(t).Addr().String()}
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		conn, err := connect(ctx, addrs, 5*time.Millisecond)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func TestPlaygroundCancelledEverywhere(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		p, err := newPlayground(ctx)
		if err != nil {
			return err
		}
		p.close()
		return nil
	})
}
