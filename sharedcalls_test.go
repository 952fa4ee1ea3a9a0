package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// mustNot is the function of a caller whose function is not to be called.
func mustNot(t testing.TB) fixture.Racer {
	return func(context.Context) (int, error) {
		t.Error("a second function is called")
		return 0, nil
	}
}

// Callers that come while a call runs share it. Those that come later start a new one.
func TestSharedCalls(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		type answer struct {
			v      int
			shared bool
		}
		do := func(fn fixture.Racer) *curio.Task[answer] {
			return curio.Spawn(ctx, func(ctx context.Context) (answer, error) {
				v, shared, err := s.Do(ctx, "a", fn)
				return answer{v, shared}, err
			})
		}
		start := time.Now()
		var callee *curio.AnyTask
		one := do(func(ctx context.Context) (int, error) {
			callee = curio.CurrentTask(ctx)
			return 1, curio.Sleep(ctx, time.Second)
		})
		synctest.Wait()
		two := do(mustNot(f))
		synctest.Wait()
		three := do(mustNot(f))
		elsewhere := curio.Spawn(ctx, fixture.Asks(&s, "b", fixture.Returns(5)))
		if v, err := elsewhere.Join(ctx); v != 5 || err != nil {
			f.Errorf("another key: %d, %v", v, err)
		}
		synctest.Wait()
		now := s.Snapshot()
		wantWaiters := []curio.Waiter{{Task: one.AnyTask, Op: "SHARED_CALL"}, {Task: two.AnyTask, Op: "SHARED_CALL"}, {Task: three.AnyTask, Op: "SHARED_CALL"}}
		if !slices.Equal(now.Waiters, wantWaiters) || !slices.Equal(now.Holders, []curio.Holder{fixture.HolderOf(callee, 3)}) {
			f.Errorf("it looks like %v", now)
		}
		if text := s.String(); text != "SharedCalls(1 running, 3 waiting)" {
			f.Error(text)
		}
		if one.State() != "SHARED_CALL" || callee.State() != "TIME_SLEEP" || !callee.Daemon() || callee.Parent() != nil {
			f.Errorf("%v waits for %v", one, callee)
		}
		for i, task := range []*curio.Task[answer]{one, two, three} {
			if a, err := task.Join(ctx); a != (answer{1, true}) || err != nil {
				f.Errorf("caller %d: %v, %v", i, a, err)
			}
		}
		f.Elapsed(start, time.Second)
		if a, err := do(fixture.Returns(2)).Join(ctx); a != (answer{2, false}) || err != nil {
			f.Errorf("later, alone: %v, %v", a, err)
		}
		if text := s.String(); text != "SharedCalls(0 running)" {
			f.Error(text)
		}
	})
}

// The function has the first caller's values and Locals, and nobody's deadline or cancellation:
// a caller that runs out of time leaves alone.
func TestSharedCallsBelongToNoCaller(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		type key struct{}
		var local curio.Local[string]
		var s fixture.Calls
		start := time.Now()
		first := curio.Go(ctx, func(ctx context.Context) error {
			local.Set(ctx, "local")
			ctx = context.WithValue(ctx, key{}, "value")
			err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				_, _, err := s.Do(ctx, "a", func(ctx context.Context) (int, error) {
					v, _ := local.Get(ctx)
					if _, limited := ctx.Deadline(); limited || ctx.Value(key{}) != "value" || v != "local" {
						f.Errorf("its context has the value %v, the local %q; a deadline: %v", ctx.Value(key{}), v, limited)
					}
					local.Set(ctx, "changed")
					return 1, curio.Sleep(ctx, time.Minute)
				})
				return err
			})
			fixture.Is(f, "the first caller", err, fixture.TaskTimeout...)
			f.Elapsed(start, time.Second)
			if v, _ := local.Get(ctx); v != "local" {
				f.Errorf("the local is %q", v)
			}
			return nil
		})
		synctest.Wait()
		second := curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)))
		third := curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)))
		_, _ = first.Join(ctx)
		if _, err := third.Cancel(ctx); err != nil {
			f.Error(err)
		}
		fixture.Is(f, "the third", third.Err(), fixture.TaskCancelled...)
		if v, err := second.Join(ctx); v != 1 || err != nil {
			f.Errorf("the second: %d, %v", v, err)
		}
		f.Elapsed(start, time.Minute)
	})
}

