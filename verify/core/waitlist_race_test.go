package core_test

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// The worst moments of a WaitList: it grants, another one grants, and the waiter is cancelled, all
// at once.

// Units are handed over while those who wait for them are cancelled or time out: none is lost or
// doubled, and nobody who could have one is left waiting.
func TestRaceWaitListGrantAndCancel(t *testing.T) {
	fixture.Race(t, 4000, func(ctx context.Context) {
		g := fixture.NewGate(2)
		fixture.Succeed(g.Enter(ctx, 2))
		var got atomic.Int64
		enter := func(n int64) *curio.Task[struct{}] {
			return curio.Go(ctx, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
					if err := g.Enter(ctx, n); err != nil {
						return err
					}
					got.Add(n)
					return nil
				})
			})
		}
		large, small := enter(2), enter(1)
		fixture.AtOnce(
			func() { fixture.Spin(); g.Leave(ctx, 1) },
			func() { fixture.Spin(); g.Leave(ctx, 1) },
			func() { fixture.Spin(); large.CancelNow() },
		)
		_ = large.Wait(ctx)
		if large.Err() == nil { // it has them, and small waits
			g.Leave(ctx, 2)
			got.Add(-2)
		}
		_ = small.Wait(ctx) // hangs if its unit was lost
		if got.Load() != 1 || g.Free() != 1 || small.Err() != nil {
			t.Errorf("got %d, %d are free; %v, %v", got.Load(), g.Free(), large.Err(), small.Err())
		}
	})
}

// A timeout that expires at any moment of the wait.
func TestRaceWaitListTimeout(t *testing.T) {
	fixture.Race(t, 5000, func(ctx context.Context) {
		g := fixture.NewGate(0)
		task := curio.Go(ctx, func(ctx context.Context) error {
			ctx, cancel := curio.WithTimeout(ctx, fixture.Tiny())
			defer cancel()
			return g.Enter(ctx, 1)
		}, curio.ReportCrash(false))
		fixture.Spin()
		g.Leave(ctx, 1)
		_ = task.Wait(ctx)
		want := int64(0)
		if task.Err() != nil {
			want = 1
		}
		if g.Free() != want || len(g.Snapshot().Waiters) != 0 {
			t.Errorf("%v, and then %v", task.Err(), g)
		}
	})
}

// Two Selects wait at two gates, from opposite ends, which open at once, while one of them is
// cancelled: what is left over is there, and nothing is taken twice. With a channel too.
func TestRaceWaitListSelect(t *testing.T) {
	for name, more := range map[string]func() []curio.Case{
		"gates":         func() []curio.Case { return nil },
		"a channel too": func() []curio.Case { return []curio.Case{curio.ReceiveCase(make(chan int), nil)} },
	} {
		t.Run(name, func(t *testing.T) {
			fixture.Race(t, 2000, func(ctx context.Context) {
				a, b := fixture.NewGate(0), fixture.NewGate(0)
				both := func(one, other *fixture.Gate) *curio.Task[int] {
					return curio.Spawn(ctx, func(ctx context.Context) (int, error) {
						return curio.Select(ctx, append([]curio.Case{one.EnterCase(1), other.EnterCase(1)}, more()...)...)
					})
				}
				left, right := both(a, b), both(b, a)
				cancels := rand.IntN(2) == 0
				fixture.AtOnce(
					func() { fixture.Spin(); a.Leave(ctx, 1) },
					func() { fixture.Spin(); b.Leave(ctx, 1) },
					func() {
						if fixture.Spin(); cancels {
							left.CancelNow()
						}
					},
				)
				_ = left.Wait(ctx)
				_ = right.Wait(ctx)
				taken := int64(0)
				for _, task := range []*curio.Task[int]{left, right} {
					if task.Err() == nil {
						taken++
					}
				}
				if right.Err() != nil || a.Free()+b.Free() != 2-taken || len(a.Snapshot().Waiters)+len(b.Snapshot().Waiters) > 0 {
					t.Errorf("%v and %v, of %d free and %d free", left.Err(), right.Err(), a.Free(), b.Free())
				}
			})
		})
	}
}

// One task may wait in a list, and be looked at there, while it is cancelled and others come.
func TestRaceWaitListLoop(t *testing.T) {
	fixture.Race(t, 3000, func(ctx context.Context) {
		l := fixture.NewBareLine[int](nil)
		wait := func(ctx context.Context) error { _, err := l.Wait(ctx, 1); return err }
		tasks := []*curio.Task[struct{}]{curio.Go(ctx, wait), curio.Go(ctx, wait), curio.Go(ctx, wait)}
		granted := 0
		fixture.AtOnce(
			func() { fixture.Spin(); tasks[1].CancelNow() },
			func() { fixture.Spin(); tasks[2].CancelNow() },
			func() {
				fixture.Spin()
				l.Locked(func() {
					for w := range l.All() {
						if w.Task() == nil || w.Ask() != 1 {
							t.Errorf("%v asks for %d", w.Task(), w.Ask())
						}
						if w.Grant(1) {
							granted++
						}
					}
				})
			},
		)
		for granted == 0 || !tasks[0].Terminated() { // it may have come after the loop
			l.Locked(func() { granted += l.HandAll(1) })
			_ = curio.Sleep(ctx, 0)
		}
		had := 0
		for _, task := range tasks {
			if _ = task.Wait(ctx); task.Err() == nil {
				had++
			}
		}
		if had != granted || l.Len() != 0 {
			t.Errorf("%d were granted, and %d have it", granted, had)
		}
	})
}
