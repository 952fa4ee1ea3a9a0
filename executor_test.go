package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

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
func (w *workshop) close()                 { close(w.jobs); w.workers.Wait() }

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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
		if n := len(f.Journal.take(msgPanic)); n != 2 {
			f.Errorf("two panics were logged %d times", n)
		}
	})
}

// While Submit blocks, the caller can be cancelled. The function is then not run, however
// late the pool gets to it, and late is not called.
func TestExecutorWhoseSubmitBlocks(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		pool := newWorkshop(1)
		defer pool.close()
		gate := make(threadGate)
		busy := inExecutor(ctx, pool, gate.pass)
		synctest.Wait()
		never := func() (int, error) { f.Error("it runs, though nobody waits any more"); return 0, nil }
		caller := inExecutor(ctx, pool, never, func(int, error) { f.Error("late") })
		taskState(f, caller, "THREAD_CALL")
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
		is(f, "timeout", err, taskTimeout...)
		f.elapsed(start, time.Second)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		var kept func()
		refusing := executorFunc(func(fn func()) error { kept = fn; return errBoom })
		never := func() (int, error) { f.Error("it runs, though it was refused"); return 1, nil }
		v, err := curio.RunInExecutor(ctx, refusing, never, func(int, error) { f.Error("late") })
		if v != 0 || err != errBoom {
			f.Errorf("%d, %v", v, err)
		}
		kept()
		callsLeft(f, 0)
	})
}

func TestExecutorWhoseSubmitPanics(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		broken := executorFunc(func(func()) error { panic(errBoom) })
		_, err := inExecutor(ctx, broken, returnsOne).Join(ctx)
		var panicked *curio.PanicError
		if !errors.As(err, &panicked) || panicked.Value != errBoom {
			f.Error(err)
		}
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
		callsLeft(f, 0)
	})
}

// A Submit that ends its goroutine will not run the function: nobody waits for that.
func TestExecutorWhoseSubmitExits(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		exiting := executorFunc(func(func()) error { runtime.Goexit(); return nil })
		err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, exiting, returnsOne)
			return err
		})
		is(f, "Goexit in Submit", err, curio.ErrGoexit)
		callsLeft(f, 0)
	})
}

// A failure of Submit that nobody waits for any more harms nobody; a panic is logged.
func TestExecutorThatRefusesTooLate(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		for _, end := range []func() error{
			func() error { return errBoom },
			func() error { panic(errBoom) },
		} {
			gate := make(threadGate)
			caller := inExecutor(ctx, executorFunc(func(func()) error { <-gate; return end() }), returnsOne)
			synctest.Wait()
			_, _ = caller.Cancel(ctx)
			is(f, "caller", caller.Err(), taskCancelled...)
			close(gate)
			callsLeft(f, 0)
		}
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("the panic was logged %d times", n)
		}
	})
}

// A pool that drops what it has accepted: the call ends with its context, and then there
// is no function any more that could be waited for, or that outlives anything.
func TestExecutorThatDrops(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		dropping := executorFunc(func(func()) error { return nil })
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, dropping, returnsOne, func(int, error) { f.Error("late") })
			return err
		})
		is(f, "dropped", err, taskTimeout...)
		f.elapsed(start, time.Second)
		callsLeft(f, 0)
	})
}

// A function that waits in the pool's queue when its caller gives up is not started.
func TestExecutorDoesNotStartTheAbandoned(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		for _, end := range []func() error{
			func() error { return nil },
			func() error { return errors.New("too late to say") },
		} {
			v, err := curio.RunInExecutor(ctx, executorFunc(func(fn func()) error { fn(); return end() }), func() (int, error) { return 7, errBoom })
			if v != 7 || err != errBoom {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
	watch(t, func() {
		withKernel(t, func(ctx context.Context, f *fixture) {
			got := map[string]int{}
			for range times(2000) {
				submitted := make(chan func(), 1)
				var ran, late atomic.Int64
				caller := inExecutor(ctx, executorFunc(func(fn func()) error { submitted <- fn; return nil }), func() (int, error) {
					ran.Add(1)
					spin()
					return 1, nil
				}, func(int, error) { late.Add(1) })
				fn := <-submitted
				until(f, "THREAD_CALL", func() bool { return caller.State() == "THREAD_CALL" })
				atOnce(
					fn,
					func() { spin(); spin(); caller.CancelNow() },
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
