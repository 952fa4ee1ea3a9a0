package curio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// T1: Join returns the child's value, however late.
func TestJoin(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, d := range []time.Duration{0, time.Second} {
			task := curio.Spawn(ctx, fixture.After(d, "value", nil))
			if v, err := task.Join(ctx); v != "value" || err != nil {
				f.Errorf("%q, %v", v, err)
			}
			if err := task.Err(); err != nil {
				f.Error(err)
			}
		}
	})
}

// T2, T6: Join of a failed child is a TaskError; its result and error are the
// child's own.
func TestJoinOfAFailure(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, func(context.Context) (int, error) { return 9, fixture.ErrBoom }, curio.Name("bad"))
		v, err := task.Join(ctx)
		var failed *curio.TaskError
		if v != 0 || !errors.As(err, &failed) || failed.Task != task.AnyTask || failed.Err != fixture.ErrBoom {
			f.Errorf("Join: %d, %v", v, err)
		}
		fixture.Is(f, "Join", err, fixture.ErrBoom)
		if !strings.Contains(err.Error(), "bad") || !strings.Contains(err.Error(), "boom") {
			f.Errorf("text: %v", err)
		}
		if v, err := task.Result(); v != 9 || err != fixture.ErrBoom {
			f.Errorf("Result: %d, %v", v, err)
		}
		if err := task.Err(); err != fixture.ErrBoom {
			f.Errorf("Err: %v", err)
		}
	})
}

// T3, T4: who joins a task that is cancelled, before or after, gets a TaskError whose
// cause is a cancellation; so it can be told from a join that was cancelled itself.
func TestJoinOfACancelledTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, fixture.Sleeper)
		joiner := curio.Go(ctx, func(ctx context.Context) error { _, err := task.Join(ctx); return err }, curio.ReportCrash(false))
		synctest.Wait()
		if s := joiner.State(); s != "TASK_JOIN" {
			f.Errorf("the joiner is %s", s)
		}
		_, _ = task.Cancel(ctx)
		_ = joiner.Wait(ctx)
		_, late := task.Join(ctx)
		for what, err := range map[string]error{"early": joiner.Err(), "late": late} {
			var failed *curio.TaskError
			if !errors.As(err, &failed) || failed.Task != task.AnyTask {
				f.Errorf("%s: %v", what, err)
			}
			fixture.Is(f, what, err, fixture.TaskCancelled...)
		}
		if joiner.Cancelled() {
			f.Error("the joiner says that it was cancelled")
		}
	})
}

// T5: before the end there is no result, and asking does not wait.
func TestResultBeforeTheEnd(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.After(time.Second, 3, nil))
		start := time.Now()
		v, err := task.Result()
		if v != 0 {
			f.Errorf("result %d", v)
		}
		fixture.Is(f, "Result", err, curio.ErrNotTerminated)
		fixture.Is(f, "Err", task.Err(), curio.ErrNotTerminated)
		f.Elapsed(start, 0)
	})
}

// T7: cancelling a task that has ended changes nothing.
func TestCancelAfterTheEnd(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.Returns(3))
		_ = task.Wait(ctx)
		if did, err := task.Cancel(ctx); did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		if task.CancelNow() || task.Cancelled() || !task.Terminated() {
			f.Errorf("%v, cancelled %v", task, task.Cancelled())
		}
		if v, err := task.Join(ctx); v != 3 || err != nil {
			f.Errorf("Join: %d, %v", v, err)
		}
	})
}

// T10: many joiners, and joining again, all get the result.
func TestManyJoiners(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.After(time.Second, 3, nil))
		var joiners []*curio.Task[int]
		for range 10 {
			joiners = append(joiners, curio.Spawn(ctx, task.Join))
		}
		for i, joiner := range joiners {
			if v, err := joiner.Join(ctx); v != 3 || err != nil {
				f.Errorf("joiner %d: %d, %v", i, v, err)
			}
		}
		for range 2 {
			if v, err := task.Join(ctx); v != 3 || err != nil {
				f.Errorf("again: %d, %v", v, err)
			}
		}
	})
}