// When the last caller has left, the call is cancelled, by that caller. That is no failure that
// anybody has to hear of; anything else is.
func TestSharedCallsAreCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		for _, c := range []struct {
			name   string
			fn     fixture.Racer
			logged int
		}{
			{"it ends as it should", fixture.Sleeping, 0},
			{"it says what it was doing", func(ctx context.Context) (int, error) {
				_, err := fixture.Sleeping(ctx)
				who, ok := curio.WhoCancelled(err)
				if !ok || !strings.HasSuffix(who.By, "second") || who.Reason == nil || !strings.Contains(who.Reason.Error(), "no caller waits") {
					f.Errorf("it was cancelled by %q because of %v", who.By, who.Reason)
				}
				return 0, fmt.Errorf("reading: %w", err)
			}, 0},
			{"by package context's error", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, 0},
			{"it succeeds all the same", func(ctx context.Context) (int, error) { _, _ = fixture.Sleeping(ctx); return 7, nil }, 0},
			{"it fails", func(ctx context.Context) (int, error) {
				_, err := fixture.Sleeping(ctx)
				return 0, errors.Join(err, fixture.ErrBoom)
			}, 1},
		} {
			first := curio.Spawn(ctx, fixture.Asks(&s, "a", c.fn))
			synctest.Wait()
			second := curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)), curio.Name("second"))
			synctest.Wait()
			_, _ = first.Cancel(ctx)
			synctest.Wait()
			if s.String() != "SharedCalls(1 running, 1 waiting)" {
				f.Errorf("%s: it is cancelled too early: %v", c.name, &s)
			}
			_, _ = second.Cancel(ctx)
			fixture.Is(f, c.name, first.Err(), fixture.TaskCancelled...)
			fixture.Is(f, c.name, second.Err(), fixture.TaskCancelled...)
			synctest.Wait()
			if s.String() != "SharedCalls(0 running)" {
				f.Errorf("%s: it still runs: %v", c.name, &s)
			}
			if lines := f.Journal.Take(fixture.MsgUnseen); len(lines) != c.logged {
				f.Errorf("%s: logged was %v", c.name, lines)
			}
		}
	})
}

// A caller that comes when the call has been cancelled does not get that cancellation. Its own
// function is called when the old one has returned, and not before.
func TestSharedCallsNobodyJoinsTheCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		inside := 0
		slow := func(v int) fixture.Racer {
			return func(ctx context.Context) (int, error) {
				if inside++; inside != 1 {
					f.Errorf("%d are inside", inside)
				}
				defer func() { inside-- }()
				return v, curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			}
		}
		start := time.Now()
		old := curio.Spawn(ctx, fixture.Asks(&s, "a", slow(1)))
		synctest.Wait()
		_, _ = old.Cancel(ctx)

		// Two that leave again before it has begun: then it is not called.
		gone := []*curio.Task[int]{curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f))), curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)))}
		synctest.Wait()
		if text := s.String(); text != "SharedCalls(1 running, 2 waiting)" {
			f.Error(text)
		}
		for _, task := range gone {
			_, _ = task.Cancel(ctx)
			fixture.Is(f, "gone", task.Err(), fixture.TaskCancelled...)
		}

		next := curio.Spawn(ctx, fixture.Asks(&s, "a", slow(2)))
		synctest.Wait()
		after := curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)))
		if v, err := next.Join(ctx); v != 2 || err != nil {
			f.Errorf("next: %d, %v", v, err)
		}
		if v, err := after.Join(ctx); v != 2 || err != nil {
			f.Errorf("after: %d, %v", v, err)
		}
		f.Elapsed(start, 2*time.Second)
		if text := s.String(); text != "SharedCalls(0 running)" {
			f.Error(text)
		}
	})
}

