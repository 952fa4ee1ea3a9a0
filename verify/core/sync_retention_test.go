package core_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

const megabyte = 1 << 20

// heap returns how much memory is in use, in megabytes.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc / megabyte)
}

// A task that has waited for a large item from a queue does not keep room for another one
// for the rest of its life.
func TestTaskKeepsNoLargeCell(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		type block [megabyte / 16]byte
		var q curio.Queue[block]
		var end curio.Event
		const n = 200
		got := curio.NewSemaphore(0)
		before := heap()
		for range n {
			curio.Go(ctx, func(ctx context.Context) error {
				func() { v, _ := q.Get(ctx); runtime.KeepAlive(&v) }()
				got.Release(ctx)
				return end.Wait(ctx)
			})
		}
		testutil.Await(f, "all getters", func() bool { return len(q.Snapshot().Waiters) == n })
		for range n {
			fixture.Succeed(q.Put(ctx, block{}))
		}
		fixture.Succeed(got.AcquireN(ctx, n))
		testutil.Await(f, "all at the event", func() bool { return len(end.Snapshot().Waiters) == n })
		if more := heap() - before; more > 4 {
			f.Errorf("%d MB are kept for %d tasks", more, n)
		}
		end.Set()
	})
}

// A queue that has been emptied does not keep room for many large items.
func TestEmptyQueueKeepsLittle(t *testing.T) {
	for name, q := range map[string]*curio.Queue[[megabyte]byte]{
		"Queue":         new(curio.Queue[[megabyte]byte]),
		"LIFOQueue":     curio.NewLIFOQueue[[megabyte]byte](0),
		"PriorityQueue": curio.NewPriorityQueue(0, func(a, b [megabyte]byte) int { return int(a[0]) - int(b[0]) }),
	} {
		before := heap()
		for range 40 {
			fixture.Succeed(q.TryPut([megabyte]byte{}))
		}
		for range 40 {
			_, _ = q.TryGet()
		}
		if more := heap() - before; more > 2 {
			t.Errorf("%s: %d MB are kept by an empty queue", name, more)
		}
		runtime.KeepAlive(q)
	}
}

// A semaphore that many tasks have held at the same time does not keep its table of
// holders.
func TestSemaphoreForgetsItsHolders(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		const n = 100_000
		s := curio.NewSemaphore(n)
		before := heap()
		for range n {
			_, _ = curio.Go(ctx, s.Acquire).Join(ctx)
		}
		for range n {
			s.Release(ctx) // what others hold
		}
		if more := heap() - before; more > 2 {
			f.Errorf("%d MB are kept", more)
		}
		if s.Value() != n {
			f.Errorf("%d units are free", s.Value())
		}
	})
}
