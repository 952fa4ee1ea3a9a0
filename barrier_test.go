package curio_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// Nobody goes on before all have come; one of them is the last; then it can be used
// again.
func TestBarrier(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		t.Run(fmt.Sprintf("n=%d", n), func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				b := curio.NewBarrier(n)
				const rounds = 4
				var arrived, lasts [rounds]atomic.Int32
				var tasks []*curio.Task[struct{}]
				for i := range n {
					tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
						for round := range rounds {
							_ = curio.Sleep(ctx, time.Duration(i)*time.Second)
							arrived[round].Add(1)
							last, err := b.Wait(ctx)
							if err != nil {
								return err
							}
							if last {
								lasts[round].Add(1)
							}
							if last != (i == n-1) {
								f.Errorf("round %d: %d is the last: %v", round, i, last)
							}
							if got := int(arrived[round].Load()); got != n {
								f.Errorf("round %d: it opened for %d of %d", round, got, n)
							}
						}
						return nil
					}))
				}
				for _, task := range tasks {
					if _, err := task.Join(ctx); err != nil {
						f.Error(err)
					}
				}
				for round := range lasts {
					if got := lasts[round].Load(); got != 1 {
						f.Errorf("round %d: %d were the last", round, got)
					}
				}
				if b.Size() != n || b.Waiting() != 0 {
					f.Errorf("left is %v", b)
				}
			})
		})
	}
}

// One that is cancelled, or whose time runs out, does not count: the others wait for
// another one in its place.
func TestBarrierCancelledPartyIsReplaced(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		b := curio.NewBarrier(3)
		wait := func(ctx context.Context) (bool, error) { return b.Wait(ctx) }
		first := curio.Spawn(ctx, wait)
		gone := curio.Spawn(ctx, wait)
		synctest.Wait()
		_, _ = gone.Cancel(ctx)
		if last, err := gone.Result(); last {
			f.Errorf("the cancelled one is the last: %v", err)
		}
		fixture.Is(f, "timeout", curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := b.Wait(ctx)
			return err
		}), fixture.TaskTimeout...)
		if b.Waiting() != 1 {
			f.Errorf("it is %v, want one waiting", b)
		}
		second := curio.Spawn(ctx, wait)
		synctest.Wait()
		if first.Terminated() || second.Terminated() || b.Waiting() != 2 {
			f.Errorf("it is %v; %v, %v", b, first, second)
		}
		if last, err := b.Wait(ctx); !last || err != nil {
			f.Errorf("the last: %v, %v", last, err)
		}
		for _, task := range []*curio.Task[bool]{first, second} {
			if last, err := task.Join(ctx); last || err != nil {
				f.Errorf("%v: last %v, %v", task, last, err)
			}
		}
	})
}

// A barrier for one opens for everybody, but not for a context that has ended.
func TestBarrierForOne(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		b := curio.NewBarrier(1)
		dead, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		last, err := b.Wait(dead)
		fixture.Is(f, "dead", err, fixture.ScopeCancelled...)
		if last {
			f.Error("the dead one is the last")
		}
		if last, err := b.Wait(ctx); !last || err != nil {
			f.Errorf("%v, %v", last, err)
		}
	})
}

// L22
func TestBarrierString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		b := curio.NewBarrier(2)
		if got, want := fmt.Sprint(b), "Barrier(0 of 2)"; got != want {
			f.Errorf("it is %q, want %q", got, want)
		}
		task := curio.Spawn(ctx, b.Wait)
		synctest.Wait()
		if got, want := b.String(), "Barrier(1 of 2)"; got != want || task.State() != "BARRIER_WAIT" {
			f.Errorf("it is %q, want %q; %v", got, want, task)
		}
		if s := b.Snapshot(); len(s.Holders) != 0 || len(s.Waiters) != 1 || s.Waiters[0] != (curio.Waiter{Task: task.AnyTask, Op: "BARRIER_WAIT"}) {
			f.Errorf("the snapshot is %v", s)
		}
		_, _ = b.Wait(ctx)
		if got, want := b.String(), "Barrier(0 of 2)"; got != want {
			f.Errorf("it is %q, want %q", got, want)
		}
	})
}

// A party that is cancelled, and counted before it has taken itself off, goes on with the
// others.
func TestBarrierCancelledAtTheOpening(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		b := curio.NewBarrier(2)
		first, letGo := fixture.HeldUp(ctx, f, "BARRIER_WAIT", func(ctx context.Context) error {
			last, err := b.Wait(ctx)
			if last {
				f.Error("the first is the last")
			}
			return err
		})
		first.CancelNow()
		if last, err := b.Wait(ctx); !last || err != nil { // it has been counted
			f.Errorf("%v, %v", last, err)
		}
		letGo()
		if err := first.Err(); err != nil || b.Waiting() != 0 {
			f.Errorf("the first: %v; %v", err, b)
		}
	})
}

// A party is cancelled when the barrier opens: either it was counted, and all go on, or
// it was not, and the other one waits for somebody else.
func TestRaceBarrier(t *testing.T) {
	fixture.Race(t, 10000, func(ctx context.Context) {
		b := curio.NewBarrier(2)
		first := curio.Spawn(ctx, b.Wait)
		fixture.WaitUntil(func() bool { return b.Waiting() == 1 })
		var second *curio.Task[bool]
		fixture.AtOnce(
			func() { fixture.Spin(); second = curio.Spawn(ctx, b.Wait) },
			func() { fixture.Spin(); first.CancelNow() },
		)
		_ = first.Wait(ctx)
		wantLast := true
		if err := first.Err(); err != nil {
			if !errors.Is(err, curio.ErrTaskCancelled) {
				t.Errorf("the first: %v", err)
			}
			last, err := b.Wait(ctx) // before the second, or after it
			if wantLast = !last; err != nil {
				t.Errorf("the one in its place: %v", err)
			}
		}
		if last, err := second.Join(ctx); last != wantLast || err != nil {
			t.Errorf("the second: last %v, %v; the first: %v", last, err, first.Err())
		}
		if b.Waiting() != 0 {
			t.Errorf("left is %v", b)
		}
	})
}
