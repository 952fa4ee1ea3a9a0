package core_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What once went wrong, and no line of the reference's behaviours covers.

// A task spawned with a context that ends at that moment never escapes.
func TestSpawnWhileTheContextEnds(t *testing.T) {
	for range testutil.Times(200_000) {
		ctx, cancel := curio.WithTimeout(context.Background(), time.Hour)
		var task *curio.Task[struct{}]
		var both sync.WaitGroup
		both.Go(func() { task = curio.Go(ctx, fixture.Sleeper) })
		both.Go(cancel)
		both.Wait()
		if !task.Cancelled() {
			_, _ = task.Cancel(context.Background())
			t.Fatal("a task escaped the end of its context")
		}
		_ = task.Wait(context.Background()) // or the next test finds it
	}
}

// A goroutine that a task leaves behind is not left hanging: the context ends with
// the task.
func TestContextEndsWithItsTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		left := make(chan error, 1)
		var inner context.Context
		task := curio.Go(ctx, func(ctx context.Context) error {
			inner = ctx
			go func() { left <- curio.Sleep(ctx, time.Hour) }()
			synctest.Wait()
			return nil
		})
		if err := task.Wait(ctx); err != nil {
			f.Error(err)
		}
		if err := <-left; !errors.Is(err, curio.ErrCancelled) {
			f.Errorf("what was left sleeping got %v", err)
		}
		if inner.Err() != context.Canceled || task.Cancelled() {
			f.Errorf("Err is %v, Cancelled is %v", inner.Err(), task.Cancelled())
		}
		late, cancel := curio.WithTimeout(inner, time.Hour) // and forgets cancel
		_ = cancel
		if late.Err() == nil {
			f.Error("a timeout opened after the task's end is alive")
		}
	})
}

// Group and Run wait to the end, also if the task ends whose context they were given.
func TestGroupOutlivesTheTaskAroundIt(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		member := make(chan struct{})
		var returned atomic.Int64
		k := curio.NewKernel()
		outer := curio.Go(ctx, func(ctx context.Context) error {
			go func() {
				_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(func(context.Context) (int, error) { <-member; return 0, nil })
					return nil
				}, curio.WaitNone)
				returned.Add(1)
			}()
			go func() {
				_ = k.Run(ctx, func(context.Context) error { <-member; return nil })
				returned.Add(1)
			}()
			synctest.Wait()
			return nil
		})
		if err := outer.Wait(ctx); err != nil {
			f.Error(err)
		}
		synctest.Wait()
		if returned.Load() != 0 {
			f.Error("returned while a task ran")
		}
		close(member)
		synctest.Wait()
		if returned.Load() != 2 {
			f.Error("did not return")
		}
		if err := k.Shutdown(ctx); err != nil {
			f.Error(err)
		}
	})
}

// A failed task that nobody looks at is garbage in spite of its error, which may lead
// back to it.
func TestForgottenTasksAreNotKept(t *testing.T) {
	boom := func(context.Context) error { return fixture.ErrBoom }
	for name, fn := range map[string]func(context.Context) error{
		"timeout": func(ctx context.Context) error { return curio.TimeoutAfter(ctx, 0, fixture.Sleeper) },
		"child":   func(ctx context.Context) error { _, err := curio.Go(ctx, boom).Join(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) {
			var logged atomic.Int64
			k := curio.NewKernel(curio.Logger(slog.New(hook{func() { logged.Add(1) }})))
			defer k.Shutdown(context.Background())
			err := k.Run(context.Background(), func(ctx context.Context) error {
				for range 100 {
					if err := curio.Go(ctx, fn).Wait(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for start := time.Now(); logged.Load() < 90; runtime.GC() {
				if time.Since(start) > 20*time.Second {
					t.Fatalf("%d of 100 forgotten tasks were reported", logged.Load())
				}
			}
		})
	}
}

// A hook is a log handler that does something odd.
type hook struct{ do func() }

func (h hook) Enabled(context.Context, slog.Level) bool { return true }

func (h hook) Handle(context.Context, slog.Record) error { h.do(); return nil }

func (h hook) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h hook) WithGroup(string) slog.Handler { return h }

// A log handler that ends the goroutine, as testing.T.FailNow does, cannot keep a task
// from ending, nor a group from stopping its members.
func TestLogHandlerEndsTheGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel(curio.Logger(slog.New(hook{runtime.Goexit})))
		err := k.Run(t.Context(), func(ctx context.Context) error {
			var member *curio.Task[int]
			outer := curio.Go(ctx, func(ctx context.Context) error {
				return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					member = g.Spawn(func(ctx context.Context) (int, error) { return 0, fixture.Sleeper(ctx) })
					panic("body")
				})
			})
			if err := outer.Wait(ctx); err != nil {
				return err
			}
			if !member.Terminated() {
				t.Error("the member outlives its group")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// asking is an error whose methods ask the group.
type asking struct{ g *curio.TaskGroup[int] }

func (asking) Error() string { return "asking" }

func (e asking) Is(error) bool { return len(e.g.Tasks()) > 100 }

func (e asking) As(any) bool { return len(e.g.Tasks()) > 100 }

func (e asking) Unwrap() []error { return nil }

// No code of the user's runs under a mutex of the group's, and an error that wraps
// nothing is no cancellation.
func TestErrorsThatAskTheGroup(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(ctx context.Context) (int, error) {
				_ = fixture.Sleeper(ctx)
				return 0, asking{g}
			})
			synctest.Wait()
			return asking{g}
		})
		failed, ok := errors.AsType[*curio.TaskGroupError](err)
		if !ok || len(failed.Failed) != 1 {
			f.Errorf("got %v", err)
		}
	})
}

