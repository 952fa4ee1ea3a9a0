package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// Each kind of wait shows in the task's state.
func TestStates(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		target := curio.Go(ctx, fixture.Tidy(3*time.Second))
		limited := make(chan *curio.AnyTask, 1)
		start := func(want string, fn func(context.Context) error) *curio.AnyTask {
			task := curio.Go(ctx, fn, curio.ReportCrash(false))
			synctest.Wait()
			if s := task.State(); s != want {
				f.Errorf("it is %s, want %s", s, want)
			}
			return task.AnyTask
		}
		tasks := []*curio.AnyTask{
			start("TIME_SLEEP", fixture.Sleeper),
			start("TIME_SLEEP", func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper) }),
			start("TIME_SLEEP", func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				return fixture.Sleeper(ctx)
			}),
			start("TIME_SLEEP", func(ctx context.Context) error {
				_, err := curio.WakeAt(ctx, time.Now().Add(time.Hour))
				return err
			}),
			start("TASK_JOIN", func(ctx context.Context) error { _, err := target.Join(ctx); return err }),
			start("TASK_WAIT", target.Wait),
			start("TASK_CANCEL", func(ctx context.Context) error { _, err := target.Cancel(ctx); return err }),
			start("TASKGROUP_NEXT", func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(fixture.Sleeping)
					_, err := g.NextDone(ctx)
					return err
				})
			}),
			start("TASKGROUP_JOIN", func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(fixture.Sleeping)
					limited <- g.Spawn(fixture.Sleeping).AnyTask
					return nil
				}, curio.Limit(1))
			}),
			start("RUNNING", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
		}
		if s := (<-limited).State(); s != "GROUP_LIMIT" {
			f.Errorf("the member that waits for its turn is %s", s)
		}
		for _, task := range tasks {
			_, _ = task.Cancel(ctx)
			if s := task.State(); s != "TERMINATED" {
				f.Errorf("in the end it is %s", s)
			}
		}
	})
}

func TestStateAndEndsOfReadWait(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		r, w := testutil.Pipe(f)
		reader := func() *curio.Task[struct{}] {
			task := curio.Go(ctx, func(ctx context.Context) error { return curio.WaitRead(ctx, r) })
			testutil.Await(f, "READ_WAIT", func() bool { return task.State() == "READ_WAIT" })
			return task
		}
		task := reader()
		if _, err := syscall.Write(w, []byte("x")); err != nil {
			f.Fatal(err)
		}
		if _, err := task.Join(ctx); err != nil {
			f.Errorf("ready: %v", err)
		}
		if err := curio.WaitRead(ctx, r); err != nil {
			f.Errorf("still ready: %v", err)
		}
		if _, err := syscall.Read(r, make([]byte, 1)); err != nil {
			f.Fatal(err)
		}
		task = reader()
		if did, err := task.Cancel(ctx); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		fixture.Is(f, "cancelled", task.Err(), fixture.TaskCancelled...)
		err := curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error { return curio.WaitRead(ctx, r) })
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)

		if err := curio.WaitWrite(ctx, w); err != nil {
			f.Errorf("WaitWrite: %v", err)
		}
		if err := syscall.SetNonblock(w, true); err != nil {
			f.Fatal(err)
		}
		for _, err := syscall.Write(w, make([]byte, 4096)); err == nil; _, err = syscall.Write(w, make([]byte, 4096)) {
		}
		writer := curio.Go(ctx, func(ctx context.Context) error { return curio.WaitWrite(ctx, w) })
		testutil.Await(f, "WRITE_WAIT", func() bool { return writer.State() == "WRITE_WAIT" })
		_, _ = writer.Cancel(ctx)
		fixture.Is(f, "WaitWrite cancelled", writer.Err(), fixture.TaskCancelled...)
		if err := curio.WaitRead(ctx, 1<<20); !errors.Is(err, syscall.EBADF) {
			f.Errorf("of no descriptor: %v", err)
		}
	})
}

// T8: printing a task, asking where it is and for its stack work while it sleeps.
func TestWhereAndTraceback(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var want string
		task := curio.Go(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				want = fixture.Here(1)
				return curio.Sleep(ctx, time.Minute)
			})
		})
		synctest.Wait()
		if file, line := task.Where(); fmt.Sprintf("%s:%d", file, line) != want {
			f.Errorf("at %s:%d, want %s", file, line, want)
		}
		stack := task.Traceback()
		for _, want := range []string{"TestWhereAndTraceback", "curio.Sleep(", "state_test.go:"} {
			if !strings.Contains(stack, want) {
				f.Errorf("%q is missing in\n%s", want, stack)
			}
		}
		_, _ = task.Cancel(ctx)
		if file, line := task.Where(); file != "" || line != 0 || task.Traceback() != "" {
			f.Errorf("after its end it is at %s:%d\n%s", file, line, task.Traceback())
		}
	})
}

// A task that has been joined has no stack, though its goroutine may still be on its way out.
func TestTracebackAfterTheEnd(t *testing.T) {
	for range 1000 {
		task := curio.Go(t.Context(), func(context.Context) error { return nil })
		if _, err := task.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		if stack := task.Traceback(); stack != "" {
			t.Fatalf("after its end it has the stack\n%s", stack)
		}
	}
}

// Where is each of two tasks, in joins and in groups, and not that of the other.
func TestWhereOfWaits(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		target := curio.Go(ctx, fixture.Sleeper)
		var wants [3]string
		tasks := []*curio.Task[struct{}]{
			curio.Go(ctx, func(ctx context.Context) error {
				wants[0] = fixture.Here(1)
				_, err := target.Join(ctx)
				return err
			}, curio.ReportCrash(false)),
			curio.Go(ctx, func(ctx context.Context) error {
				wants[1] = fixture.Here(1)
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(fixture.Sleeping)
					return nil
				})
			}),
			curio.Go(ctx, func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(fixture.Sleeping)
					wants[2] = fixture.Here(1)
					for range g.Done(ctx) {
					}
					return nil
				})
			}),
		}
		synctest.Wait()
		for i, task := range tasks {
			if file, line := task.Where(); fmt.Sprintf("%s:%d", file, line) != wants[i] {
				f.Errorf("task %d at %s:%d, want %s", i, file, line, wants[i])
			}
			_, _ = task.Cancel(ctx)
		}
		_, _ = target.Cancel(ctx)
	})
}

//go:noinline
func compute(stop *atomic.Bool) {
	for !stop.Load() {
	}
}

// A task that computes and waits for nothing is found too.
func TestWhereOfAComputation(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var stop, running atomic.Bool
		task := curio.Go(ctx, func(context.Context) error {
			running.Store(true)
			compute(&stop)
			return nil
		})
		testutil.Await(f, "the start", running.Load)
		if s := task.State(); s != "RUNNING" {
			f.Errorf("it is %s", s)
		}
		testutil.Await(f, "the computation", func() bool { return strings.Contains(task.Traceback(), "core_test.compute") })
		testutil.Await(f, "a place in the user's code", func() bool {
			file, line := task.Where() // or it is in sync/atomic at the moment
			return strings.HasSuffix(file, "/state_test.go") && line > 0
		})
		stop.Store(true)
		_ = task.Wait(ctx)
	})
}
