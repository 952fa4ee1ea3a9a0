package curio_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/curio-go/curio"
)

// What is kept of a task when only something that refers to it is left: its handle, its
// context, an error.

// A load is a result, or what a function has captured. It must be gone when nobody has its
// Task any more.
type load [1 << 12]byte

// loads makes loads and remembers them without keeping them.
type loads struct{ made []weak.Pointer[load] }

func (l *loads) make() *load {
	v := new(load)
	l.made = append(l.made, weak.Make(v))
	return v
}

// spawn spawns a task whose function has captured a load. The function calls during and
// returns the load.
func (l *loads) spawn(ctx context.Context, during func(context.Context)) *curio.Task[*load] {
	return curio.Spawn(ctx, l.function(during))
}

func (l *loads) function(during func(context.Context)) func(context.Context) (*load, error) {
	v := l.make()
	return func(ctx context.Context) (*load, error) {
		if during != nil {
			during(ctx)
		}
		return v, nil
	}
}

// left returns how many loads are still there.
func (l *loads) left() (n int) {
	for range 5 {
		n = 0
		runtime.GC()
		for _, p := range l.made {
			if p.Value() != nil {
				n++
			}
		}
		if n == 0 {
			break
		}
		time.Sleep(time.Millisecond) // the stacks of goroutines that have just ended
	}
	return n
}

