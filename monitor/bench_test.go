package monitor_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

// crowd starts n tasks that sleep, in a kernel of their own.
func crowd(b *testing.B, n int) *curio.Kernel {
	b.Helper()
	k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	ctx, cancel := context.WithCancel(context.Background())
	begun, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- k.Run(ctx, func(ctx context.Context) error {
			for range n {
				curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, curio.Name("sleeper"))
			}
			close(begun)
			return curio.Sleep(ctx, time.Hour)
		})
	}()
	<-begun
	b.Cleanup(func() {
		cancel()
		<-done
		_ = k.Shutdown(context.Background())
	})
	return k
}

// How long an answer takes.
func BenchmarkAnswer(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		k := crowd(b, n)
		for _, command := range []string{"ps\n", "tree\n", "deadlocks\n"} {
			b.Run(fmt.Sprintf("tasks=%d/command=%s", n, command[:2]), func(b *testing.B) {
				b.ReportAllocs()
				began := testutil.ProcessorTime()
				for b.Loop() {
					monitor.Converse(command, true, monitor.Kernel(k))
				}
				b.ReportMetric(float64((testutil.ProcessorTime()-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
		b.Run(fmt.Sprintf("tasks=%d/command=json", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				monitor.Get(io.Discard, "/api/tasks", monitor.Kernel(k))
			}
		})
	}
}

// What a program does while somebody has ps shown all the time, or the page once a second, and there are 100,000 tasks.
func BenchmarkSpawnJoin(b *testing.B) {
	k := crowd(b, 100_000)
	for _, watched := range []string{"no", "page", "ps"} {
		b.Run("watched="+watched, func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ctx.Err() == nil && watched != "no" {
					if watched == "ps" {
						monitor.Converse("ps\n", true, monitor.Kernel(k))
					} else {
						monitor.Get(io.Discard, "/api/tasks", monitor.Kernel(k))
					}
					pause, stop := context.WithTimeout(ctx, time.Second)
					<-pause.Done()
					stop()
				}
			}()
			for b.Loop() {
				_, _ = curio.Go(context.Background(), func(context.Context) error { return nil }).Join(context.Background())
			}
			cancel()
			<-done
		})
	}
}
