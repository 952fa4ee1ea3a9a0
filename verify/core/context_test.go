package core_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

type key struct{ name string }

// Our operations end with a standard context that was derived from ours.
func TestOperationsUnderStandardContexts(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		inner, cancel := context.WithTimeout(ctx, time.Second)
		fixture.Is(f, "WithTimeout", fixture.Sleeper(inner), fixture.ForeignTimeout...)
		cancel()
		fixture.Is(f, "ended WithTimeout", curio.Sleep(inner, 0), fixture.ForeignTimeout...)

		inner, cancel = context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		fixture.Is(f, "WithCancel", fixture.Sleeper(inner), fixture.ScopeCancelled...)

		inner, cause := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cause(fixture.ErrBoom) })
		fixture.Because(f, "WithCancelCause", fixture.Sleeper(inner), fixture.ErrBoom, fixture.ScopeCancelled...)

		inner, cancel = context.WithTimeoutCause(ctx, time.Second, fixture.ErrBoom)
		err := fixture.Sleeper(inner)
		if !errors.Is(err, fixture.ErrBoom) || !errors.Is(err, curio.ErrCancelled) {
			f.Errorf("WithTimeoutCause: %v", err)
		}
		cancel()
		f.Elapsed(start, 4*time.Second)

		inner = context.WithValue(ctx, key{"a"}, 1)
		if err := curio.TimeoutAfter(inner, time.Second, fixture.Sleeper); !errors.Is(err, curio.ErrTaskTimeout) {
			f.Errorf("WithValue: %v", err)
		}
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Errorf("afterwards: %v", err)
		}
	})
}

// A standard context in between does not hide whose cancellation it was.
func TestCancellationThroughStandardContexts(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			inner, cancel := context.WithCancel(context.WithValue(ctx, key{"a"}, 1))
			defer cancel()
			err := fixture.Sleeper(inner)
			fixture.Is(f, "operation", err, fixture.TaskTimeout...)
			fixture.Is(f, "timeout inside", curio.TimeoutAfter(inner, time.Hour, fixture.Sleeper), fixture.OuterTimeout...)
			fixture.Is(f, "Cause", context.Cause(inner), fixture.TaskTimeout...)
			if e := inner.Err(); e != context.DeadlineExceeded {
				f.Errorf("Err: %v", e)
			}
			return err
		})
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)

		task := curio.Go(ctx, func(ctx context.Context) error {
			inner, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			child := curio.Go(inner, fixture.Sleeper)
			_ = curio.DisableCancellation(ctx, child.Wait)
			fixture.Because(f, "child", child.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
			return fixture.Sleeper(inner)
		})
		synctest.Wait()
		_, _ = task.Cancel(ctx, fixture.ErrBoom)
		fixture.Because(f, "task", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
	})
}

// context.WithoutCancel cuts the tie, and our operations respect that.
func TestWithoutCancel(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			free := context.WithoutCancel(ctx)
			if err := curio.Sleep(free, 2*time.Second); err != nil {
				f.Errorf("operation: %v", err)
			}
			if curio.CurrentTask(free) != curio.CurrentTask(ctx) {
				f.Error("the task is another")
			}
			fixture.Is(f, "timeout inside", curio.TimeoutAfter(free, time.Second, fixture.Sleeper), fixture.TaskTimeout...)
			return curio.Sleep(ctx, 0)
		})
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)
		f.Elapsed(start, 3*time.Second)
	})
}

// A function registered with context.AfterFunc is called, and can be withdrawn.
func TestAfterFunc(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		called := make(chan int, 3)
		inner, cancel := curio.WithTimeout(ctx, time.Second)
		defer cancel()
		context.AfterFunc(inner, func() { called <- 1 })
		stop := context.AfterFunc(inner, func() { called <- 2 })
		if !stop() || stop() {
			f.Error("stop")
		}
		_ = fixture.Sleeper(inner)
		synctest.Wait()
		if len(called) != 1 || <-called != 1 {
			f.Errorf("%d calls", len(called))
		}
		context.AfterFunc(inner, func() { called <- 3 })
		synctest.Wait()
		if len(called) != 1 {
			f.Error("not called for a context that has ended")
		}
	})
}

