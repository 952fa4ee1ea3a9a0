package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// A link makes a context below another one: ours, and its counterpart in package context.
type link struct {
	name string
	ours func(context.Context) (context.Context, context.CancelFunc)
	std  func(context.Context) (context.Context, context.CancelFunc)
}

func noCancel(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }

func stdAfter(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
	return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
}

func ourAfter(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
	return func(ctx context.Context) (context.Context, context.CancelFunc) { return curio.WithTimeout(ctx, d) }
}

var links = []link{
	{"curio 1h", ourAfter(time.Hour), stdAfter(time.Hour)},
	{"curio 2h", ourAfter(2 * time.Hour), stdAfter(2 * time.Hour)},
	{"curio never", ourAfter(curio.NoTimeout), context.WithCancel},
	{"std cancel", context.WithCancel, context.WithCancel},
	{"std 1h", stdAfter(time.Hour), stdAfter(time.Hour)},
	{"std 90m", stdAfter(90 * time.Minute), stdAfter(90 * time.Minute)},
	{
		"value",
		func(ctx context.Context) (context.Context, context.CancelFunc) {
			return noCancel(context.WithValue(ctx, key{"a"}, 1))
		},
		func(ctx context.Context) (context.Context, context.CancelFunc) {
			return noCancel(context.WithValue(ctx, key{"a"}, 1))
		},
	},
	{
		"cut off",
		func(ctx context.Context) (context.Context, context.CancelFunc) {
			return noCancel(context.WithoutCancel(ctx))
		},
		func(ctx context.Context) (context.Context, context.CancelFunc) {
			return noCancel(context.WithoutCancel(ctx))
		},
	},
}

// One context is cancelled in a chain of our contexts and standard ones, in any order. As
// soon as the cancel function has returned, every Err, Done and Deadline is as in a chain
// of standard contexts alone, and our operations agree. If the cancellation reaches one of
// ours from a standard context, the standard contexts below ours hear of it a moment later,
// unless ours is asked.
func TestChainsOfContexts(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for round := range fixture.Iterations(20_000) {
			at, twinAt := ctx, context.Background()
			var chain, twins []context.Context
			var cancels, twinCancels []context.CancelFunc
			var names []string
			for range 1 + rand.IntN(6) {
				l := links[rand.IntN(len(links))]
				c, cancel := l.ours(at)
				twin, twinCancel := l.std(twinAt)
				chain, twins = append(chain, c), append(twins, twin)
				cancels, twinCancels = append(cancels, cancel), append(twinCancels, twinCancel)
				names = append(names, l.name)
				at, twinAt = c, twin
			}
			standard := func(i int) bool { return !strings.HasPrefix(names[i], "curio") }
			toldLater := func(i int) bool { // a standard one below ours below a standard one
				for i--; i >= 0; i-- {
					if strings.HasPrefix(names[i], "curio") {
						return slices.ContainsFunc(names[:i], func(name string) bool { return strings.HasPrefix(name, "std") })
					}
				}
				return false
			}
			compare := func(when string) {
				for _, i := range rand.Perm(len(chain)) { // asking one must not be what ends another
					c := chain[i]
					if standard(i) && toldLater(i) {
						synctest.Wait()
					}
					what := fmt.Sprintf("round %d, %v, %s: level %d", round, names, when, i)
					if got, want := c.Err(), twins[i].Err(); got != want {
						f.Fatalf("%s: Err is %v, want %v", what, got, want)
					}
					if (curio.Sleep(c, 0) != nil) != (c.Err() != nil) || (curio.CheckCancellation(c) != nil) != (c.Err() != nil) {
						f.Fatalf("%s: Err is %v, and an operation returns %v", what, c.Err(), curio.Sleep(c, 0))
					}
					if isDone(c) != isDone(twins[i]) {
						f.Fatalf("%s: done is %v", what, isDone(c))
					}
					got, ok := c.Deadline()
					want, wantOK := twins[i].Deadline()
					if ok != wantOK || !got.Equal(want) {
						f.Fatalf("%s: deadline %v %v, want %v %v", what, got, ok, want, wantOK)
					}
				}
			}
			compare("before")
			i := rand.IntN(len(cancels))
			if rand.IntN(2) == 0 {
				cancels[i]()
				twinCancels[i]()
				compare(fmt.Sprintf("level %d cancelled", i))
			} else {
				time.Sleep(time.Hour) // in the bubble: some of the timeouts expire
				synctest.Wait()
				compare("an hour later")
			}
			for i := len(cancels) - 1; i >= 0; i-- {
				cancels[i]()
				twinCancels[i]()
			}
			compare("all cancelled")
		}
		f.NothingUnder(ctx)
	})
}

