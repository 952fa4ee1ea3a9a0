package curio_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
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
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
			fixture.TaskState(f, tasks[i], "THREAD_SLOT")
		}
		start := time.Now()
		for _, i := range []int{0, 4, 9} {
			if did, err := tasks[i].Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
			fixture.Is(f, "while it waits for a place", tasks[i].Err(), fixture.TaskCancelled...)
		}
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.RunInThread(ctx, returnsOne, func(int, error) { f.Error("late, of what has not run") })
			return err
		})
		fixture.Is(f, "timeout while it waits for a place", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		gate := make(threadGate)
		abandoned := 0
		for range 10 {
			_, _ = curio.RunInThread(ctx, gate.pass0)
			_, _ = curio.RunInThread(ctx, func() (int, error) { return fixture.Vanish(ctx) })
			_, _ = curio.RunInThread(ctx, func() (int, error) { panic("x") })
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := curio.RunInThread(ctx, gate.pass)
				return err
			})
			abandoned++
			callsLeft(f, abandoned)
		}
		f.Journal.Take(fixture.MsgPanic)
		f.Journal.Take(msgMany)
		close(gate)
		callsLeft(f, 0)
	}, curio.MaxThreads(1))
}

// pass0 does not wait for the gate.
func (threadGate) pass0() (int, error) { return 0, nil }

// Who is cancelled in the moment in which he is given a place gives it on.
func TestRaceThreadPlaceAndCancel(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			for range testutil.Times(2000) {
				gate := make(threadGate)
				busy := threadOps[0].spawn(ctx, gate.pass)
				testutil.Await(f, "the place is taken", func() bool { return busy.State() == "THREAD_CALL" })
				first := threadOps[0].spawn(ctx, returnsOne)
				testutil.Await(f, "the first waits", func() bool { return first.State() == "THREAD_SLOT" })
				second := threadOps[0].spawn(ctx, returnsOne)
				testutil.Await(f, "the second waits", func() bool { return second.State() == "THREAD_SLOT" })
				fixture.AtOnce(
					func() { fixture.Spin(); close(gate) },
					func() { fixture.Spin(); first.CancelNow() },
				)
				for _, task := range []*curio.Task[int]{busy, second} {
					if v, err := task.Join(ctx); v != 1 || err != nil {
						t.Fatal(v, err)
					}
				}
				if err := first.Wait(ctx); err != nil || first.Err() != nil && !first.Cancelled() {
					t.Fatal(err, first.Err())
				}
				f.Journal.Take(msgMany) // with a single place, one abandoned call is worth a warning
			}
			testutil.Await(f, "all functions end", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
		}, curio.MaxThreads(1))
	})
}

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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		gate := make(threadGate)
		slots := curio.NewSemaphore(1)
		kernels := threadOps[0].spawn(ctx, gate.pass)
		own := limited(ctx, slots, gate.pass)
		fixture.TaskState(f, kernels, "THREAD_CALL")
		fixture.TaskState(f, own, "THREAD_CALL")
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		bounded := curio.NewBoundedSemaphore(2)
		slots := bounded
		gate := make(threadGate)
		fixture.Succeed(slots.Acquire(ctx))
		one := limited(ctx, slots, gate.pass)
		fixture.TaskState(f, one, "THREAD_CALL")
		both := curio.Go(ctx, func(ctx context.Context) error { return bounded.DoN(ctx, 2, fixture.Nothing) })
		fixture.TaskState(f, both, "SEMA_ACQUIRE")
		behind := limited(ctx, slots, gate.pass)
		fixture.TaskState(f, behind, "THREAD_SLOT") // it does not overtake
		slots.Resize(4)
		fixture.TaskState(f, both, "TERMINATED")
		fixture.TaskState(f, behind, "THREAD_CALL")
		close(gate)
		for _, task := range []*curio.Task[int]{one, behind} {
			if v, err := task.Join(ctx); v != 1 || err != nil {
				f.Error(v, err)
			}
		}
		bounded.Release(ctx)

		none := new(curio.Semaphore)
		waits := limited(ctx, none, returnsOne)
		fixture.TaskState(f, waits, "THREAD_SLOT")
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		slots := curio.NewSemaphore(1)
		gate := make(threadGate)
		call := func(ctx context.Context, fn func() (int, error)) error {
			_, err := curio.RunInThreadLimited(ctx, slots, fn)
			if slots.Value() != 1 || slots.Size() != 1 {
				f.Error(slots)
			}
			return err
		}
		fixture.Is(f, "Goexit", call(ctx, func() (int, error) { return fixture.Vanish(ctx) }), curio.ErrGoexit)
		fixture.Is(f, "panic", call(ctx, func() (int, error) { panic(fixture.ErrBoom) }), fixture.ErrBoom)
		late := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return call(ctx, gate.pass) })
		fixture.Is(f, "abandoned", late, fixture.TaskTimeout...)
		callsLeft(f, 1)
		if !f.Kernel.ThreadCalls()[0].Abandoned {
			f.Error("it is not abandoned")
		}
		fixture.Is(f, "the next", call(ctx, returnsOne))
		close(gate)
		callsLeft(f, 0)
		f.Journal.Take(fixture.MsgPanic)
	})
}

func TestThreadLimitedMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		fixture.Panics(f, "without slots", func() { _, _ = curio.RunInThreadLimited(ctx, nil, returnsOne) })
		fixture.Panics(f, "of a nil function", func() {
			_, _ = curio.RunInThreadLimited[int](ctx, curio.NewSemaphore(1), nil)
		})
	})
}

// A caller that is cancelled in the moment in which it is given a slot passes it on, and none is lost or
// made.
func TestRaceThreadSlotOfOnesOwn(t *testing.T) {
	slots := curio.NewSemaphore(1)
	fixture.Race(t, 700, func(ctx context.Context) {
		gate := make(threadGate)
		busy := limited(ctx, slots, gate.pass)
		testutil.Await(t, "the slot is taken", func() bool { return busy.State() == "THREAD_CALL" })
		first := limited(ctx, slots, returnsOne)
		testutil.Await(t, "the first waits", func() bool { return first.State() == "THREAD_SLOT" })
		second := limited(ctx, slots, returnsOne)
		fixture.AtOnce(
			func() { fixture.Spin(); close(gate) },
			func() { fixture.Spin(); first.CancelNow() },
			func() { fixture.Spin(); runtime.Gosched(); second.CancelNow() },
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

// BlockInThread: one goroutine for all who wait for the same thing.

// keysLeft checks how many keys the kernel remembers, when all has come to rest.
func keysLeft(f *fixture.Fixture, want int) {
	f.Helper()
	synctest.Wait()
	turns := reflect.ValueOf(f.Kernel).Elem().FieldByName("threads").FieldByName("turns")
	if n := turns.Len(); n != want {
		f.Errorf("%d keys are remembered, want %d", n, want)
	}
}

// createdBy counts the goroutines that the function with this name has started.
func createdBy(name string) (n int) {
	buf := make([]byte, 16<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "created by github.com/curio-go/curio."+name) {
			n++
		}
	}
	return n
}

// blocking spawns a task that calls BlockInThread.
func blocking(ctx context.Context, key any, fn func() (int, error), late ...func(int, error)) *curio.Task[int] {
	return curio.Spawn(ctx, func(ctx context.Context) (int, error) {
		return curio.BlockInThread(ctx, key, fn, late...)
	}, curio.Name("waiter"))
}

// X12: a thousand who wait for one key keep one goroutine busy, and have their turns in
// order of arrival.
func TestBlockInThreadIsOneGoroutine(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		const n = 1000
		gate := make(threadGate)
		var order []int
		var tasks []*curio.Task[int]
		for i := range n {
			tasks = append(tasks, blocking(ctx, "key", func() (int, error) {
				<-gate
				order = append(order, i) // one at a time
				return i, nil
			}))
			synctest.Wait()
		}
		fixture.TaskState(f, tasks[0], "THREAD_CALL")
		for _, task := range tasks[1:] {
			if s := task.State(); s != "THREAD_TURN" {
				f.Fatalf("%s, want THREAD_TURN", s)
			}
		}
		callsLeft(f, 1)
		keysLeft(f, 1)
		if got := createdBy("blockInThread"); got != 1 {
			f.Errorf("%d goroutines, want 1", got)
		}
		close(gate)
		for i, task := range tasks {
			if v, err := task.Join(ctx); v != i || err != nil {
				f.Error(v, err)
			}
		}
		for i, who := range order {
			if who != i {
				f.Fatalf("order: %v", order)
			}
		}
		callsLeft(f, 0)
		keysLeft(f, 0)
	})
}

// W-L6: an abandoned call keeps its key, other keys go on, and who gives up leaves the
// others where they are.
func TestBlockInThreadAbandoned(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		gate := make(threadGate)
		threadOp{call: func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
			return curio.BlockInThread(ctx, "key", fn, late...)
		}}.abandon(ctx, f, gate.pass)

		var tasks []*curio.Task[int]
		var order []int
		for i := range 5 {
			tasks = append(tasks, blocking(ctx, "key", func() (int, error) { order = append(order, i); return i, nil }))
			fixture.TaskState(f, tasks[i], "THREAD_TURN")
		}
		for _, other := range []any{"other", 7, 7.0, struct{ string }{"key"}, [1]any{"key"}} {
			if v, err := curio.BlockInThread(ctx, other, returnsOne); v != 1 || err != nil {
				f.Errorf("key %v: %d, %v", other, v, err)
			}
		}
		start := time.Now()
		for _, i := range []int{0, 2, 4} {
			_, _ = tasks[i].Cancel(ctx)
			fixture.Is(f, "while it waits for its turn", tasks[i].Err(), fixture.TaskCancelled...)
		}
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.BlockInThread(ctx, "key", returnsOne, func(int, error) { f.Error("late, of what has not run") })
			return err
		})
		fixture.Is(f, "timeout while it waits for its turn", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		callsLeft(f, 1)
		keysLeft(f, 1)
		close(gate)
		for _, task := range tasks {
			_ = task.Wait(ctx)
		}
		if got := fmt.Sprint(order); got != "[1 3]" {
			f.Errorf("order %s", got)
		}
		callsLeft(f, 0)
		keysLeft(f, 0)
	})
}