// kept lists the ways to keep something of a task. Each is called in a task of its own,
// which goes on while the returned value is kept. By then all loads must be gone, except as
// many as want says.
var kept = []struct {
	what string
	keep func(ctx context.Context, l *loads) any
	want int // how many loads may be left
}{
	{"the task itself", func(ctx context.Context, l *loads) any {
		task := l.spawn(ctx, nil)
		_ = task.Wait(ctx)
		return task
	}, 1},
	{"its AnyTask", func(ctx context.Context, l *loads) any {
		task := l.spawn(ctx, nil)
		_ = task.Wait(ctx)
		return task.AnyTask
	}, 0},
	{"its context", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) { keep = ctx }).Wait(ctx)
		return keep
	}, 0},
	{"a context derived from its", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) {
			ctx, cancel := curio.WithTimeout(context.WithValue(ctx, new(int), 1), time.Hour)
			defer cancel()
			keep = ctx
		}).Wait(ctx)
		return keep
	}, 0},
	{"an error of its timeout", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) { keep = curio.TimeoutAfter(ctx, 0, sleeper) }).Wait(ctx)
		return keep
	}, 0},
	{"an error of its cancellation", func(ctx context.Context, l *loads) (keep any) {
		task := l.spawn(ctx, func(ctx context.Context) { keep = sleeper(ctx) })
		_, _ = task.Cancel(ctx, errBoom)
		return keep
	}, 0},
	{"a task that it has cancelled", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) {
			task := curio.Go(ctx, sleeper)
			_, _ = task.Cancel(ctx)
			keep = task
		}).Wait(ctx)
		return keep
	}, 0},
	{"an ended child", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) {
			child := curio.Go(ctx, nothing)
			_, _ = child.Join(ctx)
			keep = child
		}).Wait(ctx)
		return keep
	}, 0},
	{"a living child", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) { keep = curio.Go(ctx, sleeper) }).Wait(ctx)
		return keep
	}, 0},
	{"an error that its child ended with", func(ctx context.Context, l *loads) (keep any) {
		_ = l.spawn(ctx, func(ctx context.Context) {
			_, keep = curio.Go(ctx, func(context.Context) error { return errBoom }).Join(ctx)
		}).Wait(ctx)
		return keep
	}, 0},
	{"one that failed and was forgotten", func(ctx context.Context, l *loads) any {
		v := l.make()
		task := curio.Go(ctx, func(context.Context) error { runtime.KeepAlive(v); return errBoom }, curio.ReportCrash(false))
		_ = task.Wait(ctx)
		return task
	}, 0},
	{"one of a kernel that was shut down", func(ctx context.Context, l *loads) any {
		k := curio.NewKernel(discard)
		var inside context.Context
		_ = k.Run(ctx, func(ctx context.Context) error { inside = context.WithoutCancel(ctx); return nil })
		_ = k.Shutdown(ctx)
		return l.spawn(inside, nil)
	}, 0},

	// Groups, whose members have loads. One thing of each group is kept.
	{"a member", func(ctx context.Context, l *loads) (keep any) {
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*load]) error {
			for range 10 {
				keep = g.Spawn(l.function(nil))
			}
			return nil
		})
		return keep
	}, 1},
	{"an adopted member", func(ctx context.Context, l *loads) any {
		task := l.spawn(ctx, nil)
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*load]) error {
			for range 10 {
				g.Spawn(l.function(nil))
			}
			return g.AddTask(task)
		})
		return task
	}, 1},
	{"the error of a group", func(ctx context.Context, l *loads) any {
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*load]) error {
			for range 10 {
				g.Spawn(l.function(nil))
			}
			g.Go(func(context.Context) error { return errBoom })
			return nil
		}, curio.KeepGoing)
	}, 0},
	{"an error of a sibling of the one that failed", func(ctx context.Context, l *loads) (keep any) {
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*load]) error {
			g.Spawn(l.function(func(ctx context.Context) { keep = sleeper(ctx) }))
			g.Go(func(context.Context) error { return errBoom })
			return nil
		})
		return keep
	}, 0},
	{"the group", func(ctx context.Context, l *loads) (keep any) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*load]) error {
			keep = g
			for range 10 {
				g.Spawn(l.function(nil))
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
			withKernel(t, func(ctx context.Context, f *fixture) {
				var l loads
				done := make(chan any)
				hold := make(chan struct{})
				task := curio.Go(ctx, func(ctx context.Context) error {
					done <- k.keep(ctx, &l)
					<-hold
					return nil
				})
				keep := <-done
				if n := l.left(); n != k.want {
					f.Errorf("%d of %d loads are left, want %d", n, len(l.made), k.want)
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
	for what, take := range map[string]func(context.Context, *curio.TaskGroup[*load], *loads) any{
		"Join": func(ctx context.Context, g *curio.TaskGroup[*load], l *loads) any {
			task := g.Spawn(l.function(nil))
			_, _ = task.Join(ctx)
			return task.AnyTask
		},
		"Join, late": func(ctx context.Context, g *curio.TaskGroup[*load], l *loads) any {
			task := g.Spawn(l.function(nil))
			_ = task.Wait(ctx)
			_, _ = task.Join(ctx)
			return task.AnyTask
		},
		"NextDone": func(ctx context.Context, g *curio.TaskGroup[*load], l *loads) any {
			g.Spawn(l.function(nil))
			task, _ := g.NextDone(ctx)
			return task.AnyTask
		},
		"NextResult": func(ctx context.Context, g *curio.TaskGroup[*load], l *loads) any {
			task := g.Spawn(l.function(nil))
			_ = task.Wait(ctx)
			_, _ = g.NextResult(ctx)
			return task.AnyTask
		},
		"daemon": func(ctx context.Context, g *curio.TaskGroup[*load], l *loads) any {
			task := g.Spawn(l.function(nil), curio.Daemon())
			_ = task.Wait(ctx)
			return task
		},
	} {
		t.Run(what, func(t *testing.T) {
			withKernel(t, func(ctx context.Context, f *fixture) {
				var l loads
				_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*load]) error {
					for range 4 { // so that nothing is swept out
						g.Go(sleeper)
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
					if n := l.left(); n != want {
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
	withKernel(t, func(ctx context.Context, f *fixture) {
		var l loads
		var taken []*curio.AnyTask
		group := func(ctx context.Context) {
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*load]) error {
				for range 3 {
					g.Spawn(l.function(nil))
				}
				joined := g.Spawn(l.function(nil))
				_, _ = joined.Join(ctx)
				next, _ := g.NextDone(ctx)
				daemon := g.Spawn(l.function(nil), curio.Daemon())
				_ = daemon.Wait(ctx)
				taken = append(taken, joined.AnyTask, next.AnyTask, daemon.AnyTask)
				return nil
			})
		}
		_ = curio.Go(ctx, func(ctx context.Context) error { group(ctx); return nil }).Wait(ctx)
		if n := l.left(); n > 0 {
			f.Errorf("%d loads are left", n)
		}
		// And none of them can join another group.
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[*load]) error {
			for _, task := range taken {
				if err := g.AddTask(&curio.Task[*load]{AnyTask: task}); err == nil {
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
	withKernel(t, func(ctx context.Context, f *fixture) {
		var l loads
		var handles []*curio.AnyTask
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*load]) error {
			g.Go(sleeper)
			for i := range 100 {
				waiting := g.Spawn(l.function(nil))
				if _, err := waiting.Cancel(ctx); err != nil {
					return err
				}
				if i%2 == 0 { // the others stay members, as ended tasks
					_, _ = waiting.Join(ctx)
				}
				handles = append(handles, waiting.AnyTask)
			}
			if n := l.left(); n > 0 {
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
	withKernel(t, func(ctx context.Context, f *fixture) {
		var l loads
		for range 10 {
			v := l.make()
			_ = curio.Go(ctx, func(ctx context.Context) error {
				return errors.Join(errBoom, &holder{ctx, v})
			}).Wait(ctx)
		}
		until(f, "that all are reported", func() bool {
			l.left()
			return len(f.Journal.lines()) == 10
		})
		if n := l.left(); n > 0 {
			f.Errorf("%d loads are left", n)
		}
		f.Journal.take(msgUnseen)
	})
}

// A holder is an error that refers to its task, and to a load.
type holder struct {
	ctx context.Context
	v   *load
}

func (h *holder) Error() string { return "holder" }
