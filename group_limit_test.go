package curio_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// Never more than the limit run at once, and all of them do.
func TestLimitBoundsWhatRunsAtOnce(t *testing.T) {
	for _, limit := range []int{1, 3, 1000} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			var now, most, total atomic.Int32
			start := time.Now()
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				for range 30 {
					g.Spawn(func(ctx context.Context) (int, error) {
						n := now.Add(1)
						defer now.Add(-1)
						if n > most.Load() {
							most.Store(n)
						}
						total.Add(1)
						return 0, curio.Sleep(ctx, time.Second)
					})
				}
				return nil
			}, curio.Limit(limit))
			want := min(limit, 30)
			if err != nil || total.Load() != 30 || most.Load() != int32(want) {
				f.Errorf("limit %d: %d ran, %d at once; %v", limit, total.Load(), most.Load(), err)
			}
			f.Elapsed(start, time.Duration((30+want-1)/want)*time.Second)
		})
	}
}

// The order is that of spawning, and not that in which goroutines happen to start.
func TestLimitIsFirstComeFirstServed(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var mu sync.Mutex
		var order []int
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for i := range 100 {
				g.Spawn(func(ctx context.Context) (int, error) {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					return 0, curio.Sleep(ctx, time.Second)
				})
			}
			return nil
		}, curio.Limit(1))
		if err != nil || len(order) != 100 || !slices.IsSorted(order) {
			f.Errorf("ran in the order %v; %v", order, err)
		}
	})
}

// Members that wait for a slot can be cancelled: one of them, and all.
func TestLimitCancelledWhileWaiting(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		ran := false
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(time.Second, 1, nil))
			synctest.Wait()
			second := g.Spawn(func(context.Context) (int, error) { ran = true; return 2, nil })
			synctest.Wait()
			third := g.Spawn(fixture.Returns(3))
			synctest.Wait()
			if s := second.State(); s != "GROUP_LIMIT" {
				f.Errorf("a member that waits for a slot is %s", s)
			}
			start := time.Now()
			if did, err := second.Cancel(ctx); !did || err != nil {
				f.Error(did, err)
			}
			f.Elapsed(start, 0)
			fixture.Is(f, "cancelled while waiting", second.Err(), fixture.TaskCancelled...)
			if v, err := third.Join(ctx); v != 3 || err != nil {
				f.Errorf("the one behind it: %d, %v", v, err)
			}
			f.Elapsed(start, time.Second)
			return nil
		}, curio.Limit(1))
		if err != nil || ran {
			f.Errorf("ran: %v, %v", ran, err)
		}

		start := time.Now()
		err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for range 10 {
				g.Spawn(fixture.Sleeping)
			}
			synctest.Wait()
			return fixture.ErrBoom
		}, curio.Limit(2))
		if err != fixture.ErrBoom {
			f.Error(err)
		}
		f.Elapsed(start, 0)
		f.OnlyMain()
	})
}

// A slot that is freed passes on, however its task ended, and however many of
// those in line have been cancelled.
func TestLimitFreedSlotPassesOn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for _, end := range fixture.Endings {
				var line []*curio.Task[int]
				first := g.Spawn(func(ctx context.Context) (int, error) {
					if err := curio.Sleep(ctx, time.Second); err != nil {
						return 0, err
					}
					return end.Call(ctx)
				}, curio.ReportCrash(false))
				synctest.Wait()
				for range 5 {
					line = append(line, g.Spawn(fixture.Returns(5)))
					synctest.Wait()
				}
				for _, task := range line[:4] {
					task.CancelNow()
				}
				if end.Cancelled {
					first.CancelNow()
				}
				if v, err := line[4].Join(ctx); v != 5 || err != nil {
					f.Errorf("%s: the last in line: %d, %v", end.What, v, err)
				}
			}
			return g.CancelRemaining(ctx)
		}, curio.Limit(1), curio.KeepGoing)
		if err == nil {
			f.Error("failures have got lost")
		}
		f.OnlyMain()
	})
}

// A daemon needs no slot: nobody waits for it.
func TestLimitAndDaemons(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Sleeping, curio.Daemon())
			synctest.Wait()
			g.Spawn(fixture.Returns(1))
			return nil
		}, curio.Limit(1))
		if err != nil {
			f.Error(err)
		}
	})
}