// However the function ends, each caller hears of it, and the key is free again.
func TestSharedCallsFail(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		ending := func(fn fixture.Racer) (errs []error) {
			var tasks []*curio.Task[int]
			for i := range 3 {
				if i > 0 {
					fn = mustNot(f)
				} else {
					fn = func(fn fixture.Racer) fixture.Racer {
						return func(ctx context.Context) (int, error) {
							fixture.Succeed(curio.Sleep(ctx, time.Second))
							return fn(ctx)
						}
					}(fn)
				}
				tasks = append(tasks, curio.Spawn(ctx, fixture.Asks(&s, "a", fn)))
				synctest.Wait()
			}
			for _, task := range tasks {
				_ = task.Wait(ctx)
				errs = append(errs, task.Err())
			}
			return errs
		}
		for _, err := range ending(fixture.Fails) {
			if err != fixture.ErrBoom {
				f.Errorf("it fails with %v", err)
			}
		}
		for _, err := range ending(fixture.Vanish) {
			fixture.Is(f, "Goexit", err, curio.ErrGoexit)
		}
		for _, err := range ending(fixture.Explode) {
			p, ok := errors.AsType[*curio.PanicError](err)
			if !ok || p.Value != fixture.ErrBoom && fmt.Sprint(p.Value) != "boom" || !strings.Contains(string(p.Stack), "fixture.Explode") {
				f.Errorf("it panics with %v", err)
			}
		}
		if lines := f.Journal.Take(fixture.MsgPanic); len(lines) != 1 {
			f.Errorf("the panic is logged %d times", len(lines))
		}
		// A timeout of the function's own is another task's to its callers.
		for _, err := range ending(func(ctx context.Context) (int, error) {
			return 0, curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
		}) {
			fixture.Is(f, "timeout", err, context.DeadlineExceeded)
		}
		// It cancels itself.
		for _, err := range ending(func(ctx context.Context) (int, error) {
			curio.CurrentTask(ctx).CancelNow(io.EOF)
			return 0, ctx.Err()
		}) {
			fixture.Because(f, "cancelled", err, io.EOF, fixture.TaskCancelled...)
		}
		for _, err := range ending(fixture.Returns(1)) {
			if err != nil {
				f.Error(err)
			}
		}
	})
}

// errors have methods, which are called where nobody is held up; if they panic the error is as
// it was.
type sore struct{}

func (sore) Error() string { return "sore" }

func (sore) Is(error) bool { panic("do not compare me") }

func (sore) Unwrap() []error { return nil }

func TestSharedCallsErrorThatPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		var err error
		func() {
			defer func() { _ = recover() }() // as it would be from Result.Get
			_, _, err = s.Do(ctx, "a", func(ctx context.Context) (int, error) {
				curio.CurrentTask(ctx).CancelNow()
				return 0, sore{}
			})
		}()
		if _, ok := err.(sore); err != nil && !ok {
			f.Errorf("the error is %v", err)
		}
		f.Journal.Take(fixture.MsgUnseen)
		if v, err := fixture.Asks(&s, "a", fixture.Returns(1))(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
	})
}

// A caller that is below the call it asks for would wait for itself.
func TestSharedCallsRecursive(t *testing.T) {
	below := map[string]func(context.Context, fixture.Racer) (int, error){
		"in its task": func(ctx context.Context, do fixture.Racer) (int, error) { return do(ctx) },
		"in a task of its": func(ctx context.Context, do fixture.Racer) (int, error) {
			return curio.Spawn(ctx, do).Join(ctx)
		},
		"two tasks deeper, in a group and a timeout": func(ctx context.Context, do fixture.Racer) (v int, err error) {
			err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				t := g.Spawn(func(ctx context.Context) (int, error) {
					ctx, cancel := curio.WithTimeout(ctx, time.Hour)
					defer cancel()
					return curio.Spawn(ctx, do).Join(ctx)
				})
				v, err = t.Join(ctx)
				return err
			})
			return v, err
		},
		"under a standard context": func(ctx context.Context, do fixture.Racer) (int, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			defer cancel()
			return do(ctx)
		},
		"in a goroutine": func(ctx context.Context, do fixture.Racer) (v int, err error) {
			done := make(chan struct{})
			go func() { v, err = do(ctx); close(done) }()
			<-done
			return v, err
		},
	}
	for name, by := range below {
		t.Run(name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var s, other fixture.Calls
				start := time.Now()
				_, err := fixture.Asks(&s, "a", func(ctx context.Context) (int, error) { return by(ctx, fixture.Asks(&s, "a", mustNot(f))) })(ctx)
				fixture.Is(f, "itself", err, curio.ErrRecursiveCall)

				// Through a second key, and through another object.
				for _, second := range []*fixture.Calls{&s, &other} {
					_, err = fixture.Asks(&s, "a", func(ctx context.Context) (int, error) {
						return by(ctx, fixture.Asks(second, "b", func(ctx context.Context) (int, error) { return by(ctx, fixture.Asks(&s, "a", mustNot(f))) }))
					})(ctx)
					fixture.Is(f, "through another", err, curio.ErrRecursiveCall)
				}
				// A second key alone is no circle.
				v, err := fixture.Asks(&s, "a", func(ctx context.Context) (int, error) { return by(ctx, fixture.Asks(&s, "b", fixture.Returns(3))) })(ctx)
				if v != 3 || err != nil {
					f.Errorf("a second key: %d, %v", v, err)
				}
				f.Elapsed(start, 0)
			})
		})
	}
}

