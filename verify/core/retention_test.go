package core_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What is kept of a task when only something that refers to it is left: its handle, its
// context, an error.

// kept lists the ways to keep something of a task. Each is called in a task of its own,
// which goes on while the returned value is kept. By then all loads must be gone, except as
// many as want says.
var kept = []struct {
	what string
	keep func(ctx context.Context, l *fixture.Loads) any
	want int // how many loads may be left
}{
	{"the task itself", func(ctx context.Context, l *fixture.Loads) any {
		task := l.Spawn(ctx, nil)
		_ = task.Wait(ctx)
		return task
	}, 1},
	{"its AnyTask", func(ctx context.Context, l *fixture.Loads) any {
		task := l.Spawn(ctx, nil)
		_ = task.Wait(ctx)
		return task.AnyTask
	}, 0},
	{"its context", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) { keep = ctx }).Wait(ctx)
		return keep
	}, 0},
	{"a context derived from its", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) {
			ctx, cancel := curio.WithTimeout(context.WithValue(ctx, new(int), 1), time.Hour)
			defer cancel()
			keep = ctx
		}).Wait(ctx)
		return keep
	}, 0},
	{"an error of its timeout", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) { keep = curio.TimeoutAfter(ctx, 0, fixture.Sleeper) }).Wait(ctx)
		return keep
	}, 0},
	{"an error of its cancellation", func(ctx context.Context, l *fixture.Loads) (keep any) {
		task := l.Spawn(ctx, func(ctx context.Context) { keep = fixture.Sleeper(ctx) })
		_, _ = task.Cancel(ctx, fixture.ErrBoom)
		return keep
	}, 0},
	{"a task that it has cancelled", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) {
			task := curio.Go(ctx, fixture.Sleeper)
			_, _ = task.Cancel(ctx)
			keep = task
		}).Wait(ctx)
		return keep
	}, 0},
	{"an ended child", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) {
			child := curio.Go(ctx, fixture.Nothing)
			_, _ = child.Join(ctx)
			keep = child
		}).Wait(ctx)
		return keep
	}, 0},
	{"a living child", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) { keep = curio.Go(ctx, fixture.Sleeper) }).Wait(ctx)
		return keep
	}, 0},
	{"an error that its child ended with", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = l.Spawn(ctx, func(ctx context.Context) {
			_, keep = curio.Go(ctx, func(context.Context) error { return fixture.ErrBoom }).Join(ctx)
		}).Wait(ctx)
		return keep
	}, 0},
	{"one that failed and was forgotten", func(ctx context.Context, l *fixture.Loads) any {
		v := l.Make()
		task := curio.Go(ctx, func(context.Context) error { runtime.KeepAlive(v); return fixture.ErrBoom }, curio.ReportCrash(false))
		_ = task.Wait(ctx)
		return task
	}, 0},
	{"one of a kernel that was shut down", func(ctx context.Context, l *fixture.Loads) any {
		k := curio.NewKernel(fixture.Discard)
		var inside context.Context
		_ = k.Run(ctx, func(ctx context.Context) error { inside = context.WithoutCancel(ctx); return nil })
		_ = k.Shutdown(ctx)
		return l.Spawn(inside, nil)
	}, 0},

	// Groups, whose members have loads. One thing of each group is kept.
	{"a member", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			for range 10 {
				keep = g.Spawn(l.Function(nil))
			}
			return nil
		})
		return keep
	}, 1},
	{"an adopted member", func(ctx context.Context, l *fixture.Loads) any {
		task := l.Spawn(ctx, nil)
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			for range 10 {
				g.Spawn(l.Function(nil))
			}
			return g.AddTask(task)
		})
		return task
	}, 1},
	{"the error of a group", func(ctx context.Context, l *fixture.Loads) any {
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			for range 10 {
				g.Spawn(l.Function(nil))
			}
			g.Go(func(context.Context) error { return fixture.ErrBoom })
			return nil
		}, curio.KeepGoing)
	}, 0},
	{"an error of a sibling of the one that failed", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			g.Spawn(l.Function(func(ctx context.Context) { keep = fixture.Sleeper(ctx) }))
			g.Go(func(context.Context) error { return fixture.ErrBoom })
			return nil
		})
		return keep
	}, 0},
	{"the group", func(ctx context.Context, l *fixture.Loads) (keep any) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			keep = g
			for range 10 {
				g.Spawn(l.Function(nil))
			}
			_, _ = g.NextDone(ctx)
			_, _ = g.NextResult(ctx)
			return nil
		})
		return keep
	}, 10 - 1},
}

// What refers to a task keeps neither its result nor what its function captured.
func TestWhatKeepsAResult(t *testing.T) {
	for _, k := range kept {
		t.Run(k.what, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var l fixture.Loads
				done := make(chan any)
				hold := make(chan struct{})
				task := curio.Go(ctx, func(ctx context.Context) error {
					done <- k.keep(ctx, &l)
					<-hold
					return nil
				})
				keep := <-done
				if n := l.Left(); n != k.want {
					f.Errorf("%d of %d loads are left, want %d", n, len(l.Made), k.want)
				}
				runtime.KeepAlive(keep)
				close(hold)
				if one, ok := keep.(interface {
					Cancel(context.Context, ...error) (bool, error)
				}); ok {
					_, _ = one.Cancel(ctx)
				}
				_ = task.Wait(ctx)
			})
		})
	}
}