func isDone(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// Everything below a standard context has ended when its cancel function has returned:
// tasks, groups and what is inside a window, at any depth.
func TestStandardCancellationIsSeenAtOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var q curio.Queue[int]
		for what, with := range map[string]func(std context.Context, cancelled func(ctx context.Context) error) error{
			"timeout": func(std context.Context, fn func(context.Context) error) error {
				return curio.TimeoutAfter(std, time.Hour, fn)
			},
			"task": func(std context.Context, fn func(context.Context) error) error {
				return curio.DisableCancellation(ctx, curio.Go(std, fn).Wait)
			},
			"main task of another kernel": func(std context.Context, fn func(context.Context) error) error {
				return curio.Run(std, fn)
			},
			"group": func(std context.Context, fn func(context.Context) error) error {
				return curio.Group(std, func(ctx context.Context, _ *curio.TaskGroup[int]) error { return fn(ctx) })
			},
			"member": func(std context.Context, fn func(context.Context) error) error {
				return curio.Group(std, func(_ context.Context, g *curio.TaskGroup[int]) error { g.Go(fn); return nil })
			},
			"window": func(std context.Context, fn func(context.Context) error) error {
				return curio.DisableCancellation(std, func(ctx context.Context) error { return curio.EnableCancellation(ctx, fn) })
			},
			"timeout in a task in a standard context in a timeout": func(std context.Context, fn func(context.Context) error) error {
				return curio.TimeoutAfter(std, time.Hour, func(ctx context.Context) error {
					std, cancel := context.WithCancel(ctx)
					defer cancel()
					task := curio.Go(std, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Hour, fn) })
					return curio.DisableCancellation(ctx, task.Wait)
				})
			},
		} {
			for range 20 {
				std, cancel := context.WithCancel(ctx)
				_ = with(std, func(ctx context.Context) error {
					if err := q.Put(ctx, 1); err != nil {
						f.Errorf("%s, before: %v", what, err)
					}
					cancel()
					if ctx.Err() != context.Canceled || !isDone(ctx) || curio.CheckCancellation(ctx) == nil {
						f.Errorf("%s: Err is %v, done %v, check %v", what, ctx.Err(), isDone(ctx), curio.CheckCancellation(ctx))
					}
					if _, err := q.Get(ctx); err == nil {
						f.Errorf("%s: an operation has succeeded", what)
					}
					if _, err := q.TryGet(); err != nil {
						f.Errorf("%s: the item is gone", what)
					}
					return nil
				})
			}
		}
	})
}

// The other way round, a standard context below ours is done at once as well, whatever
// cancels ours.
func TestOurCancellationIsSeenAtOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var std context.Context
		ready := make(chan bool)
		task := curio.Go(ctx, func(ctx context.Context) error {
			a, cancel := context.WithCancel(ctx)
			defer cancel()
			return curio.TimeoutAfter(a, time.Hour, func(ctx context.Context) error {
				b, cancel := context.WithTimeout(ctx, 2*time.Hour)
				defer cancel()
				std = b
				close(ready)
				return fixture.Sleeper(b)
			})
		})
		<-ready
		synctest.Wait()
		task.CancelNow()
		if task.Wait(ctx); std.Err() != context.Canceled {
			f.Errorf("Err is %v", std.Err())
		}
		direct, cancel := curio.WithTimeout(ctx, time.Hour)
		child, stop := context.WithCancel(direct)
		defer stop()
		cancel()
		if child.Err() != context.Canceled || !isDone(child) {
			f.Errorf("a standard child: %v", child.Err())
		}
	})
}

