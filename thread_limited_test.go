package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// RunInThreadLimited: slots of one's own. What it has in common with RunInThread is in the tables
// of the calls.

// limited is a call in a task of its own.
func limited(ctx context.Context, slots *curio.Semaphore, fn func() (int, error)) *curio.Task[int] {
	return curio.Spawn(ctx, func(ctx context.Context) (int, error) {
		return curio.RunInThreadLimited(ctx, slots, fn)
	}, curio.Name("caller"))
}

// So many run at a time as there are units, in all kernels together.
func TestThreadSlotsOfOnesOwn(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		const n = 3
		slots := curio.NewSemaphore(n)
		tr := &traffic{gate: make(threadGate)}
		var tasks []*curio.Task[int]
		for range n + 1 {
			tasks = append(tasks, limited(ctx, slots, tr.pass))
		}
		synctest.Wait()
		other := curio.Spawn(ctx, func(ctx context.Context) (v int, err error) {
			err = curio.Run(ctx, func(ctx context.Context) error {
				v, err = curio.RunInThreadLimited(ctx, slots, tr.pass)
				return err
			}, curio.Logger(curio.LoggerOf(ctx)))
			return v, err
		})
		synctest.Wait()
		var states []string
		for _, task := range tasks {
			states = append(states, task.State())
		}
		if slices.Sort(states); !slices.Equal(states, []string{"THREAD_CALL", "THREAD_CALL", "THREAD_CALL", "THREAD_SLOT"}) {
			f.Errorf("states %v", states)
		}
		look := slots.Snapshot()
		if len(look.Holders) != n || len(look.Waiters) != 2 || look.Holders[0].Task.Name() != "caller" {
			f.Errorf("%v", slots)
		}
		calls := f.Kernel.ThreadCalls()
		if len(calls) != n {
			f.Errorf("%v", calls)
		}
		for _, c := range calls {
			if text := c.String(); c.Op != "RunInThreadLimited" || !strings.HasPrefix(text, "RunInThreadLimited of curio_test.") || !strings.HasSuffix(text, "/caller") {
				f.Errorf("%+v: %s", c, text)
			}
		}
		close(tr.gate)
		for _, task := range append(tasks, other) {
			if v, err := task.Join(ctx); v != 1 || err != nil {
				f.Error(v, err)
			}
		}
		if most := tr.max.Load(); most != n || slots.Value() != n || slots.Size() != n {
			f.Errorf("%d ran at a time; %v", most, slots)
		}
		callsLeft(f, 0)
	})
}

// Neither takes a slot of the other.
func TestThreadSlotsAreApart(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		slots := curio.NewSemaphore(1)
		kernels := threadOps[0].spawn(ctx, gate.pass)
		own := limited(ctx, slots, gate.pass)
		taskState(f, kernels, "THREAD_CALL")
		taskState(f, own, "THREAD_CALL")
		close(gate)
		for _, task := range []*curio.Task[int]{kernels, own} {
			_ = task.Wait(ctx)
		}
		own = limited(ctx, slots, returnsOne)
		if v, err := own.Join(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
	}, curio.MaxThreads(1))
}

// The slots are a semaphore as any other: it can be used for something else, and resized.
func TestThreadSlotsAreASemaphore(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		bounded := curio.NewBoundedSemaphore(2)
		slots := bounded
		gate := make(threadGate)
		succeed(slots.Acquire(ctx))
		one := limited(ctx, slots, gate.pass)
		taskState(f, one, "THREAD_CALL")
		both := curio.Go(ctx, func(ctx context.Context) error { return bounded.DoN(ctx, 2, nothing) })
		taskState(f, both, "SEMA_ACQUIRE")
		behind := limited(ctx, slots, gate.pass)
		taskState(f, behind, "THREAD_SLOT") // it does not overtake
		slots.Resize(4)
		taskState(f, both, "TERMINATED")
		taskState(f, behind, "THREAD_CALL")
		close(gate)
		for _, task := range []*curio.Task[int]{one, behind} {
			if v, err := task.Join(ctx); v != 1 || err != nil {
				f.Error(v, err)
			}
		}
		bounded.Release(ctx)

		none := new(curio.Semaphore)
		waits := limited(ctx, none, returnsOne)
		taskState(f, waits, "THREAD_SLOT")
		none.Resize(1)
		if v, err := waits.Join(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
		if slots.Value() != 4 || slots.Size() != 4 || none.Value() != 1 || none.Size() != 1 {
			f.Error(slots, none)
		}
	})
}

// A slot is free again whatever becomes of the function, and of the call.
func TestThreadSlotOfOnesOwnComesBack(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		slots := curio.NewSemaphore(1)
		gate := make(threadGate)
		call := func(ctx context.Context, fn func() (int, error)) error {
			_, err := curio.RunInThreadLimited(ctx, slots, fn)
			if slots.Value() != 1 || slots.Size() != 1 {
				f.Error(slots)
			}
			return err
		}
		is(f, "Goexit", call(ctx, func() (int, error) { return vanish(ctx) }), curio.ErrGoexit)
		is(f, "panic", call(ctx, func() (int, error) { panic(errBoom) }), errBoom)
		late := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return call(ctx, gate.pass) })
		is(f, "abandoned", late, taskTimeout...)
		callsLeft(f, 1)
		if !f.Kernel.ThreadCalls()[0].Abandoned {
			f.Error("it is not abandoned")
		}
		is(f, "the next", call(ctx, returnsOne))
		close(gate)
		callsLeft(f, 0)
		f.Journal.take(msgPanic)
	})
}

func TestThreadLimitedMisuse(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		panics(f, "without slots", func() { _, _ = curio.RunInThreadLimited(ctx, nil, returnsOne) })
		panics(f, "of a nil function", func() {
			_, _ = curio.RunInThreadLimited[int](ctx, curio.NewSemaphore(1), nil)
		})
	})
}

// A caller that is cancelled in the moment in which it is given a slot passes it on, and none is lost or
// made.
func TestRaceThreadSlotOfOnesOwn(t *testing.T) {
	slots := curio.NewSemaphore(1)
	race(t, 700, func(ctx context.Context) {
		gate := make(threadGate)
		busy := limited(ctx, slots, gate.pass)
		until(t, "the slot is taken", func() bool { return busy.State() == "THREAD_CALL" })
		first := limited(ctx, slots, returnsOne)
		until(t, "the first waits", func() bool { return first.State() == "THREAD_SLOT" })
		second := limited(ctx, slots, returnsOne)
		atOnce(
			func() { spin(); close(gate) },
			func() { spin(); first.CancelNow() },
			func() { spin(); runtime.Gosched(); second.CancelNow() },
		)
		for _, task := range []*curio.Task[int]{busy, first, second} {
			_ = task.Wait(ctx)
			if err := task.Err(); err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
				t.Error(err)
			}
		}
		if busy.Err() != nil {
			t.Error(busy.Err())
		}
		if text := fmt.Sprint(slots); text != "Semaphore(1 of 1 free)" {
			t.Error(text)
		}
	})
}
