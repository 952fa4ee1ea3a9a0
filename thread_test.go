package curio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// Functions in threads: what RunInThread, RunInThreadLimited, BlockInThread and RunInExecutor have in
// common, and RunInThread's places. What becomes of an abandoned function is in
// thread_abandon_test.go.
//
// Of the original's list, X1, X2, X9 and X10 are about processes, which this module
// does not have yet.

// A threadOp is a call that runs a function elsewhere and waits for it.
type threadOp struct {
	name string
	call func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error)
}

var threadOps = []threadOp{
	{"RunInThread", curio.RunInThread[int]},
	{"RunInThreadLimited", func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
		return curio.RunInThreadLimited(ctx, curio.NewSemaphore(1), fn, late...)
	}},
	{"BlockInThread", func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
		return curio.BlockInThread(ctx, new(int), fn, late...)
	}},
	{"RunInExecutor", func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
		return curio.RunInExecutor(ctx, unbounded{}, fn, late...)
	}},
}

// unbounded is the simplest executor.
type unbounded struct{}

func (unbounded) Submit(fn func()) error { go fn(); return nil }

// eachThreadOp runs body for each call, in a kernel of its own.
func eachThreadOp(t *testing.T, body func(ctx context.Context, f *fixture, op threadOp), opts ...curio.KernelOption) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) { body(ctx, f, op) }, opts...)
		})
	}
}

// spawn is the call in a task of its own.
func (op threadOp) spawn(ctx context.Context, fn func() (int, error), late ...func(int, error)) *curio.Task[int] {
	return curio.Spawn(ctx, func(ctx context.Context) (int, error) { return op.call(ctx, fn, late...) }, curio.Name("caller"))
}

// A threadGate is what a function in a thread blocks in, where no context reaches it,
// until the gate is closed.
type threadGate chan struct{}

func (g threadGate) pass() (int, error)    { <-g; return 1, nil }
func (g threadGate) fail() (int, error)    { <-g; return 2, errBoom }
func (g threadGate) explode() (int, error) { <-g; panic(errBoom) }

// taskState checks what a task does when everything else has come to rest.
func taskState[T any](f *fixture, task *curio.Task[T], want string) {
	f.Helper()
	synctest.Wait()
	if got := task.State(); got != want {
		f.Errorf("%s is %s, want %s", task.Name(), got, want)
	}
}

// callsLeft checks how many functions in threads have not returned, when everything
// else has come to rest.
func callsLeft(f *fixture, want int) {
	f.Helper()
	synctest.Wait()
	if calls := f.Kernel.ThreadCalls(); len(calls) != want {
		f.Errorf("%d functions have not returned, want %d: %+v", len(calls), want, calls)
	}
}

// X7: the caller gets what the function returns, and the very error.
func TestThreadReturnsWhatTheFunctionDoes(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		custom := &customError{7}
		for _, want := range []struct {
			v   int
			err error
		}{{42, nil}, {0, errBoom}, {7, custom}} {
			late := func(int, error) { f.Error("late was called") }
			v, err := op.call(ctx, func() (int, error) { return want.v, want.err }, late)
			if v != want.v || err != want.err {
				f.Errorf("%d, %v; want %d, %v", v, err, want.v, want.err)
			}
		}
		callsLeft(f, 0)
	})
}

// X3: while a function blocks, other tasks go on.
func TestThreadLetsOthersGoOn(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		var ticks int
		ticker := curio.Go(ctx, func(ctx context.Context) error {
			for curio.Sleep(ctx, time.Second) == nil {
				ticks++
			}
			return nil
		})
		start := time.Now()
		v, err := op.call(ctx, func() (int, error) { time.Sleep(5500 * time.Millisecond); return 1, nil })
		if v != 1 || err != nil {
			f.Error(v, err)
		}
		f.elapsed(start, 5500*time.Millisecond)
		_, _ = ticker.Cancel(ctx)
		if ticks != 5 {
			f.Errorf("%d ticks, want 5", ticks)
		}
	})
}

// The function has a goroutine of its own, in which it may use the context too.
func TestThreadUsesTheContext(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		here := goroutineID()
		start := time.Now()
		_, err := op.call(ctx, func() (int, error) {
			if goroutineID() == here {
				f.Error("it runs in the caller's goroutine")
			}
			return 1, curio.Sleep(ctx, time.Second)
		})
		if err != nil {
			f.Error(err)
		}
		f.elapsed(start, time.Second)
		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := op.call(ctx, func() (int, error) { return 1, sleeper(ctx) }, func(int, error) {})
			return err
		})
		is(f, "both end with the context", err, taskTimeout...)
		f.elapsed(start, 2*time.Second)
		callsLeft(f, 0)
	})
}

