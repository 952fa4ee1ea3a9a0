package curio_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// Each benchmark has what a Go programmer would otherwise write as a sub-benchmark
// beside ours. The work is the same and so is what is guaranteed, as far as that can
// be had without this package.

// inBenchKernel runs b's loop in a task.
func inBenchKernel(b *testing.B, loop func(ctx context.Context)) {
	b.Helper()
	b.ReportAllocs()
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		loop(ctx)
		return nil
	})
	if err != nil {
		b.Error(err)
	}
}

func nothing(context.Context) error { return nil }

func BenchmarkSpawnJoin(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("n=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				tasks := make([]*curio.Task[struct{}], n)
				for b.Loop() {
					for i := range tasks {
						tasks[i] = curio.Go(ctx, nothing)
					}
					for _, task := range tasks {
						_, _ = task.Join(ctx)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/impl=WaitGroup", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() {
						_ = nothing(ctx)
					})
				}
				wg.Wait()
			}
		})
	}
}

// A timeout around work that does not block.
func BenchmarkTimeout(b *testing.B) {
	b.Run("impl=TimeoutAfter", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				_ = curio.TimeoutAfter(ctx, time.Minute, nothing)
			}
		})
	})
	b.Run("impl=WithTimeout", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				inner, cancel := curio.WithTimeout(ctx, time.Minute)
				_ = nothing(inner)
				cancel()
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		parent, stop := context.WithCancel(b.Context())
		defer stop()
		for b.Loop() {
			inner, cancel := context.WithTimeout(parent, time.Minute)
			_ = nothing(inner)
			cancel()
		}
	})
}

// Ten members, an error of any of which would cancel the others.
func BenchmarkGroup(b *testing.B) {
	const n = 10
	b.Run("impl=curio", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			member := func(ctx context.Context) (struct{}, error) { return struct{}{}, nothing(ctx) }
			for b.Loop() {
				err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
					for range n {
						g.Spawn(member)
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("impl=WaitGroup", func(b *testing.B) {
		b.ReportAllocs()
		parent, stop := context.WithCancel(b.Context())
		defer stop()
		for b.Loop() {
			ctx, cancel := context.WithCancel(parent)
			var wg sync.WaitGroup
			var once sync.Once
			var failed error
			for range n {
				wg.Go(func() {
					if err := nothing(ctx); err != nil {
						once.Do(func() { failed = err; cancel() })
					}
				})
			}
			wg.Wait()
			cancel()
			if failed != nil {
				b.Fatal(failed)
			}
		}
	})
}

// A task that waits, for an hour or for nothing, is cancelled and waited for. It has
// begun its wait in most of the runs, as the other goroutine has.
func BenchmarkCancelJoin(b *testing.B) {
	b.Run("impl=curio", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				asleep := make(chan struct{})
				task := curio.Go(ctx, func(ctx context.Context) error {
					close(asleep)
					return sleeper(ctx)
				})
				<-asleep
				if _, err := task.Cancel(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		parent, stop := context.WithCancel(b.Context())
		defer stop()
		for b.Loop() {
			asleep, done := make(chan struct{}), make(chan struct{})
			ctx, cancel := context.WithCancel(parent)
			go func() {
				defer close(done)
				close(asleep)
				timer := time.NewTimer(time.Hour)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
			}()
			<-asleep
			cancel()
			<-done
			if !errors.Is(ctx.Err(), context.Canceled) {
				b.Fatal(ctx.Err())
			}
		}
	})
}

func BenchmarkSleep(b *testing.B) {
	b.Run("impl=curio", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				_ = curio.Sleep(ctx, time.Microsecond)
			}
		})
	})
	b.Run("impl=time", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			time.Sleep(time.Microsecond)
		}
	})
}
