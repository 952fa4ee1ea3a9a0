package curio_test

import (
	"context"
	"errors"
	"fmt"
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

// Functions in threads: what RunInThread, RunInThreadLimited, BlockInThread and RunInExecutor have in
// common, and RunInThread's places. What becomes of an abandoned function is in
// thread_call_test.go.
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
func eachThreadOp(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, op threadOp), opts ...curio.KernelOption) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { body(ctx, f, op) }, opts...)
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

func (g threadGate) pass() (int, error) { <-g; return 1, nil }

func (g threadGate) fail() (int, error) { <-g; return 2, fixture.ErrBoom }

func (g threadGate) explode() (int, error) { <-g; panic(fixture.ErrBoom) }

// callsLeft checks how many functions in threads have not returned, when everything
// else has come to rest.
func callsLeft(f *fixture.Fixture, want int) {
	f.Helper()
	synctest.Wait()
	if calls := f.Kernel.ThreadCalls(); len(calls) != want {
		f.Errorf("%d functions have not returned, want %d: %+v", len(calls), want, calls)
	}
}

// X7: the caller gets what the function returns, and the very error.
func TestThreadReturnsWhatTheFunctionDoes(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		custom := &fixture.CustomError{Code: 7}
		for _, want := range []struct {
			v   int
			err error
		}{{42, nil}, {0, fixture.ErrBoom}, {7, custom}} {
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
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
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
		f.Elapsed(start, 5500*time.Millisecond)
		_, _ = ticker.Cancel(ctx)
		if ticks != 5 {
			f.Errorf("%d ticks, want 5", ticks)
		}
	})
}

// The function has a goroutine of its own, in which it may use the context too.
func TestThreadUsesTheContext(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
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
		f.Elapsed(start, time.Second)
		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := op.call(ctx, func() (int, error) { return 1, fixture.Sleeper(ctx) }, func(int, error) {})
			return err
		})
		fixture.Is(f, "both end with the context", err, fixture.TaskTimeout...)
		f.Elapsed(start, 2*time.Second)
		callsLeft(f, 0)
	})
}

// X5: who is cancelled is free at once, and so is who cancels.
func TestThreadCancel(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		caller := op.spawn(ctx, gate.pass)
		fixture.TaskState(f, caller, "THREAD_CALL")
		start := time.Now()
		where := fixture.Here(1)
		if did, err := caller.Cancel(ctx, fixture.ErrBoom); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		f.Elapsed(start, 0)
		v, err := caller.Result()
		if v != 0 {
			f.Errorf("value %d", v)
		}
		fixture.Because(f, "caller", err, fixture.ErrBoom, fixture.TaskCancelled...)
		fixture.CheckAuthor(f, "caller", err, curio.Cancellation{
			By: curio.CurrentTask(ctx).Path(), Where: where, When: start, Reason: fixture.ErrBoom,
		})
		callsLeft(f, 1)
		close(gate)
		callsLeft(f, 0)
	})
}

// X6: a timeout, our own and a foreign one, around the call and around that.
func TestThreadTimeout(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		call := func(ctx context.Context) error { _, err := op.call(ctx, gate.pass); return err }
		start := time.Now()
		fixture.Is(f, "own", curio.TimeoutAfter(ctx, time.Second, call), fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		expired, err := curio.IgnoreAfter(ctx, time.Second, call)
		if !expired || err != nil {
			f.Errorf("IgnoreAfter: %v, %v", expired, err)
		}
		_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Minute, call)
			fixture.Is(f, "outer", err, fixture.OuterTimeout...)
			return err
		})
		standard, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		fixture.Is(f, "foreign", call(standard), fixture.ForeignTimeout...)
		f.Elapsed(start, 4*time.Second)
		callsLeft(f, 4)
		close(gate)
		callsLeft(f, 0)
	})
}

