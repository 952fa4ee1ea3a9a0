package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// starters are the two ways to start a task: what they start, and where that belongs then.
var starters = map[string]func(ctx context.Context, fn func(context.Context, func(string) error) error, during func(*curio.AnyTask, string, error)) error{
	"Start": func(ctx context.Context, fn func(context.Context, func(string) error) error, during func(*curio.AnyTask, string, error)) error {
		t, v, err := curio.Start(ctx, fn, curio.Name("server"))
		if t == nil {
			during(nil, v, err)
		} else {
			during(t.AnyTask, v, err)
		}
		return err
	},
	"StartIn": func(ctx context.Context, fn func(context.Context, func(string) error) error, during func(*curio.AnyTask, string, error)) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			t, v, err := curio.StartIn(ctx, g, fn, curio.Name("server"))
			if t == nil {
				during(nil, v, err)
			} else {
				during(t.AnyTask, v, err)
			}
			return err
		}, curio.WaitNone)
	},
}

// The caller gets the value, and the task goes on.
func TestStart(t *testing.T) {
	for name, start := range starters {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			began := time.Now()
			ended := false
			_ = start(ctx, func(ctx context.Context, ready func(string) error) error {
				f.Must(curio.Sleep(ctx, time.Second))
				f.Must(ready("here"))
				f.Must(curio.Sleep(ctx, time.Second))
				ended = true
				return nil
			}, func(task *curio.AnyTask, v string, err error) {
				if v != "here" || err != nil || ended || task.Name() != "server" {
					f.Errorf("%s: %v, %q, %v", name, task, v, err)
				}
				f.Elapsed(began, time.Second)
				f.Must(task.Wait(ctx))
				f.Must(task.Err())
				f.Elapsed(began, 2*time.Second)
			})
			if !ended {
				f.Errorf("%s: it did not go on", name)
			}
		})
	}
}

// How a task can end without having been ready, and what Start says then: nobody else has that
// error.
func TestStartThatFails(t *testing.T) {
	for name, start := range starters {
		for how, c := range map[string]struct {
			fn   func(context.Context, func(string) error) error
			want []error
			says string
		}{
			"an error": {func(context.Context, func(string) error) error { return fixture.ErrBoom }, []error{fixture.ErrBoom}, "server: boom"},
			"no error": {func(context.Context, func(string) error) error { return nil }, []error{}, "was never ready: server"},
			"a panic":  {func(context.Context, func(string) error) error { panic("oh no") }, []error{}, "oh no"},
			"Goexit":   {func(context.Context, func(string) error) error { runtime.Goexit(); return nil }, []error{curio.ErrGoexit}, "Goexit"},
			"its timeout": {func(ctx context.Context, _ func(string) error) error {
				return curio.TimeoutAfter(ctx, 1, fixture.Sleeper)
			}, []error{context.DeadlineExceeded}, "timed out"},
			"cancelled": {func(ctx context.Context, _ func(string) error) error {
				curio.CurrentTask(ctx).CancelNow()
				return curio.Sleep(ctx, 0)
			}, fixture.TaskCancelled, "cancelled"},
			"an error, later": {func(ctx context.Context, _ func(string) error) error {
				f := curio.Sleep(ctx, time.Second)
				return errors.Join(f, fixture.ErrBoom)
			}, []error{fixture.ErrBoom}, "boom"},
		} {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				told := false
				err := start(ctx, c.fn, func(task *curio.AnyTask, v string, err error) {
					told = true
					if task != nil || v != "" {
						f.Errorf("%s, %s: %v, %q", name, how, task, v)
					}
					fixture.Is(f, name+", "+how, err, c.want...)
					if err == nil || !strings.Contains(err.Error(), c.says) {
						f.Errorf("%s, %s: %v does not say %q", name, how, err, c.says)
					}
					if got, want := errors.Is(err, curio.ErrNotStarted), how == "no error"; got != want {
						f.Errorf("%s, %s: ErrNotStarted is %v", name, how, got)
					}
				})
				if _, ofGroup := errors.AsType[*curio.TaskGroupError](err); ofGroup || !told {
					f.Errorf("%s, %s: the failure is the group's, too: %v", name, how, err)
				}
				f.Journal.Take(fixture.MsgPanic)
			})
		}
	}
}

