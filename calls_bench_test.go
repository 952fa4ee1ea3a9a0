package curio_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// The shared calls themselves are compared with golang.org/x/sync/singleflight in bench/waits.

// BenchmarkOnceSet is of a value that is there already.
func BenchmarkOnceSet(b *testing.B) {
	b.Run("impl=Once.Do", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			var o curio.Once[int]
			for b.Loop() {
				if v, err := o.Do(ctx, makesOne); v != 1 || err != nil {
					b.Fatal(v, err)
				}
			}
		})
	})
	b.Run("impl=sync.Once", func(b *testing.B) {
		b.ReportAllocs()
		var o sync.Once
		value := 0
		for b.Loop() {
			if o.Do(func() { value = 1 }); value != 1 {
				b.Fatal(value)
			}
		}
	})
	b.Run("impl=sync.OnceValues", func(b *testing.B) {
		b.ReportAllocs()
		get := sync.OnceValues(func() (int, error) { return 1, nil })
		for b.Loop() {
			if v, err := get(); v != 1 || err != nil {
				b.Fatal(v, err)
			}
		}
	})
}

func makesOne(context.Context) (int, error) { return 1, nil }

// BenchmarkOnceFirst is of a value that is made, by one caller.
func BenchmarkOnceFirst(b *testing.B) {
	b.Run("impl=Once.Do", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				var o curio.Once[int]
				_, _ = o.Do(ctx, makesOne)
			}
		})
	})
	b.Run("impl=sync.OnceValues", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = sync.OnceValues(func() (int, error) { return 1, nil })()
		}
	})
}

// BenchmarkTicker is of a tick that is due already, and of one that is waited for; then what counts
// is the time above the interval.
func BenchmarkTicker(b *testing.B) {
	b.Run("due/impl=Ticker", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			ticker := curio.NewTicker(1, curio.SkipTicks)
			for b.Loop() {
				_, _ = ticker.Next(ctx)
			}
		})
	})
	b.Run("due/impl=time.Ticker", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		ticker := time.NewTicker(1)
		defer ticker.Stop()
		for b.Loop() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	const interval = 100 * time.Microsecond
	b.Run(fmt.Sprintf("interval=%v/impl=Ticker", interval), func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			ticker := curio.NewTicker(interval, curio.SkipTicks)
			for b.Loop() {
				_, _ = ticker.Next(ctx)
			}
		})
	})
	b.Run(fmt.Sprintf("interval=%v/impl=time.Ticker", interval), func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for b.Loop() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
}
