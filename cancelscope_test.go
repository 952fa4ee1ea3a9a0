package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What has ended a scope is told apart: its own deadline, its own cancellation, and those of
// what is around it or inside.
func TestCancelScope(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for what, c := range map[string]struct {
			do     func(*curio.CancelScope) // another task does it after a second
			inside []error
			reason error
		}{
			"cancelled":            {func(s *curio.CancelScope) { s.Cancel() }, fixture.ScopeCancelled, nil},
			"cancelled, a reason":  {func(s *curio.CancelScope) { s.Cancel(fixture.ErrBoom) }, fixture.ScopeCancelled, fixture.ErrBoom},
			"a deadline that is":   {func(s *curio.CancelScope) { s.SetDeadline(time.Now()) }, fixture.TaskTimeout, nil},
			"a deadline that was":  {func(s *curio.CancelScope) { s.SetDeadline(time.Now().Add(-time.Hour)) }, fixture.TaskTimeout, nil},
			"a deadline long ago":  {func(s *curio.CancelScope) { s.SetDeadline(time.Unix(0, 0)) }, fixture.TaskTimeout, nil},
			"a deadline far ahead": {func(s *curio.CancelScope) { s.SetDeadline(time.Now().AddDate(900, 0, 0)); s.Cancel() }, fixture.ScopeCancelled, nil},
			"no time":              {func(s *curio.CancelScope) { s.SetTimeout(0) }, fixture.TaskTimeout, nil},
			"less than no time":    {func(s *curio.CancelScope) { s.SetTimeout(-time.Hour) }, fixture.TaskTimeout, nil},
		} {
			var scope curio.CancelScope
			start := time.Now()
			helper := curio.Go(ctx, func(ctx context.Context) error {
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				if err := scope.Err(); err != nil {
					f.Errorf("%s: before: %v", what, err)
				}
				c.do(&scope)
				return nil
			})
			err := scope.Run(ctx, func(ctx context.Context) error {
				err := fixture.Sleeper(ctx)
				fixture.Is(f, what+", inside", err, c.inside...)
				fixture.Is(f, what+", afterwards", fixture.Sleeper(ctx), c.inside...)
				fixture.Is(f, what+", Err", scope.Err(), c.inside...)
				return fmt.Errorf("wrapped: %w", err)
			})
			f.Elapsed(start, time.Second)
			fixture.Is(f, what, err, c.inside...)
			if who, ok := curio.WhoCancelled(err); !ok || who.Reason != c.reason || who.Expired != errors.Is(err, context.DeadlineExceeded) ||
				!who.Expired && !strings.Contains(who.Where, "cancelscope_test.go") {
				f.Errorf("%s: who: %+v", what, who)
			}
			fixture.Is(f, what+", Err", scope.Err(), c.inside...)
			if ended, err := scope.Ignore(err); !ended || err != nil {
				f.Errorf("%s: Ignore: %v, %v", what, ended, err)
			}
			if scope.Cancel() || scope.SetDeadline(time.Time{}) || scope.SetTimeout(time.Hour) {
				f.Errorf("%s: it can still be changed", what)
			}
			fixture.Is(f, what+", Err at the end", scope.Err(), c.inside...)
			if err := curio.Sleep(ctx, 0); err != nil {
				f.Errorf("%s: the task: %v", what, err)
			}
			_, err = helper.Join(ctx)
			fixture.Is(f, "helper", err)
		}
	})
}

// A scope that nothing ends passes on what its function returns.
func TestCancelScopeOfNoConsequence(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, want := range []error{nil, fixture.ErrBoom, context.Canceled, curio.ErrTaskCancelled} {
			var scope curio.CancelScope
			scope.SetTimeout(2 * time.Second)
			err := scope.Run(ctx, func(ctx context.Context) error {
				_ = curio.Sleep(ctx, time.Second)
				return want
			})
			if err != want || scope.Err() != nil {
				f.Errorf("%v, %v, want %v", err, scope.Err(), want)
			}
			if ended, err := scope.Ignore(err); ended || err != want {
				f.Errorf("Ignore: %v, %v, want %v", ended, err, want)
			}
		}
	})
}

