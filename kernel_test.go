package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
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

// K1, K16: a kernel runs many functions one after the other.
func TestRunReturnsWhatMainDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		for i := range 3 {
			got := -1
			if err := k.Run(t.Context(), func(context.Context) error { got = i; return nil }); err != nil || got != i {
				t.Errorf("run %d: got %d, %v", i, got, err)
			}
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// K2, K3: the caller gets the very error, and no TaskError around it.
func TestRunReturnsTheErrorItself(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	for _, want := range []error{fixture.ErrBoom, path} {
		if err := curio.Run(t.Context(), func(context.Context) error { return want }); err != want {
			t.Errorf("got %v (%T), want the identical %v", err, err, want)
		}
	}
}

// K4: a run inside of the same kernel would be a task that waits for another.
func TestRunInsideItsOwnKernelIsRefused(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ran := false
		err := f.Kernel.Run(ctx, func(context.Context) error { ran = true; return nil })
		if err == nil || ran || !strings.Contains(err.Error(), "Spawn") || !strings.Contains(err.Error(), curio.CurrentTask(ctx).Path()) {
			t.Errorf("ran: %v, error: %v", ran, err)
		}
		within, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		if err := f.Kernel.Run(within, func(context.Context) error { return nil }); err == nil {
			t.Error("not refused with a context derived from the task's")
		}
	})
}

// K12: a kernel that has been shut down runs and spawns nothing.
func TestKernelAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		var ctx context.Context
		ran := false
		_ = k.Run(t.Context(), func(c context.Context) error { ctx = c; return nil })
		for range 2 { // twice is no error
			if err := k.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := k.Run(t.Context(), func(context.Context) error { ran = true; return nil }); !errors.Is(err, curio.ErrKernelShutdown) {
			t.Errorf("Run: %v", err)
		}
		for what, opts := range map[string][]curio.SpawnOption{"task": nil, "daemon": {curio.Daemon(), curio.ReportCrash(false)}} {
			task := curio.Spawn(ctx, func(context.Context) (int, error) { ran = true; return 1, nil }, opts...)
			if !task.Terminated() || !errors.Is(task.Err(), curio.ErrKernelShutdown) {
				t.Errorf("%s: %v, %v", what, task, task.Err())
			}
			_, err := task.Join(t.Context())
			fixture.Is(t, what, err, curio.ErrKernelShutdown)
		}
		synctest.Wait()
		if ran || len(k.Tasks()) > 0 {
			t.Errorf("a function ran: %v, tasks: %v", ran, k.Tasks())
		}
	})
}

// K17, K18: Run returns when all tasks have cleaned up, however main ends.
func TestRunWaitsForTheCleanUpOfAll(t *testing.T) {
	for what, end := range map[string]func() error{
		"success": func() error { return nil },
		"error":   func() error { return fixture.ErrBoom },
		"panic":   func() error { panic(fixture.ErrBoom) },
		"Goexit":  func() error { runtime.Goexit(); return nil },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cleaned atomic.Int32
				log := new(testutil.Journal)
				cleaner := func(ctx context.Context) error {
					err := curio.Sleep(ctx, time.Hour)
					_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 4*time.Second) })
					cleaned.Add(1)
					return err
				}
				err := curio.Run(t.Context(), func(ctx context.Context) error {
					curio.Go(ctx, cleaner)
					curio.Go(ctx, cleaner, curio.Daemon())
					curio.Go(ctx, func(ctx context.Context) error { curio.Go(ctx, cleaner); return nil })
					synctest.Wait()
					return end()
				}, curio.Logger(slog.New(log)))
				if n := cleaned.Load(); n != 3 {
					t.Errorf("%d of 3 tasks have cleaned up when Run returned", n)
				}
				if what == "Goexit" {
					fixture.Is(t, what, err, curio.ErrGoexit)
				} else if (err != nil) != (what != "success") || err != nil && !errors.Is(err, fixture.ErrBoom) {
					t.Errorf("Run returned %v", err)
				}
				if what == "panic" && len(log.Take(fixture.MsgPanic)) != 1 {
					t.Error("the panic was not logged")
				}
				if lines := log.Lines(); len(lines) > 0 {
					t.Errorf("unexpected in the log: %q", lines)
				}
			})
		})
	}
}

// K19, in our meaning: background tasks of a kernel go on between two runs.
func TestTasksGoOnBetweenRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		var ticks atomic.Int32
		_ = k.Run(t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error {
				for curio.Sleep(ctx, time.Second) == nil {
					ticks.Add(1)
				}
				return nil
			})
			return nil
		})
		time.Sleep(3500 * time.Millisecond)
		if n := ticks.Load(); n != 3 {
			t.Errorf("%d ticks between the runs, want 3", n)
		}
		_ = k.Run(t.Context(), func(ctx context.Context) error { return curio.Sleep(ctx, 2*time.Second) })
		if err := k.Shutdown(t.Context()); err != nil || ticks.Load() != 5 {
			t.Errorf("%d ticks in the end, want 5; %v", ticks.Load(), err)
		}
	})
}