// X5: who is cancelled is free at once, and so is who cancels.
func TestThreadCancel(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		gate := make(threadGate)
		caller := op.spawn(ctx, gate.pass)
		taskState(f, caller, "THREAD_CALL")
		start := time.Now()
		where := here(1)
		if did, err := caller.Cancel(ctx, errBoom); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		f.elapsed(start, 0)
		v, err := caller.Result()
		if v != 0 {
			f.Errorf("value %d", v)
		}
		because(f, "caller", err, errBoom, taskCancelled...)
		checkAuthor(f, "caller", err, curio.Cancellation{
			By: curio.CurrentTask(ctx).Path(), Where: where, When: start, Reason: errBoom,
		})
		callsLeft(f, 1)
		close(gate)
		callsLeft(f, 0)
	})
}

// X6: a timeout, our own and a foreign one, around the call and around that.
func TestThreadTimeout(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		gate := make(threadGate)
		call := func(ctx context.Context) error { _, err := op.call(ctx, gate.pass); return err }
		start := time.Now()
		is(f, "own", curio.TimeoutAfter(ctx, time.Second, call), taskTimeout...)
		f.elapsed(start, time.Second)
		expired, err := curio.IgnoreAfter(ctx, time.Second, call)
		if !expired || err != nil {
			f.Errorf("IgnoreAfter: %v, %v", expired, err)
		}
		_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Minute, call)
			is(f, "outer", err, outerTimeout...)
			return err
		})
		standard, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		is(f, "foreign", call(standard), foreignTimeout...)
		f.elapsed(start, 4*time.Second)
		callsLeft(f, 4)
		close(gate)
		callsLeft(f, 0)
	})
}

// A context that has ended already: the function does not run.
func TestThreadWithDeadContext(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		never := func() (int, error) { f.Error("the function runs"); return 1, nil }
		late := func(int, error) { f.Error("late runs") }
		dead, cancel := context.WithCancel(ctx)
		cancel()
		_, err := op.call(dead, never, late)
		is(f, "cancelled before", err, scopeCancelled...)
		err = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error {
			_, err := op.call(ctx, never, late)
			return err
		})
		is(f, "expired before", err, taskTimeout...)
		callsLeft(f, 0)
	})
}

// A shield holds off the cancellation until the function has returned.
func TestThreadInShield(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		gate := make(threadGate)
		var v int
		caller := curio.Go(ctx, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) (err error) {
				v, err = op.call(ctx, gate.pass)
				return err
			})
		})
		synctest.Wait()
		caller.CancelNow()
		taskState(f, caller, "THREAD_CALL")
		close(gate)
		if err := caller.Wait(ctx); err != nil || caller.Err() != nil || v != 1 {
			f.Errorf("%v, %v, value %d", err, caller.Err(), v)
		}
	})
}

// A panic is logged in the moment in which it happens, with the task's path and the
// function's own stack, and is then the error of the call.
func TestThreadPanic(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		gate := make(threadGate)
		close(gate)
		caller := op.spawn(ctx, gate.explode)
		_ = caller.Wait(ctx)
		_, err := caller.Result()
		path := curio.CurrentTask(ctx).Path() + "/caller"
		var panicked *curio.PanicError
		if !errors.As(err, &panicked) || panicked.Value != errBoom || panicked.Task != path ||
			!strings.Contains(string(panicked.Stack), "threadGate.explode") {
			f.Errorf("error %v", err)
		}
		is(f, "error", err, errBoom)
		logged := f.Journal.take(msgPanic)
		if len(logged) != 1 || logged[0].attrs["task"] != path || logged[0].attrs["panic"] != errBoom ||
			!strings.Contains(fmt.Sprint(logged[0].attrs["stack"]), "threadGate.explode") {
			f.Errorf("logged: %v", logged)
		}
		if v, err := op.call(ctx, func() (int, error) { return 1, nil }); v != 1 || err != nil {
			f.Errorf("afterwards: %d, %v", v, err)
		}
		callsLeft(f, 0)
	})
}

// The log does not wait for anybody to look: here nobody can, for the caller is in a
// shielded sleep.
func TestThreadPanicIsLoggedAtOnce(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		started := time.Now()
		caller := curio.Go(ctx, func(ctx context.Context) error {
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(func(ctx context.Context) (int, error) {
					return op.call(ctx, func() (int, error) { panic("now") })
				})
				return curio.DisableCancellation(ctx, sleeper)
			})
			return nil
		})
		synctest.Wait()
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("logged %d times before anybody has looked", n)
		}
		_ = caller.Wait(ctx)
		f.elapsed(started, time.Hour)
	})
}

