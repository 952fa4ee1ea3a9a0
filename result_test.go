package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// U6, U7, U10: unset at first; those who wait, and who comes later, get the value or the
// error.
func TestResult(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, want := range []error{nil, fixture.ErrBoom} {
			var r curio.Result[string]
			var tasks []*curio.Task[string]
			for range 10 {
				tasks = append(tasks, curio.Spawn(ctx, r.Get, curio.ReportCrash(false)))
			}
			waiter := curio.Go(ctx, r.Wait)
			synctest.Wait()
			if s := tasks[0].State(); s != "RESULT_WAIT" || r.IsSet() || waiter.Terminated() {
				f.Errorf("a waiter is %s, set: %v", s, r.IsSet())
			}
			value := "value"
			if want == nil {
				if !r.SetValue(value) {
					f.Error("the first one could not set it")
				}
			} else {
				value = ""
				if !r.SetError(want) {
					f.Error("the first one could not set it")
				}
			}
			if r.SetValue("other") || r.SetError(errors.New("other")) || !r.IsSet() {
				f.Error("it was set again")
			}
			for _, task := range tasks {
				_ = task.Wait(ctx)
				if v, err := task.Result(); v != value || err != want {
					f.Errorf("a waiter got %q, %v", v, err)
				}
			}
			if v, err := r.Get(ctx); v != value || err != want {
				f.Errorf("Get: %q, %v", v, err)
			}
			if _, err := waiter.Join(ctx); err != nil { // whatever it was set to
				f.Errorf("Wait: %v", err)
			}
		}
	})
}

// U8, U9: the result goes through a goroutine, a task of another kernel and a task of
// this one.
func TestResultThroughAllWorlds(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, want := range []error{nil, fixture.ErrBoom} {
			var first, second, third curio.Result[int]
			go first.Do(context.Background(), func(context.Context) (int, error) { return 42, want })
			go func() {
				_ = curio.Run(context.Background(), func(ctx context.Context) error {
					second.Do(ctx, first.Get)
					return nil
				})
			}()
			curio.Go(ctx, func(ctx context.Context) error { third.Do(ctx, second.Get); return nil })
			got := make(chan error)
			var v int
			go func() {
				var err error
				v, err = third.Get(context.Background())
				got <- err
			}()
			if err := <-got; err != want || v != 42 {
				f.Errorf("%d, %v, want 42, %v", v, err, want)
			}
		}
	})
}

// A waiter that gives up can be told from a result that is an error.
func TestResultWaitTellsWhoseError(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var r curio.Result[int]
		v, err := 7, error(nil)
		fixture.Is(f, "gave up", curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			v, err = r.Get(ctx)
			return err
		}), fixture.TaskTimeout...)
		if v != 0 {
			f.Errorf("with the error came %d", v)
		}
		r.SetError(context.Canceled)
		if err := r.Wait(ctx); err != nil {
			f.Errorf("Wait: %v", err)
		}
		if _, err := r.Get(ctx); err != context.Canceled {
			f.Errorf("Get: %v", err)
		}
	})
}

// U10, U11, W-S3: Do sets what the function returns. Its error goes to those who wait,
// and is not swallowed: a cancellation is an error like any other.
func TestResultDo(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var r curio.Result[int]
		waiter := curio.Spawn(ctx, r.Get)
		if !r.Do(ctx, fixture.After(time.Second, 3, nil)) {
			f.Error("Do has not set it")
		}
		if v, err := waiter.Join(ctx); v != 3 || err != nil {
			f.Errorf("%d, %v", v, err)
		}
		if r.Do(ctx, fixture.Fails) {
			f.Error("Do has set it again")
		}

		var failed curio.Result[int]
		if !failed.Do(ctx, fixture.Fails) {
			f.Error("Do has not set the error")
		}
		_, err := failed.Get(ctx)
		fixture.Is(f, "failed", err, fixture.ErrBoom)

		var cancelled curio.Result[int]
		task := curio.Go(ctx, func(ctx context.Context) error { cancelled.Do(ctx, fixture.Sleeping); return nil })
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		_, err = cancelled.Get(ctx)
		fixture.Is(f, "cancelled", err, fixture.TaskCancelled...)
	})
}

