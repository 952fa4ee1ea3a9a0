package waits_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio"
)

// One task puts an item and gets it: nobody ever waits.
func BenchmarkQueueUncontended(b *testing.B) {
	alone := []int{1}
	each(b, alone, []impl{
		{"curio", func(b *testing.B, _ int) {
			q := curio.NewQueue[int](16)
			run(b, 1, func(ctx context.Context) error { return putGet(ctx, q) })
		}},
		{"universal", func(b *testing.B, _ int) {
			q := curio.NewUniversalQueue[int](16)
			run(b, 1, func(ctx context.Context) error { return putGet(ctx, q) })
		}},
		{"chan", func(b *testing.B, _ int) {
			q, ctx := make(chan int, 16), standard(b)
			run(b, 1, func(context.Context) error {
				if err := send(ctx, q, 1); err != nil {
					return err
				}
				_, err := receive(ctx, q)
				return err
			})
		}},
	})
}

func putGet(ctx context.Context, q *curio.Queue[int]) error {
	if err := q.Put(ctx, 1); err != nil {
		return err
	}
	_, err := q.Get(ctx)
	return err
}

func send(ctx context.Context, q chan<- int, v int) error {
	select {
	case q <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func receive(ctx context.Context, q <-chan int) (int, error) {
	select {
	case v := <-q:
		return v, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Two tasks and two queues: a round trip.
func BenchmarkQueueRoundTrip(b *testing.B) {
	pair := []int{2}
	each(b, pair, []impl{
		{"curio", func(b *testing.B, _ int) {
			there, back := curio.NewQueue[int](1), curio.NewQueue[int](1)
			roundTrips(b, there.Put, there.Get, back.Put, back.Get)
		}},
		{"universal", func(b *testing.B, _ int) {
			there, back := curio.NewUniversalQueue[int](1), curio.NewUniversalQueue[int](1)
			roundTrips(b, there.Put, there.Get, back.Put, back.Get)
		}},
		{"chan", func(b *testing.B, _ int) {
			there, back, ctx := make(chan int, 1), make(chan int, 1), standard(b)
			roundTrips(b,
				func(_ context.Context, v int) error { return send(ctx, there, v) },
				func(context.Context) (int, error) { return receive(ctx, there) },
				func(_ context.Context, v int) error { return send(ctx, back, v) },
				func(context.Context) (int, error) { return receive(ctx, back) })
		}},
	})
}

type (
	putFunc = func(context.Context, int) error
	getFunc = func(context.Context) (int, error)
)

func roundTrips(b *testing.B, put putFunc, get getFunc, answer putFunc, answered getFunc) {
	b.Helper()
	b.ReportAllocs()
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		echo := curio.Go(ctx, func(ctx context.Context) error {
			for range b.N {
				v, err := get(ctx)
				if err != nil {
					return err
				}
				if err := answer(ctx, v); err != nil {
					return err
				}
			}
			return nil
		})
		b.ResetTimer()
		for range b.N {
			if err := put(ctx, 1); err != nil {
				return err
			}
			if _, err := answered(ctx); err != nil {
				return err
			}
		}
		_, err := echo.Join(ctx)
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// As many producers as consumers, and a queue of sixteen between them. An operation is
// an item.
func BenchmarkQueuePipe(b *testing.B) {
	each(b, []int{2, 4, 64}, []impl{
		{"curio", func(b *testing.B, tasks int) {
			q := curio.NewQueue[int](16)
			pipe(b, tasks/2, q.Put, q.Get)
		}},
		{"universal", func(b *testing.B, tasks int) {
			q := curio.NewUniversalQueue[int](16)
			pipe(b, tasks/2, q.Put, q.Get)
		}},
		{"chan", func(b *testing.B, tasks int) {
			q, ctx := make(chan int, 16), standard(b)
			pipe(b, tasks/2,
				func(_ context.Context, v int) error { return send(ctx, q, v) },
				func(context.Context) (int, error) { return receive(ctx, q) })
		}},
	})
}

func pipe(b *testing.B, pairs int, put putFunc, get getFunc) {
	b.Helper()
	b.ReportAllocs()
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		b.ResetTimer()
		consumers := curio.Go(ctx, func(ctx context.Context) error {
			return spread(ctx, b.N, pairs, func(ctx context.Context) error {
				_, err := get(ctx)
				return err
			})
		})
		if err := spread(ctx, b.N, pairs, func(ctx context.Context) error { return put(ctx, 1) }); err != nil {
			return err
		}
		_, err := consumers.Join(ctx)
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// The same as BenchmarkQueueUncontended for the other orders, with 100 items in the
// queue.
func BenchmarkQueueOrders(b *testing.B) {
	queues := map[string]*curio.Queue[int]{
		"fifo":     curio.NewQueue[int](0),
		"lifo":     curio.NewLIFOQueue[int](0),
		"priority": curio.NewPriorityQueue(0, func(a, b int) int { return a - b }),
	}
	for _, order := range []string{"fifo", "lifo", "priority"} {
		q := queues[order]
		for i := range 100 {
			if err := q.TryPut(i); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("order="+order, func(b *testing.B) {
			run(b, 1, func(ctx context.Context) error { return putGet(ctx, q) })
		})
	}
}
