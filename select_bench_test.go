package curio_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio"
)

func BenchmarkSelect(b *testing.B) {
	b.Run("ready/curio", func(b *testing.B) {
		q1, q2 := curio.NewQueue[int](1), curio.NewQueue[int](1)
		var v int
		c1, c2 := q1.GetCase(&v), q2.GetCase(&v)
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			b.ReportAllocs()
			for b.Loop() {
				_ = q1.TryPut(1)
				if _, err := curio.Select(ctx, c1, c2); err != nil {
					b.Fatal(err)
				}
			}
			return nil
		})
	})
	b.Run("ready/tryput+get", func(b *testing.B) {
		q1 := curio.NewQueue[int](1)
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			for b.Loop() {
				_ = q1.TryPut(1)
				if _, err := q1.Get(ctx); err != nil {
					b.Fatal(err)
				}
			}
			return nil
		})
	})
	b.Run("ready/go", func(b *testing.B) {
		q1, q2 := make(chan int, 1), make(chan int, 1)
		done := make(chan struct{})
		b.ReportAllocs()
		for b.Loop() {
			select {
			case q1 <- 1:
			default:
			}
			select {
			case <-q1:
			case <-q2:
			case <-done:
			}
		}
	})
	b.Run("blocks/curio", func(b *testing.B) {
		q1, q2, back := curio.NewQueue[int](1), curio.NewQueue[int](1), curio.NewQueue[int](1)
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			t := curio.Go(ctx, func(ctx context.Context) error {
				var v int
				c1, c2 := q1.GetCase(&v), q2.GetCase(&v)
				for {
					if _, err := curio.Select(ctx, c1, c2); err != nil {
						return err
					}
					if err := back.Put(ctx, 1); err != nil {
						return err
					}
				}
			})
			b.ReportAllocs()
			for b.Loop() {
				_ = q1.Put(ctx, 1)
				_, _ = back.Get(ctx)
			}
			t.Cancel(ctx)
			return nil
		})
	})
	b.Run("blocks/go", func(b *testing.B) {
		q1, q2, back := make(chan int, 1), make(chan int, 1), make(chan int, 1)
		done := make(chan struct{})
		go func() {
			for {
				select {
				case <-q1:
				case <-q2:
				case <-done:
					return
				}
				select {
				case back <- 1:
				case <-done:
				}
			}
		}()
		b.ReportAllocs()
		for b.Loop() {
			select {
			case q1 <- 1:
			case <-done:
			}
			select {
			case <-back:
			case <-done:
			}
		}
		close(done)
	})
}
