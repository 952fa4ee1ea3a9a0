package debug_test

import (
	"context"
	"io"
	"runtime/trace"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/verify/fixture"
)

// bench runs b's loop in a task.
func bench(b *testing.B, loop func(ctx context.Context)) {
	b.Helper()
	b.ReportAllocs()
	fixture.Succeed(curio.Run(b.Context(), func(ctx context.Context) error {
		loop(ctx)
		return nil
	}))
}

// A task that does nothing, and a join.
func BenchmarkLabelsSpawnJoin(b *testing.B) {
	type key struct{}
	for _, labels := range []struct {
		name string
		set  debug.Labels
	}{{"off", 0}, {"names", debug.TaskNames}, {"names+ids", debug.TaskNames | debug.TaskIDs}} {
		for _, values := range []string{"none", "some"} {
			b.Run("labels="+labels.name+"/values="+values, func(b *testing.B) {
				withLabels(b, labels.set)
				bench(b, func(ctx context.Context) {
					if values == "some" {
						ctx = context.WithValue(ctx, key{}, 1)
					}
					for b.Loop() {
						_, _ = curio.Go(ctx, fixture.Nothing).Join(ctx)
					}
				})
			})
		}
	}
}

// traces are the states of tracing that differ in what they cost.
var traces = []struct {
	name      string
	set, take bool
}{{"off", false, false}, {"on", true, false}, {"taken", true, true}, {"taken+off", false, true}}

func benchTraces(b *testing.B, loop func(b *testing.B, ctx context.Context)) {
	for _, state := range traces {
		b.Run("trace="+state.name, func(b *testing.B) {
			before := debug.SetTrace(state.set)
			defer debug.SetTrace(before)
			if state.take {
				fixture.Succeed(trace.Start(io.Discard))
				defer trace.Stop()
			}
			bench(b, func(ctx context.Context) { loop(b, ctx) })
		})
	}
}

func BenchmarkTraceSpawnJoin(b *testing.B) {
	benchTraces(b, func(b *testing.B, ctx context.Context) {
		for b.Loop() {
			_, _ = curio.Go(ctx, fixture.Nothing).Join(ctx)
		}
	})
}

// Two waits: a token that two tasks hand to and fro.
func BenchmarkTraceWait(b *testing.B) {
	benchTraces(b, func(b *testing.B, ctx context.Context) {
		once, end := fixture.HandOver(ctx)
		defer end()
		for b.Loop() {
			once()
		}
	})
}

// One stack among those of a thousand tasks.
func BenchmarkStack(b *testing.B) {
	withLabels(b, debug.TaskIDs)
	for _, how := range []string{"Stack", "Traceback"} {
		b.Run("impl="+how, func(b *testing.B) {
			bench(b, func(ctx context.Context) {
				var task *curio.Task[struct{}]
				for range 1000 {
					task = curio.Go(ctx, fixture.Sleeper)
				}
				for b.Loop() {
					if how == "Stack" {
						_, _ = debug.Stack(task.AnyTask)
					} else {
						_ = task.Traceback()
					}
				}
			})
		})
	}
}
