package blackbox_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/blackbox"
	"github.com/curio-go/curio/verify/fixture"
)

// boxes are the states of the black box that differ in what they cost.
var boxes = []struct {
	name string
	o    *blackbox.Options // nil for off
}{{"off", nil}, {"on", &blackbox.Options{}}, {"mapped", &blackbox.Options{Mapped: true}}, {"mapped+waits", &blackbox.Options{Mapped: true, Waits: true}}}

func benchBoxes(b *testing.B, loop func(b *testing.B, ctx context.Context)) {
	for _, box := range boxes {
		b.Run("box="+box.name, func(b *testing.B) {
			if box.o != nil {
				o := *box.o
				o.Dir = b.TempDir()
				defer on(b, o)()
			}
			b.ReportAllocs()
			fixture.Succeed(curio.Run(b.Context(), func(ctx context.Context) error {
				loop(b, ctx)
				return nil
			}))
		})
	}
}

func BenchmarkSpawnJoin(b *testing.B) {
	benchBoxes(b, func(b *testing.B, ctx context.Context) {
		for b.Loop() {
			_, _ = curio.Go(ctx, fixture.Nothing).Join(ctx)
		}
	})
}

// Two waits: a token that two tasks hand to and fro.
func BenchmarkWait(b *testing.B) {
	benchBoxes(b, func(b *testing.B, ctx context.Context) {
		once, end := fixture.HandOver(ctx)
		defer end()
		for b.Loop() {
			once()
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			fixture.Succeed(curio.Run(b.Context(), func(ctx context.Context) error {
				for range n {
					curio.Go(ctx, fixture.Sleeper)
				}
				for b.Loop() {
					if err := blackbox.Write(io.Discard); err != nil {
						b.Fatal(err)
					}
				}
				return nil
			}))
		})
	}
}