// Of a task that is not to report its crash, a panic is not logged either.
func TestThreadPanicOfASilentTask(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		silent := curio.Go(ctx, func(ctx context.Context) error {
			_, err := op.call(ctx, func() (int, error) { panic("psst") })
			return err
		}, curio.ReportCrash(false))
		_ = silent.Wait(ctx)
		var panicked *curio.PanicError
		if !errors.As(silent.Err(), &panicked) {
			f.Error(silent.Err())
		}
	})
}

func TestThreadGoexit(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		v, err := op.call(ctx, func() (int, error) { return vanish(ctx) })
		if v != 0 {
			f.Errorf("value %d", v)
		}
		is(f, "Goexit", err, curio.ErrGoexit)
		callsLeft(f, 0)
	})
}

// Calls of no task belong to the default kernel. X8: so a function that blocks can be
// called the same way from plain code.
func TestThreadWithoutTask(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(threadGate)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { _, err := op.call(ctx, gate.pass); ended <- err }()
				synctest.Wait()
				cancel()
				is(t, "cancelled", <-ended, scopeCancelled...)
				close(gate)
				synctest.Wait()
				if v, err := op.call(context.Background(), gate.pass); v != 1 || err != nil {
					t.Error(v, err)
				}
				err := curio.TimeoutAfter(context.Background(), time.Second, func(ctx context.Context) error {
					_, err := op.call(ctx, make(threadGate).sleep)
					return err
				})
				is(t, "timeout", err, taskTimeout...)
				time.Sleep(time.Hour) // what was abandoned ends
			})
		})
	}
}

// sleep is a function that returns by itself, after its caller's patience.
func (g threadGate) sleep() (int, error) { time.Sleep(time.Minute); return 1, nil }

// What ThreadCalls says of each call, the oldest first.
func TestThreadCalls(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		type caller struct {
			task *curio.Task[int]
			want curio.ThreadCall
		}
		var callers []caller
		spawn := func(name string, want curio.ThreadCall, call func(ctx context.Context) (int, error)) {
			task := curio.Spawn(ctx, call, curio.Name(name), curio.ReportCrash(false))
			want.Since, want.Task = time.Now(), curio.CurrentTask(ctx).Path()+"/"+name
			callers = append(callers, caller{task, want})
			_ = curio.Sleep(ctx, time.Second)
		}
		spawn("a", curio.ThreadCall{Op: "RunInThread", Name: "curio_test.threadGate.pass-fm"}, func(ctx context.Context) (int, error) {
			return curio.RunInThread(ctx, gate.pass)
		})
		spawn("b", curio.ThreadCall{Op: "BlockInThread", Name: "curio_test.threadGate.fail-fm", Key: "key"}, func(ctx context.Context) (int, error) {
			return curio.BlockInThread(ctx, "key", gate.fail)
		})
		spawn("c", curio.ThreadCall{Op: "RunInExecutor", Name: "curio_test.threadGate.pass-fm"}, func(ctx context.Context) (int, error) {
			return curio.RunInExecutor(ctx, unbounded{}, gate.pass)
		})
		check := func(what string) {
			var got, want []string
			for _, call := range f.Kernel.ThreadCalls() {
				got = append(got, fmt.Sprintf("%+v", call))
			}
			for _, c := range callers {
				want = append(want, fmt.Sprintf("%+v", c.want))
			}
			if !slices.Equal(got, want) {
				f.Errorf("%s:\n got %q\nwant %q", what, got, want)
			}
		}
		check("running")
		_, _ = callers[0].task.Cancel(ctx)
		callers[0].want.Abandoned = true
		check("one abandoned")
		for _, c := range callers[1:] {
			_ = c.task.CancelNow()
		}
		synctest.Wait()
		callers[1].want.Abandoned, callers[2].want.Abandoned = true, true
		check("all abandoned")
		close(gate)
		callsLeft(f, 0)
		if n := len(f.Journal.take(msgTooLate)); n != 1 {
			f.Errorf("the error that came too late was logged %d times", n)
		}
	})
}