// What is asked for before Run is done in it. A timeout counts from then.
func TestCancelScopeBeforeItsRun(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for what, c := range map[string]struct {
			ask    func(*curio.CancelScope)
			takes  time.Duration
			inside []error
		}{
			"cancelled":             {func(s *curio.CancelScope) { s.Cancel(fixture.ErrBoom) }, 0, fixture.ScopeCancelled},
			"cancelled, and more":   {func(s *curio.CancelScope) { s.Cancel(fixture.ErrBoom); s.SetTimeout(time.Second) }, 0, fixture.ScopeCancelled},
			"a timeout":             {func(s *curio.CancelScope) { s.SetTimeout(2 * time.Second) }, 2 * time.Second, fixture.TaskTimeout},
			"a deadline":            {func(s *curio.CancelScope) { s.SetDeadline(time.Now().Add(2 * time.Second)) }, time.Second, fixture.TaskTimeout},
			"a deadline by then":    {func(s *curio.CancelScope) { s.SetDeadline(time.Now().Add(time.Second / 2)) }, 0, fixture.TaskTimeout},
			"a timeout of nothing":  {func(s *curio.CancelScope) { s.SetTimeout(0) }, 0, fixture.TaskTimeout},
			"a timeout, then none":  {func(s *curio.CancelScope) { s.SetTimeout(time.Second); s.SetTimeout(curio.NoTimeout) }, time.Hour, nil},
			"a deadline, then none": {func(s *curio.CancelScope) { s.SetDeadline(time.Now()); s.SetDeadline(time.Time{}) }, time.Hour, nil},
			"the last one":          {func(s *curio.CancelScope) { s.SetDeadline(time.Now()); s.SetTimeout(time.Second) }, time.Second, fixture.TaskTimeout},
		} {
			var scope curio.CancelScope
			c.ask(&scope)
			f.Must(curio.Sleep(ctx, time.Second))
			start := time.Now()
			err := scope.Run(ctx, func(ctx context.Context) error {
				return curio.Sleep(ctx, time.Hour)
			})
			f.Elapsed(start, c.takes)
			fixture.Is(f, what, err, c.inside...)
			if ended, rest := scope.Ignore(err); ended != (err != nil) || rest != nil {
				f.Errorf("%s: Ignore: %v, %v", what, ended, rest)
			}
		}
		var scope curio.CancelScope
		if at, ok := scope.Deadline(); ok {
			f.Errorf("the zero value has a deadline, %v", at)
		}
		if !scope.Cancel(fixture.ErrBoom) || scope.Cancel() || scope.SetTimeout(0) {
			f.Error("the first call counts")
		}
		fixture.Because(f, "Err before Run", scope.Err(), fixture.ErrBoom, fixture.ScopeCancelled...)
		called := false
		fixture.Is(f, "a function that never blocks", scope.Run(ctx, func(ctx context.Context) error {
			called = true
			fixture.Is(f, "ctx", ctx.Err(), context.Canceled)
			return nil
		}))
		if !called {
			f.Error("it was not called")
		}
	})
}

// The deadline counts that was set last, for what waits already and for what waits later, and
// for contexts of package context.
func TestCancelScopeMoved(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		waits := map[string]func(context.Context) error{
			"a wait":           fixture.Sleeper,
			"a wait in a task": func(ctx context.Context) error { _, err := curio.Go(ctx, fixture.Sleeper).Join(ctx); return err },
			"a group": func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error { g.Spawn(fixture.Sleeping); return nil })
			},
			"a channel": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"a standard context": func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				return fixture.Sleeper(ctx)
			},
			"foreign":          func(ctx context.Context) error { return fixture.Sleeper(struct{ context.Context }{ctx}) },
			"a timeout inside": func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper) },
			"a scope inside":   func(ctx context.Context) error { return new(curio.CancelScope).Run(ctx, fixture.Sleeper) },
			"a window": func(ctx context.Context) error {
				return curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.EnableCancellation(ctx, fixture.Sleeper) })
			},
			"many waits": func(ctx context.Context) error {
				for {
					if err := curio.Sleep(ctx, time.Second/8); err != nil {
						return err
					}
				}
			},
		}
		for what, waiting := range waits {
			for how, c := range map[string]struct {
				first, second, expires time.Duration // after the start; the second is set after a second
			}{
				"away":     {2 * time.Second, time.Minute, time.Minute},
				"nearer":   {time.Minute, 2 * time.Second, 2 * time.Second},
				"to now":   {time.Minute, time.Second, time.Second},
				"new":      {curio.NoTimeout, 3 * time.Second, 3 * time.Second},
				"a little": {2 * time.Second, 2*time.Second + 1, 2*time.Second + 1},
			} {
				var scope curio.CancelScope
				scope.SetTimeout(c.first)
				start := time.Now()
				mover := curio.Go(ctx, func(ctx context.Context) error {
					err := curio.Sleep(ctx, time.Second)
					if !scope.SetDeadline(start.Add(c.second)) {
						f.Errorf("%s, %s: too late", what, how)
					}
					return err
				})
				err := scope.Run(ctx, waiting)
				if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, curio.ErrCancelled) {
					f.Errorf("%s, %s: %v", what, how, err)
				}
				if took := time.Since(start); took != c.expires && !(what == "many waits" && took == c.expires.Round(time.Millisecond)) {
					f.Errorf("%s, %s: it took %v", what, how, took)
				}
				if at, ok := scope.Deadline(); !ok || !at.Equal(start.Add(c.second)) {
					f.Errorf("%s, %s: Deadline %v, %v", what, how, at, ok)
				}
				fixture.Is(f, what+", "+how, scope.Err(), fixture.TaskTimeout...)
				_, err = mover.Join(ctx)
				fixture.Is(f, "mover", err)
			}
		}
	})
}

