package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// G2: existing tasks, finished or running, become members.
func TestAddTask(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		finished := curio.Spawn(ctx, returns(1))
		_ = finished.Wait(ctx)
		running := curio.Spawn(ctx, after(time.Second, 2, nil))
		joined := curio.Spawn(ctx, returns(3))
		_, _ = joined.Join(ctx)
		start := time.Now()
		var group *curio.TaskGroup[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			group = g
			for _, task := range []*curio.Task[int]{finished, running, joined} {
				if err := g.AddTask(task); err != nil {
					f.Error(err)
				}
			}
			g.Spawn(after(time.Second, 4, nil))
			return nil
		})
		f.elapsed(start, time.Second)
		if r, e := group.Results(); fmt.Sprint(r) != "[1 2 3 4]" || e != nil || err != nil {
			f.Errorf("results %v, %v, %v", r, e, err)
		}
	})
}

// A Join that ended before the task was added to a group has taken nothing out of the group,
// whether or not it had to wait.
func TestAddTaskThatWasJoined(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		for _, waits := range []bool{false, true} {
			for _, fails := range []error{nil, errBoom} {
				joined := curio.Spawn(ctx, after(time.Second, 3, fails), curio.ReportCrash(false))
				if !waits {
					synctest.Wait()
					_ = curio.Sleep(ctx, 2*time.Second)
				}
				_, _ = joined.Join(ctx)
				var group *curio.TaskGroup[int]
				err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					group = g
					return g.AddTask(joined)
				})
				r, e := group.Results()
				if fails == nil && (fmt.Sprint(r) != "[3]" || e != nil || err != nil) || fails != nil && !errors.Is(err, errBoom) {
					f.Errorf("waits %t, fails %v: results %v, %v, %v", waits, fails, r, e, err)
				}
			}
		}
	})
}

// G13: a task is in one group at most, and in that once.
func TestAddTaskTwice(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, outer *curio.TaskGroup[int]) error {
			task := curio.Spawn(ctx, after(time.Second, 1, nil), curio.Name("once"))
			if err := outer.AddTask(task); err != nil {
				f.Error(err)
			}
			own := outer.Spawn(returns(2))
			return curio.Group(ctx, func(ctx context.Context, inner *curio.TaskGroup[int]) error {
				for _, g := range []*curio.TaskGroup[int]{outer, inner} {
					for _, task := range []*curio.Task[int]{task, own} {
						if err := g.AddTask(task); err == nil {
							f.Errorf("%v was added again", task)
						}
					}
				}
				_ = task.Wait(ctx)
				if err := inner.AddTask(task); err == nil {
					f.Error("added to another group after its end")
				}
				return nil
			})
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// What an adopted task ends with is the group's affair: a failure cancels the
// others, before or after the adoption, and is not logged; a cancellation is none.
func TestAddTaskThatFails(t *testing.T) {
	for _, finished := range []bool{true, false} {
		inKernel(t, func(ctx context.Context, f *fixture) {
			bad := curio.Spawn(ctx, after(time.Second, 0, errBoom))
			if finished {
				_ = bad.Wait(ctx)
			}
			var other *curio.Task[int]
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				other = g.Spawn(sleeping)
				if err := g.AddTask(bad); err != nil {
					f.Error(err)
				}
				because(f, "body", sleeper(ctx), errBoom, scopeCancelled...)
				return nil
			})
			checkGroupError(f, err, errBoom)
			because(f, "sibling", other.Err(), errBoom, taskCancelled...)
		})
	}
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Spawn(ctx, sleeping)
		_, _ = task.Cancel(ctx)
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error { return g.AddTask(task) })
		if err != nil {
			f.Errorf("a task that was cancelled: %v", err)
		}
	})
}

