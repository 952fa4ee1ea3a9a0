package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

// inDeadlock runs main in a kernel until everything is blocked, and returns the deadlocks then.
func inDeadlock(t *testing.T, main func(ctx context.Context) error) (found []curio.Deadlock) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := curio.NewKernel()
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() { _ = k.Run(ctx, main) })
		time.Sleep(time.Minute) // of the bubble: until nothing moves any more
		synctest.Wait()
		found = k.Deadlocks()
		cancel()
		all.Wait()
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour) // what was abandoned in a thread returns
	})
	return found
}

// names are those of the tasks of the circles, each with what it does.
func names(found []curio.Deadlock) string {
	var all []string
	for _, d := range found {
		var circle []string
		for _, s := range d.Circle {
			text := s.Task.Name() + " " + s.Op
			if s.Lost {
				text += " lost"
			}
			circle = append(circle, text)
		}
		all = append(all, fmt.Sprintf("%s +%d", strings.Join(circle, ", "), d.Behind))
	}
	return strings.Join(all, "; ")
}

// A caller is what a task holds for as long as call takes.
type caller struct {
	call func(ctx context.Context) error
}

func (c caller) Acquire(ctx context.Context) error { return c.call(ctx) }
func (c caller) Release(context.Context)           {}

// holdable is what hold needs of a lock.
type holdable interface {
	Acquire(ctx context.Context) error
	Release(ctx context.Context)
}

func hold(locks ...holdable) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for _, l := range locks {
			if err := l.Acquire(ctx); err != nil {
				return err
			}
			defer l.Release(ctx)
			if err := curio.Sleep(ctx, time.Second); err != nil { // until the others have theirs
				return err
			}
		}
		return nil
	}
}

// An ownContext is a context of the user's.
type ownContext struct{ context.Context }

// start spawns the functions as tasks a, b, c and so on, and waits for ever.
func start(fns ...func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for i, fn := range fns {
			curio.Go(ctx, fn, curio.Name(string(rune('a'+i))))
		}
		return curio.Sleep(ctx, curio.NoTimeout)
	}
}