// A deadline that is taken away ends nothing, and one that is moved again and again only when
// it is reached.
func TestCancelScopeKeptAlive(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope curio.CancelScope
		start := time.Now()
		err := scope.Run(ctx, func(ctx context.Context) error {
			for i := range 100 {
				scope.SetTimeout(time.Second)
				if at, ok := scope.Deadline(); !ok || !at.Equal(time.Now().Add(time.Second)) {
					f.Errorf("Deadline %v, %v", at, ok)
				}
				if at, ok := ctx.Deadline(); ok {
					f.Errorf("the context tells %v", at)
				}
				f.Must(curio.Sleep(ctx, time.Duration(i)*time.Millisecond*9))
			}
			scope.SetTimeout(curio.NoTimeout)
			f.Must(curio.Sleep(ctx, time.Hour))
			if at, ok := scope.Deadline(); ok {
				f.Errorf("Deadline %v", at)
			}
			scope.SetDeadline(time.Now().Add(time.Second))
			scope.SetDeadline(time.Time{})
			f.Must(curio.Sleep(ctx, time.Hour))
			scope.SetTimeout(time.Second)
			return fixture.Sleeper(ctx)
		})
		fixture.Is(f, "in the end", err, fixture.TaskTimeout...)
		f.Elapsed(start, 99*50*9*time.Millisecond+2*time.Hour+time.Second)
	})
}

// The deadline of a context of the standard library, or of ours, that is derived from a scope's
// is its own, whatever becomes of the scope's.
func TestCancelScopeMovedAwayFromADerivedContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope curio.CancelScope
		scope.SetTimeout(time.Second)
		start := time.Now()
		fixture.Is(f, "Run", scope.Run(ctx, func(ctx context.Context) error {
			std, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			ours, cancel := curio.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			scope.SetTimeout(time.Minute)
			<-std.Done()
			fixture.Is(f, "standard", std.Err(), context.DeadlineExceeded)
			fixture.Is(f, "ours", fixture.Sleeper(ours), fixture.TaskTimeout...)
			return nil
		}))
		f.Elapsed(start, 2*time.Second)
	})
}