// A task that has ended by itself does not cancel its children, although the standard
// context that it was spawned with is cancelled later.
func TestEndedTaskPassesNothingOn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		std, cancel := context.WithCancel(ctx)
		var child *curio.Task[struct{}]
		parent := curio.Go(std, func(ctx context.Context) error {
			child = curio.Go(ctx, func(ctx context.Context) error {
				if err := curio.Sleep(ctx, time.Minute); err != nil {
					return err
				}
				return ctx.Err()
			})
			return nil
		})
		_ = parent.Wait(ctx)
		cancel()
		if _, err := child.Join(ctx); err != nil {
			f.Errorf("the child was cancelled: %v", err)
		}
	})
}

// Done is closed by the time Err returns an error.
func TestDoneIsClosedWhenErrIsSet(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for what, with := range map[string]func() (context.Context, func()){
			"timeout": func() (context.Context, func()) {
				c, cancel := curio.WithTimeout(ctx, time.Hour)
				return c, cancel
			},
			"child": func() (context.Context, func()) {
				c, cancel := curio.WithTimeout(ctx, time.Hour)
				d, _ := curio.WithTimeout(c, time.Hour)
				return d, cancel
			},
			"child of a standard context": func() (context.Context, func()) {
				std, cancel := context.WithCancel(ctx)
				d, end := curio.WithTimeout(std, time.Hour)
				return d, func() { cancel(); end() }
			},
			"expiring": func() (context.Context, func()) {
				c, cancel := curio.WithTimeout(ctx, 3*time.Microsecond)
				return c, func() {
					<-c.Done()
					cancel()
				}
			},
		} {
			bad := 0
			for range fixture.Iterations(30_000) {
				c, cancel := with()
				done := c.Done()
				var ended sync.WaitGroup
				ended.Go(cancel)
				for c.Err() == nil {
					runtime.Gosched()
				}
				select {
				case <-done:
				default:
					bad++
				}
				ended.Wait()
			}
			if bad > 0 {
				f.Errorf("%s: Err was set and Done open %d times", what, bad)
			}
		}
	})
}

// Deadline returns the time that was given, on every call and after the context is done.
func TestDeadlineIsWhatWasGiven(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		same := func(what string, c context.Context, want time.Time) {
			f.Helper()
			for range 100 {
				if got, ok := c.Deadline(); !ok || got != want && !got.Equal(want) {
					f.Fatalf("%s: %v, want %v", what, got, want)
				}
			}
		}
		at := time.Now().Add(time.Hour)
		c, cancel := curio.WithTimeout(ctx, time.Hour)
		first, _ := c.Deadline()
		if d := first.Sub(at); d < 0 || d > time.Minute {
			f.Errorf("an hour is %v", d)
		}
		same("WithTimeout", c, first)
		child, stop := curio.WithTimeout(c, 2*time.Hour)
		same("child", child, first)
		stop()
		cancel()
		same("WithTimeout, ended", c, first)
		same("child, ended", child, first)

		for _, at := range []time.Time{at, at.Round(0), time.Unix(1<<35, 0), time.Unix(5, 0), time.Date(2500, 1, 2, 3, 4, 5, 6, time.UTC)} {
			_ = curio.TimeoutAt(ctx, at, func(c context.Context) error {
				if got, _ := c.Deadline(); got != at {
					f.Errorf("TimeoutAt(%v): %v", at, got)
				}
				return curio.Group(c, func(c context.Context, _ *curio.TaskGroup[int]) error {
					same("group in TimeoutAt", c, at)
					return nil
				})
			})
			std, stop := context.WithDeadline(ctx, at)
			inner, cancel := curio.WithTimeout(std, curio.NoTimeout)
			same("below a standard one", inner, at)
			cancel()
			same("below a standard one, ended", inner, at)
			stop()
		}
		_ = curio.TimeoutAt(ctx, at, func(c context.Context) error {
			return curio.DisableCancellation(c, func(c context.Context) error {
				if at, ok := c.Deadline(); ok {
					f.Errorf("in a shield: %v", at)
				}
				return curio.EnableCancellation(c, func(c context.Context) error {
					same("in a window", c, at)
					return nil
				})
			})
		})
	})
}

