package curio_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// Never more than the limit run at once, and all of them do.
func TestLimitBoundsWhatRunsAtOnce(t *testing.T) {
	for _, limit := range []int{1, 3, 1000} {
		inKernel(t, func(ctx context.Context, f *fixture) {
			var now, most, total atomic.Int32
			start := time.Now()
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				for range 30 {
					g.Spawn(func(ctx context.Context) (int, error) {
						n := now.Add(1)
						defer now.Add(-1)
						if n > most.Load() {
							most.Store(n)
						}
						total.Add(1)
						return 0, curio.Sleep(ctx, time.Second)
					})
				}
				return nil
			}, curio.Limit(limit))
			want := min(limit, 30)
			if err != nil || total.Load() != 30 || most.Load() != int32(want) {
				f.Errorf("limit %d: %d ran, %d at once; %v", limit, total.Load(), most.Load(), err)
			}
			f.elapsed(start, time.Duration((30+want-1)/want)*time.Second)
		})
	}
}

// The order is that of spawning, and not that in which goroutines happen to start.
func TestLimitIsFirstComeFirstServed(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var mu sync.Mutex
		var order []int
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for i := range 100 {
				g.Spawn(func(ctx context.Context) (int, error) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					return 0, curio.Sleep(ctx, time.Second)
				})
			}
			return nil
		}, curio.Limit(1))
		if err != nil || len(order) != 100 || !slices.IsSorted(order) {
			f.Errorf("ran in the order %v; %v", order, err)
		}
	})
}

// Members that wait for a slot can be cancelled: one of them, and all.
func TestLimitCancelledWhileWaiting(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		ran := false
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(after(time.Second, 1, nil))
			synctest.Wait()
			second := g.Spawn(func(context.Context) (int, error) { ran = true; return 2, nil })
			synctest.Wait()
			third := g.Spawn(returns(3))
			synctest.Wait()
			if s := second.State(); s != "GROUP_LIMIT" {
				f.Errorf("a member that waits for a slot is %s", s)
			}
			start := time.Now()
			if did, err := second.Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
			f.elapsed(start, 0)
			is(f, "cancelled while waiting", second.Err(), taskCancelled...)
			if v, err := third.Join(ctx); v != 3 || err != nil {
				f.Errorf("the one behind it: %d, %v", v, err)
			}
			f.elapsed(start, time.Second)
			return nil
		}, curio.Limit(1))
		if err != nil || ran {
			f.Errorf("ran: %v, %v", ran, err)
		}

		start := time.Now()
		err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for range 10 {
				g.Spawn(sleeping)
			}
			synctest.Wait()
			return errBoom
		}, curio.Limit(2))
		if err != errBoom {
			f.Error(err)
		}
		f.elapsed(start, 0)
		f.onlyMain()
	})
}

// A slot that is freed passes on, however its task ended, and however many of
// those in line have been cancelled.
func TestLimitFreedSlotPassesOn(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for _, end := range endings {
				var line []*curio.Task[int]
				first := g.Spawn(func(ctx context.Context) (int, error) {
					if err := curio.Sleep(ctx, time.Second); err != nil {
						return 0, err
					}
					return end.call(ctx)
				}, curio.ReportCrash(false))
				synctest.Wait()
				for range 5 {
					line = append(line, g.Spawn(returns(5)))
					synctest.Wait()
				}
				for _, task := range line[:4] {
					task.CancelNow()
				}
				if end.cancelled {
					first.CancelNow()
				}
				if v, err := line[4].Join(ctx); v != 5 || err != nil {
					f.Errorf("%s: the last in line: %d, %v", end.what, v, err)
				}
			}
			return g.CancelRemaining(ctx)
		}, curio.Limit(1), curio.KeepGoing)
		if err == nil {
			f.Error("failures have got lost")
		}
		f.onlyMain()
	})
}

// A daemon needs no slot: nobody waits for it.
func TestLimitAndDaemons(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(sleeping, curio.Daemon())
			synctest.Wait()
			g.Spawn(returns(1))
			return nil
		}, curio.Limit(1))
		if err != nil {
			f.Error(err)
		}
	})
}