// A scope goes by its own ending, wherever that is in an error, and by no other.
func TestIgnoreOfACancelScope(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		run := func(s *curio.CancelScope, fn func(context.Context) error) (bool, error) {
			return s.Ignore(s.Run(ctx, fn))
		}
		var a, b, c, d, e curio.CancelScope

		ended, err := run(&a, func(ctx context.Context) error { a.Cancel(); return errors.Join(fixture.Sleeper(ctx), fixture.ErrBoom) })
		if !ended {
			f.Error("joined: not found")
		}
		fixture.Is(f, "joined", err, fixture.ErrBoom)

		ended, err = run(&b, func(ctx context.Context) error { // as most Go code does
			b.Cancel()
			<-ctx.Done()
			return fmt.Errorf("query: %w", ctx.Err())
		})
		if !ended || err != nil {
			f.Errorf("ctx.Err(): %v, %v", ended, err)
		}

		var inner curio.CancelScope
		ended, err = run(&c, func(ctx context.Context) error {
			inner.Cancel(fixture.ErrBoom)
			return inner.Run(ctx, fixture.Sleeper)
		})
		fixture.Because(f, "that of an inner one", err, fixture.ErrBoom, fixture.ScopeCancelled...)
		if ended {
			f.Error("the scope takes the cancellation of an inner scope for its own")
		}
		if ended, err := inner.Ignore(err); !ended || err != nil {
			f.Errorf("the inner one: %v, %v", ended, err)
		}

		ended, err = run(&d, func(ctx context.Context) error { // the task that failed is not the scope's
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Go(func(ctx context.Context) error { _ = fixture.Sleeper(ctx); return fixture.ErrBoom })
				f.Must(curio.Sleep(ctx, time.Second))
				d.Cancel()
				return fixture.Sleeper(ctx)
			})
		})
		if fixture.Is(f, "a member's clean-up", err, fixture.ErrBoom); !ended {
			f.Error("a member's clean-up: the cancellation is not found")
		}

		ended, err = run(&e, func(ctx context.Context) error {
			curio.CurrentTask(ctx).CancelNow()
			return fixture.Sleeper(ctx)
		})
		if fixture.Is(f, "the task's error", err, fixture.TaskCancelled...); ended || e.Err() != nil || e.Cancel() {
			f.Error("the scope takes the cancellation of its task for its own")
		}
	})
}