// Contexts can be printed, by logs and mocks, while other goroutines use them: without a
// data race, and in a few words.
func TestContextsCanBePrinted(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var texts []string
		logger := slog.New(slog.NewTextHandler(&strings.Builder{}, nil))
		print := func(c context.Context) {
			for _, format := range []string{"%v", "%+v", "%s", "%q", "%#v"} {
				texts = append(texts, fmt.Sprintf(format, c))
			}
			texts = append(texts, fmt.Sprint(context.WithValue(c, key{"k"}, 1)))
			logger.Info("x", "ctx", c)
		}
		_ = curio.TimeoutAfter(ctx, time.Hour, func(c context.Context) error {
			busy := curio.Go(c, func(ctx context.Context) error {
				for {
					if err := curio.Go(c, func(ctx context.Context) error { return nil }).Wait(ctx); err != nil {
						return err
					}
				}
			})
			for range 100 {
				print(c)
				print(ctx)
			}
			_, _ = busy.Cancel(ctx)
			return curio.DisableCancellation(c, func(c context.Context) error {
				print(c)
				return curio.Group(c, func(c context.Context, _ *curio.TaskGroup[int]) error { print(c); return nil })
			})
		})
		for _, text := range texts {
			if len(text) > 200 || strings.Contains(text, "0x") || !strings.Contains(text, "curio.") {
				f.Fatalf("a context prints as %.300s", text)
			}
		}
	})
}

// The goroutine that cancels wakes the waiters and goes on, whatever functions others have
// registered with the context: if these hang or panic, they do so in goroutines of their
// own.
func TestForeignFunctionsDoNotHoldUpTheCanceller(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		block := make(chan struct{})
		defer close(block)
		var ended atomic.Int32
		var sleepers []*curio.Task[struct{}]
		ready := make(chan bool)
		parent := curio.Go(ctx, func(ctx context.Context) error {
			hang := func() { <-block }
			for range 3 {
				ctx.(interface{ AfterFunc(func()) func() bool }).AfterFunc(hang)
				context.AfterFunc(ctx, hang)
				sleepers = append(sleepers, curio.Go(ctx, func(ctx context.Context) error {
					defer ended.Add(1)
					return fixture.Sleeper(ctx)
				}))
			}
			close(ready)
			return fixture.Sleeper(ctx)
		})
		<-ready
		for _, s := range sleepers {
			for s.State() != "TIME_SLEEP" {
				runtime.Gosched()
			}
		}
		parent.CancelNow()
		for _, s := range sleepers {
			_ = s.Wait(ctx)
		}
		if n := ended.Load(); n != 3 {
			f.Errorf("%d of 3 sleepers have ended", n)
		}
	})
}

// Scopes may be nested deeper than a stack allows.
func TestDeeplyNestedTimeouts(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		const depth = 100_000
		nest := func(ctx context.Context) (inner context.Context) {
			for range depth {
				ctx, _ = curio.WithTimeout(ctx, time.Hour)
			}
			return ctx
		}
		outer, cancel := curio.WithTimeout(ctx, 2*time.Hour)
		inner := nest(outer)
		cancel()
		if inner.Err() != context.Canceled {
			f.Error(inner.Err())
		}
		inner = nest(ctx)
		fixture.Is(f, "expired", curio.Sleep(inner, 3*time.Hour), fixture.OuterTimeout...)

		task := curio.Go(ctx, func(ctx context.Context) error {
			inner = nest(ctx)
			return nil // and all of them end with the task
		})
		_ = task.Wait(ctx)
		if inner.Err() != context.Canceled {
			f.Error(inner.Err())
		}
		task = curio.Go(ctx, func(ctx context.Context) error {
			std, cancel := context.WithCancel(nest(ctx))
			defer cancel()
			return curio.Sleep(nest(std), time.Minute)
		})
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		fixture.Is(f, "task", task.Err(), fixture.TaskCancelled...)
		f.NothingUnder(ctx)
	})
}