// Three calls that were started by others come to wait for each other: the one that would close
// the circle is refused, and its error goes round.
func TestSharedCallsInACircle(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		var refused []string
		asksNext := func(key, next string, at time.Duration) *curio.Task[int] {
			return curio.Spawn(ctx, fixture.Asks(&s, key, func(ctx context.Context) (int, error) {
				fixture.Succeed(curio.Sleep(ctx, at))
				v, err := fixture.Asks(&s, next, mustNot(f))(ctx)
				if errors.Is(err, curio.ErrRecursiveCall) {
					refused = append(refused, key)
				}
				return v, err
			}))
		}
		start := time.Now()
		tasks := []*curio.Task[int]{asksNext("a", "b", 1*time.Second), asksNext("b", "c", 2*time.Second), asksNext("c", "a", 3*time.Second)}
		for _, task := range tasks {
			_ = task.Wait(ctx)
			fixture.Is(f, "a circle", task.Err(), curio.ErrRecursiveCall)
		}
		if !slices.Equal(refused, []string{"c", "b", "a"}) {
			f.Errorf("refused were %v", refused)
		}
		f.Elapsed(start, 3*time.Second)
	})
}

// What is no circle: a caller that has left, a daemon, two ways to the same call.
func TestSharedCallsInNoCircle(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		// a asks for b and gives up. Others still wait for b, and b asks for a.
		b := func(ctx context.Context) (int, error) {
			fixture.Succeed(curio.Sleep(ctx, 3*time.Second))
			return fixture.Asks(&s, "a", mustNot(f))(ctx)
		}
		a := curio.Spawn(ctx, fixture.Asks(&s, "a", func(ctx context.Context) (int, error) {
			err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { _, err := fixture.Asks(&s, "b", b)(ctx); return err })
			fixture.Is(f, "gives up", err, fixture.TaskTimeout...)
			return 1, curio.Sleep(ctx, time.Minute)
		}))
		synctest.Wait()
		if v, err := fixture.Asks(&s, "b", mustNot(f))(ctx); v != 1 || err != nil {
			f.Errorf("b: %d, %v", v, err)
		}
		_, _ = a.Join(ctx)

		// A daemon is not waited for.
		var daemon *curio.Task[int]
		v, err := fixture.Asks(&s, "a", func(ctx context.Context) (int, error) {
			daemon = curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)), curio.Daemon())
			return 2, curio.Sleep(ctx, time.Second)
		})(ctx)
		if got, joined := daemon.Join(ctx); v != 2 || got != 2 || err != nil || joined != nil {
			f.Errorf("a daemon: %d, %d, %v, %v", v, got, err, joined)
		}

		// b and c ask for d, and a for both.
		d := func(ctx context.Context) (int, error) { return 1, curio.Sleep(ctx, time.Second) }
		asksD := func(ctx context.Context) (int, error) { return fixture.Asks(&s, "d", d)(ctx) }
		v, err = fixture.Asks(&s, "a", func(ctx context.Context) (int, error) {
			left, right := curio.Spawn(ctx, fixture.Asks(&s, "b", asksD)), curio.Spawn(ctx, fixture.Asks(&s, "c", asksD))
			x, err := left.Join(ctx)
			y, err2 := right.Join(ctx)
			return x + y, errors.Join(err, err2)
		})(ctx)
		if v != 2 || err != nil {
			f.Errorf("two ways: %d, %v", v, err)
		}
	})
}

