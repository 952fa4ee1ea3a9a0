package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// SpawnThread: a task with an OS thread of its own. What can be seen of the thread is in
// spawnthread_linux_test.go.
//
// Of the original's list: A4 to A6, the calls of operations from a thread (AWAIT), are
// calls with the task's context here. A10, subprocesses, come later. A11 is a call of
// Spawn. A13 and A14, a thread's function called from another one, are function calls, in
// the same thread (spawnthread_linux_test.go). A15 has no meaning. A16: what is no
// function does not compile, nil panics (../../thread_test.go), and a result that is asked for
// too early is ErrNotTerminated.

// A1, A2, A16: result and error, through Join and directly.
func TestSpawnThread(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		good := curio.SpawnThread(ctx, fixture.After(time.Second, 42, nil))
		_, err := good.Result()
		fixture.Is(f, "too early", err, curio.ErrNotTerminated)
		fixture.Is(f, "too early", good.Err(), curio.ErrNotTerminated)
		if v, err := good.Join(ctx); v != 42 || err != nil {
			f.Error(v, err)
		}
		if v, err := good.Result(); v != 42 || err != nil || good.Err() != nil {
			f.Error(v, err, good.Err())
		}

		bad := curio.SpawnThread(ctx, fixture.After(time.Second, 7, fixture.ErrBoom))
		_, err = bad.Join(ctx)
		var failed *curio.TaskError
		if !errors.As(err, &failed) || failed.Task != bad.AnyTask || failed.Err != fixture.ErrBoom {
			f.Error(err)
		}
		if v, err := bad.Result(); v != 7 || err != fixture.ErrBoom {
			f.Error(v, err)
		}
	})
}

// A3, A6: cancelled in an operation, at once.
func TestSpawnThreadCancel(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var seen error
		task := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
			seen = fixture.Sleeper(ctx)
			return 0, seen
		})
		fixture.TaskState(f, task, "TIME_SLEEP")
		start := time.Now()
		if did, err := task.Cancel(ctx); !did || err != nil {
			f.Error(did, err)
		}
		f.Elapsed(start, 0)
		fixture.Is(f, "inside", seen, fixture.TaskCancelled...)
		_, err := task.Join(ctx)
		fixture.Is(f, "Join", err, fixture.TaskCancelled...)
		if !task.Cancelled() || !task.Terminated() {
			f.Error(task)
		}
	})
}

// A17: a thread that calls nothing of this module cannot be cancelled, and Cancel waits
// for its end. Cancel itself can be cut short.
func TestSpawnThreadThatDoesNotListen(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.SpawnThread(ctx, func(context.Context) (int, error) { time.Sleep(time.Minute); return 1, nil })
		synctest.Wait()
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := task.Cancel(ctx)
			return err
		})
		fixture.Is(f, "Cancel with a timeout", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		if did, err := task.Cancel(ctx); did || err != nil {
			f.Error(did, err)
		}
		f.Elapsed(start, time.Minute)
		if v, err := task.Result(); v != 1 || err != nil || !task.Cancelled() {
			f.Error(v, err, task)
		}
	})
}

// A12: while a thread blocks, other tasks go on.
func TestSpawnThreadLetsOthersGoOn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.SpawnThread(ctx, func(context.Context) (int, error) { time.Sleep(5500 * time.Millisecond); return 1, nil })
		ticks := 0
		for !task.Terminated() {
			_ = curio.Sleep(ctx, time.Second)
			ticks++
		}
		if ticks != 6 {
			f.Errorf("%d ticks, want 6", ticks)
		}
	})
}

// A4, A5, A7, A8: operations in a thread: values and errors, locks, queues, timeouts,
// shields, groups.
func TestSpawnThreadOperations(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var lock curio.Lock
		queue := curio.NewQueue[int](0)
		if err := lock.Acquire(ctx); err != nil {
			f.Fatal(err)
		}
		task := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
			if err := lock.Acquire(ctx); err != nil {
				return 0, err
			}
			defer lock.Release(ctx)
			fixture.Is(f, "timeout", curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper), fixture.TaskTimeout...)
			if err := curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) }); err != nil {
				f.Error(err)
			}
			_, err := curio.Spawn(ctx, fixture.Fails).Join(ctx)
			fixture.Is(f, "child", err, fixture.ErrBoom)
			err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(fixture.Returns(1))
				g.Spawn(fixture.Fails)
				return nil
			})
			fixture.Is(f, "group", err, fixture.ErrBoom)
			return queue.Get(ctx)
		})
		fixture.TaskState(f, task, "LOCK_ACQUIRE")
		start := time.Now()
		lock.Release(ctx)
		_ = curio.Sleep(ctx, 2*time.Second)
		fixture.TaskState(f, task, "QUEUE_GET")
		if err := queue.Put(ctx, 3); err != nil {
			f.Error(err)
		}
		if v, err := task.Join(ctx); v != 3 || err != nil {
			f.Error(v, err)
		}
		f.Elapsed(start, 2*time.Second)
	})
}

