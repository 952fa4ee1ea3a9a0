package waits_test

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

type someKey struct{}

// A timeout of package context, below different contexts. Below one that is not package
// context's own it needs a goroutine: a WithValue around a task's context is such a one.
func BenchmarkTimeoutBelow(b *testing.B) {
	for _, below := range []struct {
		name string
		ctx  func(task context.Context) context.Context
	}{
		{"task", func(task context.Context) context.Context { return task }},
		{"value", func(task context.Context) context.Context { return context.WithValue(task, someKey{}, 1) }},
		{"standard", func(context.Context) context.Context { return standard(b) }},
	} {
		b.Run("ctx="+below.name, func(b *testing.B) {
			b.ReportAllocs()
			err := curio.Run(b.Context(), func(ctx context.Context) error {
				ctx = below.ctx(ctx)
				for b.Loop() {
					inner, cancel := context.WithTimeout(ctx, time.Minute)
					err := nothing(inner)
					cancel()
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		})
	}
}

// A wait under a context of package context that is below a task's, beside one under the
// task's own.
func BenchmarkRoundTripUnder(b *testing.B) {
	for _, under := range []string{"task", "standard"} {
		b.Run("ctx="+under, func(b *testing.B) {
			there, back := curio.NewQueue[int](1), curio.NewQueue[int](1)
			b.ReportAllocs()
			err := curio.Run(b.Context(), func(ctx context.Context) error {
				echo := curio.Go(ctx, func(ctx context.Context) error {
					for v, err := range there.All(ctx) {
						if err != nil {
							return err
						}
						if err := back.Put(ctx, v); err != nil {
							return err
						}
					}
					return nil
				})
				asks := ctx
				if under == "standard" {
					inner, cancel := context.WithCancel(ctx)
					defer cancel()
					asks = inner
				}
				for b.Loop() {
					if err := there.Put(asks, 1); err != nil {
						return err
					}
					if _, err := back.Get(asks); err != nil {
						return err
					}
				}
				there.Close()
				_, err := echo.Join(ctx)
				return err
			})
			if err != nil {
				b.Error(err)
			}
		})
	}
}

// Whether the context is done, as a loop asks that computes.
func BenchmarkCheck(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) { run(b, 1, curio.CheckCancellation) }},
		{"context", func(b *testing.B, _ int) {
			ctx := standard(b)
			run(b, 1, func(context.Context) error { return ctx.Err() })
		}},
	})
}

// A part that is not to be cancelled.
func BenchmarkShield(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			run(b, 1, func(ctx context.Context) error { return curio.DisableCancellation(ctx, nothing) })
		}},
		{"context", func(b *testing.B, _ int) {
			ctx := standard(b)
			run(b, 1, func(context.Context) error { return nothing(context.WithoutCancel(ctx)) })
		}},
	})
}