// A context that has ended already: the function does not run.
func TestThreadWithDeadContext(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		never := func() (int, error) { f.Error("the function runs"); return 1, nil }
		late := func(int, error) { f.Error("late runs") }
		dead, cancel := context.WithCancel(ctx)
		cancel()
		_, err := op.call(dead, never, late)
		fixture.Is(f, "cancelled before", err, fixture.ScopeCancelled...)
		err = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error {
			_, err := op.call(ctx, never, late)
			return err
		})
		fixture.Is(f, "expired before", err, fixture.TaskTimeout...)
		callsLeft(f, 0)
	})
}

// A shield holds off the cancellation until the function has returned.
func TestThreadInShield(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
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
		fixture.TaskState(f, caller, "THREAD_CALL")
		close(gate)
		if err := caller.Wait(ctx); err != nil || caller.Err() != nil || v != 1 {
			f.Errorf("%v, %v, value %d", err, caller.Err(), v)
		}
	})
}

// A panic is logged in the moment in which it happens, with the task's path and the
// function's own stack, and is then the error of the call.
func TestThreadPanic(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		gate := make(threadGate)
		close(gate)
		caller := op.spawn(ctx, gate.explode)
		_ = caller.Wait(ctx)
		_, err := caller.Result()
		path := curio.CurrentTask(ctx).Path() + "/caller"
		var panicked *curio.PanicError
		if !errors.As(err, &panicked) || panicked.Value != fixture.ErrBoom || panicked.Task != path ||
			!strings.Contains(string(panicked.Stack), "threadGate.explode") {
			f.Errorf("error %v", err)
		}
		fixture.Is(f, "error", err, fixture.ErrBoom)
		logged := f.Journal.Take(fixture.MsgPanic)
		if len(logged) != 1 || logged[0].Attrs["task"] != path || logged[0].Attrs["panic"] != fixture.ErrBoom ||
			!strings.Contains(fmt.Sprint(logged[0].Attrs["stack"]), "threadGate.explode") {
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
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		started := time.Now()
		caller := curio.Go(ctx, func(ctx context.Context) error {
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(func(ctx context.Context) (int, error) {
					return op.call(ctx, func() (int, error) { panic("now") })
				})
				return curio.DisableCancellation(ctx, fixture.Sleeper)
			})
			return nil
		})
		synctest.Wait()
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("logged %d times before anybody has looked", n)
		}
		_ = caller.Wait(ctx)
		f.Elapsed(started, time.Hour)
	})
}

// Of a task that is not to report its crash, a panic is not logged either.
func TestThreadPanicOfASilentTask(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
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
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		v, err := op.call(ctx, func() (int, error) { return fixture.Vanish(ctx) })
		if v != 0 {
			f.Errorf("value %d", v)
		}
		fixture.Is(f, "Goexit", err, curio.ErrGoexit)
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
				fixture.Is(t, "cancelled", <-ended, fixture.ScopeCancelled...)
				close(gate)
				synctest.Wait()
				if v, err := op.call(context.Background(), gate.pass); v != 1 || err != nil {
					t.Error(v, err)
				}
				err := curio.TimeoutAfter(context.Background(), time.Second, func(ctx context.Context) error {
					_, err := op.call(ctx, make(threadGate).sleep)
					return err
				})
				fixture.Is(t, "timeout", err, fixture.TaskTimeout...)
				time.Sleep(time.Hour) // what was abandoned ends
			})
		})
	}
}

// sleep is a function that returns by itself, after its caller's patience.
func (g threadGate) sleep() (int, error) { time.Sleep(time.Minute); return 1, nil }

// What ThreadCalls says of each call, the oldest first.
func TestThreadCalls(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
		if n := len(f.Journal.Take(msgTooLate)); n != 1 {
			f.Errorf("the error that came too late was logged %d times", n)
		}
	})
}