// The deadline is moved at the very moment in which it comes. Either that is in time, and the
// wait goes on, or the scope ends.
func TestRaceCancelScopeMoved(t *testing.T) {
	kernel := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler))) // of functions that are late
	defer func() { _ = kernel.Shutdown(context.Background()) }()
	moved := 0
	err := kernel.Run(t.Context(), func(ctx context.Context) error {
		for i := range testutil.Times(1200) {
			var scope curio.CancelScope
			timeout := time.Duration(20+i%100) * time.Microsecond
			var inTime atomic.Bool
			var mover sync.WaitGroup
			err := scope.Run(ctx, func(ctx context.Context) error {
				scope.SetTimeout(timeout)
				waits := make(chan struct{})
				mover.Go(func() {
					<-waits
					for began := time.Now(); time.Since(began) < timeout-time.Duration(i%20)*time.Microsecond; {
						runtime.Gosched()
					}
					inTime.Store(scope.SetTimeout(curio.NoTimeout))
				})
				close(waits)
				if i%2 == 0 {
					return curio.Sleep(ctx, 3*time.Millisecond)
				}
				for began := time.Now(); time.Since(began) < 300*time.Microsecond; { // never waits
					if err := curio.CheckCancellation(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			mover.Wait()
			if inTime.Load() {
				moved++
			}
			switch {
			case inTime.Load() && (err != nil || scope.Err() != nil):
				t.Errorf("%d: moved in time, and yet: %v, %v", i, err, scope.Err())
			case !inTime.Load() && scope.Err() == nil && err != nil:
				t.Errorf("%d: %v, and the scope knows nothing", i, err)
			}
		}
		return nil
	})
	if t.Logf("moved in time: %d", moved); err != nil || moved == 0 {
		t.Errorf("%v; moved in time: %d", err, moved)
	}
}

// Several goroutines cancel and move a scope while its function begins, waits and returns. One
// Cancel at most has done it, and the function tells of that one.
func TestRaceCancelScope(t *testing.T) {
	kernel := curio.NewKernel()
	defer func() { _ = kernel.Shutdown(context.Background()) }()
	did := make([]int, 2)
	err := kernel.Run(t.Context(), func(ctx context.Context) error {
		for i := range testutil.Times(5000) {
			var scope curio.CancelScope
			var who atomic.Int64
			var others sync.WaitGroup
			start := make(chan struct{})
			for n := range 2 {
				others.Go(func() {
					<-start
					for range 20 * ((n + i/3) % 2) {
						runtime.Gosched()
					}
					scope.SetTimeout(time.Hour)
					if scope.Cancel(fmt.Errorf("canceller %d", n)) {
						did[n]++
						if !who.CompareAndSwap(0, int64(n+1)) {
							t.Error("both did it")
						}
					}
				})
			}
			others.Go(func() {
				<-start
				scope.SetDeadline(time.Now().Add(time.Hour))
				scope.SetTimeout(curio.NoTimeout)
			})
			if i%3 != 0 {
				close(start)
			}
			err := scope.Run(ctx, func(ctx context.Context) error {
				if i%3 == 0 {
					close(start)
				}
				if i%2 == 0 {
					return nil
				}
				return fixture.Sleeper(ctx)
			})
			others.Wait()
			cause, ok := curio.WhoCancelled(scope.Err())
			if want := who.Load(); ok != (want > 0) || ok && cause.Reason.Error() != fmt.Sprint("canceller ", want-1) {
				t.Errorf("%d: %d has done it, and it says %+v", i, want-1, cause)
			}
			if ended, rest := scope.Ignore(err); rest != nil || ended != (err != nil) || i%2 == 1 && !ended {
				t.Errorf("%d: %v; %v, %v", i, err, ended, rest)
			}
		}
		return nil
	})
	if t.Logf("they did it %v times", did); err != nil || did[0] == 0 || did[1] == 0 {
		t.Errorf("%v; they did it %v times", err, did)
	}
}

// A scope that is kept keeps no task, no context and no result.
func TestWhatACancelScopeKeeps(t *testing.T) {
	type key struct{}
	for what, end := range map[string]func(*curio.CancelScope){
		"cancelled": func(s *curio.CancelScope) { s.Cancel() },
		"expired":   func(s *curio.CancelScope) { s.SetTimeout(0) },
		"returned":  func(s *curio.CancelScope) { s.SetTimeout(time.Hour) },
	} {
		var l fixture.Loads
		kept := new(curio.CancelScope)
		var err error
		func() {
			ctx := context.WithValue(t.Context(), key{}, l.Make())
			_ = curio.Run(ctx, func(ctx context.Context) error {
				task := curio.Spawn(ctx, l.Function(func(ctx context.Context) {
					err = kept.Run(ctx, func(ctx context.Context) error {
						end(kept)
						return curio.Sleep(ctx, 0)
					})
				}))
				_, err := task.Join(ctx)
				return err
			})
		}()
		if n := l.Left(); n > 0 {
			t.Errorf("%s: %d values are kept", what, n)
		}
		runtime.KeepAlive(kept)
		runtime.KeepAlive(err)
	}
}

// Moving a deadline away, as an idle timeout does for each message, costs no memory.
func TestMovingADeadlineAllocatesNothing(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope curio.CancelScope
		f.Must(scope.Run(ctx, func(ctx context.Context) error {
			scope.SetTimeout(time.Minute)
			if n := testing.AllocsPerRun(1000, func() { scope.SetTimeout(time.Minute) }); n > 0 {
				f.Errorf("away: %v allocations", n)
			}
			d := 50 * time.Second
			if n := testing.AllocsPerRun(1000, func() { d -= time.Millisecond; scope.SetTimeout(d) }); n > 0 {
				f.Errorf("nearer: %v allocations", n)
			}
			if n := testing.AllocsPerRun(1000, func() { scope.SetTimeout(curio.NoTimeout); scope.SetTimeout(time.Minute) }); n > 0 {
				f.Errorf("away and back: %v allocations", n)
			}
			return nil
		}))
	})
}

func TestCancelScopeMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope curio.CancelScope
		fixture.Panics(f, "nil function", func() { _ = scope.Run(ctx, nil) })
		f.Must(scope.Run(ctx, func(ctx context.Context) error {
			fixture.Panics(f, "a second time", func() { _ = scope.Run(ctx, fixture.Sleeper) })
			return nil
		}))
		fixture.Panics(f, "a second time", func() { _ = scope.Run(ctx, fixture.Sleeper) })
		var bad curio.CancelScope
		func() {
			defer func() { _ = recover() }()
			_ = bad.Run(ctx, func(context.Context) error { panic("boom") })
		}()
		if bad.Cancel() {
			f.Error("cancelled after a panic of its function")
		}
	})
}

// Outside of tasks a scope works, too, and a function that is late is told of.
func TestCancelScopeElsewhere(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var scope, late curio.CancelScope
		scope.SetTimeout(time.Second)
		fixture.Is(f, "of no task", scope.Run(context.Background(), fixture.Sleeper), fixture.TaskTimeout...)
		late.SetTimeout(time.Second)
		f.Must(late.Run(ctx, func(ctx context.Context) error {
			late.SetTimeout(10 * time.Second)
			time.Sleep(11 * time.Second) // in the bubble: it does not look at its context
			return nil
		}))
		told := f.Journal.Take(fixture.MsgLate)
		if len(told) != 1 || told[0].Attrs["timeout"] != 10*time.Second || told[0].Attrs["late"] != time.Second {
			f.Errorf("logged: %v", told)
		}
	})
}

