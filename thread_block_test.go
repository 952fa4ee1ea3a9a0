package curio_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// BlockInThread: one goroutine for all who wait for the same thing.

// keysLeft checks how many keys the kernel remembers, when all has come to rest.
func keysLeft(f *fixture, want int) {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
		taskState(f, tasks[0], "THREAD_CALL")
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		threadOp{call: func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
			return curio.BlockInThread(ctx, "key", fn, late...)
		}}.abandon(ctx, f, gate.pass)

		var tasks []*curio.Task[int]
		var order []int
		for i := range 5 {
			tasks = append(tasks, blocking(ctx, "key", func() (int, error) { order = append(order, i); return i, nil }))
			taskState(f, tasks[i], "THREAD_TURN")
		}
		for _, other := range []any{"other", 7, 7.0, struct{ string }{"key"}, [1]any{"key"}} {
			if v, err := curio.BlockInThread(ctx, other, returnsOne); v != 1 || err != nil {
				f.Errorf("key %v: %d, %v", other, v, err)
			}
		}
		start := time.Now()
		for _, i := range []int{0, 2, 4} {
			_, _ = tasks[i].Cancel(ctx)
			is(f, "while it waits for its turn", tasks[i].Err(), taskCancelled...)
		}
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.BlockInThread(ctx, "key", returnsOne, func(int, error) { f.Error("late, of what has not run") })
			return err
		})
		is(f, "timeout while it waits for its turn", err, taskTimeout...)
		f.elapsed(start, time.Second)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		var tasks []*curio.Task[int]
		for _, fn := range []func() (int, error){
			gate.explode,
			func() (int, error) { return vanish(ctx) },
			gate.fail,
			gate.explode,
			gate.pass,
		} {
			tasks = append(tasks, blocking(ctx, "key", fn))
			synctest.Wait()
		}
		close(gate)
		for i, want := range []error{errBoom, curio.ErrGoexit, errBoom, errBoom, nil} {
			_ = tasks[i].Wait(ctx)
			if want == nil {
				is(f, "the last", tasks[i].Err())
				continue
			}
			is(f, fmt.Sprint("waiter ", i), tasks[i].Err(), want)
		}
		if n := len(f.Journal.take(msgPanic)); n != 2 {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
		is(f, "all of them", err, taskTimeout...)
		f.elapsed(start, time.Second)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
	watch(t, func() {
		withKernel(t, func(ctx context.Context, f *fixture) {
			for range times(2000) {
				tr := &traffic{gate: make(threadGate)}
				key := new(int)
				busy := blocking(ctx, key, tr.pass)
				until(f, "the turn is taken", func() bool { return busy.State() == "THREAD_CALL" })
				first := blocking(ctx, key, tr.pass)
				until(f, "the first waits", func() bool { return first.State() == "THREAD_TURN" })
				second := blocking(ctx, key, tr.pass)
				until(f, "the second waits", func() bool { return second.State() == "THREAD_TURN" })
				atOnce(
					func() { spin(); close(tr.gate) },
					func() { spin(); first.CancelNow() },
					func() { spin(); busy.CancelNow() },
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
			until(f, "all functions end", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
		})
	})
}

func init() {
	children["not a number"] = func() {
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
	text, code := threadChild(t, "not a number")
	if code != 0 || strings.Contains(text, "nil pointer") {
		t.Errorf("exit status %d, output:\n%s", code, text)
	}
}
