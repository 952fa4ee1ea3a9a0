package curio_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// The places of RunInThread: how many functions run at the same time, and who is next.

// A traffic counts how many of its functions run.
type traffic struct {
	gate         threadGate
	running, max atomic.Int64
}

func (tr *traffic) pass() (int, error) {
	n := tr.running.Add(1)
	for m := tr.max.Load(); n > m && !tr.max.CompareAndSwap(m, n); m = tr.max.Load() {
	}
	defer tr.running.Add(-1)
	return tr.gate.pass()
}

func TestThreadPlaces(t *testing.T) {
	for _, c := range []struct {
		want int
		opts []curio.KernelOption
	}{
		{64, nil},
		{1, []curio.KernelOption{curio.MaxThreads(1)}},
		{3, []curio.KernelOption{curio.MaxThreads(3)}},
		{100, []curio.KernelOption{curio.MaxThreads(5), curio.MaxThreads(100)}},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) {
				tr := &traffic{gate: make(threadGate)}
				var tasks []*curio.Task[int]
				for range 2*c.want + 1 {
					tasks = append(tasks, threadOps[0].spawn(ctx, tr.pass))
				}
				synctest.Wait()
				if n := tr.running.Load(); n != int64(c.want) {
					f.Errorf("%d run, want %d", n, c.want)
				}
				states := map[string]int{}
				for _, task := range tasks {
					states[task.State()]++
				}
				if states["THREAD_CALL"] != c.want || states["THREAD_SLOT"] != c.want+1 {
					f.Errorf("states: %v", states)
				}
				callsLeft(f, c.want)
				close(tr.gate)
				for _, task := range tasks {
					if v, err := task.Join(ctx); v != 1 || err != nil {
						f.Error(v, err)
					}
				}
				if n := tr.max.Load(); n != int64(c.want) {
					f.Errorf("%d ran at the same time, want %d", n, c.want)
				}
				callsLeft(f, 0)
			}, c.opts...)
		})
	}
}

// Each kernel has places of its own, and the default kernel too.
func TestThreadPlacesArePerKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(threadGate)
		var wg sync.WaitGroup
		full := func(ctx context.Context) error { _, err := curio.RunInThread(ctx, gate.pass); return err }
		for range 3 {
			wg.Go(func() {
				if err := curio.Run(t.Context(), full, curio.MaxThreads(1)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if v, err := curio.RunInThread(t.Context(), returnsOne); v != 1 || err != nil {
			t.Error(v, err)
		}
		close(gate)
		wg.Wait()
	})
}

// Those who wait for a place get it in order of arrival, and who gives up leaves the
// others where they are.
func TestThreadPlacesAreFirstComeFirstServed(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		busy := threadOps[0].spawn(ctx, gate.pass)
		synctest.Wait()
		var order []int
		var tasks []*curio.Task[int]
		for i := range 10 {
			tasks = append(tasks, threadOps[0].spawn(ctx, func() (int, error) {
				order = append(order, i) // one at a time
				return i, nil
			}))
			taskState(f, tasks[i], "THREAD_SLOT")
		}
		start := time.Now()
		for _, i := range []int{0, 4, 9} {
			if did, err := tasks[i].Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
			is(f, "while it waits for a place", tasks[i].Err(), taskCancelled...)
		}
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.RunInThread(ctx, returnsOne, func(int, error) { f.Error("late, of what has not run") })
			return err
		})
		is(f, "timeout while it waits for a place", err, taskTimeout...)
		f.elapsed(start, time.Second)
		callsLeft(f, 1)
		close(gate)
		for _, task := range append(tasks, busy) {
			_ = task.Wait(ctx)
		}
		if got := fmt.Sprint(order); got != "[1 2 3 5 6 7 8]" {
			f.Errorf("order %s", got)
		}
		callsLeft(f, 0)
	}, curio.MaxThreads(1))
}

// A place is free again whatever becomes of the function, and of the call.
func TestThreadPlaceComesBack(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		abandoned := 0
		for range 10 {
			_, _ = curio.RunInThread(ctx, gate.pass0)
			_, _ = curio.RunInThread(ctx, func() (int, error) { return vanish(ctx) })
			_, _ = curio.RunInThread(ctx, func() (int, error) { panic("x") })
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := curio.RunInThread(ctx, gate.pass)
				return err
			})
			abandoned++
			callsLeft(f, abandoned)
		}
		f.Journal.take(msgPanic)
		f.Journal.take(msgMany)
		close(gate)
		callsLeft(f, 0)
	}, curio.MaxThreads(1))
}

// pass0 does not wait for the gate.
func (threadGate) pass0() (int, error) { return 0, nil }

// Who is cancelled in the moment in which he is given a place gives it on.
func TestRaceThreadPlaceAndCancel(t *testing.T) {
	watch(t, func() {
		withKernel(t, func(ctx context.Context, f *fixture) {
			for range times(2000) {
				gate := make(threadGate)
				busy := threadOps[0].spawn(ctx, gate.pass)
				until(f, "the place is taken", func() bool { return busy.State() == "THREAD_CALL" })
				first := threadOps[0].spawn(ctx, returnsOne)
				until(f, "the first waits", func() bool { return first.State() == "THREAD_SLOT" })
				second := threadOps[0].spawn(ctx, returnsOne)
				until(f, "the second waits", func() bool { return second.State() == "THREAD_SLOT" })
				atOnce(
					func() { spin(); close(gate) },
					func() { spin(); first.CancelNow() },
				)
				for _, task := range []*curio.Task[int]{busy, second} {
					if v, err := task.Join(ctx); v != 1 || err != nil {
						t.Fatal(v, err)
					}
				}
				if err := first.Wait(ctx); err != nil || first.Err() != nil && !first.Cancelled() {
					t.Fatal(err, first.Err())
				}
				f.Journal.take(msgMany) // with a single place, one abandoned call is worth a warning
			}
			until(f, "all functions end", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
		}, curio.MaxThreads(1))
	})
}