// K20, K22: any number of kernels at once, and of runs in each, without a bubble
// so that they really are at once.
func TestKernelsAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		k := curio.NewKernel()
		for range 8 {
			wg.Go(func() {
				var sum int
				err := k.Run(t.Context(), func(ctx context.Context) error {
					for i := range 10 {
						v, err := curio.Spawn(ctx, fixture.Returns(i)).Join(ctx)
						if err != nil {
							return err
						}
						sum += v
					}
					return nil
				})
				if err != nil || sum != 45 {
					t.Errorf("sum %d, %v", sum, err)
				}
			})
		}
		t.Cleanup(func() {
			if err := k.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRunInsideATaskOfAnotherKernel(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var inner error
		runner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Run(ctx, func(ctx context.Context) error {
				inner = curio.Sleep(ctx, time.Hour)
				fixture.Because(f, "operation inside", inner, fixture.ErrBoom, fixture.TaskCancelled...)
				// It still waits.
				return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
			})
		})
		synctest.Wait()
		if s := runner.State(); s != "TASK_JOIN" {
			f.Errorf("the task that runs a kernel is %s", s)
		}
		start := time.Now()
		if _, err := runner.Cancel(ctx, fixture.ErrBoom); err != nil {
			f.Errorf("%v, and the error inside is %v", err, inner)
		}
		f.Elapsed(start, time.Minute)
		f.OnlyMain()
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(fixture.ErrBoom) })
		err := curio.Run(ctx, fixture.Sleeper)
		fixture.Because(t, "cancelled", err, fixture.ErrBoom, fixture.TaskCancelled...)

		err = curio.Run(ctx, fixture.Sleeper)
		fixture.Because(t, "cancelled before", err, fixture.ErrBoom, fixture.TaskCancelled...)

		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		start := time.Now()
		if err := curio.Run(ctx, fixture.Sleeper); !errors.Is(err, curio.ErrTaskCancelled) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// Goexit in main, as by t.FailNow, ends Run.
func TestGoexitInMain(t *testing.T) {
	err := curio.Run(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
	fixture.Is(t, "Run", err, curio.ErrGoexit)
}

func TestPanicInMain(t *testing.T) {
	log := new(testutil.Journal)
	err := curio.Run(t.Context(), func(context.Context) error { panic("ouch") }, curio.Logger(slog.New(log)))
	var p *curio.PanicError
	if !errors.As(err, &p) || p.Value != "ouch" || !strings.Contains(string(p.Stack), "TestPanicInMain") {
		t.Errorf("got %v", err)
	}
	if len(log.Take(fixture.MsgPanic)) != 1 || len(log.Lines()) > 0 {
		t.Errorf("log: %v", log.Lines())
	}
}

func TestShutdownFromInside(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := f.Kernel.Shutdown(ctx)
		if err == nil || !strings.Contains(err.Error(), curio.CurrentTask(ctx).Path()) {
			f.Errorf("got %v", err)
		}
		if err := curio.CheckCancellation(ctx); err != nil {
			f.Errorf("it has cancelled all the same: %v", err)
		}
	})
}

// Two who shut down the same kernel both wait for its end.
func TestShutdownTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, start := kernelWithShieldedTask(t, 4*time.Second)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := k.Shutdown(t.Context()); err != nil || time.Since(start) != 4*time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		}
		wg.Wait()
	})
}

// kernelWithShieldedTask is a kernel with a task named "deaf" that cannot be
// cancelled for d from now, and what time it is.
func kernelWithShieldedTask(t *testing.T, d time.Duration, opts ...curio.KernelOption) (*curio.Kernel, time.Time) {
	k := curio.NewKernel(opts...)
	err := k.Run(t.Context(), func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error { return deafSleep(ctx, d) })
		}, curio.Name("deaf"))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	synctest.Wait()
	return k, time.Now()
}

var deafPlace = fixture.Here(3)

func deafSleep(ctx context.Context, d time.Duration) error {
	return curio.Sleep(ctx, d)
}