// The group's failures are told once, however many ask.
func TestVerdictIsGivenOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		gate := make(chan struct{})
		joined := make(chan error, 1)
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(context.Context) (int, error) { return 0, fixture.ErrBoom })
			g.Spawn(func(context.Context) (int, error) { <-gate; return 0, nil })
			go func() { joined <- g.Join(context.WithoutCancel(ctx)) }()
			go func() { synctest.Wait(); close(gate) }()
			return nil
		}, curio.KeepGoing)
		if other := <-joined; (err == nil) == (other == nil) {
			f.Errorf("Group returned %v, Join %v", err, other)
		}
	})
}

// A task cannot be made a member of a group that it runs itself.
func TestAddTaskThatRunsTheGroup(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		handle := make(chan *curio.Task[int], 1)
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			self := <-handle
			return 0, curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				if err := g.AddTask(self); err == nil {
					f.Error("taken")
				}
				return nil
			})
		})
		handle <- task
		if _, err := task.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// Who joins a member at once has its failure, and the group has not failed, even if the
// member was faster.
func TestJoinAtOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task := g.Spawn(func(context.Context) (int, error) {
				synctest.Wait() // until body is in Join
				return 0, fixture.ErrBoom
			})
			if _, err := task.Join(ctx); !errors.Is(err, fixture.ErrBoom) {
				f.Errorf("joined: %v", err)
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// A shutdown reaches what a cancelled task still spawns with a context of its own.
func TestShutdownOfDetachedLatecomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		cleaning, late := make(chan struct{}), make(chan struct{})
		go func() {
			_ = k.Run(t.Context(), func(ctx context.Context) error {
				task := curio.Go(ctx, func(ctx context.Context) error {
					_ = fixture.Sleeper(ctx)
					close(cleaning)
					<-late
					free := context.WithoutCancel(ctx)
					return curio.Go(free, fixture.Sleeper).Wait(free)
				})
				synctest.Wait()
				task.CancelNow()
				return task.Wait(ctx)
			})
		}()
		<-cleaning
		go func() { synctest.Wait(); close(late) }()
		start := time.Now()
		if err := k.Shutdown(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// The outer timeout counts, also through a context of the standard library.
func TestOuterTimeoutThroughForeignContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, 3*time.Second, func(ctx context.Context) error {
			foreign, cancel := context.WithCancel(ctx)
			defer cancel()
			return curio.TimeoutAfter(foreign, time.Second, func(inner context.Context) error {
				if err := fixture.Sleeper(inner); !errors.Is(err, curio.ErrTaskTimeout) {
					f.Errorf("the inner one has expired: %v", err)
				}
				_ = fixture.Sleeper(ctx)
				err := fixture.Sleeper(inner)
				if !errors.Is(err, curio.ErrTimeoutCancellation) {
					f.Errorf("both have expired: %v", err)
				}
				return err
			})
		})
		if !errors.Is(err, curio.ErrTaskTimeout) {
			f.Error(err)
		}
	})
}

// A task may forget timeouts within timeouts: they end with it, and its kernel shuts
// down.
func TestForgottenTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		err := k.Run(t.Context(), func(ctx context.Context) error {
			return curio.Go(ctx, func(ctx context.Context) error {
				for range 3 {
					ctx, _ = curio.WithTimeout(ctx, time.Hour)
				}
				return nil
			}).Wait(ctx)
		})
		if err != nil {
			t.Error(err)
		}
		start := time.Now()
		if err := k.Shutdown(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// What is spawned in a block that a goroutine opened after its task had ended belongs
// to the kernel all the same.
func TestBlocksAfterTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		var over context.Context
		err := k.Run(t.Context(), func(ctx context.Context) error {
			over = ctx
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		gate, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_ = curio.DisableCancellation(over, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
					return curio.Go(ctx, func(context.Context) error { <-gate; return nil }).Wait(ctx)
				})
			})
		}()
		synctest.Wait()
		if n := len(k.Tasks()); n != 1 {
			t.Errorf("the kernel has %d tasks", n)
		}
		close(gate)
		<-ended
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A log handler that ends the goroutine cannot keep a daemon from ending, whose error
// is logged as it ends.
func TestLogHandlerEndsADaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel(curio.Logger(slog.New(hook{runtime.Goexit})))
		err := k.Run(t.Context(), func(ctx context.Context) error {
			return curio.Go(ctx, func(context.Context) error { return fixture.ErrBoom }, curio.Daemon()).Wait(ctx)
		})
		if err != nil {
			t.Error(err)
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A log handler that panics while a group reports the panic of its function cannot keep
// the group from stopping its members.
func TestLogHandlerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first sync.Once
		k := curio.NewKernel(curio.Logger(slog.New(hook{func() { first.Do(func() { panic("handler") }) }})))
		var member *curio.Task[int]
		err := k.Run(t.Context(), func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(func(ctx context.Context) (int, error) { return 0, fixture.Sleeper(ctx) })
				synctest.Wait()
				panic("body")
			})
		})
		failed, ok := errors.AsType[*curio.PanicError](err)
		if !ok || failed.Value != "body" || !member.Terminated() {
			t.Errorf("got %v; the member is %v", err, member)
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