// What has returned is not in ThreadCalls any more, nor does the shutdown take it for
// something that outlives the kernel.
func TestRaceThreadCallsAfterTheEnd(t *testing.T) {
	for _, op := range threadOps {
		t.Run(op.name, func(t *testing.T) {
			fixture.Watch(t, func() {
				fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					for i := range testutil.Times(10000) {
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
			{"nil context", func() { curio.SpawnThread(nilContext, fixture.Fails) }},
			{"nil context", func() { _, _ = curio.Abide(nilContext, make(chanLock, 1)) }},
			{"nil context", func() { _, _ = curio.Receive(nilContext, make(chan int)) }},
			{"nil context", func() { _ = curio.Send(nilContext, make(chan int), 1) }},
		} {
			fixture.Panics(f, c.want, c.call)
		}
		callsLeft(f, 0)
		f.OnlyMain()
	})
}

func returnsOne() (int, error) { return 1, nil }

// A late that is nil is none.
func TestThreadNilLate(t *testing.T) {
	eachThreadOp(t, func(ctx context.Context, f *fixture.Fixture, op threadOp) {
		if v, err := op.call(ctx, returnsOne, nil); v != 1 || err != nil {
			f.Error(v, err)
		}
		gate := make(threadGate)
		caller := op.spawn(ctx, gate.fail, nil)
		synctest.Wait()
		_, _ = caller.Cancel(ctx)
		close(gate)
		synctest.Wait()
		if n := len(f.Journal.Take(msgTooLate)); n != 1 {
			f.Errorf("the error that came too late was logged %d times", n)
		}
	})
}

// RunInExecutor and the ways of other people's pools.

// A workshop is a pool of a few workers with an unbuffered queue: Submit blocks while all
// of them are busy.
type workshop struct {
	jobs    chan func()
	workers sync.WaitGroup
}

func newWorkshop(n int) *workshop {
	w := &workshop{jobs: make(chan func())}
	for range n {
		w.workers.Go(func() {
			for job := range w.jobs {
				job()
			}
		})
	}
	return w
}

func (w *workshop) Submit(fn func()) error { w.jobs <- fn; return nil }

func (w *workshop) close() { close(w.jobs); w.workers.Wait() }

// executorFunc is an executor that is its Submit.
type executorFunc func(fn func()) error

func (e executorFunc) Submit(fn func()) error { return e(fn) }

// inExecutor spawns a task that calls RunInExecutor.
func inExecutor(ctx context.Context, ex curio.Executor, fn func() (int, error), late ...func(int, error)) *curio.Task[int] {
	return curio.Spawn(ctx, func(ctx context.Context) (int, error) {
		return curio.RunInExecutor(ctx, ex, fn, late...)
	}, curio.Name("caller"))
}

// X4: a pool of somebody else's, whose workers are used again.
func TestExecutor(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		pool := newWorkshop(3)
		defer pool.close()
		var workers sync.Map
		var results []int
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 100 {
				g.Spawn(func(ctx context.Context) (int, error) {
					return curio.RunInExecutor(ctx, pool, func() (int, error) {
						workers.Store(goroutineID(), nil)
						time.Sleep(time.Second)
						return i, nil
					})
				})
			}
			if err := g.Join(ctx); err != nil {
				return err
			}
			results, _ = g.Results()
			return nil
		})
		if err != nil || len(results) != 100 || results[99] != 99 {
			f.Error(results, err)
		}
		n := 0
		workers.Range(func(any, any) bool { n++; return true })
		if n != 3 {
			f.Errorf("%d workers, want 3", n)
		}
		callsLeft(f, 0)
	})
}

// A function that panics or exits does not take the worker's other work with it.
func TestExecutorAndPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		pool := newWorkshop(1)
		defer pool.close()
		for range 2 {
			_, err := curio.RunInExecutor(ctx, pool, func() (int, error) { panic("oops") })
			var panicked *curio.PanicError
			if !errors.As(err, &panicked) || panicked.Value != "oops" {
				f.Error(err)
			}
		}
		if v, err := curio.RunInExecutor(ctx, pool, returnsOne); v != 1 || err != nil {
			f.Error(v, err)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 2 {
			f.Errorf("two panics were logged %d times", n)
		}
	})
}