// A timeout whose cancel function is never called leaves the tree when it has expired or was
// cancelled from outside, like a context of package context. It can still be used.
func TestTimeoutThatWasForgotten(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		root := fixture.ScopeOf(ctx)
		for what, in := range map[string]func(ctx context.Context) context.Context{
			"one": func(ctx context.Context) context.Context { c, _ := curio.WithTimeout(ctx, time.Second); return c },
			"one in another": func(ctx context.Context) context.Context {
				c, _ := curio.WithTimeout(ctx, time.Second)
				c, _ = curio.WithTimeout(c, time.Hour)
				return c
			},
			"below a standard one": func(ctx context.Context) context.Context {
				c, forgotten := context.WithTimeout(ctx, time.Second)
				_ = forgotten // it expires
				c, _ = curio.WithTimeout(c, time.Hour)
				return c
			},
		} {
			c := in(ctx)
			<-c.Done()
			synctest.Wait()
			if n := root.Children(); n != 0 {
				f.Errorf("%s: %d scopes are left", what, n)
			}
			if err := curio.Sleep(c, 0); err == nil {
				f.Errorf("%s: an operation succeeds", what)
			}
			task := curio.Go(c, fixture.Sleeper) // below the forgotten timeout
			_ = task.Wait(ctx)
			want := fixture.TaskCancelled
			if strings.Contains(what, "standard") {
				want = append(want[:len(want):len(want)], context.DeadlineExceeded)
			}
			fixture.Is(f, what+": a task in it", task.Err(), want...)
			err := curio.DisableCancellation(c, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			if err != nil {
				f.Errorf("%s: shielded in it: %v", what, err)
			}
			if n := root.Children(); n != 0 {
				f.Errorf("%s: %d scopes are left", what, n)
			}
		}
	})
}

// Timeouts in which nothing waits leave the tree too if they are forgotten, except one: a
// scope's only child gets no alarm.
func TestTimeoutsThatWereForgottenUnused(t *testing.T) {
	const many = 1000
	forget := func(ctx context.Context, d time.Duration) context.Context {
		c, forgotten := curio.WithTimeout(ctx, d)
		_ = forgotten
		return c
	}
	for what, open := range map[string]func(ctx context.Context){
		"nothing":         func(ctx context.Context) { forget(ctx, time.Second) },
		"one in the past": func(ctx context.Context) { forget(ctx, -time.Hour) },
		"a task joined": func(ctx context.Context) {
			forget(ctx, time.Second)
			_, _ = curio.Go(ctx, func(context.Context) error { return nil }).Join(ctx)
		},
		"a task that lives longer": func(ctx context.Context) {
			forget(ctx, time.Second)
			curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 2*time.Second) })
		},
		"a child of a task that has ended": func(ctx context.Context) {
			forget(ctx, time.Second)
			_, _ = curio.Go(ctx, func(ctx context.Context) error {
				curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 2*time.Second) })
				return nil
			}).Join(ctx)
		},
		"a timeout inside": func(ctx context.Context) {
			_, cancel := curio.WithTimeout(forget(ctx, time.Second), time.Minute)
			cancel()
		},
		"a forgotten one inside": func(ctx context.Context) { forget(forget(ctx, time.Second), time.Minute) },
		"one that expires later": func(ctx context.Context) {
			forget(ctx, time.Second)
			_, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
		},
	} {
		t.Run(what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				_, err := curio.Go(ctx, func(ctx context.Context) error {
					for range many {
						open(ctx)
					}
					err := curio.Sleep(ctx, time.Minute)
					if n := fixture.ScopeOf(ctx).Children(); n > 1 {
						f.Errorf("%d scopes are left of %d", n, many)
					}
					return err
				}).Join(ctx)
				if err != nil {
					f.Error(err)
				}
				f.NothingUnder(ctx)
			})
		})
	}
	t.Run("outside of tasks", func(t *testing.T) {
		ctx, cancel := curio.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for range many {
			forget(ctx, time.Millisecond)
			forget(ctx, -time.Hour)
		}
		testutil.Await(t, "timeouts to leave the tree", func() bool { return fixture.ScopeOf(ctx).Children() <= 1 })
	})
}