// A running group lets go of each member as soon as it is taken, and of daemons.
func TestWhatARunningGroupKeeps(t *testing.T) {
	for what, take := range map[string]func(context.Context, *curio.TaskGroup[*fixture.Load], *fixture.Loads) any{
		"Join": func(ctx context.Context, g *curio.TaskGroup[*fixture.Load], l *fixture.Loads) any {
			task := g.Spawn(l.Function(nil))
			_, _ = task.Join(ctx)
			return task.AnyTask
		},
		"Join, late": func(ctx context.Context, g *curio.TaskGroup[*fixture.Load], l *fixture.Loads) any {
			task := g.Spawn(l.Function(nil))
			_ = task.Wait(ctx)
			_, _ = task.Join(ctx)
			return task.AnyTask
		},
		"NextDone": func(ctx context.Context, g *curio.TaskGroup[*fixture.Load], l *fixture.Loads) any {
			g.Spawn(l.Function(nil))
			task, _ := g.NextDone(ctx)
			return task.AnyTask
		},
		"NextResult": func(ctx context.Context, g *curio.TaskGroup[*fixture.Load], l *fixture.Loads) any {
			task := g.Spawn(l.Function(nil))
			_ = task.Wait(ctx)
			_, _ = g.NextResult(ctx)
			return task.AnyTask
		},
		"daemon": func(ctx context.Context, g *curio.TaskGroup[*fixture.Load], l *fixture.Loads) any {
			task := g.Spawn(l.Function(nil), curio.Daemon())
			_ = task.Wait(ctx)
			return task
		},
	} {
		t.Run(what, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var l fixture.Loads
				_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*fixture.Load]) error {
					for range 4 { // so that nothing is swept out
						g.Go(fixture.Sleeper)
					}
					keep := take(ctx, g, &l)
					want := 0
					if what == "daemon" {
						want = 1 // the user keeps that one
					}
					// With KeepGoing or not, the first that succeeds is kept for Completed.
					if c := g.Completed(); c != nil {
						want++
					}
					if n := l.Left(); n != want {
						f.Errorf("%d loads are left, want %d", n, want)
					}
					runtime.KeepAlive(keep)
					return nil
				}, curio.WaitNone)
			})
		})
	}
}

// The handle of a member that has left does not keep its group.
func TestATakenMemberForgetsItsGroup(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l fixture.Loads
		var taken []*curio.AnyTask
		group := func(ctx context.Context) {
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*fixture.Load]) error {
				for range 3 {
					g.Spawn(l.Function(nil))
				}
				joined := g.Spawn(l.Function(nil))
				_, _ = joined.Join(ctx)
				next, _ := g.NextDone(ctx)
				daemon := g.Spawn(l.Function(nil), curio.Daemon())
				_ = daemon.Wait(ctx)
				taken = append(taken, joined.AnyTask, next.AnyTask, daemon.AnyTask)
				return nil
			})
		}
		_ = curio.Go(ctx, func(ctx context.Context) error { group(ctx); return nil }).Wait(ctx)
		if n := l.Left(); n > 0 {
			f.Errorf("%d loads are left", n)
		}
		// And none of them can join another group.
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			for _, task := range taken {
				if err := g.AddTask(&curio.Task[*fixture.Load]{AnyTask: task}); err == nil {
					f.Errorf("%v was added to a second group", task)
				}
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// A member that is cancelled while it waits in line leaves the line, and what its function
// captured is gone, whether or not somebody keeps its handle.
func TestTheLineOfALimitedGroupForgetsTheCancelled(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l fixture.Loads
		var handles []*curio.AnyTask
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*fixture.Load]) error {
			g.Go(fixture.Sleeper)
			for i := range 100 {
				waiting := g.Spawn(l.Function(nil))
				if _, err := waiting.Cancel(ctx); err != nil {
					return err
				}
				if i%2 == 0 { // the others stay members, as ended tasks
					_, _ = waiting.Join(ctx)
				}
				handles = append(handles, waiting.AnyTask)
			}
			if n := l.Left(); n > 0 {
				f.Errorf("%d loads are left", n)
			}
			return nil
		}, curio.Limit(1), curio.WaitNone)
		if err != nil {
			f.Error(err)
		}
		runtime.KeepAlive(handles)
	})
}

// A kernel does not keep the tasks that have failed, whatever their errors refer to.
func TestAFailureThatIsNotSeenDoesNotKeepTheTask(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l fixture.Loads
		for range 10 {
			v := l.Make()
			_ = curio.Go(ctx, func(ctx context.Context) error {
				return errors.Join(fixture.ErrBoom, &holder{ctx, v})
			}).Wait(ctx)
		}
		testutil.Await(f, "that all are reported", func() bool {
			l.Left()
			return len(f.Journal.Lines()) == 10
		})
		if n := l.Left(); n > 0 {
			f.Errorf("%d loads are left", n)
		}
		f.Journal.Take(fixture.MsgUnseen)
	})
}

// A holder is an error that refers to its task, and to a load.
type holder struct {
	ctx context.Context
	v   *fixture.Load
}

func (h *holder) Error() string { return "holder" }
