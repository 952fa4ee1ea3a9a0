package waits_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/curio-go/curio"
)

// Each benchmark has the parameters tasks, how many run at the same time, and impl,
// whose code it is. Everybody does the same work: b.N operations, shared out among the
// tasks, all under a context that can be cancelled.

var taskCounts = []int{1, 2, 4, 64}

// run measures op, called b.N times by so many tasks of a kernel.
func run(b *testing.B, tasks int, op func(ctx context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		b.ResetTimer()
		err := spread(ctx, b.N, tasks, op)
		b.StopTimer()
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// spread calls op n times in all, in so many tasks at once.
func spread(ctx context.Context, n, tasks int, op func(ctx context.Context) error) error {
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for i := range tasks {
			share := (n + i) / tasks
			g.Spawn(func(ctx context.Context) (struct{}, error) {
				for range share {
					if err := op(ctx); err != nil {
						return struct{}{}, err
					}
				}
				return struct{}{}, nil
			})
		}
		return nil
	}, curio.WaitAll)
}

// standard is the context under which code that is not ours waits: one of the standard
// library's, which can be cancelled.
func standard(b *testing.B) context.Context {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return ctx
}

// each makes a sub-benchmark for every count of tasks and every implementation.
func each(b *testing.B, counts []int, impls []impl) {
	b.Helper()
	for _, tasks := range counts {
		for _, i := range impls {
			b.Run(fmt.Sprintf("tasks=%d/impl=%s", tasks, i.name), func(b *testing.B) { i.run(b, tasks) })
		}
	}
}

type impl struct {
	name string
	run  func(b *testing.B, tasks int)
}