// A context is used in a bubble, where the clock is a different one, and outside of it. Timeouts
// keep to the clock of the goroutine that opened them.
func TestTimeoutBesideABubble(t *testing.T) {
	expires := func(ctx context.Context) {
		if err := curio.Sleep(ctx, time.Hour); !errors.Is(err, curio.ErrTaskTimeout) {
			t.Errorf("it does not expire: %v", err)
		}
	}
	for what, run := range map[string]func(func(context.Context) error) error{
		"in a task": func(f func(context.Context) error) error { return curio.Run(t.Context(), f) },
		"elsewhere": func(f func(context.Context) error) error { return f(context.Background()) },
	} {
		err := run(func(ctx context.Context) error {
			outside, cancel := curio.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			for range 2 {
				synctest.Test(t, func(*testing.T) {
					_, cancel := curio.WithTimeout(ctx, time.Second)
					cancel()
					inside, cancel := curio.WithTimeout(ctx, time.Second)
					defer cancel()
					done := make(chan struct{})
					go func() { expires(inside); close(done) }()
					<-done
				})
			}
			expires(outside)
			return curio.Sleep(ctx, time.Millisecond)
		})
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Failing costs no allocation, no matter how many expired timeouts are around it, and
// neither does asking for Done again.
func TestFailingCostsNoAllocation(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	ctx := context.Background()
	for range 10 {
		var cancel context.CancelFunc
		ctx, cancel = curio.WithTimeout(ctx, 0)
		defer cancel()
	}
	std, stop := context.WithCancel(context.Background())
	stop()
	below, cancel := curio.WithTimeout(std, time.Hour)
	defer cancel()
	for what, ctx := range map[string]context.Context{"expired": ctx, "cancelled": below} {
		for op, fn := range map[string]func(){
			"Sleep":             func() { _ = curio.Sleep(ctx, 1) },
			"CheckCancellation": func() { _ = curio.CheckCancellation(ctx) },
			"Done":              func() { ctx.Done() },
			"Err":               func() { _ = ctx.Err() },
		} {
			if n := testing.AllocsPerRun(100, fn); n > 0 {
				t.Errorf("%s, %s: %v allocations", what, op, n)
			}
		}
	}
}

// Errors are kept, in logs and in results. They do not keep what they are about in memory:
// the task, what it returned, the values of its context.
func TestErrorsKeepNoTasks(t *testing.T) {
	const mb = 1 << 20
	type value struct{ data *[mb]byte }
	for what, fail := range map[string]func(ctx context.Context) error{
		"own timeout": func(ctx context.Context) error { return curio.TimeoutAfter(ctx, 0, fixture.Sleeper) },
		"outer timeout": func(ctx context.Context) (err error) {
			_ = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error {
				err = curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper)
				return nil
			})
			return err
		},
		"uncaught": func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { return curio.TimeoutAfter(ctx, 0, fixture.Sleeper) })
		},
		"cancellation": func(ctx context.Context) error {
			curio.CurrentTask(ctx).CancelNow(fixture.ErrBoom)
			return fixture.Sleeper(ctx)
		},
		"ctx.Err": func(ctx context.Context) error { curio.CurrentTask(ctx).CancelNow(); return ctx.Err() },
		"ended": func(ctx context.Context) error {
			inner, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			return fixture.Sleeper(inner)
		},
		"foreign": func(ctx context.Context) error {
			std, cancel := context.WithTimeout(ctx, 0)
			defer cancel()
			return fixture.Sleeper(std)
		},
		"Cause": func(ctx context.Context) error {
			std, cancel := context.WithCancel(ctx)
			cancel()
			inner, end := curio.WithTimeout(std, time.Hour)
			defer end()
			return context.Cause(inner)
		},
	} {
		t.Run(what, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				before := fixture.HeapMB()
				var kept []error
				for range 50 {
					_ = curio.Spawn(context.WithValue(ctx, key{"a"}, value{new([mb]byte)}), func(ctx context.Context) ([]byte, error) {
						kept = append(kept, fail(ctx))
						return make([]byte, mb), nil
					}).Wait(ctx)
				}
				if more := fixture.HeapMB() - before; more > 10 {
					f.Errorf("%.0f MB are kept by %d errors: %v", more, len(kept), kept[0])
				}
				runtime.KeepAlive(kept)
			})
		})
	}
}