// However a function ends, the next one has its turn.
func TestBlockInThreadPassesTheTurnOn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		gate := make(threadGate)
		var tasks []*curio.Task[int]
		for _, fn := range []func() (int, error){
			gate.explode,
			func() (int, error) { return fixture.Vanish(ctx) },
			gate.fail,
			gate.explode,
			gate.pass,
		} {
			tasks = append(tasks, blocking(ctx, "key", fn))
			synctest.Wait()
		}
		close(gate)
		for i, want := range []error{fixture.ErrBoom, curio.ErrGoexit, fixture.ErrBoom, fixture.ErrBoom, nil} {
			_ = tasks[i].Wait(ctx)
			if want == nil {
				fixture.Is(f, "the last", tasks[i].Err())
				continue
			}
			fixture.Is(f, fmt.Sprint("waiter ", i), tasks[i].Err(), want)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 2 {
			f.Errorf("two panics were logged %d times", n)
		}
		callsLeft(f, 0)
		keysLeft(f, 0)
	})
}

// W-L6: the keys are the kernel's, and not the process's.
func TestBlockInThreadKeysArePerKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(threadGate)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				err := curio.Run(t.Context(), func(ctx context.Context) error {
					_, err := curio.BlockInThread(ctx, "key", gate.pass)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if v, err := curio.BlockInThread(t.Context(), "key", returnsOne); v != 1 || err != nil {
			t.Error(v, err)
		}
		close(gate)
		wg.Wait()
	})
}

// A thousand give up, also the one whose function runs.
func TestBlockInThreadAllCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		gate := make(threadGate)
		ran := 0
		fn := func() (int, error) { ran++; return gate.pass() }
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				for range 1000 {
					g.Spawn(func(ctx context.Context) (int, error) { return curio.BlockInThread(ctx, "key", fn) })
				}
				return nil
			})
		})
		fixture.Is(f, "all of them", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		callsLeft(f, 1)
		keysLeft(f, 1)
		close(gate)
		callsLeft(f, 0)
		keysLeft(f, 0)
		if ran != 1 {
			f.Errorf("%d functions ran, want 1", ran)
		}
		if v, err := curio.BlockInThread(ctx, "key", returnsOne); v != 1 || err != nil {
			f.Error(v, err)
		}
	})
}

// A function of one key may call another.
func TestBlockInThreadNested(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		v, err := curio.BlockInThread(ctx, 1, func() (int, error) {
			return curio.BlockInThread(ctx, 2, func() (int, error) {
				return curio.RunInThread(ctx, returnsOne)
			})
		})
		if v != 1 || err != nil {
			f.Error(v, err)
		}
		callsLeft(f, 0)
		keysLeft(f, 0)
	})
}

// Who is cancelled in the moment in which it would be his turn gives it on, and no
// function runs while another does.
func TestRaceTurnAndCancel(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			for range testutil.Times(2000) {
				tr := &traffic{gate: make(threadGate)}
				key := new(int)
				busy := blocking(ctx, key, tr.pass)
				testutil.Await(f, "the turn is taken", func() bool { return busy.State() == "THREAD_CALL" })
				first := blocking(ctx, key, tr.pass)
				testutil.Await(f, "the first waits", func() bool { return first.State() == "THREAD_TURN" })
				second := blocking(ctx, key, tr.pass)
				testutil.Await(f, "the second waits", func() bool { return second.State() == "THREAD_TURN" })
				fixture.AtOnce(
					func() { fixture.Spin(); close(tr.gate) },
					func() { fixture.Spin(); first.CancelNow() },
					func() { fixture.Spin(); busy.CancelNow() },
				)
				if v, err := second.Join(ctx); v != 1 || err != nil {
					t.Fatal(v, err)
				}
				for _, task := range []*curio.Task[int]{busy, first} {
					if err := task.Wait(ctx); err != nil || task.Err() != nil && !task.Cancelled() {
						t.Fatal(err, task.Err())
					}
				}
				if n := tr.max.Load(); n != 1 {
					t.Fatalf("%d functions of one key ran at the same time", n)
				}
			}
			testutil.Await(f, "all functions end", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
		})
	})
}

func init() {
	fixture.Children["not a number"] = func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		v, err := curio.BlockInThread(context.Background(), math.NaN(), returnsOne)
		fmt.Println("returned:", v, err)
		runtime.Gosched()
		_ = curio.Sleep(context.Background(), 10*time.Millisecond)
	}
}

// A key that is not equal to itself is none. It may be refused or have a turn of its own,
// but it must not end the process.
func TestBlockInThreadNotANumber(t *testing.T) {
	text, code := fixture.Child(t, "not a number")
	if code != 0 || strings.Contains(text, "nil pointer") {
		t.Errorf("exit status %d, output:\n%s", code, text)
	}
}