// A call that has been cancelled, and asks for its own key while it cleans up, would wait for one
// that waits for its end.
func TestSharedCallsRecursiveWhileCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		cleans := func(ctx context.Context) (int, error) {
			_ = fixture.Sleeper(ctx)
			return 0, curio.DisableCancellation(ctx, func(ctx context.Context) error {
				_, err := fixture.Asks(&s, "a", mustNot(f))(ctx)
				fixture.Is(f, "while it cleans up", err, curio.ErrRecursiveCall)
				fixture.Succeed(curio.Sleep(ctx, time.Second))
				_, err = fixture.Asks(&s, "a", mustNot(f))(ctx)
				fixture.Is(f, "when another waits", err, curio.ErrRecursiveCall)
				return nil
			})
		}
		task := curio.Spawn(ctx, fixture.Asks(&s, "a", cleans))
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		synctest.Wait()
		if v, err := fixture.Asks(&s, "a", fixture.Returns(1))(ctx); v != 1 || err != nil {
			f.Errorf("the next: %d, %v", v, err)
		}
	})
}

// A key that no map can find again leaves nothing locked.
func TestSharedCallsKeys(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var any curio.SharedCalls[any, int]
		var floats curio.SharedCalls[float64, int]
		fixture.Panics(f, "of type []int", func() { _, _, _ = any.Do(ctx, []int{1}, fixture.Returns(1)) })
		fixture.Panics(f, "of type [1]interface", func() { _, _, _ = any.Do(ctx, [1]interface{}{func() {}}, fixture.Returns(1)) })
		fixture.Panics(f, "NaN", func() { _, _, _ = any.Do(ctx, math.NaN(), fixture.Returns(1)) })
		fixture.Panics(f, "NaN", func() { _, _, _ = floats.Do(ctx, math.NaN(), fixture.Returns(1)) })
		fixture.Panics(f, "of type []int", func() { any.Forget([]int{1}) })
		fixture.Panics(f, "nil function", func() { _, _, _ = any.Do(ctx, 1, nil) })
		for _, key := range []interface{}{nil, 1, "a", 2.5} {
			if v, shared, err := any.Do(ctx, key, fixture.Returns(1)); v != 1 || shared || err != nil {
				f.Errorf("the key %v: %d, %v, %v", key, v, shared, err)
			}
		}
		if text := any.String(); text != "SharedCalls(0 running)" {
			f.Error(text)
		}
	})
}

// The call belongs to the kernel of its first caller. If that is shut down, the callers of others
// get the error, and are not cancelled themselves.
func TestSharedCallsOfTwoKernels(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		first := curio.NewKernel(curio.Logger(slog.New(f.Journal)))
		for name, fn := range map[string]fixture.Racer{
			"our error":             fixture.Sleeping,
			"package context's":     func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
			"succeeds all the same": func(ctx context.Context) (int, error) { _ = fixture.Sleeper(ctx); return 7, nil },
		} {
			first = curio.NewKernel(curio.Logger(slog.New(f.Journal)))
			began := curio.Go(ctx, func(ctx context.Context) error {
				return first.Run(context.WithoutCancel(ctx), func(ctx context.Context) error {
					_, err := fixture.Asks(&s, "a", fn)(ctx)
					return err
				})
			}, curio.ReportCrash(false))
			synctest.Wait()
			joined := curio.Go(ctx, func(ctx context.Context) error {
				v, shared, err := s.Do(ctx, "a", mustNot(f))
				switch {
				case name == "succeeds all the same":
					if v != 7 || err != nil {
						f.Errorf("%d, %v, %v", v, shared, err)
					}
				default:
					fixture.Is(f, name, err, fixture.TaskCancelled...)
				}
				return curio.CheckCancellation(ctx)
			})
			synctest.Wait()
			if tasks := first.Tasks(); len(tasks) != 2 {
				f.Errorf("the first kernel has %v", tasks)
			}
			fixture.Succeed(first.Shutdown(ctx))
			_ = began.Wait(ctx)
			if _, err := joined.Join(ctx); err != nil {
				f.Errorf("it was cancelled itself: %v", err)
			}
		}
	})
}