func TestShutdownNamesStubbornTasks(t *testing.T) {
	defer curio.SetStubborn(time.Second)()
	synctest.Test(t, func(t *testing.T) {
		log := new(testutil.Journal)
		k, start := kernelWithShieldedTask(t, time.Hour, curio.Logger(slog.New(log)))

		err := curio.TimeoutAfter(t.Context(), 3500*time.Millisecond, k.Shutdown)
		var s *curio.ShutdownError
		want := "deaf: TIME_SLEEP at " + deafPlace
		if !errors.As(err, &s) || len(s.Tasks) != 1 || s.Tasks[0] != want {
			t.Fatalf("got %v, want a ShutdownError with %q", err, want)
		}
		fixture.Is(t, "ShutdownError", err, fixture.TaskTimeout...)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the text does not name the task: %v", err)
		}
		if d := time.Since(start); d != 3500*time.Millisecond {
			t.Errorf("Shutdown gave up after %v", d)
		}
		complaints := log.Take(fixture.MsgStubborn) // after 1 s and after 2 s more
		if len(complaints) != 2 || complaints[0].Level != slog.LevelWarn || !strings.Contains(fmt.Sprint(complaints[0].Attrs["tasks"]), want) {
			t.Errorf("complaints: %v", complaints)
		}
		if len(k.Tasks()) != 1 {
			t.Errorf("tasks: %v", k.Tasks())
		}
		if err := k.Shutdown(t.Context()); err != nil || time.Since(start) != time.Hour {
			t.Errorf("second attempt, after %v: %v", time.Since(start), err)
		}
		if len(log.Take(fixture.MsgStubborn)) == 0 || len(log.Lines()) > 0 {
			t.Errorf("log: %v", log.Lines())
		}
	})
}

// Shutdown with a context that has ended does not wait, but has cancelled all.
func TestShutdownWithEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		release := make(chan struct{})
		_ = k.Run(t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error {
				defer func() { <-release }()
				return fixture.Sleeper(ctx)
			})
			return nil
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var s *curio.ShutdownError
		if err := k.Shutdown(ctx); !errors.As(err, &s) || !errors.Is(err, curio.ErrCancelled) {
			t.Errorf("got %v", err)
		}
		close(release)
		synctest.Wait()
		if n := len(k.Tasks()); n != 0 {
			t.Errorf("%d tasks left", n)
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What tasks spawn during the shutdown is cancelled and waited for as well.
func TestSpawnDuringShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		var spawn func(depth int) func(context.Context) error
		spawn = func(depth int) func(context.Context) error {
			return func(ctx context.Context) error {
				defer ended.Add(1)
				err := curio.Sleep(ctx, time.Hour)
				if depth > 0 {
					curio.Go(ctx, spawn(depth-1))
					curio.Go(ctx, spawn(depth-1), curio.Daemon())
				}
				return err
			}
		}
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, spawn(4))
			synctest.Wait()
			return nil
		})
		if err != nil || ended.Load() != 31 {
			t.Errorf("%d of 31 tasks had ended; %v", ended.Load(), err)
		}
	})
}

// Who shut the kernel down is known to its tasks: the place is that of the user's
// call.
func TestShutdownHasAnAuthor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got curio.Cancellation
		watcher := func(ctx context.Context) error {
			err := curio.Sleep(ctx, time.Hour)
			fixture.Is(t, "shutdown", err, fixture.TaskCancelled...)
			got, _ = curio.WhoCancelled(err)
			return err
		}
		k := curio.NewKernel()
		_ = k.Run(t.Context(), func(ctx context.Context) error { curio.Go(ctx, watcher); return nil })
		synctest.Wait()
		want := fixture.Here(1)
		_ = k.Shutdown(t.Context())
		if got.Where != want || got.Expired || !got.When.Equal(time.Now()) {
			t.Errorf("by Shutdown: %+v, want the place %s", got, want)
		}

		want = fixture.Here(1)
		_ = curio.Run(t.Context(), func(ctx context.Context) error {
			curio.Go(ctx, watcher)
			synctest.Wait()
			return nil
		})
		if got.Where != want {
			t.Errorf("by Run: %+v, want the place %s", got, want)
		}
	})
}

func TestKernelTasks(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		a := curio.Go(ctx, fixture.Sleeper)
		b := curio.Go(ctx, fixture.Sleeper, curio.Daemon())
		names := map[*curio.AnyTask]bool{}
		for _, task := range f.Kernel.Tasks() {
			names[task] = true
		}
		if len(names) != 3 || !names[a.AnyTask] || !names[b.AnyTask] || !names[curio.CurrentTask(ctx)] {
			f.Errorf("tasks: %v", f.Kernel.Tasks())
		}
	})
}

func init() {
	fixture.Children["crash"] = func() {
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			curio.Go(ctx, crashingTask, curio.Name("culprit"))
			return curio.Sleep(ctx, time.Minute)
		}, curio.CrashOnPanic(), curio.Logger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
		fmt.Println("alive")
	}
}

func crashingTask(context.Context) error { panic("the end is near") }

// CrashOnPanic ends the process as Go does, after the log line.
func TestCrashOnPanic(t *testing.T) {
	text, code := fixture.Child(t, "crash")
	if code != 2 {
		t.Errorf("the process ended with exit status %d, want 2", code)
	}
	for _, want := range []string{fixture.MsgPanic, "culprit", "panic: the end is near", "curio_test.crashingTask"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in the output:\n%s", want, text)
		}
	}
	if strings.Contains(text, "alive") {
		t.Error("the program went on")
	}
}
