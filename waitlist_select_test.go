package curio_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// What a case of a WaitList is given arrives in taken, whose error Select returns; another case
// leaves the list as it was.
func TestWaitListCase(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		errTaken := errors.New("taken")
		l := newBareLine[int](nil)
		var e curio.Event
		for _, want := range []error{nil, errTaken} {
			got := 0
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return curio.Select(ctx, e.WaitCase(), l.Case(2, func(inner context.Context, v int) error {
					if curio.CurrentTask(inner) != curio.CurrentTask(ctx) {
						f.Error("it is called with another context")
					}
					got = v
					return want
				}))
			})
			synctest.Wait()
			if task.State() != "SELECT" {
				f.Errorf("it is in state %s", task.State())
			}
			l.locked(func() {
				for w := range l.All() {
					if w.Ask() != 2 || w.Task() != task.AnyTask || !w.Grant(3) {
						f.Errorf("%v asks for %d", w.Task(), w.Ask())
					}
				}
			})
			_ = task.Wait(ctx)
			if i, err := task.Result(); i != 1 || !errors.Is(err, want) || got != 3 {
				f.Errorf("%d, %v, and got %d", i, err, got)
			}
		}
		e.Set()
		i, err := curio.Select(ctx, l.Case(2, func(context.Context, int) error { panic("not given anything") }), e.WaitCase())
		if i != 1 || err != nil || l.Len() != 0 {
			f.Errorf("%d, %v, and %d wait", i, err, l.Len())
		}
	})
}

// What can be had at once is had by a TrySelect, and by a Select without waiting, in the midst of
// others too; a nil taken will do.
func TestWaitListCaseAtOnce(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		full, open := newGate(0), newGate(4)
		for _, choose := range []func(context.Context, ...curio.Case) (int, error){curio.TrySelect, curio.Select} {
			i, err := choose(ctx, full.EnterCase(1), full.line.Case(1, nil), open.line.Case(2, nil), curio.Case{})
			if i != 2 || err != nil {
				f.Errorf("%d, %v", i, err)
			}
		}
		i, err := curio.TrySelect(ctx, full.EnterCase(1), open.EnterCase(1))
		if i != -1 || err != curio.ErrNotReady || open.Free() != 0 || len(open.Snapshot().Waiters)+len(full.Snapshot().Waiters) > 0 {
			f.Errorf("%d, %v: %v, %v", i, err, open, full)
		}
	})
}

// The gate opens between the moment in which a Select has tried its cases and the one in which
// it is on the list: here another case's Serve opens it.
func TestWaitListCaseIsServedWhileListing(t *testing.T) {
	for _, channel := range []bool{false, true} {
		inKernel(t, func(ctx context.Context, f *fixture) {
			g := newGate(0)
			calls := 0
			opens := newBareLine[int](func() {
				if calls++; calls == 2 { // the first time it is tried, the second time listed
					g.Leave(ctx, 1)
				}
			})
			for _, first := range []bool{false, true} {
				calls = 0
				cases := []curio.Case{opens.Case(1, nil), g.EnterCase(1)}
				if first {
					cases[0], cases[1] = cases[1], cases[0]
				}
				if channel {
					cases = append(cases, curio.ReceiveCase(make(chan int), nil))
				}
				i, err := curio.Select(ctx, cases...)
				if err != nil || (i == 0) != first || g.Free() != 0 || opens.Len()+len(g.Snapshot().Waiters) != 0 {
					f.Errorf("%d, %v: %v", i, err, g)
				}
				g.Leave(ctx, 1)
				_ = g.TryEnter(ctx, 1)
			}
		})
	}
}

// A gate under every cancellation: its waits, its Select and its timeouts leave no unit taken and
// nobody on the list. curiotest knows what is held by what NoteHeld says.
func TestEverywhereWaitList(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		g := newGate(2)
		var never curio.Event
		err := team(ctx, func(ctx context.Context) error {
			return g.Do(ctx, 2, pause)
		}, func(ctx context.Context) error {
			return g.Do(ctx, 1, pause)
		}, func(ctx context.Context) error {
			if _, err := curio.Select(ctx, never.WaitCase(), g.EnterCase(2)); err != nil {
				return err
			}
			defer g.Leave(ctx, 2)
			return pause(ctx)
		}, func(ctx context.Context) error {
			return ignoreTimeout(curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { return g.Do(ctx, 2, pause) }))
		})
		if s := g.Snapshot(); len(s.Holders)+len(s.Waiters) > 0 || g.Free() != 2 {
			return errors.New("left is " + g.String())
		}
		return err
	})
}