// What was cut from a kernel that has ended cannot start a call, but can join one.
func TestSharedCallsOfAnEndedKernel(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		cut := context.WithoutCancel(fixture.EndedKernel())
		_, err := fixture.Asks(&s, "a", mustNot(f))(cut)
		fixture.Is(f, "an ended kernel", err, curio.ErrKernelShutdown)

		running := curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.After(time.Second, 1, nil)))
		synctest.Wait()
		if v, err := fixture.Asks(&s, "a", mustNot(f))(cut); v != 1 || err != nil {
			f.Errorf("joining: %d, %v", v, err)
		}
		_, _ = running.Join(ctx)

		// The same behind a call that was cancelled: then its last caller leaves too.
		for _, leaves := range []bool{true, false} {
			old := curio.Spawn(ctx, fixture.Asks(&s, "a", stubbornRacer(time.Second, 1)))
			synctest.Wait()
			_, _ = old.Cancel(ctx)
			pending, cancel := context.WithCancel(cut)
			if leaves {
				time.AfterFunc(time.Second/2, cancel)
			}
			_, err := fixture.Asks(&s, "a", mustNot(f))(pending)
			if cancel(); leaves {
				fixture.Is(f, "leaves", err, fixture.ScopeCancelled...)
			} else {
				fixture.Is(f, "stays", err, curio.ErrKernelShutdown)
			}
			_ = curio.Sleep(ctx, time.Second)
		}
		if text := s.String(); text != "SharedCalls(0 running)" {
			f.Error(text)
		}
	})
}

// The last caller of a pending call leaves when the call before it has ended and its own is about
// to start: it is cancelled as soon as it has started. If its kernel has ended, it is nobody's
// failure.
func TestSharedCallsPendingLeavesAtTheStart(t *testing.T) {
	for _, ended := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			var s fixture.Calls
			from := ctx
			if ended {
				_ = curio.Run(ctx, func(ctx context.Context) error {
					from = context.WithoutCancel(ctx)
					return nil
				}, curio.Logger(slog.New(f.Journal)))
			}
			from, leave := context.WithCancel(from)
			defer leave()
			left, after := make(chan error), make(chan *curio.Task[int], 1)
			var once sync.Once
			defer curio.SetBeforePending(func() {
				once.Do(func() {
					leave()
					fixture.Is(f, "it leaves", <-left, fixture.ScopeCancelled...)
					after <- curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.Returns(2)))
					synctest.Wait()
				})
			})()
			start := time.Now()
			old := curio.Spawn(ctx, fixture.Asks(&s, "a", stubbornRacer(time.Second, 1)))
			synctest.Wait()
			_, _ = old.Cancel(ctx)
			go func() {
				_, err := fixture.Asks(&s, "a", fixture.Sleeping)(from)
				left <- err
			}()
			if v, err := (<-after).Join(ctx); v != 2 || err != nil {
				f.Errorf("the one behind: %d, %v", v, err)
			}
			f.Elapsed(start, time.Second)
			if text := s.String(); text != "SharedCalls(0 running)" {
				f.Error(text)
			}
		})
	}
}

// A caller that comes after Forget starts a call of its own. The old one goes on for its own.
func TestSharedCallsForget(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		s.Forget("a") // of nothing
		start := time.Now()
		old := curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.After(2*time.Second, 1, nil)))
		synctest.Wait()
		s.Forget("a")
		fresh := curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.After(time.Second, 2, nil)))
		synctest.Wait()
		joined := curio.Spawn(ctx, fixture.Asks(&s, "a", mustNot(f)))
		synctest.Wait()
		if text := s.String(); text != "SharedCalls(2 running, 3 waiting)" {
			f.Error(text)
		}
		for i, task := range []*curio.Task[int]{fresh, joined, old} {
			want := []int{2, 2, 1}[i]
			if v, err := task.Join(ctx); v != want || err != nil {
				f.Errorf("%d: %d, %v", i, v, err)
			}
		}
		f.Elapsed(start, 2*time.Second)

		// Of a call that was cancelled, and has one behind it: neither is lost.
		old = curio.Spawn(ctx, fixture.Asks(&s, "a", stubbornRacer(time.Second, 1)))
		synctest.Wait()
		_, _ = old.Cancel(ctx)
		pending := curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.After(time.Second, 3, nil)))
		synctest.Wait()
		s.Forget("a")
		if v, err := fixture.Asks(&s, "a", fixture.Returns(4))(ctx); v != 4 || err != nil {
			f.Errorf("beside: %d, %v", v, err)
		}
		if v, err := pending.Join(ctx); v != 3 || err != nil {
			f.Errorf("behind: %d, %v", v, err)
		}
		f.Elapsed(start, 4*time.Second)
		if text := s.String(); text != "SharedCalls(0 running)" {
			f.Error(text)
		}
	})
}