// A limit that is raised lets those begin that wait, in order; one that is lowered stops nobody.
func TestLimitThatChanges(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		running := map[int]bool{}
		var mu sync.Mutex
		is := func(what string, want ...int) {
			f.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := slices.Sorted(maps.Keys(running)); !slices.Equal(got, want) {
				f.Errorf("%s: %v run, want %v", what, got, want)
			}
		}
		var ends [10]curio.Event
		f.Must(curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
			spawn := func(i int) {
				g.Go(func(ctx context.Context) error {
					mu.Lock()
					running[i] = true
					mu.Unlock()
					defer func() {
						mu.Lock()
						delete(running, i)
						mu.Unlock()
					}()
					return ends[i].Wait(ctx)
				})
			}
			spawn(0)
			spawn(1)
			spawn(2)
			is("no limit", 0, 1, 2)
			g.SetLimit(2)
			spawn(3)
			spawn(4)
			is("a limit that is exceeded", 0, 1, 2)
			ends[0].Set()
			is("as many as may", 1, 2)
			ends[1].Set()
			is("one less", 2, 3)
			g.SetLimit(4)
			is("more", 2, 3, 4)
			spawn(5)
			spawn(6)
			is("all that may", 2, 3, 4, 5)
			g.SetLimit(1)
			ends[2].Set()
			ends[3].Set()
			ends[4].Set()
			is("few", 5)
			spawn(7)
			ends[5].Set()
			is("one at a time", 6)
			g.SetLimit(curio.NoLimit)
			spawn(8)
			is("no limit", 6, 7, 8)
			for i := range ends {
				ends[i].Set()
			}
			fixture.Panics(f, "use NoLimit", func() { g.SetLimit(0) })
			return nil
		}))
		is("the end")
	})
}

// TryGo spawns what can begin at once, and nothing else.
func TestTryGo(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			var end curio.Event
			var ran atomic.Int32
			wait := func(ctx context.Context) error { ran.Add(1); return end.Wait(ctx) }
			first, second := g.TryGo(wait), g.TrySpawn(func(ctx context.Context) (int, error) { return 2, wait(ctx) })
			if first == nil || second == nil || g.TryGo(wait) != nil || g.TrySpawn(fixture.Returns(3)) != nil {
				f.Error("not as many as may")
			}
			daemon := g.TryGo(fixture.Sleeper, curio.Daemon())
			if daemon == nil {
				f.Error("a daemon needs no place")
			}
			end.Set()
			f.Must(first.Wait(ctx))
			third := g.TrySpawn(fixture.Returns(3))
			if third == nil {
				f.Fatal("a place is not given back")
			}
			f.Must(second.Wait(ctx))
			f.Must(third.Wait(ctx))
			if v, err := g.Results(); !slices.Equal(v, []int{0, 2, 3}) || err != nil || ran.Load() != 2 {
				f.Errorf("%v, %v; %d ran", v, err, ran.Load())
			}
			fixture.Panics(f, "nil function", func() { g.TryGo(nil) })
			fixture.Panics(f, "nil function", func() { g.TrySpawn(nil) })
			f.Must(g.Join(ctx))
			fixture.Panics(f, "after its end", func() { g.TryGo(wait) })
			return nil
		}, curio.Limit(2)))
		f.Must(curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
			if g.TryGo(func(context.Context) error { return nil }) == nil {
				f.Error("not without a limit")
			}
			return nil
		}))
	})
}

// SpawnWait returns when the task begins, and takes it back if its context ends before that.
func TestSpawnWait(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		f.Must(curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 6 {
				task, err := g.SpawnWait(ctx, fixture.After(time.Second, i, nil))
				f.Must(err)
				f.Elapsed(start, time.Duration(i/2)*time.Second)
				if task.Terminated() {
					f.Error("it has ended")
				}
			}
			called := false
			err := curio.TimeoutAfter(ctx, time.Second/2, func(ctx context.Context) error {
				task, err := g.GoWait(ctx, func(context.Context) error { called = true; return nil })
				if task != nil {
					f.Errorf("it returns %v", task)
				}
				return err
			})
			fixture.Is(f, "out of time", err, fixture.TaskTimeout...)
			if n := len(g.Tasks()); n != 6 {
				f.Errorf("%d tasks are in the group", n)
			}
			task, err := g.GoWait(ctx, func(context.Context) error { return nil })
			f.Must(err)
			f.Elapsed(start, 3*time.Second)
			f.Must(g.Join(ctx))
			if v, err := g.Results(); !slices.Equal(v, []int{0, 1, 2, 3, 4, 5, 0}) || err != nil || called || !task.Terminated() {
				f.Errorf("%v, %v; called: %v", v, err, called)
			}
			fixture.Panics(f, "nil function", func() { _, _ = g.SpawnWait(ctx, nil) })
			fixture.Panics(f, "nil function", func() { _, _ = g.GoWait(ctx, nil) })
			return nil
		}, curio.Limit(2)))
	})
}

