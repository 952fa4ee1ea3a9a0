package curio_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/curio-go/curio"
)

// BenchmarkMap is of Map and what one would otherwise write: a group of goroutines with a slice.
// bench/waits compares it with errgroup.
func BenchmarkMap(b *testing.B) {
	double := func(_ context.Context, v int) (int, error) { return 2 * v, nil }
	for _, n := range []int{10, 10_000} {
		items := make([]int, n)
		for _, limit := range []int{0, 10} {
			var opts []curio.GroupOption
			if limit > 0 {
				opts = append(opts, curio.Limit(limit))
			}
			b.Run(fmt.Sprintf("items=%d/limit=%d/impl=curio", n, limit), func(b *testing.B) {
				b.ReportAllocs()
				_ = curio.Run(b.Context(), func(ctx context.Context) error {
					for b.Loop() {
						if _, err := curio.Map(ctx, items, double, opts...); err != nil {
							return err
						}
					}
					return nil
				})
			})
			b.Run(fmt.Sprintf("items=%d/limit=%d/impl=WaitGroup", n, limit), func(b *testing.B) {
				b.ReportAllocs()
				ctx := b.Context()
				for b.Loop() {
					mapByHand(ctx, items, double, limit)
				}
			})
		}
	}
}

// mapByHand knows of no failure, no panic and no cancellation.
func mapByHand(ctx context.Context, items []int, fn func(context.Context, int) (int, error), limit int) []int {
	results := make([]int, len(items))
	var wg sync.WaitGroup
	var slots chan struct{}
	if limit > 0 {
		slots = make(chan struct{}, limit)
	}
	for i, item := range items {
		if slots != nil {
			slots <- struct{}{}
		}
		wg.Go(func() {
			results[i], _ = fn(ctx, item)
			if slots != nil {
				<-slots
			}
		})
	}
	wg.Wait()
	return results
}
