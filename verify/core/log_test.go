package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// T12, T13: an error is logged when it is certain that nobody will see it, once.

func TestUnseenFailureIsLoggedAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(testutil.Journal)
		k := curio.NewKernel(curio.Logger(slog.New(log)))
		var task *curio.Task[int]
		_ = k.Run(t.Context(), func(ctx context.Context) error {
			task = curio.Spawn(ctx, fixture.Fails, curio.Name("lonely"))
			return nil
		})
		synctest.Wait()
		if lines := log.Lines(); len(lines) > 0 {
			t.Errorf("logged before it is certain: %q", lines)
		}
		for range 2 {
			if err := k.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		logged := log.Take(fixture.MsgUnseen)
		if len(logged) != 1 || logged[0].Level != slog.LevelError || logged[0].Attrs["err"] != fixture.ErrBoom.Error() ||
			!strings.HasSuffix(logged[0].Attrs["task"].(string), "lonely") {
			t.Errorf("logged: %v", logged)
		}
		// Who comes late still gets it.
		if _, err := task.Join(t.Context()); !errors.Is(err, fixture.ErrBoom) {
			t.Error(err)
		}
		if lines := log.Lines(); len(lines) > 0 {
			t.Errorf("logged: %q", lines)
		}
	})
}

// forget spawns a task that fails, and forgets it.
//
//go:noinline
func forget(ctx context.Context, f *fixture.Fixture) {
	task := curio.Spawn(ctx, fixture.Fails, curio.Name("forgotten"))
	if err := task.Wait(ctx); err != nil { // does not look at how it ended
		f.Error(err)
	}
}

func TestUnseenFailureIsLoggedWhenForgotten(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		forget(ctx, f)
		var logged []testutil.Record
		testutil.Await(f, "the log line", func() bool {
			runtime.GC()
			logged = append(logged, f.Journal.Take(fixture.MsgUnseen)...)
			return len(logged) > 0
		})
		if len(logged) != 1 || !strings.HasSuffix(logged[0].Attrs["task"].(string), "/forgotten") || fmt.Sprint(logged[0].Attrs["err"]) != "boom" {
			f.Errorf("logged: %v", logged)
		}
		// Not again at the shutdown: see the fixture.
	})
}

// Every way to see how a task ended is a way.
func TestSeenFailureIsNotLogged(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for what, see := range map[string]func(*curio.Task[int]){
			"Join":   func(task *curio.Task[int]) { _, _ = task.Join(ctx) },
			"Result": func(task *curio.Task[int]) { _ = task.Wait(ctx); _, _ = task.Result() },
			"Err":    func(task *curio.Task[int]) { _ = task.Wait(ctx); _ = task.Err() },
			"late":   func(task *curio.Task[int]) { _ = curio.Sleep(ctx, time.Hour); _, _ = task.Join(ctx) },
			"group": func(task *curio.Task[int]) {
				_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error { return g.AddTask(task) })
			},
		} {
			see(curio.Spawn(ctx, fixture.After(time.Second, 0, fixture.ErrBoom), curio.Name(what)))
		}
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Fails) // is reported by the group
			return nil
		})
	})
}

// Neither success nor cancellation is a failure; an error in the clean-up is.
func TestWhatIsNoFailure(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		curio.Spawn(ctx, fixture.Returns(1))
		tasks := []*curio.Task[struct{}]{
			curio.Go(ctx, fixture.Sleeper),
			curio.Go(ctx, func(ctx context.Context) error {
				return errors.Join(fixture.Sleeper(ctx), context.Canceled)
			}),
			curio.Go(ctx, func(ctx context.Context) error { _ = fixture.Sleeper(ctx); return nil }),
		}
		curio.Go(ctx, fixture.Sleeper, curio.Daemon())
		bad := curio.Go(ctx, func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), fixture.ErrBoom) }, curio.Daemon())
		synctest.Wait()
		for _, task := range tasks {
			_, _ = task.Cancel(ctx)
		}
		if lines := f.Journal.Lines(); len(lines) > 0 {
			f.Errorf("logged: %q", lines)
		}
		_, _ = bad.Cancel(ctx)
		synctest.Wait()
		if n := len(f.Journal.Take(fixture.MsgUnseen)); n != 1 {
			f.Errorf("the error in the clean-up was logged %d times", n)
		}
	})
}