// A8: a timeout around a thread's join, and around what it does.
func TestSpawnThreadTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var inside error
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			task := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
				inside = fixture.Sleeper(ctx)
				return 0, inside
			})
			_, err := task.Join(context.WithoutCancel(ctx))
			fixture.Is(f, "join", err, fixture.TaskCancelled...)
			return curio.CheckCancellation(ctx)
		})
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)
		fixture.Is(f, "inside", inside, fixture.TaskCancelled...)
	})
}

// A9: a file, read as any file.
func TestSpawnThreadReadsAFile(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		name := filepath.Join(f.TempDir(), "file")
		if err := os.WriteFile(name, []byte("line 1\nline 2\n"), 0o600); err != nil {
			f.Fatal(err)
		}
		text, err := curio.SpawnThread(ctx, func(context.Context) (string, error) {
			b, err := os.ReadFile(name)
			return string(b), err
		}).Join(ctx)
		if err != nil || strings.Count(text, "\n") != 2 {
			f.Error(text, err)
		}
	})
}

// A thread is a task like others: options, path, groups.
func TestSpawnThreadIsATask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		if name := curio.SpawnThread(ctx, namedFunction).Name(); name != "core_test.namedFunction" {
			f.Errorf("name %s", name)
		}
		type key struct{}
		task := curio.SpawnThread(context.WithValue(ctx, key{}, 7), func(ctx context.Context) (int, error) {
			if path, want := curio.CurrentTask(ctx).Path(), "fixture.WithKernel.func1/thread"; path != want {
				f.Errorf("path %s, want %s", path, want)
			}
			return ctx.Value(key{}).(int), curio.Sleep(ctx, time.Second)
		}, curio.Name("thread"))
		other := curio.SpawnThread(ctx, fixture.Fails)
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			if err := g.AddTask(task); err != nil {
				return err
			}
			_ = g.AddTask(other)
			return nil
		}, curio.KeepGoing)
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		if v, err := task.Result(); v != 7 || err != nil {
			f.Error(v, err)
		}
		daemon := curio.SpawnThread(ctx, fixture.Sleeping, curio.Daemon())
		if !daemon.Daemon() || daemon.Parent() != nil {
			f.Error("the daemon is none")
		}
		// It ends with the kernel: see the fixture.
	})
}

func TestSpawnThreadPanicAndGoexit(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		bad := curio.SpawnThread(ctx, fixture.Explode, curio.Name("bad"))
		_, err := bad.Join(ctx)
		var panicked *curio.PanicError
		if !errors.As(err, &panicked) || panicked.Value != fixture.ErrBoom || !strings.HasSuffix(panicked.Task, "/bad") ||
			!strings.Contains(string(panicked.Stack), "fixture.Explode") {
			f.Error(err)
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("the panic was logged %d times", n)
		}
		_, err = curio.SpawnThread(ctx, fixture.Vanish).Join(ctx)
		fixture.Is(f, "Goexit", err, curio.ErrGoexit)
	})
}

func TestSpawnThreadAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		var kept context.Context
		_ = k.Run(t.Context(), func(ctx context.Context) error { kept = ctx; return nil })
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		task := curio.SpawnThread(kept, func(context.Context) (int, error) { t.Error("it runs"); return 0, nil }, curio.ReportCrash(false))
		_ = task.Wait(t.Context())
		fixture.Is(t, "after the shutdown", task.Err(), curio.ErrKernelShutdown)
	})
}

// Where a thread hangs is found as with any task.
func TestSpawnThreadTraceback(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.SpawnThread(ctx, fixture.Sleeping)
		testutil.Await(f, "TIME_SLEEP", func() bool { return task.State() == "TIME_SLEEP" })
		if text := task.Traceback(); !strings.Contains(text, "fixture.Sleeping") {
			f.Errorf("traceback:\n%s", text)
		}
		_, _ = task.Cancel(ctx)
		runtime.KeepAlive(task)
	})
}

func namedFunction(context.Context) (int, error) { return 0, nil }