// T11: cancelling a joiner, or a timeout around one, leaves the task alone. The
// error is no TaskError.
func TestCancelOfAJoiner(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.After(time.Minute, 3, nil))
		joiner := curio.Spawn(ctx, task.Join)
		waiter := curio.Go(ctx, task.Wait)
		other := curio.Spawn(ctx, task.Join)
		synctest.Wait()
		_, _ = joiner.Cancel(ctx)
		_, _ = waiter.Cancel(ctx)
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { _, err := task.Join(ctx); return err })
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
		for what, err := range map[string]error{"joiner": joiner.Err(), "waiter": waiter.Err(), "timeout": err} {
			var failed *curio.TaskError
			if errors.As(err, &failed) {
				f.Errorf("%s: a TaskError: %v", what, err)
			}
		}
		fixture.Is(f, "joiner", joiner.Err(), fixture.TaskCancelled...)
		if task.Cancelled() || task.Terminated() {
			f.Errorf("the task: %v", task)
		}
		if v, err := other.Join(ctx); v != 3 || err != nil {
			f.Errorf("another joiner: %d, %v", v, err)
		}
	})
}

// Wait waits for any end, and tells nothing of it.
func TestWait(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, end := range fixture.Endings[:4] {
			task := curio.Spawn(ctx, end.Call, curio.ReportCrash(false))
			if err := task.Wait(ctx); err != nil || !task.Terminated() {
				f.Errorf("%s: %v, %v", end.What, err, task)
			}
		}
	})
}

// Tasks can be used from goroutines that are none, with any context.
func TestTaskFromPlainGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := curio.Spawn(context.Background(), fixture.After(time.Second, 3, nil))
		if v, err := task.Join(t.Context()); v != 3 || err != nil {
			t.Errorf("Join: %d, %v", v, err)
		}
		task = curio.Spawn(context.Background(), fixture.Sleeping)
		if task.Parent() != nil || curio.CurrentTask(context.Background()) != nil {
			t.Error("it has a parent")
		}
		synctest.Wait()
		if did, err := task.Cancel(context.Background()); !did || err != nil {
			t.Errorf("Cancel: %v, %v", did, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		task = curio.Spawn(context.Background(), fixture.Sleeping)
		_, err := task.Join(ctx)
		fixture.Is(t, "Join under a standard timeout", err, fixture.ForeignTimeout...)
		_, _ = task.Cancel(context.Background())
	})
}

func namedFunction(context.Context) (int, error) { return 0, nil }

type hasMethod struct{}

func (hasMethod) run(context.Context) error { return nil }

func TestNameIDAndString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for want, task := range map[string]*curio.AnyTask{
			"curio_test.namedFunction":    curio.Spawn(ctx, namedFunction).AnyTask,
			"fixture.Sleeper":             curio.Go(ctx, fixture.Sleeper, curio.Daemon()).AnyTask,
			"curio_test.hasMethod.run-fm": curio.Go(ctx, hasMethod{}.run).AnyTask,
			"given":                       curio.Spawn(ctx, namedFunction, curio.Name("given")).AnyTask,
			"curio_test.TestNameIDAndString.func1.1": curio.Spawn(ctx, func(context.Context) (int, error) {
				return 0, nil
			}).AnyTask,
		} {
			if got := task.Name(); got != want {
				f.Errorf("name %q, want %q", got, want)
			}
			if task.Daemon() != (want == "fixture.Sleeper") {
				f.Errorf("%s: daemon %v", want, task.Daemon())
			}
		}
		a, b := curio.Spawn(ctx, namedFunction), curio.Spawn(ctx, namedFunction)
		if a.ID() >= b.ID() || a.ID() == 0 {
			f.Errorf("IDs %d, %d", a.ID(), b.ID())
		}
		task := curio.Go(ctx, fixture.Sleeper, curio.Name("child"))
		synctest.Wait()
		want := fmt.Sprintf("Task(id=%d, name=%q, state=TIME_SLEEP)", task.ID(), "child")
		if got := task.String(); got != want || fmt.Sprint(task) != want {
			f.Errorf("%s, want %s", got, want)
		}
	})
}