// A daemon's error is logged at once, for nobody joins it.
func TestDaemonFailureIsLoggedAtOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		daemon := curio.Spawn(ctx, fixture.After(time.Second, 0, fixture.ErrBoom), curio.Daemon(), curio.Name("daemon"))
		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		logged := f.Journal.Take(fixture.MsgUnseen)
		if len(logged) != 1 || logged[0].Attrs["task"] != "daemon" || logged[0].Attrs["err"] != fixture.ErrBoom {
			f.Errorf("logged: %v", logged)
		}
		_ = daemon.Err()
	})
}

// ReportCrash(false) silences an error and a panic, of every kind of task.
func TestReportCrashFalse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, fn := range []func(context.Context) (int, error){fixture.Fails, fixture.Explode, fixture.Vanish} {
			silent := curio.ReportCrash(false)
			curio.Spawn(ctx, fn, silent)
			curio.Spawn(ctx, fn, silent, curio.Daemon())
			_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(fn, silent)
				g.Spawn(fn, silent, curio.Daemon())
				return nil
			}, curio.KeepGoing)
		}
		synctest.Wait()
	})
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		curio.Spawn(ctx, fixture.Fails, curio.ReportCrash(false), curio.ReportCrash(true), curio.Daemon())
		synctest.Wait()
		if n := len(f.Journal.Take(fixture.MsgUnseen)); n != 1 {
			f.Errorf("logged %d times", n)
		}
	})
}

// A panic is logged once, at once, whoever joins and whatever the kernel does later.
func TestPanicIsLoggedOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		curio.Spawn(ctx, fixture.Explode)
		curio.Spawn(ctx, fixture.Explode, curio.Daemon())
		_, _ = curio.Spawn(ctx, fixture.Explode).Join(ctx)
		synctest.Wait()
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 3 {
			f.Errorf("three panics were logged %d times", n)
		}
	})
}

// Without the Logger option it is slog's default, as it is at that moment.
func TestDefaultLogger(t *testing.T) {
	log := new(testutil.Journal)
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(log))
	synctest.Test(t, func(t *testing.T) {
		_ = curio.Run(t.Context(), func(ctx context.Context) error {
			curio.Spawn(ctx, fixture.Fails)
			return curio.Sleep(ctx, time.Second)
		})
		task := curio.Spawn(t.Context(), fixture.Fails, curio.Daemon()) // in the default kernel
		_ = task.Wait(t.Context())
		if n := len(log.Take(fixture.MsgUnseen)); n != 2 || len(log.Lines()) > 0 {
			t.Errorf("logged %d times; %q", n, log.Lines())
		}
	})
}

// What succeeds too late is told, by task; what fails is not, nor what is in time.
func TestLateSuccessIsLogged(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		late := func(err error) func(context.Context) error {
			return func(context.Context) error { time.Sleep(3 * time.Second); return err }
		}
		_ = curio.Go(ctx, func(ctx context.Context) error {
			if err := curio.TimeoutAfter(ctx, time.Second, late(nil)); err != nil {
				f.Error(err)
			}
			if expired, err := curio.IgnoreAfter(ctx, time.Second, late(nil)); expired || err != nil {
				f.Error(expired, err)
			}
			if err := curio.TimeoutAfter(ctx, time.Second, late(fixture.ErrBoom)); err != fixture.ErrBoom {
				f.Error(err)
			}
			return curio.TimeoutAfter(ctx, time.Minute, late(nil))
		}, curio.Name("slow")).Wait(ctx)
		logged := f.Journal.Take(fixture.MsgLate)
		if len(logged) != 2 {
			f.Fatalf("logged %v", logged)
		}
		for _, r := range logged {
			if r.Level != slog.LevelWarn || r.Attrs["late"] != 2*time.Second || !strings.HasSuffix(r.Attrs["task"].(string), "/slow") {
				f.Errorf("logged %v", r)
			}
		}
	})
}