// While Submit blocks, the caller can be cancelled. The function is then not run, however
// late the pool gets to it, and late is not called.
func TestExecutorWhoseSubmitBlocks(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		pool := newWorkshop(1)
		defer pool.close()
		gate := make(threadGate)
		busy := inExecutor(ctx, pool, gate.pass)
		synctest.Wait()
		never := func() (int, error) { f.Error("it runs, though nobody waits any more"); return 0, nil }
		caller := inExecutor(ctx, pool, never, func(int, error) { f.Error("late") })
		fixture.TaskState(f, caller, "THREAD_CALL")
		patient := inExecutor(ctx, pool, returnsOne)
		synctest.Wait()
		start := time.Now()
		if did, err := caller.Cancel(ctx); !did || err != nil {
			f.Error(did, err)
		}
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, pool, never)
			return err
		})
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		close(gate)
		for _, task := range []*curio.Task[int]{busy, patient} {
			if v, err := task.Join(ctx); v != 1 || err != nil {
				f.Error(v, err)
			}
		}
		callsLeft(f, 0)
	})
}

// The error of Submit is that of the call; what it submitted does not run any more, even
// if the pool has kept it.
func TestExecutorThatRefuses(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var kept func()
		refusing := executorFunc(func(fn func()) error { kept = fn; return fixture.ErrBoom })
		never := func() (int, error) { f.Error("it runs, though it was refused"); return 1, nil }
		v, err := curio.RunInExecutor(ctx, refusing, never, func(int, error) { f.Error("late") })
		if v != 0 || err != fixture.ErrBoom {
			f.Errorf("%d, %v", v, err)
		}
		kept()
		callsLeft(f, 0)
	})
}

func TestExecutorWhoseSubmitPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		broken := executorFunc(func(func()) error { panic(fixture.ErrBoom) })
		_, err := inExecutor(ctx, broken, returnsOne).Join(ctx)
		var panicked *curio.PanicError
		if !errors.As(err, &panicked) || panicked.Value != fixture.ErrBoom {
			f.Error(err)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
		callsLeft(f, 0)
	})
}

// A Submit that ends its goroutine will not run the function: nobody waits for that.
func TestExecutorWhoseSubmitExits(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		exiting := executorFunc(func(func()) error { runtime.Goexit(); return nil })
		err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, exiting, returnsOne)
			return err
		})
		fixture.Is(f, "Goexit in Submit", err, curio.ErrGoexit)
		callsLeft(f, 0)
	})
}

// A failure of Submit that nobody waits for any more harms nobody; a panic is logged.
func TestExecutorThatRefusesTooLate(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, end := range []func() error{
			func() error { return fixture.ErrBoom },
			func() error { panic(fixture.ErrBoom) },
		} {
			gate := make(threadGate)
			caller := inExecutor(ctx, executorFunc(func(func()) error { <-gate; return end() }), returnsOne)
			synctest.Wait()
			_, _ = caller.Cancel(ctx)
			fixture.Is(f, "caller", caller.Err(), fixture.TaskCancelled...)
			close(gate)
			callsLeft(f, 0)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("the panic was logged %d times", n)
		}
	})
}

// A pool that drops what it has accepted: the call ends with its context, and then there
// is no function any more that could be waited for, or that outlives anything.
func TestExecutorThatDrops(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		dropping := executorFunc(func(func()) error { return nil })
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, dropping, returnsOne, func(int, error) { f.Error("late") })
			return err
		})
		fixture.Is(f, "dropped", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		callsLeft(f, 0)
	})
}

