package cancel

import (
	"context"
	"errors"
	"time"

	"github.com/curio-go/curio"
)

func discarded(ctx context.Context) error {
	ctx, _ = curio.WithTimeout(ctx, time.Second) // want `the cancel function of curio.WithTimeout is discarded: call it when the context is not needed any more`
	return curio.Sleep(ctx, time.Hour)
}

func forgotten(ctx context.Context, early bool) error {
	ctx, cancel := curio.UntilStop(ctx) // want `the cancel function of curio.UntilStop is not called on all paths: write defer cancel\(\)`
	if early {
		return errors.New("early")
	}
	cancel()
	return ctx.Err()
}

func called(ctx context.Context) error {
	ctx, cancel := curio.WithTimeout(ctx, time.Second)
	defer cancel()
	return curio.Sleep(ctx, time.Hour)
}

func given(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := curio.WithTimeout(ctx, time.Second)
	return ctx, cancel
}

func loop(ctx context.Context) error {
	for {
		idle, cancel := curio.UntilStop(ctx)
		err := curio.Sleep(idle, time.Second)
		cancel()
		if err != nil {
			return err
		}
	}
}