// A standard context, given to what takes one.
func TestForeignContextsGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		foreign := func() context.Context {
			ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{"a"}, 1))
			time.AfterFunc(time.Second, func() { cancel(fixture.ErrBoom) })
			return ctx
		}
		value := func(ctx context.Context) {
			if ctx.Value(key{"a"}) != 1 {
				t.Error("the value is lost")
			}
		}
		task := curio.Go(foreign(), func(ctx context.Context) error { value(ctx); return fixture.Sleeper(ctx) })
		_ = task.Wait(t.Context())
		fixture.Because(t, "Spawn", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)

		var member *curio.Task[int]
		err := curio.Group(foreign(), func(ctx context.Context, g *curio.TaskGroup[int]) error {
			value(ctx)
			member = g.Spawn(func(ctx context.Context) (int, error) { value(ctx); return 0, fixture.Sleeper(ctx) })
			return fixture.Sleeper(ctx)
		})
		fixture.Because(t, "Group", err, fixture.ErrBoom, fixture.ScopeCancelled...)
		fixture.Because(t, "member", member.Err(), fixture.ErrBoom, fixture.TaskCancelled...)

		err = curio.TimeoutAfter(foreign(), time.Hour, func(ctx context.Context) error { value(ctx); return fixture.Sleeper(ctx) })
		fixture.Because(t, "TimeoutAfter", err, fixture.ErrBoom, fixture.ScopeCancelled...)

		err = curio.Run(foreign(), func(ctx context.Context) error { value(ctx); return fixture.Sleeper(ctx) })
		fixture.Because(t, "Run", err, fixture.ErrBoom, fixture.TaskCancelled...)

		fixture.Because(t, "Sleep", fixture.Sleeper(foreign()), fixture.ErrBoom, fixture.ScopeCancelled...)
	})
}

// Done is closed when the context is cancelled, and is always the same.
func TestDone(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			done := ctx.Done()
			if done != ctx.Done() || ctx.Err() != nil {
				f.Error("Done or Err")
			}
			<-done
			return ctx.Err()
		})
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		fixture.Is(f, "ctx.Err() as the task's error", task.Err(), fixture.TaskCancelled...)
		inner, cancel := curio.WithTimeout(ctx, time.Second)
		start := time.Now()
		<-inner.Done() // nobody is parked in one of our calls
		f.Elapsed(start, time.Second)
		if inner.Err() != context.DeadlineExceeded {
			f.Errorf("%v", inner.Err())
		}
		cancel()
	})
}

func TestDeadline(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		check := func(what string, ctx context.Context, want time.Time) {
			f.Helper()
			got, ok := ctx.Deadline()
			if ok == want.IsZero() || !got.Equal(want) {
				f.Errorf("%s: %v, %v, want %v", what, got, ok, want)
			}
		}
		start := time.Now()
		check("main", ctx, time.Time{})
		_ = curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
			check("own", ctx, start.Add(time.Minute))
			_ = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				check("the outer one's is earlier", ctx, start.Add(time.Minute))
				return nil
			})
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				check("the inner one's is earlier", ctx, start.Add(time.Second))
				return nil
			})
			_ = curio.TimeoutAfter(ctx, curio.NoTimeout, func(ctx context.Context) error {
				check("no timeout", ctx, start.Add(time.Minute))
				return nil
			})
			_ = curio.Go(ctx, func(ctx context.Context) error {
				check("child", ctx, start.Add(time.Minute))
				return nil
			}).Wait(ctx)
			_ = curio.Go(ctx, func(ctx context.Context) error {
				check("daemon", ctx, time.Time{})
				return nil
			}, curio.Daemon()).Wait(ctx)
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				check("shield", ctx, time.Time{})
				_ = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
					check("timeout in a shield", ctx, start.Add(time.Hour))
					return nil
				})
				return curio.EnableCancellation(ctx, func(ctx context.Context) error {
					check("window", ctx, start.Add(time.Minute))
					return nil
				})
			})
		})
		foreign, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_ = curio.TimeoutAfter(foreign, time.Hour, func(ctx context.Context) error {
			check("foreign", ctx, start.Add(time.Minute))
			_ = curio.Go(ctx, func(ctx context.Context) error {
				check("child under a foreign one", ctx, start.Add(time.Minute))
				return nil
			}).Wait(ctx)
			return nil
		})
	})
}