// A function that waits in the pool's queue when its caller gives up is not started.
func TestExecutorDoesNotStartTheAbandoned(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var queue []func()
		pool := executorFunc(func(fn func()) error { queue = append(queue, fn); return nil })
		ran := 0
		fn := func() (int, error) { ran++; return 1, nil }
		first := inExecutor(ctx, pool, fn)
		synctest.Wait()
		second := inExecutor(ctx, pool, fn)
		synctest.Wait()
		_, _ = first.Cancel(ctx)
		for _, fn := range queue {
			fn()
		}
		if v, err := second.Join(ctx); v != 1 || err != nil || ran != 1 {
			f.Errorf("%d, %v; %d functions ran", v, err, ran)
		}
		callsLeft(f, 0)
	})
}

// A pool may run the function inside of Submit. Whatever it says after that changes nothing.
func TestExecutorInline(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, end := range []func() error{
			func() error { return nil },
			func() error { return errors.New("too late to say") },
		} {
			v, err := curio.RunInExecutor(ctx, executorFunc(func(fn func()) error { fn(); return end() }), func() (int, error) { return 7, fixture.ErrBoom })
			if v != 7 || err != fixture.ErrBoom {
				f.Errorf("%d, %v", v, err)
			}
		}
		gate := make(threadGate)
		threadOp{call: func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
			return curio.RunInExecutor(ctx, executorFunc(func(fn func()) error { fn(); return nil }), fn, late...)
		}}.abandon(ctx, f, gate.pass, func(v int, err error) {
			if v != 1 || err != nil {
				f.Error(v, err)
			}
		})
		close(gate)
		callsLeft(f, 0)
	})
}

// A pool that runs a function twice, one after the other, gets it run once.
func TestExecutorThatRepeats(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ran := 0
		v, err := curio.RunInExecutor(ctx, executorFunc(func(fn func()) error { fn(); fn(); return nil }), func() (int, error) {
			ran++
			return ran, nil
		})
		synctest.Wait()
		if v != 1 || err != nil || ran != 1 {
			f.Errorf("%d, %v; it ran %d times", v, err, ran)
		}
		callsLeft(f, 0)
	})
}

// Two kernels may share a pool.
func TestExecutorOfTwoKernels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := newWorkshop(1)
		var wg sync.WaitGroup
		var sum atomic.Int64
		for i := range 2 {
			wg.Go(func() {
				err := curio.Run(t.Context(), func(ctx context.Context) error {
					v, err := curio.RunInExecutor(ctx, pool, func() (int, error) { time.Sleep(time.Second); return i + 1, nil })
					sum.Add(int64(v))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		pool.close()
		if got := fmt.Sprint(sum.Load()); got != "3" {
			t.Error(got)
		}
	})
}

// Whether the pool starts a function in the moment in which its caller gives up or not:
// if it runs, exactly one gets the result, and if not, nobody does.
func TestRaceExecutorStartAndCancel(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			got := map[string]int{}
			for range testutil.Times(2000) {
				submitted := make(chan func(), 1)
				var ran, late atomic.Int64
				caller := inExecutor(ctx, executorFunc(func(fn func()) error { submitted <- fn; return nil }), func() (int, error) {
					ran.Add(1)
					fixture.Spin()
					return 1, nil
				}, func(int, error) { late.Add(1) })
				fn := <-submitted
				testutil.Await(f, "THREAD_CALL", func() bool { return caller.State() == "THREAD_CALL" })
				fixture.AtOnce(
					fn,
					func() { fixture.Spin(); fixture.Spin(); caller.CancelNow() },
				)
				_ = caller.Wait(ctx)
				v, err := caller.Result()
				if (err == nil) != (v == 1) || int64(v)+late.Load() != ran.Load() {
					t.Fatalf("the caller got %d, %v; it ran %d times, late %d times", v, err, ran.Load(), late.Load())
				}
				got[fmt.Sprintf("ran %d, late %d", ran.Load(), late.Load())]++
			}
			t.Logf("rounds: %v", got)
		})
	})
}