func TestDeadlocks(t *testing.T) {
	within := func(d time.Duration, fn func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return curio.TimeoutAfter(ctx, d, fn) }
	}
	leave := func(l curio.Locker) func(ctx context.Context) error { return l.Acquire }
	for _, c := range []struct {
		name string
		main func() func(ctx context.Context) error
		want string
	}{
		{"two locks", func() func(context.Context) error {
			var x, y curio.Lock
			return start(hold(&x, &y), hold(&y, &x))
		}, "a LOCK_ACQUIRE, b LOCK_ACQUIRE +0"},
		{"three locks of three kinds, and two tasks behind", func() func(context.Context) error {
			var x curio.Lock
			var y curio.RLock
			var z curio.RWLock
			return start(hold(&z, &x), hold(&x, &y), hold(&y, &z), hold(new(curio.Lock), &x), hold(new(curio.Lock), &y))
		}, "a LOCK_ACQUIRE, b RLOCK_ACQUIRE, c WRITE_ACQUIRE +2"},
		{"two circles", func() func(context.Context) error {
			var x, y, u, v curio.Lock
			return start(hold(&x, &y), hold(&u, &v), hold(&y, &x), hold(&v, &u))
		}, "a LOCK_ACQUIRE, c LOCK_ACQUIRE +0; b LOCK_ACQUIRE, d LOCK_ACQUIRE +0"},
		{"a lock taken twice", func() func(context.Context) error {
			var x curio.Lock
			return start(hold(&x, &x))
		}, "a LOCK_ACQUIRE +0"},
		{"a holder that has ended", func() func(context.Context) error {
			var x curio.Lock
			return start(leave(&x), hold(new(curio.Lock), &x), hold(new(curio.Lock), &x))
		}, "b LOCK_ACQUIRE lost +0; c LOCK_ACQUIRE lost +0"},
		{"the holder of an RLock and the reader of an RWLock have ended", func() func(context.Context) error {
			var x curio.RLock
			var y curio.RWLock
			return start(leave(&x), y.AcquireRead, hold(new(curio.Lock), &x), hold(new(curio.Lock), &y))
		}, "c RLOCK_ACQUIRE lost +0; d WRITE_ACQUIRE lost +0"},
		{"two readers that want to write", func() func(context.Context) error {
			var x curio.RWLock
			read := func(ctx context.Context) error { return x.DoRead(ctx, hold(new(curio.Lock), &x)) }
			return start(read, read)
		}, "a WRITE_ACQUIRE +0; b WRITE_ACQUIRE +0"}, // each of them waits for itself
		{"a reader behind a writer", func() func(context.Context) error {
			var x curio.RWLock
			var y curio.Lock
			reader := func(ctx context.Context) error {
				return x.DoRead(ctx, func(ctx context.Context) error { return hold(new(curio.Lock), &y)(ctx) })
			}
			late := func(ctx context.Context) error {
				return y.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, 5*time.Second)
					return x.AcquireRead(ctx)
				})
			}
			return start(reader, hold(new(curio.Lock), &x), late)
		}, "a LOCK_ACQUIRE, c READ_ACQUIRE, b WRITE_ACQUIRE +0"},
		{"units of a semaphore", func() func(context.Context) error {
			x := curio.NewBoundedSemaphore(2)
			two := func(ctx context.Context) error {
				return x.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, time.Second)
					return x.Acquire(ctx)
				})
			}
			return start(two, two)
		}, "a SEMA_ACQUIRE, b SEMA_ACQUIRE +0"},
		{"joins", func() func(context.Context) error {
			var a, b *curio.Task[struct{}]
			var spawned curio.Event
			return func(ctx context.Context) error {
				a = curio.Go(ctx, func(ctx context.Context) error {
					if err := spawned.Wait(ctx); err != nil {
						return err
					}
					_, err := b.Join(ctx)
					return err
				}, curio.Name("a"))
				b = curio.Go(ctx, func(ctx context.Context) error { return a.Wait(ctx) }, curio.Name("b"))
				spawned.Set()
				return b.Wait(ctx)
			}
		}, "a TASK_JOIN, b TASK_WAIT +1"},
		{"a member needs what the group's task holds", func() func(context.Context) error {
			var x curio.Lock
			return start(func(ctx context.Context) error {
				return x.Do(ctx, func(ctx context.Context) error {
					return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
						g.Go(hold(&x), curio.Name("member"))
						return nil
					})
				})
			})
		}, "a TASKGROUP_JOIN, member LOCK_ACQUIRE +0"},
		{"a Once that needs itself by another task", func() func(context.Context) error {
			var once curio.Once[int]
			get := func(ctx context.Context) (int, error) {
				return once.Do(ctx, func(context.Context) (int, error) { return 1, nil })
			}
			return start(func(ctx context.Context) error {
				_, err := once.Do(ctx, func(ctx context.Context) (int, error) {
					return curio.Spawn(context.WithoutCancel(ctx), get, curio.Name("inner"), curio.Daemon()).Join(ctx)
				})
				return err
			})
		}, "a TASK_JOIN, inner ONCE_WAIT +0"},
		{"a Select of two locks, both of no use", func() func(context.Context) error {
			var x, y, z curio.Lock
			choose := func(ctx context.Context) error {
				return z.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, 2*time.Second)
					_, err := curio.Select(ctx, x.AcquireCase(), y.AcquireCase())
					return err
				})
			}
			return start(choose, hold(&x, &z), hold(&y, &z))
		}, "a SELECT, b LOCK_ACQUIRE +1"},
		{"in a shield", func() func(context.Context) error {
			var x, y curio.Lock
			shielded := func(ctx context.Context) error { return curio.DisableCancellation(ctx, hold(&x, &y)) }
			return start(shielded, hold(&y, &x))
		}, "a LOCK_ACQUIRE, b LOCK_ACQUIRE +0"},

		// None of the following is one.
		{"a Select with a way out", func() func(context.Context) error {
			var x, y, z curio.Lock
			choose := func(ctx context.Context) error {
				return z.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, 2*time.Second)
					_, err := curio.Select(ctx, x.AcquireCase(), y.AcquireCase())
					return err
				})
			}
			busy := func(ctx context.Context) error {
				return y.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, curio.NoTimeout) })
			}
			return start(choose, hold(&x, &z), busy)
		}, ""},
		{"one has a timeout", func() func(context.Context) error {
			var x, y curio.Lock
			return start(within(time.Hour, hold(&x, &y)), hold(&y, &x))
		}, ""},
		{"one has a standard timeout", func() func(context.Context) error {
			var x, y curio.Lock
			limited := func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				return hold(&x, &y)(ctx)
			}
			return start(limited, hold(&y, &x))
		}, ""},
		{"the whole has one", func() func(context.Context) error {
			var x, y curio.Lock
			return within(time.Hour, start(hold(&x, &y), hold(&y, &x)))
		}, ""},
		{"a holder that sleeps, one that is nobody's task, and one that waits for an event", func() func(context.Context) error {
			var x, y, z curio.Lock
			_ = y.Acquire(context.Background())
			var e curio.Event
			wait := func(ctx context.Context) error { return z.Do(ctx, e.Wait) }
			return start(hold(&x, new(curio.Lock), new(curio.Lock), new(curio.Lock)), hold(&x), hold(&y), wait, hold(&z))
		}, ""},
		{"a semaphore that anybody may release", func() func(context.Context) error {
			x := curio.NewSemaphore(1)
			twice := func(ctx context.Context) error { return x.Do(ctx, x.Acquire) }
			return start(twice, twice)
		}, ""},
		{"a group that the first ends", func() func(context.Context) error {
			var x curio.Lock
			return start(func(ctx context.Context) error {
				return x.Do(ctx, func(ctx context.Context) error {
					return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
						g.Go(hold(&x), curio.Name("member"))
						g.Go(func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
						return nil
					}, curio.WaitAny)
				})
			})
		}, ""},
		{"one has a deadline that can be moved", func() func(context.Context) error {
			var x, y curio.Lock
			limited := func(ctx context.Context) error {
				var scope curio.CancelScope
				scope.SetTimeout(time.Hour)
				return scope.Run(ctx, hold(&x, &y))
			}
			return start(limited, hold(&y, &x))
		}, ""},
		{"below a deadline that can be moved, with a standard context", func() func(context.Context) error {
			var x, y curio.Lock
			limited := func(ctx context.Context) error {
				var scope curio.CancelScope
				scope.SetTimeout(time.Hour)
				return scope.Run(ctx, func(ctx context.Context) error {
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					return hold(&x, &y)(ctx)
				})
			}
			return start(limited, hold(&y, &x))
		}, ""},
		{"one has a context of the user's with a deadline", func() func(context.Context) error {
			var x, y curio.Lock
			limited := func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				return hold(&x, &y)(ownContext{ctx})
			}
			return start(limited, hold(&y, &x))
		}, ""},
		{"a reader behind a writer that gives up in time", func() func(context.Context) error {
			var x curio.RWLock
			var y curio.Lock
			reader := func(ctx context.Context) error {
				return x.DoRead(ctx, func(ctx context.Context) error { return hold(new(curio.Lock), &y)(ctx) })
			}
			late := func(ctx context.Context) error {
				return y.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, 5*time.Second)
					return x.DoRead(ctx, func(context.Context) error { return nil })
				})
			}
			return start(reader, within(time.Hour, hold(new(curio.Lock), &x)), late)
		}, ""},
		{"behind a larger request for a semaphore that gives up in time", func() func(context.Context) error {
			x := curio.NewBoundedSemaphore(2)
			var y curio.Lock
			first := func(ctx context.Context) error { return x.Do(ctx, hold(new(curio.Lock), &y)) }
			large := func(ctx context.Context) error {
				_ = curio.Sleep(ctx, time.Second)
				return x.DoN(ctx, 2, func(context.Context) error { return nil })
			}
			late := func(ctx context.Context) error {
				return y.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, 5*time.Second)
					return x.Do(ctx, func(context.Context) error { return nil })
				})
			}
			return start(first, within(time.Hour, large), late)
		}, ""},
		{"behind a larger request for a semaphore, whose holder waits", func() func(context.Context) error {
			x := curio.NewBoundedSemaphore(2)
			var y curio.Lock
			first := func(ctx context.Context) error { return x.Do(ctx, hold(new(curio.Lock), &y)) }
			large := func(ctx context.Context) error {
				_ = curio.Sleep(ctx, time.Second)
				return x.AcquireN(ctx, 2)
			}
			late := func(ctx context.Context) error {
				return y.Do(ctx, func(ctx context.Context) error {
					_ = curio.Sleep(ctx, 5*time.Second)
					return x.Acquire(ctx)
				})
			}
			return start(first, large, late)
		}, "a LOCK_ACQUIRE, c SEMA_ACQUIRE, b SEMA_ACQUIRE +0"},
		{"a Select of both cases of an RWLock whose writer sleeps", func() func(context.Context) error {
			var x curio.RWLock
			choose := func(ctx context.Context) error {
				_ = curio.Sleep(ctx, time.Second)
				_, err := curio.Select(ctx, x.AcquireCase(), x.AcquireReadCase())
				return err
			}
			return start(func(ctx context.Context) error {
				return x.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, curio.NoTimeout) })
			}, choose)
		}, ""},
		{"a call in a thread that was abandoned, and will return", func() func(context.Context) error {
			var x curio.Lock
			call := func(ctx context.Context) error {
				_, err := curio.BlockInThread(ctx, "key", func() (int, error) { time.Sleep(10 * time.Minute); return 0, nil })
				return err
			}
			return start(func(ctx context.Context) error {
				_ = within(time.Second, call)(ctx)
				return hold(new(curio.Lock), &x)(ctx)
			}, hold(&x, caller{call}))
		}, ""},
		{"objects of the user's that have a lock in them", func() func(context.Context) error {
			var all []func(context.Context) error
			waits := func(object func(x *curio.Lock) any) {
				all = append(all, func(ctx context.Context) error {
					var x curio.Lock
					return x.Do(ctx, func(ctx context.Context) error {
						var mu sync.Mutex
						l := curio.WaitList[int]{Mutex: &mu, State: "USERS_WAIT", Object: object(&x)}
						_, err := l.Wait(ctx, 0)
						return err
					})
				})
			}
			type unhashable struct {
				*curio.Lock
				_ []int
			}
			type inside struct{ *unhashable }
			waits(func(x *curio.Lock) any { return x })
			waits(func(x *curio.Lock) any { return &struct{ *curio.Lock }{x} })
			waits(func(x *curio.Lock) any { return unhashable{Lock: x} })
			waits(func(x *curio.Lock) any { return &inside{} })
			waits(func(x *curio.Lock) any { return (*curio.Lock)(nil) })
			return start(all...)
		}, ""},
		{"another goroutine waits in the name of a task, which waits for an event", func() func(context.Context) error {
			var x, y curio.Lock
			var e curio.Event
			shares := func(ctx context.Context) error {
				return x.Do(ctx, func(ctx context.Context) error {
					var other sync.WaitGroup
					defer other.Wait()
					time.Sleep(time.Second)
					other.Go(func() { _ = y.Do(ctx, func(context.Context) error { return nil }) })
					time.Sleep(time.Second) // so that the other one's wait shows
					return e.Wait(ctx)
				})
			}
			return start(shares, hold(&y, &x))
		}, ""},
		{"two goroutines wait in the name of a task for a lock whose writer sleeps", func() func(context.Context) error {
			var x curio.RWLock
			shares := func(ctx context.Context) error {
				_ = curio.Sleep(ctx, time.Second)
				var other sync.WaitGroup
				defer other.Wait()
				for range 2 {
					other.Go(func() { _ = x.DoRead(ctx, func(context.Context) error { return nil }) })
				}
				return nil
			}
			return start(func(ctx context.Context) error {
				return x.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, curio.NoTimeout) })
			}, shares)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := names(inDeadlock(t, c.main())); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// Random programs with locks of all kinds, joins and groups, until nothing moves any more: then all that is left is in a
