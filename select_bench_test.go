package curio_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/curio-go/curio"
)

// A Select over two queues beside a select statement over two channels and a context's. The
// context counts as a case of Go's, since Select ends with its context too.

// BenchmarkSelectReady is of a Select one of whose cases is ready; cases are how many there are.
func BenchmarkSelectReady(b *testing.B) {
	for _, n := range []int{2, 1000} {
		b.Run(fmt.Sprintf("cases=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				q := curio.NewQueue[int](1)
				cases := []curio.Case{q.GetCase(nil)}
				for len(cases) < n {
					cases = append(cases, curio.NewQueue[int](1).GetCase(nil))
				}
				for b.Loop() {
					_ = q.TryPut(1)
					if i, err := curio.Select(ctx, cases...); i != 0 || err != nil {
						b.Fatal(i, err)
					}
				}
			})
		})
	}
	b.Run("cases=2/impl=select", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		one, other := make(chan int, 1), make(chan int, 1)
		for b.Loop() {
			one <- 1
			select {
			case <-one:
			case <-other:
			case <-ctx.Done():
			}
		}
	})
}

// BenchmarkSelectBlocks is of a Select that has to wait, in a round trip.
func BenchmarkSelectBlocks(b *testing.B) {
	for _, channel := range []bool{false, true} {
		impl := "curio"
		if channel {
			impl = "curio with a channel"
		}
		b.Run("impl="+impl, func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				there, never, back := curio.NewQueue[int](1), curio.NewQueue[int](1), curio.NewQueue[int](1)
				peer := curio.Go(ctx, func(ctx context.Context) error {
					cases := []curio.Case{there.GetCase(nil), never.GetCase(nil)}
					if channel {
						cases = append(cases, curio.ReceiveCase(make(chan int), nil))
					}
					for {
						if _, err := curio.Select(ctx, cases...); err != nil {
							return err
						}
						if err := back.Put(ctx, 1); err != nil {
							return err
						}
					}
				})
				for b.Loop() {
					_ = there.Put(ctx, 1)
					_, _ = back.Get(ctx)
				}
				_, _ = peer.Cancel(ctx)
			})
		})
	}
	b.Run("impl=select", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		there, never, back := make(chan int, 1), make(chan int, 1), make(chan int, 1)
		go func() {
			for {
				select {
				case <-there:
				case <-never:
				case <-ctx.Done():
					return
				}
				select {
				case back <- 1:
				case <-ctx.Done():
				}
			}
		}()
		for b.Loop() {
			select {
			case there <- 1:
			case <-ctx.Done():
			}
			select {
			case <-back:
			case <-ctx.Done():
			}
		}
	})
}