// A message each, and a timeout that begins anew with each.
func BenchmarkIdleTimeout(b *testing.B) {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		b.Run("CancelScope", func(b *testing.B) {
			var scope curio.CancelScope
			_ = scope.Run(ctx, func(ctx context.Context) error {
				for b.Loop() {
					scope.SetTimeout(time.Minute)
				}
				return nil
			})
		})
		b.Run("timer", func(b *testing.B) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			timer := time.AfterFunc(time.Minute, cancel)
			defer timer.Stop()
			for b.Loop() {
				timer.Reset(time.Minute)
			}
			_ = ctx
		})
		b.Run("Run", func(b *testing.B) {
			for b.Loop() {
				var scope curio.CancelScope
				scope.SetTimeout(time.Minute)
				_ = scope.Run(ctx, func(context.Context) error { return nil })
			}
		})
		b.Run("context.WithTimeout", func(b *testing.B) {
			for b.Loop() {
				_, cancel := context.WithTimeout(ctx, time.Minute)
				cancel()
			}
		})
		return nil
	})
}

// What is around a scope has ended, and the scope has not been told yet.
func TestCancelScopeBelowWhatHasEnded(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		standard := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
		var cancels []func()
		for what, around := range map[string]func() (context.Context, func()){
			"a timeout": func() (context.Context, func()) {
				ctx, cancel := curio.WithTimeout(ctx, time.Second)
				cancels = append(cancels, cancel)
				return ctx, func() { time.Sleep(time.Second) } // in the bubble
			},
			"a standard context": func() (context.Context, func()) { return standard(ctx) },
			"one of no task":     func() (context.Context, func()) { return standard(context.Background()) },
		} {
			for how, change := range map[string]func(*curio.CancelScope) bool{
				"SetTimeout": func(s *curio.CancelScope) bool { return s.SetTimeout(time.Minute) },
				"Cancel":     func(s *curio.CancelScope) bool { return s.Cancel() },
			} {
				ctx, end := around()
				var scope curio.CancelScope
				f.Must(scope.Run(ctx, func(context.Context) error {
					end()
					if change(&scope) || scope.Err() != nil {
						f.Errorf("%s, %s: it has had an effect; %v", what, how, scope.Err())
					}
					return nil
				}))
			}
		}
		for _, cancel := range cancels {
			cancel()
		}
		var early curio.CancelScope
		early.SetDeadline(time.Now().Add(time.Second))
		early.Cancel(fixture.ErrBoom)
		f.Must(curio.Sleep(ctx, 2*time.Second))
		fixture.Because(f, "cancelled before the deadline, and run after it", early.Run(ctx, fixture.Sleeper), fixture.ErrBoom, fixture.ScopeCancelled...)
	})
}

// Two scopes, one in the other, are moved by another goroutine again and again while tasks in them
// wait and end: both expire in the end, and neither is taken for the other.
func TestRaceCancelScopesInEachOther(t *testing.T) {
	kernel := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	defer func() { _ = kernel.Shutdown(context.Background()) }()
	err := kernel.Run(t.Context(), func(ctx context.Context) error {
		for i := range fixture.Iterations(600) {
			var a, b curio.CancelScope
			a.SetTimeout(time.Hour)
			var mover sync.WaitGroup
			mover.Go(func() {
				for range i % 100 { // and no more: a scope that is moved all the time may never expire
					b.SetTimeout(time.Duration(i%7) * 10 * time.Microsecond)
					b.SetTimeout(time.Hour)
					b.SetTimeout(curio.NoTimeout)
					a.SetTimeout(300 * time.Microsecond)
					a.SetTimeout(curio.NoTimeout)
					a.SetTimeout(200 * time.Microsecond)
				}
				b.SetTimeout(20 * time.Microsecond)
				a.SetTimeout(100 * time.Microsecond)
			})
			err := a.Run(ctx, func(ctx context.Context) error {
				err := b.Run(ctx, func(ctx context.Context) error {
					_, _ = curio.Go(ctx, fixture.Sleeper).Join(ctx)
					return fixture.Sleeper(ctx)
				})
				if _, err = b.Ignore(err); err != nil {
					return err
				}
				return fixture.Sleeper(ctx)
			})
			mover.Wait()
			if ended, rest := a.Ignore(err); !ended || rest != nil {
				t.Fatalf("%d: %v; %v, %v", i, err, ended, rest)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