// The state of a task says for which key it waits, and where that is worked on.
func TestSharedCallsAreSeen(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		task := curio.Spawn(ctx, fixture.Asks(&s, "a", fixture.Sleeping))
		synctest.Wait()
		seen, ok := curio.ParkedOf(task.AnyTask)
		if text := fmt.Sprint(seen.Object); !ok || seen.Op != "SHARED_CALL" || !strings.HasPrefix(text, "the call for a in task fixture.Sleeping") {
			f.Errorf("it waits in %s for %s", seen.Op, text)
		}
		_, _ = task.Cancel(ctx)
	})
}

// A rudeKey has methods that nobody may call while something hangs.
type rudeKey struct{ n int }

func (rudeKey) String() string { panic("somebody has called it") }

// Whoever looks at a task that waits for a call calls no method of the key.
func TestSharedCallsInspectRudeKey(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s curio.SharedCalls[rudeKey, int]
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			v, _, err := s.Do(ctx, rudeKey{1}, fixture.Sleeping)
			return v, err
		})
		synctest.Wait()
		seen, _ := curio.ParkedOf(task.AnyTask)
		if text := seen.Object.(fmt.Stringer).String(); !strings.HasPrefix(text, "the call for a curio_test.rudeKey in task ") {
			f.Errorf("it waits for %s", text)
		}
		for _, info := range curio.InspectTasks(task.AnyTask) {
			if text := fmt.Sprint(info, task.Why(false)); strings.Contains(text, "somebody has called it") {
				f.Error(text)
			}
		}
		_, _ = task.Cancel(ctx)
	})
}

// What a caller gives and gets is not kept by the object, nor by what outlives the call.
func TestSharedCallsKeepNothing(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s curio.SharedCalls[*fixture.Load, *fixture.Load]
		var l fixture.Loads
		var outlives curio.Event
		callee := make(chan *curio.AnyTask, 1)
		func() {
			v, shared, err := s.Do(ctx, l.Make(), func(in *fixture.Load) func(ctx context.Context) (*fixture.Load, error) {
				return func(ctx context.Context) (*fixture.Load, error) {
					callee <- curio.CurrentTask(ctx)
					curio.Go(ctx, outlives.Wait)
					_ = in[0]
					return l.Make(), nil
				}
			}(l.Make()))
			if v == nil || shared || err != nil {
				f.Error(v, shared, err)
			}
		}()
		if n := l.Left(); n > 0 {
			f.Errorf("%d of %d are kept", n, len(l.Made))
		}
		if (<-callee).Err() != nil {
			f.Error("it has failed")
		}
		outlives.Set()
		s.Forget(nil)
	})
}

// A call that runs does not keep what its function has done with.
func TestARunningSharedCallKeepsNoFunction(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		var l fixture.Loads
		var end curio.Event
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			v, _, err := s.Do(ctx, "a", func(in *fixture.Load) func(context.Context) (int, error) {
				return func(ctx context.Context) (int, error) {
					_ = in[0]
					return 0, end.Wait(ctx)
				}
			}(l.Make()))
			return v, err
		})
		testutil.Await(f, "the function", func() bool { return len(end.Snapshot().Waiters) == 1 })
		if n := l.Left(); n > 0 {
			f.Errorf("%d are kept", n)
		}
		end.Set()
		if _, err := task.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// If each call is cancelled while another one is pending behind it, they do not make a chain.
func TestSharedCallsBehindEachOther(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s fixture.Calls
		var tasks []weak.Pointer[curio.AnyTask]
		begun := make(chan *curio.Event)
		fn := func(ctx context.Context) (int, error) {
			tasks = append(tasks, weak.Make(curio.CurrentTask(ctx)))
			end := new(curio.Event)
			begun <- end
			return 0, curio.DisableCancellation(ctx, end.Wait)
		}
		caller := curio.Spawn(ctx, fixture.Asks(&s, "a", fn))
		end := <-begun
		const n = 100
		for range n {
			_, _ = caller.Cancel(ctx)
			caller = curio.Spawn(ctx, fixture.Asks(&s, "a", fn))
			testutil.Await(f, "the next caller", func() bool { return len(s.Snapshot().Waiters) == 1 })
			end.Set()
			end = <-begun
		}
		testutil.Await(f, "the end of all but the last", func() bool {
			runtime.GC()
			alive := 0
			for _, t := range tasks {
				if t.Value() != nil {
					alive++
				}
			}
			return alive <= 5
		})
		end.Set()
		_ = caller.Wait(ctx)
	})
}