// A panic goes on, and those who wait learn of it; so they do of Goexit.
func TestResultDoDoesNotReturn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var r curio.Result[int]
		waiter := curio.Spawn(ctx, r.Get, curio.ReportCrash(false))
		task := curio.Go(ctx, func(ctx context.Context) error {
			r.Do(ctx, fixture.Explode)
			return nil
		}, curio.Name("bomb"), curio.ReportCrash(false))
		_ = waiter.Wait(ctx)
		var seen, own *curio.PanicError
		if !errors.As(waiter.Err(), &seen) || seen.Value != fixture.ErrBoom || !strings.HasSuffix(seen.Task, "/bomb") || !strings.Contains(string(seen.Stack), "fixture.Explode") {
			f.Errorf("the waiter got %v", waiter.Err())
		}
		_ = task.Wait(ctx)
		if !errors.As(task.Err(), &own) || own.Value != fixture.ErrBoom {
			f.Errorf("the task ended with %v", task.Err())
		}

		var gone curio.Result[int]
		task = curio.Go(ctx, func(ctx context.Context) error {
			gone.Do(ctx, func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
			return nil
		}, curio.ReportCrash(false))
		v, err := gone.Get(ctx)
		if v != 0 {
			f.Errorf("got %d", v)
		}
		fixture.Is(f, "Goexit", err, curio.ErrGoexit)
		_ = task.Wait(ctx)
		fixture.Is(f, "its task", task.Err(), curio.ErrGoexit)

		var plain curio.Result[int] // of no task
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			plain.Do(context.Background(), fixture.Explode)
		}()
		if v := <-done; v != fixture.ErrBoom {
			f.Errorf("the panic went on with %v", v)
		}
		if _, err := plain.Get(ctx); !errors.As(err, &seen) || seen.Task != "" {
			f.Errorf("of no task: %v", err)
		}
	})
}

// A result that was set before the function panics stays; the panic goes on.
func TestResultDoTooLate(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var r curio.Result[int]
		var v any
		func() {
			defer func() { v = recover() }()
			r.Do(ctx, func(context.Context) (int, error) { r.SetValue(5); panic(fixture.ErrBoom) })
		}()
		if got, err := r.Get(ctx); v != fixture.ErrBoom || got != 5 || err != nil {
			f.Errorf("panicked with %v; the result is %d, %v", v, got, err)
		}
	})
}

// U13, L22: the text of a result, in each of its states.
func TestResultString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var r, failed curio.Result[int]
		curio.Spawn(ctx, r.Get)
		curio.Go(ctx, r.Wait)
		synctest.Wait()
		if got, want := r.String(), "Result(not set, 2 waiting)"; got != want {
			f.Errorf("%s, want %s", got, want)
		}
		r.SetValue(42)
		if got, want := fmt.Sprint(&r), "Result(42)"; got != want {
			f.Errorf("%s, want %s", got, want)
		}
		failed.SetError(fixture.ErrBoom)
		if got, want := failed.String(), "Result(error: boom)"; got != want {
			f.Errorf("%s, want %s", got, want)
		}
		f.OnlyMain()
	})
}

// Of those who set a result at the same moment one succeeds, and everybody gets that.
func TestRaceResult(t *testing.T) {
	fixture.Race(t, 5000, func(ctx context.Context) {
		var r curio.Result[int]
		var won [4]bool
		waiting := curio.Spawn(ctx, r.Get)
		gone := curio.Spawn(ctx, r.Get)
		fixture.AtOnce(
			func() { fixture.Spin(); won[0] = r.SetValue(0) },
			func() { fixture.Spin(); won[1] = r.SetValue(1) },
			func() { fixture.Spin(); won[2] = r.SetValue(2) },
			func() { fixture.Spin(); won[3] = r.Do(ctx, fixture.Returns(3)) },
			func() { fixture.Spin(); gone.CancelNow() },
		)
		v, err := waiting.Join(ctx)
		if err != nil {
			t.Error(err)
		}
		for i, did := range won {
			if did != (i == v) {
				t.Errorf("the result is %d; who has set it: %v", v, won)
			}
		}
		_ = gone.Wait(ctx)
		if got, err := gone.Result(); err == nil && got != v || err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("another waiter got %d, %v", got, err)
		}
	})
}
