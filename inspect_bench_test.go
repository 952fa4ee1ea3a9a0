package curio_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// BenchmarkInspect takes the picture of many tasks, which wait for different things.
func BenchmarkInspect(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			k := curio.NewKernel()
			ctx, cancel := context.WithCancel(b.Context())
			ready, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				_ = k.Run(ctx, func(ctx context.Context) error {
					var lock curio.Lock
					queues := make([]*curio.Queue[int], n/10)
					if err := lock.Acquire(ctx); err != nil {
						return err
					}
					for i := range n {
						if i%10 == 0 {
							queues[i/10] = curio.NewQueue[int](0)
						}
						q := queues[i/10]
						switch i % 4 {
						case 0:
							curio.Go(ctx, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
						case 1:
							curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
						case 2:
							curio.Go(ctx, lock.Acquire)
						case 3:
							curio.Go(ctx, func(ctx context.Context) error {
								return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
							})
						}
					}
					if err := curio.Sleep(ctx, 100*time.Millisecond); err != nil {
						return err
					}
					close(ready)
					return curio.Sleep(ctx, time.Hour)
				})
			}()
			<-ready
			b.ResetTimer()
			for range b.N {
				if got := len(k.Inspect()); got < n {
					b.Fatalf("%d of %d tasks", got, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
			cancel()
			<-done
			_ = k.Shutdown(context.Background())
		})
	}
}
