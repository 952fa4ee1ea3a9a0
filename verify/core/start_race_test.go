package core_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// A slowErr is a context whose Err does something when it is called for the second time: that is
// when an operation has begun, and its task has not come to wait yet.
type slowErr struct {
	context.Context
	calls  *atomic.Int32
	second func()
}

func (c slowErr) Err() error {
	if c.calls.Add(1) == 2 {
		c.second()
	}
	return c.Context.Err()
}

func slowly(ctx context.Context, second func()) context.Context {
	return slowErr{ctx, new(atomic.Int32), second}
}

// Timing does not decide who gets the failure: it is the starter's, also if the task has
// failed before the starter waits.
func TestStartedTaskFailsBeforeTheWait(t *testing.T) {
	for _, opts := range [][]curio.SpawnOption{nil, {curio.Daemon()}} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			std, cancel := context.WithCancel(ctx)
			defer cancel()
			slow := func() context.Context { return slowly(std, func() { time.Sleep(time.Second) }) }
			fails := func(context.Context, func(int) error) error { return fixture.ErrBoom }
			f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
				_, _, err := curio.StartIn(slow(), g, fails, opts...)
				fixture.Is(f, "StartIn", err, fixture.ErrBoom)
				return nil
			}))
			_, _, err := curio.Start(slow(), fails, append(opts, curio.Essential())...)
			fixture.Is(f, "Start of an essential task", err, fixture.ErrBoom)
			f.Must(curio.CheckCancellation(ctx))
		})
	}
}

// The same, in real time and without help; also if the starter gives up at that moment, and for a
// Join of an essential task.
func TestRaceStartedTaskFails(t *testing.T) {
	quiet := curio.Logger(slog.New(slog.DiscardHandler))
	for i := range fixture.Iterations(4000) {
		kernel := curio.NewKernel(quiet)
		err := kernel.Run(t.Context(), func(ctx context.Context) error {
			var scope curio.CancelScope
			var started error
			err := curio.Group(ctx, func(outer context.Context, g *curio.Tasks) error {
				_ = scope.Run(outer, func(ctx context.Context) error {
					_, _, started = curio.StartIn(ctx, g, func(context.Context, func(int) error) error {
						if i%2 == 0 {
							scope.Cancel()
						}
						for range i % 7 {
							runtime.Gosched()
						}
						return fixture.ErrBoom
					})
					return nil
				})
				return nil
			})
			if err != nil || !errors.Is(started, fixture.ErrBoom) {
				t.Errorf("%d: the group returns %v, StartIn %v", i, err, started)
			}
			essential := curio.Go(ctx, func(context.Context) error { return fixture.ErrBoom }, curio.Essential())
			if i%4 == 0 {
				_, err = essential.Join(ctx)
				return err
			}
			_ = essential.Wait(ctx)
			return nil
		})
		if !errors.Is(err, fixture.ErrBoom) { // by Join, or as the end of the main task
			t.Errorf("%d: Run returns %v", i, err)
		}
		_ = kernel.Shutdown(context.Background())
	}
}

// If ready returns nil, the caller of Start has the value, or will have it.
func TestReadyMeansThatTheCallerHasIt(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		check := func(what string, said *error, task *curio.Task[struct{}], v int, err error) {
			f.Helper()
			if started := err == nil; started != (*said == nil) || started != (v == 1) || started != (task != nil) {
				f.Errorf("%s: ready returns %v, and Start %v, %d, %v", what, *said, task, v, err)
			}
			if task != nil {
				_, _ = task.Cancel(ctx)
			}
		}
		var scope curio.CancelScope
		f.Must(curio.Group(ctx, func(outer context.Context, g *curio.Tasks) error {
			_, err := scope.Ignore(scope.Run(outer, func(ctx context.Context) error {
				said := make(chan error, 1)
				task, v, err := curio.StartIn(ctx, g, func(_ context.Context, ready func(int) error) error {
					scope.Cancel()
					said <- ready(1)
					return nil
				})
				told := <-said
				check("cancelled before", &told, task, v, err)
				return err
			}))
			return err
		}))
		std, cancel := context.WithCancel(ctx)
		defer cancel()
		said := make(chan error, 1)
		task, v, err := curio.Start(slowly(std, func() { time.Sleep(time.Second); cancel() }), func(ctx context.Context, ready func(int) error) error {
			said <- ready(1)
			return fixture.Sleeper(ctx)
		})
		told := <-said
		check("cancelled after it was ready, before the wait", &told, task, v, err)
	})
}

// ready is called in another goroutine while the task's function returns.
func TestRaceReadyAtTheEnd(t *testing.T) {
	kernel := curio.NewKernel()
	defer func() { _ = kernel.Shutdown(context.Background()) }()
	_ = kernel.Run(t.Context(), func(ctx context.Context) error {
		for i := range fixture.Iterations(5000) {
			said := make(chan error, 1)
			_, v, err := curio.Start(ctx, func(_ context.Context, ready func(int) error) error {
				begun := make(chan struct{})
				go func() { close(begun); said <- ready(1) }()
				<-begun
				return nil
			})
			if told := <-said; (told == nil) != (err == nil) || (err == nil) != (v == 1) {
				t.Fatalf("%d: ready returns %v, and Start %d, %v", i, told, v, err)
			}
		}
		return nil
	})
}

// An essential task ends the main tasks of its own kernel, and only it does so.
func TestEssentialOfAnotherKernel(t *testing.T) {
	fixture.InKernel(t, func(_ context.Context, f *fixture.Fixture) {
		var inner error
		outer := curio.NewKernel()
		err := outer.Run(context.Background(), func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error { return errors.Join(curio.Sleep(ctx, time.Second), fixture.ErrBoom) }, curio.Essential())
			inner = curio.Run(ctx, fixture.Sleeper)
			return inner
		})
		f.Must(outer.Shutdown(context.Background()))
		fixture.Is(f, "outer", err, fixture.ErrBoom)
		fixture.Is(f, "inner", inner, fixture.TaskCancelled...)

		kernel := curio.NewKernel()
		err = kernel.Run(context.Background(), func(ctx context.Context) error {
			task := curio.Go(ctx, func(ctx context.Context) error { return errors.Join(curio.Sleep(ctx, time.Second), fixture.ErrBoom) }, curio.Essential())
			_, failure := task.Join(ctx)
			curio.CurrentTask(ctx).CancelNow(failure)
			return curio.Sleep(ctx, 1)
		})
		f.Must(kernel.Shutdown(context.Background()))
		fixture.Is(f, "a failure that is somebody's reason", err, fixture.TaskCancelled...)
	})
}

// The task of a caller that has given up was cancelled by that call.
func TestStartGivenUpSaysWhere(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope curio.CancelScope
		f.Must(curio.Group(ctx, func(outer context.Context, g *curio.Tasks) error {
			var seen error
			var where string
			_ = scope.Run(outer, func(ctx context.Context) error {
				curio.Go(outer, func(context.Context) error { synctest.Wait(); scope.Cancel(); return nil })
				where = fixture.Here(1)
				_, _, err := curio.StartIn(ctx, g, func(ctx context.Context, _ func(int) error) error {
					seen = fixture.Sleeper(ctx)
					return seen
				})
				return err
			})
			if who, _ := curio.WhoCancelled(seen); who.Where != where {
				f.Errorf("cancelled at %s, want %s", who.Where, where)
			}
			return nil
		}))
	})
}
