package waits_test

import (
	"context"
	"sync"
	"testing"

	"github.com/curio-go/curio"
)

// A function that takes no context, and does nothing.
func BenchmarkThread(b *testing.B) {
	fn := func() (int, error) { return 1, nil }
	alone(b, []impl{
		{"RunInThread", func(b *testing.B, _ int) {
			run(b, 1, func(ctx context.Context) error {
				_, err := curio.RunInThread(ctx, fn)
				return err
			})
		}},
		{"BlockInThread", func(b *testing.B, _ int) {
			run(b, 1, func(ctx context.Context) error {
				_, err := curio.BlockInThread(ctx, "key", fn)
				return err
			})
		}},
		{"goroutine", func(b *testing.B, _ int) {
			ctx := standard(b)
			run(b, 1, func(context.Context) error {
				done := make(chan error, 1)
				go func() { _, err := fn(); done <- err }()
				select {
				case err := <-done:
					return err
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}},
	})
}

// A mutex that nobody holds.
func BenchmarkAbide(b *testing.B) {
	var mu sync.Mutex
	guarded := 0
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			run(b, 1, func(ctx context.Context) error {
				release, err := curio.Abide(ctx, &mu)
				if err != nil {
					return err
				}
				guarded++
				release()
				return nil
			})
		}},
		{"sync.Mutex", func(b *testing.B, _ int) {
			run(b, 1, func(context.Context) error {
				mu.Lock()
				guarded++
				mu.Unlock()
				return nil
			})
		}},
	})
}

// A value that is in a channel.
func BenchmarkReceive(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			values := make(chan int, 1)
			run(b, 1, func(ctx context.Context) error {
				values <- 1
				_, err := curio.Receive(ctx, values)
				return err
			})
		}},
		{"select", func(b *testing.B, _ int) {
			values, ctx := make(chan int, 1), standard(b)
			run(b, 1, func(context.Context) error {
				values <- 1
				_, err := receive(ctx, values)
				return err
			})
		}},
	})
}