// What has returned is not in ThreadCalls any more, nor does the shutdown take it for
// something that outlives the kernel.
func TestRaceThreadCallsAfterTheEnd(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			watch(t, func() {
				withKernel(t, func(ctx context.Context, f *fixture) {
					for i := range times(10000) {
						if _, err := op.call(ctx, func() (int, error) { return 1, nil }); err != nil {
							t.Fatal(err)
						}
						if calls := f.Kernel.ThreadCalls(); len(calls) > 0 {
							t.Fatalf("round %d: the call has returned, and ThreadCalls still has it: %+v", i, calls)
						}
					}
				})
			})
		})
	}
}

// goroutineID says which goroutine this is.
func goroutineID() string { return strings.Fields(stackOfMine())[1] }

// W-L9: what waits for its turn or in a foreign pool takes none of RunInThread's places.
func TestThreadPlacesAreRunInThreadsAlone(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		gate := make(threadGate)
		var mu chanLock = make(chan struct{}, 1)
		mu.Lock()
		var wg sync.WaitGroup
		for i := range 70 {
			wg.Go(func() { _, _ = curio.BlockInThread(ctx, i, gate.pass) })
			wg.Go(func() { _, _ = curio.RunInExecutor(ctx, unbounded{}, gate.pass) })
			wg.Go(func() {
				release, err := curio.Abide(ctx, mu)
				if err == nil {
					release()
				}
			})
		}
		callsLeft(f, 70+70+1)
		if v, err := curio.RunInThread(ctx, func() (int, error) { return 1, nil }); v != 1 || err != nil {
			f.Error(v, err)
		}
		close(gate)
		mu.Unlock()
		wg.Wait()
		callsLeft(f, 0)
	}, curio.MaxThreads(1))
}

// Wrong use is told in the caller.
func TestThreadMisuse(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var noFunc func() (int, error)
		var noTask func(context.Context) (int, error)
		var nilContext context.Context
		for _, c := range []struct {
			want string
			call func()
		}{
			{"RunInThread of a nil function", func() { _, _ = curio.RunInThread(ctx, noFunc) }},
			{"BlockInThread of a nil function", func() { _, _ = curio.BlockInThread(ctx, 1, noFunc) }},
			{"RunInExecutor of a nil function", func() { _, _ = curio.RunInExecutor(ctx, unbounded{}, noFunc) }},
			{"RunInExecutor without an executor", func() { _, _ = curio.RunInExecutor(ctx, nil, returnsOne) }},
			{"SpawnThread of a nil function", func() { curio.SpawnThread(ctx, noTask) }},
			{"Abide without a lock", func() { _, _ = curio.Abide(ctx, nil) }},
			{"MaxThreads(0)", func() { curio.MaxThreads(0) }},
			{"MaxThreads(-1)", func() { curio.MaxThreads(-1) }},
			{"key of type <nil>", func() { _, _ = curio.BlockInThread(ctx, nil, returnsOne) }},
			{"key of type []int", func() { _, _ = curio.BlockInThread(ctx, []int{1}, returnsOne) }},
			{"key of type func()", func() { _, _ = curio.BlockInThread(ctx, func() {}, returnsOne) }},
			{"key of type [1]interface {}", func() { _, _ = curio.BlockInThread(ctx, [1]any{[]int{}}, returnsOne) }},
			{"nil context", func() { _, _ = curio.RunInThread(nilContext, returnsOne) }},
			{"nil context", func() { _, _ = curio.BlockInThread(nilContext, 1, returnsOne) }},
			{"nil context", func() { _, _ = curio.RunInExecutor(nilContext, unbounded{}, returnsOne) }},
			{"nil context", func() { curio.SpawnThread(nilContext, fails) }},
			{"nil context", func() { _, _ = curio.Abide(nilContext, make(chanLock, 1)) }},
			{"nil context", func() { _, _ = curio.Receive(nilContext, make(chan int)) }},
			{"nil context", func() { _ = curio.Send(nilContext, make(chan int), 1) }},
		} {
			panics(f, c.want, c.call)
		}
		callsLeft(f, 0)
		f.onlyMain()
	})
}

func returnsOne() (int, error) { return 1, nil }

// A late that is nil is none.
func TestThreadNilLate(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture, op threadOp) {
		if v, err := op.call(ctx, returnsOne, nil); v != 1 || err != nil {
			f.Error(v, err)
		}
		gate := make(threadGate)
		caller := op.spawn(ctx, gate.fail, nil)
		synctest.Wait()
		_, _ = caller.Cancel(ctx)
		close(gate)
		synctest.Wait()
		if n := len(f.Journal.take(msgTooLate)); n != 1 {
			f.Errorf("the error that came too late was logged %d times", n)
		}
	})
}