// A caller that gives up takes the task with it, and has what its clean-up fails with.
func TestStartGivenUp(t *testing.T) {
	for name, start := range starters {
		for how, c := range map[string]struct {
			cleanUp func(context.Context, func(string) error) error // shielded
			takes   time.Duration
			want    []error
		}{
			"at once":     {func(context.Context, func(string) error) error { return nil }, 0, fixture.TaskTimeout},
			"slowly":      {func(ctx context.Context, _ func(string) error) error { return curio.Sleep(ctx, time.Second) }, time.Second, fixture.TaskTimeout},
			"with errors": {func(context.Context, func(string) error) error { return fixture.ErrBoom }, 0, append([]error{fixture.ErrBoom}, fixture.TaskTimeout...)},
			"ready too late": {func(_ context.Context, ready func(string) error) error {
				err := ready("here")
				if !errors.Is(err, curio.ErrTaskCancelled) {
					return fmt.Errorf("ready returns %v", err)
				}
				return nil
			}, 0, fixture.TaskTimeout},
		} {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				began := time.Now()
				err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) (err error) {
					_ = start(ctx, func(ctx context.Context, ready func(string) error) error {
						err := fixture.Sleeper(ctx)
						return errors.Join(err, curio.DisableCancellation(ctx, func(ctx context.Context) error { return c.cleanUp(ctx, ready) }))
					}, func(task *curio.AnyTask, v string, e error) {
						if err = e; task != nil || v != "" {
							f.Errorf("%s, %s: %v, %q", name, how, task, v)
						}
						f.Elapsed(began, time.Second+c.takes)
					})
					return err
				})
				fixture.Is(f, name+", "+how, err, c.want...)
				f.OnlyMain()
			})
		}
	}
}

// Until it is ready, the end of the group reaches the task, and that of the caller, wherever that
// is; from then on only that of the group.
func TestStartInFromElsewhere(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var err error
		var task *curio.Task[int]
		f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			outside := curio.Go(ctx, func(ctx context.Context) error {
				_, _, err := curio.StartIn(ctx, g, func(ctx context.Context, _ func(int) error) error { return fixture.Sleeper(ctx) })
				return err
			})
			synctest.Wait()
			_, _ = outside.Cancel(ctx)
			fixture.Is(f, "its caller", outside.Err(), fixture.TaskCancelled...)
			if n := len(g.Tasks()); n != 0 {
				f.Errorf("%d tasks are left in the group", n)
			}

			expired, e := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) (err error) {
				task, _, err = curio.StartIn(ctx, g, func(ctx context.Context, ready func(int) error) error {
					return errors.Join(ready(1), curio.Sleep(ctx, time.Minute))
				})
				return errors.Join(err, fixture.Sleeper(ctx))
			})
			if !expired || e != nil || task.Terminated() {
				f.Errorf("%v, %v, %v", expired, e, task)
			}

			other := curio.Go(ctx, func(ctx context.Context) error {
				_, _, err = curio.StartIn(ctx, g, func(ctx context.Context, _ func(int) error) error { return fixture.Sleeper(ctx) })
				return nil
			})
			synctest.Wait()
			f.Must(g.CancelRemaining(ctx))
			f.Must(other.Wait(ctx))
			return nil
		}))
		fixture.Is(f, "the group's end", err, fixture.TaskCancelled...)
		if _, ok := errors.AsType[*curio.TaskError](err); !ok {
			f.Errorf("%v is not the task's", err)
		}
		fixture.Is(f, "the task", task.Err(), fixture.TaskCancelled...)
	})
}

