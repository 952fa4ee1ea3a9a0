package pipeline

import (
	"context"
	"io"
	"time"

	"github.com/curio-go/curio"
)

// RunCurio runs a pipeline. It returns nil when there are no more items and all results
// have been stored. When ctx is done it gets no more items, and returns ctx's error when
// all results have been stored, or context.DeadlineExceeded if that took too long.
func RunCurio[In, Out any](ctx context.Context, stages Stages[In, Out], settings Settings) error {
	items, results := curio.NewQueue[In](settings.Buffer), curio.NewQueue[Out](settings.Buffer)
	return draining(ctx, settings.Grace, func(ctx context.Context, g *curio.Tasks) error {
		for _, out := range results.Producers(settings.Workers) {
			g.Go(func(ctx context.Context) error {
				defer out.Close() // the last one closes results
				for item, err := range items.All(ctx) {
					if err != nil {
						return err
					}
					result, err := stages.Work(ctx, item)
					if err != nil {
						return err
					}
					if err := out.Put(ctx, result); err != nil {
						return err
					}
				}
				return nil
			})
		}
		g.Go(func(ctx context.Context) error {
			for result, err := range results.All(ctx) {
				if err != nil {
					return err
				}
				if err := stages.Store(ctx, result); err != nil {
					return err
				}
			}
			return nil
		})
		defer items.Close()
		for {
			var item In
			err := curio.EnableCancellation(ctx, func(ctx context.Context) (err error) {
				item, err = stages.Next(ctx)
				return err
			})
			switch {
			case err == nil:
				err = items.Put(ctx, item)
			case err == io.EOF || curio.CheckCancellation(ctx) != nil: // told to stop
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// draining runs a group that has a grace time when ctx is done.
func draining(ctx context.Context, grace time.Duration, body func(context.Context, *curio.Tasks) error) error {
	var scope curio.CancelScope
	defer context.AfterFunc(ctx, func() { scope.SetTimeout(grace) })()
	err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
		return scope.Run(ctx, func(ctx context.Context) error { return curio.Group(ctx, body) })
	})
	if err != nil {
		return err
	}
	return ctx.Err()
}