// Values are inherited, and a daemon has nothing but them.
func TestValues(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		outer := context.WithValue(ctx, key{"a"}, 1)
		_ = curio.TimeoutAfter(outer, time.Hour, func(ctx context.Context) error {
			ctx = context.WithValue(ctx, key{"b"}, 2)
			for _, daemon := range []bool{true, false} {
				opts := []curio.SpawnOption{curio.ReportCrash(false)}
				if daemon {
					opts = append(opts, curio.Daemon())
				}
				task := curio.Go(ctx, func(ctx context.Context) error {
					return curio.DisableCancellation(ctx, func(ctx context.Context) error {
						if ctx.Value(key{"a"}) != 1 || ctx.Value(key{"b"}) != 2 || ctx.Value(key{"c"}) != nil {
							f.Errorf("values %v, %v, %v", ctx.Value(key{"a"}), ctx.Value(key{"b"}), ctx.Value(key{"c"}))
						}
						return nil
					})
				}, opts...)
				_ = task.Wait(ctx)
			}
			return nil
		})
		// They are there when the context has ended, too.
		inner, cancel := curio.WithTimeout(outer, time.Hour)
		cancel()
		if inner.Value(key{"a"}) != 1 || inner.Value(key{"c"}) != nil {
			f.Error("the values of a context that has ended")
		}
	})
}

// Deriving a standard context directly from ours costs no goroutine, and leaves
// nothing.
func TestDerivingCostsNoGoroutine(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		before := runtime.NumGoroutine()
		var cancels []context.CancelFunc
		for range 100 {
			_, cancel := context.WithCancel(ctx)
			_, stop := context.WithTimeout(ctx, time.Hour)
			cancels = append(cancels, cancel, stop)
		}
		if n := runtime.NumGoroutine(); n > before {
			f.Errorf("%d goroutines more", n-before)
		}
		for _, cancel := range cancels {
			cancel()
		}
		f.NothingUnder(ctx)
	})
}

func TestNotifyContext(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		inner, stop := signal.NotifyContext(ctx, syscall.SIGUSR1)
		defer stop()
		task := curio.Go(inner, fixture.Sleeper)
		testutil.Await(f, "the sleep", func() bool { return task.State() == "TIME_SLEEP" })
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			f.Fatal(err)
		}
		_ = task.Wait(ctx)
		fixture.Is(f, "task", task.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "operation", fixture.Sleeper(inner), fixture.ScopeCancelled...)
	})
}

// A request of net/http with our context ends with our timeout.
func TestHTTPRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	get := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, 20*time.Millisecond, get)
		if !errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("timeout: %v", err)
		}
		expired, err := curio.IgnoreAfter(ctx, 20*time.Millisecond, get)
		if !expired && !errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("IgnoreAfter: %v, %v", expired, err)
		}
		task := curio.Go(ctx, get, curio.ReportCrash(false))
		testutil.Await(f, "the start", func() bool { return task.State() == "RUNNING" })
		if did, err := task.Cancel(ctx); !did || err != nil {
			f.Error(did, err)
		}
		if err := task.Err(); !errors.Is(err, context.Canceled) {
			f.Errorf("cancelled: %v", err)
		}
	})
}