// Once the task has been ready, its failure is no longer the caller's, even if the caller has not
// run since then.
func TestStartedTaskFailsAtOnce(t *testing.T) {
	for i := range testutil.Times(3000) {
		kernel := curio.NewKernel()
		err := kernel.Run(t.Context(), func(ctx context.Context) error {
			got := ""
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) (err error) {
				_, got, err = curio.StartIn(ctx, g, func(_ context.Context, ready func(string) error) error {
					if i%2 == 0 {
						go runtime.Gosched()
					}
					return errors.Join(ready("here"), fixture.ErrBoom)
				}, curio.ReportCrash(false))
				return err
			})
			failed, ok := errors.AsType[*curio.TaskGroupError](err)
			switch {
			case got == "" && err == nil:
				t.Fatal("neither a value nor an error")
			case !ok || len(failed.Failed) != 1:
				t.Fatalf("%d: %q, and the group returns %v", i, got, err)
			}
			return nil
		})
		_ = kernel.Shutdown(context.Background())
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The task says that it is ready in the moment in which the caller gives up. Either the caller
// has the value and the task goes on, or it has the error and nothing is left.
func TestRaceStartGivenUp(t *testing.T) {
	kernel := curio.NewKernel()
	defer func() { _ = kernel.Shutdown(context.Background()) }()
	outcomes := make([]int, 2)
	err := kernel.Run(t.Context(), func(ctx context.Context) error {
		for i := range testutil.Times(4000) {
			var scope curio.CancelScope
			var running atomic.Int32
			var stop curio.Event
			var task *curio.Task[struct{}]
			var v int
			err := curio.Group(ctx, func(outer context.Context, g *curio.Tasks) error {
				return scope.Run(outer, func(ctx context.Context) (err error) {
					go func() {
						for range i % 50 {
							runtime.Gosched()
						}
						scope.Cancel()
					}()
					task, v, err = curio.StartIn(ctx, g, func(ctx context.Context, ready func(int) error) error {
						running.Add(1)
						defer running.Add(-1)
						for range i / 50 % 50 {
							runtime.Gosched()
						}
						if err := ready(1); err != nil {
							return err
						}
						return stop.Wait(ctx)
					})
					switch {
					case err == nil && (v != 1 || running.Load() != 1 || task.Cancelled()):
						t.Errorf("%d, and %d run; cancelled: %v", v, running.Load(), task.Cancelled())
					case err != nil && (v != 0 || running.Load() != 0 || task != nil || !errors.Is(err, curio.ErrCancelled)):
						t.Errorf("%d, and %d run: %v", v, running.Load(), err)
					}
					stop.Set()
					return err
				})
			})
			if ended, rest := scope.Ignore(err); rest != nil {
				t.Errorf("%v: %v", ended, rest)
			}
			if err == nil {
				outcomes[0]++
			} else {
				outcomes[1]++
			}
		}
		return nil
	})
	if t.Logf("started and given up: %v", outcomes); err != nil || outcomes[0] == 0 || outcomes[1] == 0 {
		t.Errorf("%v; started and given up: %v", err, outcomes)
	}
}

func TestStartMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		fixture.Panics(f, "nil function", func() { _, _, _ = curio.Start[int](ctx, nil) })
		var late func(int) error
		task, _, err := curio.Start(ctx, func(_ context.Context, ready func(int) error) error {
			f.Must(ready(1))
			fixture.Panics(f, "a second time", func() { _ = ready(2) })
			return nil
		})
		f.Must(err)
		f.Must(task.Wait(ctx))
		_, _, err = curio.Start(ctx, func(_ context.Context, ready func(int) error) error {
			late = ready
			return nil
		}, curio.Name("short"))
		fixture.Is(f, "never ready", err)
		if err := late(1); !errors.Is(err, curio.ErrNotStarted) || !strings.Contains(err.Error(), "short") {
			f.Errorf("ready after the end: %v", err)
		}
		dead, cancel := context.WithCancel(ctx)
		cancel()
		called := false
		_, _, err = curio.Start(dead, func(context.Context, func(int) error) error { called = true; return nil })
		if fixture.Is(f, "dead", err, fixture.ScopeCancelled...); called {
			f.Error("called all the same")
		}
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			fixture.Panics(f, "nil function", func() { _, _, _ = curio.StartIn[int](ctx, g, nil) })
			return nil
		})
	})
}

// ready may come from another goroutine.
func TestReadyFromAGoroutine(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task, v, err := curio.Start(ctx, func(ctx context.Context, ready func(int) error) error {
			go func() { _ = ready(1) }()
			return curio.Sleep(ctx, time.Second)
		})
		if v != 1 || err != nil {
			f.Errorf("%d, %v", v, err)
		}
		f.Must(task.Wait(ctx))
	})
}

