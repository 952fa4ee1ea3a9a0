package waits_test

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/curio-go/curio"
)

// A lock around a few instructions. sync.Mutex stands here for what it costs to have no
// context: it also lets newcomers overtake, which the others do not.
func BenchmarkLock(b *testing.B) {
	var guarded int
	each(b, taskCounts, []impl{
		{"curio", func(b *testing.B, tasks int) {
			var l curio.Lock
			run(b, tasks, func(ctx context.Context) error {
				if err := l.Acquire(ctx); err != nil {
					return err
				}
				guarded++
				l.Release(ctx)
				return nil
			})
		}},
		{"semaphore.Weighted", func(b *testing.B, tasks int) {
			l, ctx := semaphore.NewWeighted(1), standard(b)
			run(b, tasks, func(context.Context) error {
				if err := l.Acquire(ctx, 1); err != nil {
					return err
				}
				guarded++
				l.Release(1)
				return nil
			})
		}},
		{"chan", func(b *testing.B, tasks int) {
			l, ctx := make(chan struct{}, 1), standard(b)
			run(b, tasks, func(context.Context) error {
				select {
				case l <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
				guarded++
				<-l
				return nil
			})
		}},
		{"sync.Mutex", func(b *testing.B, tasks int) {
			var l sync.Mutex
			run(b, tasks, func(context.Context) error {
				l.Lock()
				guarded++
				l.Unlock()
				return nil
			})
		}},
	})
}

// Readers only.
func BenchmarkRWLock(b *testing.B) {
	var guarded int
	each(b, taskCounts, []impl{
		{"curio", func(b *testing.B, tasks int) {
			var l curio.RWLock
			run(b, tasks, func(ctx context.Context) error {
				if err := l.AcquireRead(ctx); err != nil {
					return err
				}
				_ = guarded
				l.ReleaseRead(ctx)
				return nil
			})
		}},
		{"semaphore.Weighted", func(b *testing.B, tasks int) {
			l, ctx := semaphore.NewWeighted(1<<30), standard(b)
			run(b, tasks, func(context.Context) error {
				if err := l.Acquire(ctx, 1); err != nil {
					return err
				}
				l.Release(1)
				return nil
			})
		}},
		{"sync.RWMutex", func(b *testing.B, tasks int) {
			var l sync.RWMutex
			run(b, tasks, func(context.Context) error {
				l.RLock()
				_ = guarded
				l.RUnlock()
				return nil
			})
		}},
	})
}

// Three units, of which each task takes one or two.
func BenchmarkSemaphore(b *testing.B) {
	each(b, taskCounts, []impl{
		{"curio", func(b *testing.B, tasks int) {
			s := curio.NewSemaphore(3)
			run(b, tasks, func(ctx context.Context) error {
				for n := range int64(2) {
					if err := s.AcquireN(ctx, n+1); err != nil {
						return err
					}
					s.ReleaseN(ctx, n+1)
				}
				return nil
			})
		}},
		{"semaphore.Weighted", func(b *testing.B, tasks int) {
			s, ctx := semaphore.NewWeighted(3), standard(b)
			run(b, tasks, func(context.Context) error {
				for n := range int64(2) {
					if err := s.Acquire(ctx, n+1); err != nil {
						return err
					}
					s.Release(n + 1)
				}
				return nil
			})
		}},
	})
}

// Pairs of tasks that take turns: each waits until the other has had its turn. An
// operation is a turn.
func BenchmarkCondition(b *testing.B) {
	each(b, []int{2, 4, 64}, []impl{
		{"curio", func(b *testing.B, tasks int) {
			turns(b, tasks, func() func(context.Context, bool) error {
				var c curio.Condition
				whose := false
				return func(ctx context.Context, mine bool) error {
					if err := c.Acquire(ctx); err != nil {
						return err
					}
					defer c.Release(ctx)
					if err := c.WaitFor(ctx, func() bool { return whose == mine }); err != nil {
						return err
					}
					whose = !mine
					c.Notify(1)
					return nil
				}
			})
		}},
		{"sync.Cond", func(b *testing.B, tasks int) {
			turns(b, tasks, func() func(context.Context, bool) error {
				var mu sync.Mutex
				c, whose := sync.NewCond(&mu), false
				return func(_ context.Context, mine bool) error {
					mu.Lock()
					defer mu.Unlock()
					for whose != mine {
						c.Wait()
					}
					whose = !mine
					c.Signal()
					return nil
				}
			})
		}},
	})
}

// turns runs pairs of tasks, each pair with a turn of its own, made by pair.
func turns(b *testing.B, tasks int, pair func() func(ctx context.Context, mine bool) error) {
	b.Helper()
	b.ReportAllocs()
	each := b.N/tasks + 1
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		b.ResetTimer()
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
			for range tasks / 2 {
				turn := pair()
				for _, mine := range []bool{false, true} {
					g.Spawn(func(ctx context.Context) (struct{}, error) {
						for range each {
							if err := turn(ctx, mine); err != nil {
								return struct{}{}, err
							}
						}
						return struct{}{}, nil
					})
				}
			}
			return nil
		}, curio.WaitAll)
	})
	if err != nil {
		b.Error(err)
	}
}
