package waits_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/singleflight"

	"github.com/curio-go/curio"
)

// Calls that share their results. Do of singleflight runs the function in the first caller and
// cannot be left; DoChan has a goroutine and can be left, but the function knows nothing of that.

// Nobody else asks for the key: the cost of a call.
func BenchmarkCallAlone(b *testing.B) {
	var keys [1 << 10]string
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	each(b, []int{1, 64}, callImpls(func(ctx context.Context) string {
		return keys[curio.CurrentTask(ctx).ID()%uint64(len(keys))]
	}))
}

// Everybody asks for the same key. calls/op is how many calls there were for one that was asked
// for: less is better, as long as the function is what costs.
func BenchmarkCallShared(b *testing.B) {
	each(b, []int{1, 64}, callImpls(func(context.Context) string { return "key" }))
}

func callImpls(keyOf func(ctx context.Context) string) []impl {
	measure := func(b *testing.B, tasks int, do func(ctx context.Context, key string, calls *atomic.Int64) error) {
		var calls atomic.Int64
		run(b, tasks, func(ctx context.Context) error { return do(ctx, keyOf(ctx), &calls) })
		b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/op")
	}
	return []impl{
		{"curio", func(b *testing.B, tasks int) {
			var s curio.SharedCalls[string, int64]
			measure(b, tasks, func(ctx context.Context, key string, calls *atomic.Int64) error {
				_, _, err := s.Do(ctx, key, func(context.Context) (int64, error) { return calls.Add(1), nil })
				return err
			})
		}},
		{"singleflight.Do", func(b *testing.B, tasks int) {
			var g singleflight.Group
			measure(b, tasks, func(_ context.Context, key string, calls *atomic.Int64) error {
				_, err, _ := g.Do(key, func() (any, error) { return calls.Add(1), nil })
				return err
			})
		}},
		{"singleflight.DoChan", func(b *testing.B, tasks int) {
			var g singleflight.Group
			std := standard(b)
			measure(b, tasks, func(_ context.Context, key string, calls *atomic.Int64) error {
				select {
				case r := <-g.DoChan(key, func() (any, error) { return calls.Add(1), nil }):
					return r.Err
				case <-std.Done():
					return std.Err()
				}
			})
		}},
	}
}
