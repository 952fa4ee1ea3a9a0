package waits_test

import (
	"context"
	"sync"
	"testing"

	"github.com/curio-go/curio"
)

// An event that is set: nobody waits.
func BenchmarkEventSet(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			var e curio.Event
			e.Set()
			run(b, 1, e.Wait)
		}},
		{"chan", func(b *testing.B, _ int) {
			e, ctx := make(chan struct{}), standard(b)
			close(e)
			run(b, 1, func(context.Context) error {
				select {
				case <-e:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}},
	})
}

// Two tasks and two events: a round trip.
func BenchmarkEventRoundTrip(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			var there, back curio.Event
			put := func(e *curio.Event) putFunc {
				return func(context.Context, int) error { e.Set(); return nil }
			}
			get := func(e *curio.Event) getFunc {
				return func(ctx context.Context) (int, error) {
					err := e.Wait(ctx)
					e.Clear()
					return 0, err
				}
			}
			roundTrips(b, put(&there), get(&there), put(&back), get(&back))
		}},
		{"chan", func(b *testing.B, _ int) {
			there, back, ctx := make(chan int, 1), make(chan int, 1), standard(b)
			roundTrips(b,
				func(context.Context, int) error { there <- 1; return nil },
				func(context.Context) (int, error) { return receive(ctx, there) },
				func(context.Context, int) error { back <- 1; return nil },
				func(context.Context) (int, error) { return receive(ctx, back) })
		}},
	})
}

// A value that is set once and got once, by the same task.
func BenchmarkResult(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			run(b, 1, func(ctx context.Context) error {
				var r curio.Result[int]
				r.SetValue(1)
				_, err := r.Get(ctx)
				return err
			})
		}},
		{"chan", func(b *testing.B, _ int) {
			ctx := standard(b)
			run(b, 1, func(context.Context) error {
				r := make(chan int, 1)
				r <- 1
				_, err := receive(ctx, r)
				return err
			})
		}},
	})
}

// A barrier as one writes it without us: nothing cancels its Wait.
type condBarrier struct {
	mu      sync.Mutex
	opened  *sync.Cond
	size    int
	waiting int
	phase   int
}

func newCondBarrier(size int) *condBarrier {
	w := &condBarrier{size: size}
	w.opened = sync.NewCond(&w.mu)
	return w
}

func (w *condBarrier) Wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	phase := w.phase
	if w.waiting++; w.waiting == w.size {
		w.waiting = 0
		w.phase++
		w.opened.Broadcast()
	}
	for w.phase == phase {
		w.opened.Wait()
	}
}

// Tasks that meet at a barrier again and again. An operation is one meeting of all.
func BenchmarkBarrier(b *testing.B) {
	each(b, []int{2, 10}, []impl{
		{"curio", func(b *testing.B, tasks int) {
			w := curio.NewBarrier(tasks)
			meet(b, tasks, func(ctx context.Context) error { _, err := w.Wait(ctx); return err })
		}},
		{"sync.Cond", func(b *testing.B, tasks int) {
			w := newCondBarrier(tasks)
			meet(b, tasks, func(context.Context) error { w.Wait(); return nil })
		}},
	})
}

func meet(b *testing.B, tasks int, wait func(ctx context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		b.ResetTimer()
		return curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
			for range tasks {
				g.Go(func(ctx context.Context) error {
					for range b.N {
						if err := wait(ctx); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	})
	if err != nil {
		b.Error(err)
	}
}

// A lock that its holder takes once more.
func BenchmarkRLock(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			var l curio.RLock
			run(b, 1, func(ctx context.Context) error {
				for range 2 {
					if err := l.Acquire(ctx); err != nil {
						return err
					}
				}
				l.Release(ctx)
				l.Release(ctx)
				return nil
			})
		}},
		{"sync.Mutex", func(b *testing.B, _ int) {
			var l sync.Mutex
			guarded := 0
			run(b, 1, func(context.Context) error {
				l.Lock()
				guarded++
				l.Unlock()
				return nil
			})
		}},
	})
}