// A task that was taken back was never in the group: it makes nothing fail, and is no first
// result.
func TestSpawnWaitTakenBack(t *testing.T) {
	for _, policy := range []curio.GroupOption{curio.WaitAll, curio.WaitAny, curio.KeepGoing} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(fixture.After(time.Minute, 1, nil), curio.Name("first"))
				expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
					_, err := g.SpawnWait(ctx, fixture.Returns(2))
					return err
				})
				f.Must(err)
				if !expired {
					f.Error("it had a place")
				}
				dead, cancel := context.WithCancel(ctx)
				cancel()
				_, err = g.SpawnWait(dead, fixture.Returns(3))
				fixture.Is(f, "dead", err, fixture.ScopeCancelled...)
				f.Must(g.Join(ctx))
				if c := g.Completed(); c == nil || c.Name() != "first" {
					f.Errorf("completed: %v", c)
				}
				return nil
			}, curio.Limit(1), policy)
			f.Must(err)
		})
	}
}

// The group's end wakes whoever waits for a place from outside.
func TestSpawnWaitInAGroupThatEnds(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var outside *curio.Task[struct{}]
		called := false
		f.Must(curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
			g.Go(fixture.Sleeper)
			outside = curio.Go(ctx, func(ctx context.Context) error {
				task, err := g.GoWait(ctx, func(context.Context) error { called = true; return nil })
				f.Must(err)
				f.Must(task.Wait(ctx))
				fixture.Is(f, "the task", task.Err(), fixture.TaskCancelled...)
				return nil
			})
			synctest.Wait()
			return nil
		}, curio.Limit(1), curio.WaitNone))
		f.Must(outside.Wait(ctx))
		if f.Must(outside.Err()); called {
			f.Error("called all the same")
		}
	})
}

// Many wait for a place, some give up in the moment in which it is theirs: each either has its
// task, which runs, or an error, and then its function is not called; no place is lost.
func TestRaceSpawnWait(t *testing.T) {
	for _, procs := range []int{1, 8} {
		old := runtime.GOMAXPROCS(procs)
		defer runtime.GOMAXPROCS(old)
		kernel := curio.NewKernel()
		spawned, gaveUp := 0, 0
		err := kernel.Run(t.Context(), func(ctx context.Context) error {
			for range testutil.Times(200) {
				var ran, started, failed atomic.Int32
				err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					var others sync.WaitGroup
					for i := range 20 {
						others.Go(func() {
							inner, cancel := curio.WithTimeout(ctx, time.Duration(i*10)*time.Microsecond)
							defer cancel()
							task, err := g.GoWait(inner, func(ctx context.Context) error {
								ran.Add(1)
								for range i {
									runtime.Gosched()
								}
								return nil
							})
							switch {
							case err == nil:
								started.Add(1)
								if err := task.Wait(ctx); err != nil || task.Err() != nil {
									t.Errorf("it ended with %v, %v", err, task.Err())
								}
							case !errors.Is(err, curio.ErrTaskTimeout):
								t.Error(err)
							default:
								failed.Add(1)
							}
						})
					}
					g.SetLimit(2)
					others.Wait()
					for range 2 { // both places are free, a moment after their tasks have ended
						testutil.Await(t, "a place", func() bool { return g.TryGo(fixture.Sleeper) != nil })
					}
					return nil
				}, curio.Limit(1), curio.WaitNone)
				if err != nil || ran.Load() != started.Load() || started.Load()+failed.Load() != 20 {
					t.Errorf("%d of %d ran, %d gave up: %v", ran.Load(), started.Load(), failed.Load(), err)
				}
				spawned, gaveUp = spawned+int(started.Load()), gaveUp+int(failed.Load())
			}
			return nil
		})
		_ = kernel.Shutdown(context.Background())
		if t.Logf("%d processors: %d spawned, %d gave up", procs, spawned, gaveUp); err != nil || spawned == 0 || gaveUp == 0 {
			t.Errorf("%v; %d spawned, %d gave up", err, spawned, gaveUp)
		}
	}
}
