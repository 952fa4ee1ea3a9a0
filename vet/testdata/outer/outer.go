package outer

import (
	"context"
	"time"

	"github.com/curio-go/curio"
)

func timeout(ctx context.Context, queue *curio.Queue[int], lock *curio.Lock) error {
	return curio.TimeoutAfter(ctx, time.Second, func(inner context.Context) error {
		if _, err := queue.Get(ctx); err != nil { // want `queue.Get gets ctx of an outer function: use inner`
			return err
		}
		if err := lock.Acquire(inner); err != nil {
			return err
		}
		defer lock.Release(ctx)                             // want `lock.Release gets ctx of an outer function: use inner`
		wait := func() error { return curio.Sleep(ctx, 1) } // want `curio.Sleep gets ctx of an outer function: use inner`
		curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		return wait()
	})
}

func unnamed(ctx context.Context) error {
	return curio.TimeoutAfter(ctx, time.Second, func(context.Context) error {
		return curio.Sleep(ctx, time.Hour) // want `curio.Sleep gets ctx of an outer function, and not the context of the function that calls it`
	})
}

func derived(ctx context.Context) error {
	return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
		ctx, cancel := curio.WithTimeout(ctx, time.Second)
		defer cancel()
		return func() error { return curio.Sleep(ctx, time.Hour) }()
	})
}
