package spawn

import (
	"context"
	"fmt"
	"time"

	"github.com/curio-go/curio"
)

func work(ctx context.Context) error { return curio.Sleep(ctx, time.Second) }

func timeouts(ctx context.Context) (task *curio.Task[struct{}], err error) {
	err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
		curio.Go(ctx, work) // want `this task is cancelled at once: ctx ends when the function returns, and nothing is waited for before`
		fmt.Println("started")
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
		task = curio.Go(ctx, work, curio.Name("worker")) // want `this task is cancelled at once`
		return nil
	})
	if err != nil {
		return nil, err
	}
	return task, curio.TimeoutAfter(ctx, time.Second, func(inner context.Context) error {
		curio.Go(ctx, work)                   // with the outer context
		curio.Go(inner, work, curio.Daemon()) // ends with the kernel
		for range 3 {
			curio.Go(inner, work) // want `this task is cancelled at once: inner ends`
		}
		return nil
	})
}

func joined(ctx context.Context) error {
	return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
		task := curio.Go(ctx, work)
		helper := curio.Go(ctx, work)
		defer helper.Cancel(ctx)
		return task.Wait(ctx)
	})
}

func deferred(ctx context.Context) *curio.Task[struct{}] {
	ctx, cancel := curio.WithTimeout(ctx, time.Second)
	defer cancel()
	return curio.Go(ctx, work) // want `this task is cancelled at once`
}

func derived(ctx context.Context, wait bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	task := curio.Go(ctx, work)
	if wait {
		return task.Wait(ctx)
	}
	return nil
}

func main() {
	curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, work) // want `this task is cancelled at once`
		return nil
	})
	curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, work)
		return curio.Sleep(ctx, time.Hour)
	})
}

func plain(ctx context.Context) { curio.Go(ctx, work) }