// deadlock, or behind one.
func TestDeadlocksAreAllThatIsLeft(t *testing.T) {
	for range testutil.Times(300) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		var left, counted int
		synctest.Test(t, func(t *testing.T) {
			k := curio.NewKernel()
			var all sync.WaitGroup
			var tasks []*curio.AnyTask
			all.Go(func() {
				_ = k.Run(t.Context(), func(ctx context.Context) error { return randomLocking(ctx, r, &tasks) })
			})
			time.Sleep(time.Hour)
			synctest.Wait()
			left = len(k.Tasks()) - 1 // the main task sleeps
			for _, d := range k.Deadlocks() {
				counted += len(d.Circle) + d.Behind
			}
			for _, t := range k.Tasks() {
				t.CancelNow()
			}
			all.Wait()
			if err := k.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if left != counted {
			t.Fatalf("seed %d: %d tasks are left, and %d are in deadlocks or behind them", seed, left, counted)
		}
	}
}

// randomLocking spawns tasks that take some of a few locks, in any order, join each other, and give the locks back at the end.
// Then it sleeps.
func randomLocking(ctx context.Context, r *rand.Rand, tasks *[]*curio.AnyTask) error {
	locks := []holdable{new(curio.Lock), new(curio.Lock), new(curio.RLock), new(curio.RWLock), curio.NewBoundedSemaphore(2)}
	const n = 6
	var begin curio.Event
	for i := range n {
		steps := make([]int, 1+r.IntN(3)) // a lock to take, or a task to join
		for s := range steps {
			steps[s] = r.IntN(len(locks) + 2)
			if steps[s] >= len(locks) {
				steps[s] = len(locks) + r.IntN(n)
			}
		}
		*tasks = append(*tasks, curio.Go(ctx, func(ctx context.Context) error {
			if err := begin.Wait(ctx); err != nil {
				return err
			}
			for _, s := range steps {
				if s >= len(locks) {
					if other := (*tasks)[s-len(locks)]; other != curio.CurrentTask(ctx) {
						if err := other.Wait(ctx); err != nil {
							return err
						}
					}
					continue
				}
				if err := locks[s].Acquire(ctx); err != nil {
					return err
				}
				defer locks[s].Release(ctx)
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
			}
			return nil
		}, curio.Name(fmt.Sprint("task ", i))).AnyTask)
	}
	begin.Set()
	return curio.Sleep(ctx, curio.NoTimeout)
}

// Tasks that take locks hand over hand, at full speed: there is never a deadlock, however often one looks.
func TestNoDeadlockThatNeverWas(t *testing.T) {
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var ring [5]curio.Lock
		var over atomic.Bool
		for i := range 4 {
			curio.Go(ctx, func(ctx context.Context) error {
				for at := i; !over.Load(); at++ {
					// Each in the order of the ring, but one of them turns round at the end of it.
					first, second := at%5, (at+1)%5
					if first > second {
						first, second = second, first
					}
					if err := ring[first].Acquire(ctx); err != nil {
						return err
					}
					if err := ring[second].Acquire(ctx); err != nil {
						return err
					}
					ring[first].Release(ctx)
					ring[second].Release(ctx)
				}
				return nil
			})
		}
		defer over.Store(true)
		for range testutil.Times(20_000) {
			if found := curio.KernelOf(ctx).Deadlocks(); found != nil {
				return fmt.Errorf("found %v", found)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Tasks that end as soon as they have given back what they had: what others wait for is never taken for lost.
func TestNoHolderThatEndsIsLost(t *testing.T) {
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var lock curio.Lock
		var rlock curio.RLock
		var rw curio.RWLock
		var once curio.Once[int]
		fails := func(ctx context.Context) error {
			_, _ = once.Do(ctx, func(ctx context.Context) (int, error) { return 0, errors.New("not yet") })
			return nil
		}
		nothing := func(context.Context) error { return nil }
		var over atomic.Bool
		for _, fn := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return lock.Do(ctx, nothing) },
			func(ctx context.Context) error { return rlock.Do(ctx, nothing) },
			func(ctx context.Context) error { return rw.Do(ctx, nothing) },
			func(ctx context.Context) error { return rw.DoRead(ctx, nothing) },
			fails,
		} {
			curio.Go(ctx, func(ctx context.Context) error {
				for !over.Load() {
					if err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
						for range 8 {
							g.Go(fn)
						}
						return nil
					}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		defer over.Store(true)
		for range testutil.Times(50_000) {
			if found := curio.KernelOf(ctx).Deadlocks(); found != nil {
				return fmt.Errorf("found %v", found)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What is in a Run that its context's deadline ends step by step has a deadline.
func TestDeadlocksWithGrace(t *testing.T) {
	for grace, want := range map[time.Duration]bool{time.Second: false, -1: true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			var x curio.Lock
			err := curio.Run(ctx, func(ctx context.Context) error {
				stuck := curio.Go(ctx, hold(&x, &x))
				_ = curio.Sleep(ctx, time.Minute)
				if found := curio.KernelOf(ctx).Deadlocks(); (found != nil) != want {
					t.Errorf("with a grace time of %v found %v", grace, found)
				}
				_, err := stuck.Cancel(ctx)
				return err
			}, curio.Grace(grace))
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Who cancels all tasks of a kernel, cancels the watching too, until the next Run.
func TestWatchDeadlocksAfterACancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := new(testutil.Journal)
		k := curio.NewKernel(curio.Logger(slog.New(journal)), curio.WatchDeadlocks(time.Second))
		for range 2 {
			_ = k.Run(t.Context(), func(ctx context.Context) error {
				var x curio.Lock
				err := curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
					curio.Go(context.WithoutCancel(ctx), hold(&x, &x))
					return curio.Sleep(ctx, curio.NoTimeout)
				})
				for _, t := range k.Tasks() {
					t.CancelNow()
				}
				return err
			})
			synctest.Wait()
			if found := journal.Take("curio: deadlock"); len(found) != 1 {
				t.Errorf("logged %d times", len(found))
			}
		}
		if err := k.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Many tasks that hold one object and want more of it, which is as many deadlocks or a large one: looking takes time for each of
// them, and not for each pair.
func TestDeadlocksOfMany(t *testing.T) {
	const n = 5_000
	x, sema, rw := new(curio.Lock), curio.NewBoundedSemaphore(n), new(curio.RWLock)
	for _, c := range []struct {
		name        string
		take, again func(ctx context.Context) error
	}{
		{"a holder that has ended", func(context.Context) error { return nil }, x.Acquire},
		{"a semaphore", sema.Acquire, sema.Acquire},
		{"readers that want to write", rw.AcquireRead, rw.Acquire},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := curio.Run(t.Context(), func(ctx context.Context) error {
				if x.TryAcquire(ctx) { // for a task that has ended
					x.Release(ctx)
					if err := curio.Go(ctx, x.Acquire).Wait(ctx); err != nil {
						return err
					}
				}
				var all curio.Event
				var taken sync.WaitGroup
				taken.Add(n)
				for range n {
					curio.Go(ctx, func(ctx context.Context) error {
						err := c.take(ctx)
						taken.Done()
						if err == nil {
							err = all.Wait(ctx)
						}
						if err == nil {
							err = c.again(ctx)
						}
						return err
					})
				}
				taken.Wait()
				all.Set()
				for counted := 0; counted != n; {
					if err := curio.Sleep(ctx, time.Millisecond); err != nil {
						return err
					}
					counted = 0
					began := time.Now()
					for _, d := range curio.KernelOf(ctx).Deadlocks() {
						counted += len(d.Circle) + d.Behind
						for _, s := range d.Circle {
							if len(s.Object) > 4000 {
								return fmt.Errorf("the text of an object has %d bytes", len(s.Object))
							}
						}
					}
					if took := time.Since(began); took > 5*time.Second {
						return fmt.Errorf("it took %v", took)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A kernel that watches logs a deadlock once, and again when there has been none in between.
func TestWatchDeadlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := new(testutil.Journal)
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			for range 2 {
				var x, y curio.Lock
				a, b := curio.Go(ctx, hold(&x, &y), curio.Name("a")), curio.Go(ctx, hold(&y, &x), curio.Name("b"))
				for range 3 {
					_ = curio.Sleep(ctx, time.Minute)
				}
				found := journal.Take("curio: deadlock")
				if len(found) != 1 {
					t.Errorf("logged %d times", len(found))
					break
				}
				r := found[0].String()
				for _, text := range []string{"/a (", "/b (", "LOCK_ACQUIRE Lock 0x", "(held by task ", "deadlock_test.go:", "behind:0"} {
					if !strings.Contains(r, text) {
						t.Errorf("%q is not in %s", text, r)
					}
				}
				_, _ = a.Cancel(ctx)
				_, _ = b.Cancel(ctx)
				_ = curio.Sleep(ctx, time.Minute)
			}
			return nil
		}, curio.Logger(slog.New(journal)), curio.WatchDeadlocks(10*time.Second))
		if err != nil {
			t.Error(err)
		}
	})
	defer func() {
		if recover() == nil {
			t.Error("WatchDeadlocks(0) does not panic")
		}
	}()
	curio.WatchDeadlocks(0)
}