// An adopted task is cancelled with the group, and knows why.
func TestAddTaskIsCancelledWithTheGroup(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Spawn(ctx, sleeping)
		daemon := curio.Spawn(ctx, sleeping, curio.Daemon())
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			_ = g.AddTask(task)
			_ = g.AddTask(daemon)
			synctest.Wait()
			return errBoom
		})
		if err != errBoom {
			f.Error(err)
		}
		is(f, "task", task.Err(), taskCancelled...)
		is(f, "daemon", daemon.Err(), taskCancelled...)
		if who, ok := curio.WhoCancelled(task.Err()); !ok || who.By != curio.CurrentTask(ctx).Path() {
			f.Errorf("cancelled by %+v", who)
		}
		// Added when the group has been cancelled already.
		late := curio.Spawn(ctx, sleeping)
		err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fails)
			synctest.Wait()
			return g.AddTask(late)
		})
		checkGroupError(f, err, errBoom)
		because(f, "late", late.Err(), errBoom, taskCancelled...)
	})
}

// A group that is cancelled from outside cancels what it has adopted.
func TestAddTaskAndOwnerCancelled(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		task := curio.Spawn(ctx, sleeping)
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error { return g.AddTask(task) })
		})
		synctest.Wait()
		start := time.Now()
		if did, err := owner.Cancel(ctx); !did || err != nil {
			f.Error(did, err)
		}
		f.elapsed(start, 0)
		is(f, "adopted", task.Err(), taskCancelled...)
		is(f, "owner", owner.Err(), taskCancelled...)
	})
}

// The adoption races with the end of the task: it counts once, its result is there,
// its failure is reported once, by the group or by nobody else.
func TestRaceAddTaskAndItsEnd(t *testing.T) {
	race(t, 10000, func(ctx context.Context) {
		for _, end := range []func(context.Context) (int, error){returns(7), fails} {
			gate := make(chan struct{})
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				<-gate
				return end(ctx)
			})
			var group *curio.TaskGroup[int]
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(returns(1))
				atOnce(func() { close(gate) }, func() {
					if err := g.AddTask(task); err != nil {
						t.Error(err)
					}
				})
				return nil
			})
			if failed := task.Err(); failed != nil {
				var e *curio.TaskGroupError
				if !errors.As(err, &e) || len(e.Failed) != 1 {
					t.Errorf("the group says %v", err)
				}
				continue
			}
			if r, e := group.Results(); fmt.Sprint(r) != "[1 7]" || e != nil || err != nil {
				t.Errorf("results %v, %v, %v", r, e, err)
			}
		}
	})
}

// A failing member races with the return of the body: the failure is never lost, and
// nobody is left.
func TestRaceFailureAndReturnOfTheBody(t *testing.T) {
	race(t, 10000, func(ctx context.Context) {
		gate := make(chan struct{})
		var others []*curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			others = append(others, g.Spawn(sleeping))
			g.Spawn(func(context.Context) (int, error) { <-gate; return 0, errBoom })
			others = append(others, g.Spawn(sleeping))
			close(gate)
			return nil
		})
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || len(group.Failed) != 1 || group.Body != nil {
			t.Errorf("got %v", err)
		}
		for _, other := range others {
			if !other.Terminated() || !errors.Is(other.Err(), curio.ErrTaskCancelled) {
				t.Errorf("%v: %v", other, other.Err())
			}
		}
	})
}

// The same with a body that itself fails at this moment: neither error is lost.
func TestRaceFailureAndErrorOfTheBody(t *testing.T) {
	other := errors.New("other")
	race(t, 10000, func(ctx context.Context) {
		gate := make(chan struct{})
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(context.Context) (int, error) { <-gate; return 0, errBoom })
			runtime.Gosched()
			close(gate)
			return other
		})
		if !errors.Is(err, errBoom) || !errors.Is(err, other) {
			t.Errorf("got %v", err)
		}
	})
}

// A group of ten thousand, taken one by one: no work that grows with the square.
func TestGroupOfTenThousand(t *testing.T) {
	watch(t, func() {
		withKernel(t, func(ctx context.Context, f *fixture) {
			const n = 10000
			sum := 0
			start := time.Now()
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				for i := range n {
					g.Spawn(returns(i))
				}
				for task, err := range g.Done(ctx) {
					if err != nil {
						return err
					}
					v, err := task.Result()
					if err != nil {
						return err
					}
					sum += v
				}
				return nil
			})
			if err != nil || sum != n*(n-1)/2 {
				f.Errorf("sum %d, %v", sum, err)
			}
			if d := time.Since(start); d > 20*time.Second {
				f.Errorf("took %v", d)
			}
		})
	})
}
