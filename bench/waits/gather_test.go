package waits_test

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/curio-go/curio"
)

// Many items, with a function that does next to nothing for each.
func BenchmarkMap(b *testing.B) {
	fn := func(_ context.Context, v int) (int, error) { return 2 * v, nil }
	for _, n := range []int{10, 10_000} {
		items := make([]int, n)
		for _, limit := range []int{0, 10} {
			name := fmt.Sprintf("items=%d/limit=%d", n, limit)
			b.Run(name+"/impl=curio", func(b *testing.B) {
				var opts []curio.GroupOption
				if limit > 0 {
					opts = append(opts, curio.Limit(limit))
				}
				run(b, 1, func(ctx context.Context) error {
					_, err := curio.Map(ctx, items, fn, opts...)
					return err
				})
			})
			b.Run(name+"/impl=errgroup", func(b *testing.B) {
				ctx := standard(b)
				run(b, 1, func(context.Context) error {
					_, err := mapInErrgroup(ctx, items, fn, limit)
					return err
				})
			})
		}
	}
}

func mapInErrgroup(ctx context.Context, items []int, fn func(context.Context, int) (int, error), limit int) ([]int, error) {
	results := make([]int, len(items))
	g, ctx := errgroup.WithContext(ctx)
	if limit > 0 {
		g.SetLimit(limit)
	}
	for i, item := range items {
		g.Go(func() error {
			v, err := fn(ctx, item)
			if err == nil {
				results[i] = v
			}
			return err
		})
	}
	return results, g.Wait()
}