func TestPathAndParent(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		main := curio.CurrentTask(ctx)
		var child, daemon, member, inTimeout *curio.AnyTask
		gate := make(chan struct{})
		parent := curio.Go(ctx, func(ctx context.Context) error {
			child = curio.Go(ctx, fixture.Sleeper, curio.Name("child")).AnyTask
			daemon = curio.Go(ctx, fixture.Sleeper, curio.Name("daemon"), curio.Daemon()).AnyTask
			return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				inTimeout = curio.Go(ctx, fixture.Sleeper, curio.Name("timed")).AnyTask
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					member = g.Spawn(fixture.Sleeping, curio.Name("member")).AnyTask
					<-gate
					return nil
				}, curio.WaitNone)
			})
		}, curio.Name("parent"))
		synctest.Wait()
		base := main.Path() + "/parent"
		for path, task := range map[string]*curio.AnyTask{
			base: parent.AnyTask, base + "/child": child, base + "/timed": inTimeout, base + "/member": member, "daemon": daemon,
		} {
			if got := task.Path(); got != path {
				f.Errorf("path %q, want %q", got, path)
			}
		}
		if child.Parent() != parent.AnyTask || member.Parent() != parent.AnyTask || parent.Parent() != main || main.Parent() != nil || daemon.Parent() != nil {
			f.Error("wrong parents")
		}
		close(gate)
		_, _ = parent.Join(ctx)
		if child.Parent() != main || child.Path() != main.Path()+"/child" {
			f.Errorf("after the parent's end: parent %v, path %s", child.Parent(), child.Path())
		}
		if p := parent.Path(); p != base {
			f.Errorf("of one that has ended: %s", p)
		}
		var none *curio.AnyTask
		if none.Path() != "" {
			f.Error("nil has a path")
		}
	})
}

func TestCurrentTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		type key struct{}
		task := curio.Spawn(ctx, func(ctx context.Context) (*curio.AnyTask, error) {
			self := curio.CurrentTask(ctx)
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.DisableCancellation(context.WithValue(ctx, key{}, 1), func(ctx context.Context) error {
					derived, cancel := context.WithCancel(ctx)
					defer cancel()
					if curio.CurrentTask(derived) != self {
						f.Error("not found through contexts that were derived")
					}
					return nil
				})
			})
			return self, nil
		})
		if self, err := task.Join(ctx); self != task.AnyTask || err != nil {
			f.Errorf("%v, %v", self, err)
		}
		if curio.CurrentTask(ctx) == nil || curio.CurrentTask(f.Context()) != nil {
			f.Error("main")
		}
	})
}

// What was asked of a task before, while and after it runs.
func TestCyclesCancelledTerminated(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			for range 5 {
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
			}
			_ = curio.Sleep(ctx, 0) // does not block
			return fixture.Sleeper(ctx)
		})
		if s := task.State(); s != "INITIAL" && s != "RUNNING" && s != "TIME_SLEEP" {
			f.Errorf("at first it is %s", s)
		}
		_ = curio.Sleep(ctx, 2500*time.Millisecond)
		if n := task.Cycles(); n != 3 || task.Cancelled() || task.Terminated() {
			f.Errorf("%d cycles, want 3; cancelled %v, terminated %v", n, task.Cancelled(), task.Terminated())
		}
		_ = curio.Sleep(ctx, time.Minute)
		_, _ = task.Cancel(ctx)
		if n := task.Cycles(); n != 6 || !task.Cancelled() || !task.Terminated() || task.State() != "TERMINATED" {
			f.Errorf("%d cycles, want 6; %v, cancelled %v", n, task, task.Cancelled())
		}
	})
}