// The failure of an essential task ends the main task, and is what Run returns, with what the
// main task adds.
func TestEssential(t *testing.T) {
	for name, c := range map[string]struct {
		opts []curio.SpawnOption
		fn   func(context.Context) error
		main func(context.Context) error // after it was cancelled
		want []error
		says string
	}{
		"fails":           {nil, func(context.Context) error { return fixture.ErrBoom }, fixture.Sleeper, []error{fixture.ErrBoom}, "vital: boom"},
		"a daemon fails":  {[]curio.SpawnOption{curio.Daemon()}, func(context.Context) error { return fixture.ErrBoom }, fixture.Sleeper, []error{fixture.ErrBoom}, "vital: boom"},
		"a silent one":    {[]curio.SpawnOption{curio.ReportCrash(false)}, func(context.Context) error { return fixture.ErrBoom }, fixture.Sleeper, []error{fixture.ErrBoom}, "vital: boom"},
		"panics":          {nil, func(context.Context) error { panic("oh no") }, fixture.Sleeper, []error{}, "oh no"},
		"Goexit":          {nil, func(context.Context) error { runtime.Goexit(); return nil }, fixture.Sleeper, []error{curio.ErrGoexit}, "vital"},
		"returns":         {nil, func(context.Context) error { return nil }, func(context.Context) error { return nil }, nil, ""},
		"main does not":   {nil, func(context.Context) error { return fixture.ErrBoom }, func(context.Context) error { return nil }, []error{fixture.ErrBoom}, "vital: boom"},
		"as ctx.Err()":    {nil, func(context.Context) error { return fixture.ErrBoom }, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, []error{fixture.ErrBoom}, "vital: boom"},
		"main's clean-up": {nil, func(context.Context) error { return fixture.ErrBoom }, func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), fmt.Errorf("flush")) }, []error{fixture.ErrBoom}, "flush"},
		"after a moment":  {nil, func(ctx context.Context) error { return errors.Join(curio.Sleep(ctx, time.Second), fixture.ErrBoom) }, fixture.Sleeper, []error{fixture.ErrBoom}, "vital: boom"},
		"was cancelled":   {nil, func(ctx context.Context) error { curio.CurrentTask(ctx).CancelNow(); return curio.Sleep(ctx, 0) }, func(context.Context) error { return nil }, nil, ""},
		"in main's groups": {nil, func(context.Context) error { return fixture.ErrBoom }, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error { g.Go(fixture.Sleeper); return nil })
		}, []error{fixture.ErrBoom}, "vital: boom"},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InKernel(t, func(_ context.Context, f *fixture.Fixture) {
				j := new(testutil.Journal)
				kernel := curio.NewKernel(curio.Logger(slog.New(j)))
				err := kernel.Run(context.Background(), func(ctx context.Context) error {
					curio.Go(ctx, c.fn, append(c.opts, curio.Essential(), curio.Name("vital"))...)
					synctest.Wait()
					return c.main(ctx)
				})
				f.Must(kernel.Shutdown(context.Background()))
				fixture.Is(f, "Run", err, c.want...)
				if !strings.Contains(fmt.Sprint(err), c.says) || (c.want != nil) != (err != nil) {
					f.Errorf("Run returns %v, which should say %q", err, c.says)
				}
				if _, ok := errors.AsType[*curio.TaskError](err); ok != (c.want != nil) {
					f.Errorf("Run returns %v", err)
				}
				if j.Take(fixture.MsgPanic); len(j.Lines()) > 0 {
					f.Errorf("it is logged, too: %q", j.Lines())
				}
			})
		})
	}
}

// A caller in Join has the failure; and if no main task runs, it is logged.
func TestEssentialThatEndsNothing(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error { return errors.Join(curio.Sleep(ctx, time.Second), fixture.ErrBoom) }, curio.Essential())
		_, err := task.Join(ctx)
		fixture.Is(f, "Join", err, fixture.ErrBoom)
		f.Must(curio.CheckCancellation(ctx))

		j := new(testutil.Journal)
		kernel := curio.NewKernel(curio.Logger(slog.New(j)))
		f.Must(kernel.Run(context.Background(), func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error { return errors.Join(curio.Sleep(ctx, time.Second), fixture.ErrBoom) }, curio.Essential())
			return nil
		}))
		f.Must(curio.Sleep(ctx, 2*time.Second))
		f.Must(kernel.Shutdown(ctx))
		if len(j.Take(fixture.MsgUnseen)) != 1 {
			f.Error("it is not logged")
		}

		task = curio.Go(ctx, fixture.Sleeper, curio.Essential())
		f.Must(curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
			fixture.Panics(f, "Essential", func() { g.Go(fixture.Sleeper, curio.Essential()) })
			fixture.Panics(f, "Essential", func() { g.TryGo(fixture.Sleeper, curio.Essential()) })
			fixture.Panics(f, "Essential", func() { g.Spawn(func(context.Context) (s struct{}, err error) { return s, nil }, curio.Essential()) })
			if err := g.AddTask(task); err == nil || !strings.Contains(err.Error(), "Essential") {
				f.Errorf("AddTask: %v", err)
			}
			return nil
		}))
		_, _ = task.Cancel(ctx)
	})
}