// After many calls at once the object is as small as before.
func TestSharedCallsShrink(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		type key [15]int64
		var s curio.SharedCalls[key, int]
		const n = 4000
		round := func() {
			var end curio.Event
			began := curio.NewSemaphore(0)
			fixture.Succeed(curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for i := range n {
					g.Go(func(ctx context.Context) error {
						_, _, err := s.Do(ctx, key{int64(i)}, func(ctx context.Context) (int, error) { began.Release(ctx); return i, end.Wait(ctx) })
						return err
					})
				}
				fixture.Succeed(began.AcquireN(ctx, n))
				end.Set()
				return nil
			}))
		}
		round() // so that there are goroutines enough, which are kept
		s = curio.SharedCalls[key, int]{}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		round()
		var more int64
		if !testutil.Eventually(func() bool { // what has cleanups takes more than one collection
			runtime.GC()
			runtime.ReadMemStats(&after)
			more = int64(after.HeapAlloc) - int64(before.HeapAlloc)
			return more <= megabyte/4 // half of what the map takes
		}) {
			f.Errorf("%d bytes are kept", more)
		}
		runtime.KeepAlive(&s)
	})
}

// In a chain of calls each of which starts the next one, none keeps those before it, nor their
// tasks.
func TestSharedCallsInAChain(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s curio.SharedCalls[int, int]
		var l fixture.Loads
		var tasks []weak.Pointer[curio.AnyTask]
		done := make(chan struct{})
		last := func(context.Context) {
			defer close(done)
			testutil.Await(f, "the end of all but the last", func() bool {
				alive := 0
				for _, t := range tasks {
					if t.Value() != nil {
						alive++
					}
				}
				return l.Left() <= 2 && alive <= 5 // this one's, and what its goroutine has not let go of
			})
		}
		var start func(context.Context, int)
		start = func(ctx context.Context, left int) {
			_, _, _ = s.Do(ctx, left, func(v *fixture.Load) func(context.Context) (int, error) {
				return func(ctx context.Context) (int, error) {
					_ = v[0]
					tasks = append(tasks, weak.Make(curio.CurrentTask(ctx)))
					if left == 0 {
						last(ctx)
						return 0, nil
					}
					curio.Go(ctx, func(ctx context.Context) error { start(ctx, left-1); return nil }, curio.Daemon())
					return 0, nil
				}
			}(l.Make()))
		}
		start(ctx, 100)
		<-done
	})
}

func init() {
	fixture.Children["crash in a shared call"] = func() {
		var s fixture.Calls
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			_, err := fixture.Asks(&s, "a", func(context.Context) (int, error) { panic("the end is near") })(ctx)
			fmt.Println("alive", err)
			os.Exit(0)
			return nil
		}, curio.CrashOnPanic(), curio.Logger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	}
}

// CrashOnPanic ends the process before a caller hears of it, and what is logged is logged once.
func TestSharedCallsCrashOnPanic(t *testing.T) {
	text, code := fixture.Child(t, "crash in a shared call")
	if code != 2 {
		t.Errorf("the process ended with exit status %d, want 2", code)
	}
	if strings.Count(text, fixture.MsgPanic) != 1 || strings.Contains(text, "alive") {
		t.Errorf("it says:\n%s", text)
	}
}

// Those who look for the same page at the same time have it fetched once.
func ExampleSharedCalls() {
	var pages curio.SharedCalls[string, string]
	var arrived curio.Event
	fetched := 0
	fetch := func(ctx context.Context) (string, error) {
		fetched++
		return "the page", arrived.Wait(ctx)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[string]) error {
			for range 3 {
				g.Spawn(func(ctx context.Context) (string, error) {
					page, _, err := pages.Do(ctx, "/index", fetch)
					return page, err
				})
			}
			for len(pages.Snapshot().Waiters) < 3 {
				if err := curio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			arrived.Set()
			if err := g.Join(ctx); err != nil {
				return err
			}
			all, err := g.Results()
			fmt.Printf("%q, fetched %d time\n", all, fetched)
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// ["the page" "the page" "the page"], fetched 1 time
	// <nil>
}

const megabyte = 1 << 20
