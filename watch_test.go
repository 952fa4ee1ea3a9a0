package curio_test

import (
	"context"
	"errors"
	"fmt"
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

// How a watch's waits are cancelled is in the tables of verify/core/sync_test.go and
// verify/core/operations_broadcast_test.go; here is what is particular to it.

func TestWatchZeroValue(t *testing.T) {
	var w curio.Watch[string]
	if v, version := w.Get(); v != "" || version != 0 {
		t.Errorf("it is %q in version %d", v, version)
	}
	for i, v := range []string{"a", "a", ""} { // equal values are as new as others
		if version := w.Set(v); version != uint64(i+1) {
			t.Errorf("Set returns version %d", version)
		}
		if got, version := w.Get(); got != v || version != uint64(i+1) {
			t.Errorf("it is %q in version %d", got, version)
		}
		if got, version, err := w.Wait(t.Context(), uint64(i)); got != v || version != uint64(i+1) || err != nil {
			t.Errorf("waited for %q in version %d, %v", got, version, err)
		}
	}
	if text := w.String(); text != "Watch(version 3)" {
		t.Error(text)
	}
}

// A Wait that fails returns the version that it was given: a loop that handles its own timeout goes
// on without seeing anything twice.
func TestWatchWaitKeepsTheVersionWhenItFails(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var w curio.Watch[int]
		v, version := 0, w.Set(1)
		for range 3 {
			expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) (err error) {
				v, version, err = w.Wait(ctx, version)
				return err
			})
			if !expired || err != nil || v != 0 || version != 1 {
				f.Errorf("expired: %v, %v; %d in version %d", expired, err, v, version)
			}
		}
	})
}

// A watcher reads, and then waits for a change of what it has read.
type watcher interface {
	set(v int)
	read() (v int)
	change(ctx context.Context) (v int, err error)
}

type ourWatcher struct {
	w       curio.Watch[int]
	version uint64
}

func (o *ourWatcher) set(v int) { o.w.Set(v) }

func (o *ourWatcher) read() (v int) { v, o.version = o.w.Get(); return v }

func (o *ourWatcher) change(ctx context.Context) (v int, err error) {
	v, o.version, err = o.w.Wait(ctx, o.version)
	return v, err
}

// naiveWatcher is what one writes without versions: a value, and something that tells of changes.
type naiveWatcher struct {
	value   atomic.Int64
	changed curio.Event
}

func (n *naiveWatcher) set(v int) { n.value.Store(int64(v)); n.changed.Set(); n.changed.Clear() }

func (n *naiveWatcher) read() (v int) { return int(n.value.Load()) }

func (n *naiveWatcher) change(ctx context.Context) (v int, err error) {
	err = n.changed.Wait(ctx)
	return n.read(), err
}

// A change between two calls is not missed, also if the value is what it was. The naive way misses
// it.
func TestWatchMissesNoChange(t *testing.T) {
	for _, meanwhile := range [][]int{{2}, {1}, {2, 3}, {2, 1}} {
		for name, w := range map[string]watcher{"ours": new(ourWatcher), "naive": new(naiveWatcher)} {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				w.set(1)
				last := w.read()
				for _, last = range meanwhile {
					w.set(last)
				}
				v := 0
				expired, err := curio.IgnoreAfter(ctx, time.Hour, func(ctx context.Context) (err error) {
					v, err = w.change(ctx)
					return err
				})
				if missed := expired || v != last; missed != (name == "naive") || err != nil {
					f.Errorf("%s: after %v, it sees %d, %v; missed: %v", name, meanwhile, v, err, missed)
				}
			})
		}
	}
}

// All who wait are woken by one Set, and a Select that waits for two watches by either.
func TestWatchWakesAll(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var w, other curio.Watch[string]
		var tasks []*curio.Task[string]
		for range 100 {
			tasks = append(tasks, curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				v, _, err := w.Wait(ctx, 0)
				return v, err
			}), curio.Spawn(ctx, func(ctx context.Context) (v string, err error) {
				var version uint64
				i, err := curio.Select(ctx, other.WaitCase(0, nil, nil), w.WaitCase(0, &v, &version))
				if i != 1 || version != 1 {
					f.Errorf("chosen is %d, in version %d", i, version)
				}
				return v, err
			}))
		}
		far := curio.Spawn(ctx, func(ctx context.Context) (v string, err error) {
			_, err = curio.Select(ctx, w.WaitCase(2, &v, nil), other.WaitCase(0, nil, nil))
			return v, err
		})
		synctest.Wait()
		w.Set("news")
		for _, task := range tasks {
			if v, err := task.Join(ctx); v != "news" || err != nil {
				f.Errorf("%q, %v", v, err)
			}
		}
		w.Set("more")
		synctest.Wait()
		if n := len(w.Snapshot().Waiters); n != 1 || far.Terminated() {
			f.Errorf("%v; the one that waits for version 3 has ended: %v", &w, far.Terminated())
		}
		w.Set("last")
		if v, err := far.Join(ctx); v != "last" || err != nil {
			f.Errorf("%q, %v", v, err)
		}
		if i, err := curio.TrySelect(ctx, w.WaitCase(3, nil, nil)); i != -1 || err != curio.ErrNotReady {
			f.Errorf("TrySelect: %d, %v", i, err)
		}
		if i, err := curio.TrySelect(ctx, w.WaitCase(2, nil, nil)); i != 0 || err != nil {
			f.Errorf("TrySelect: %d, %v", i, err)
		}
	})
}

// The loop begins with the value if there is one, and sees the last one after however many.
func TestWatchChanges(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var w curio.Watch[int]
		var seen []int
		loop := curio.Go(ctx, func(ctx context.Context) error {
			for v, err := range w.Changes(ctx) {
				if err != nil {
					return err
				}
				if seen = append(seen, v); v == 9 {
					break
				}
			}
			return nil
		})
		synctest.Wait()
		for _, v := range []int{0, 1, 1} {
			w.Set(v)
			synctest.Wait()
		}
		w.Set(2)
		w.Set(3)
		synctest.Wait()
		w.Set(9)
		if _, err := loop.Join(ctx); err != nil || len(seen) < 5 || seen[0] != 0 || seen[1] != 1 || seen[2] != 1 || seen[len(seen)-2] != 3 {
			f.Errorf("%v, %v", seen, err)
		}
		for v := range w.Changes(ctx) {
			if v != 9 {
				f.Errorf("a new loop begins with %d", v)
			}
			break
		}
	})
}

// Several set, several wait, some of those are cancelled all the time: versions only grow, each
// belongs to its value, and everybody sees the last one.
func TestRaceWatch(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			const setters, waiters = 3, 6
			each := fixture.Iterations(10_000)
			var w curio.Watch[uint64] // which setter, above; how often it has, below
			var latest sync.Map       // version to value
			loops := func(n int) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					var version uint64
					for version < uint64(setters*each) {
						before := version
						var v uint64
						var err error
						switch patience := fixture.Tiny(); n % 3 {
						case 0:
							v, version, err = w.Wait(ctx, version)
						case 1:
							_, err = curio.IgnoreAfter(ctx, patience, func(ctx context.Context) (err error) {
								v, version, err = w.Wait(ctx, version)
								return err
							})
						case 2:
							_, err = curio.IgnoreAfter(ctx, patience, func(ctx context.Context) (err error) {
								_, err = curio.Select(ctx, w.WaitCase(version, &v, &version), curio.AfterCase(time.Hour), curio.ReceiveCase(make(chan int), nil))
								return err
							})
						}
						if err != nil {
							return err
						}
						if known, ok := latest.Load(version); version < before || version > before && (ok && known != v || v == 0) {
							f.Errorf("after version %d comes %d with %x, want %x", before, version, v, known)
							return fixture.ErrBoom
						}
					}
					return nil
				}
			}
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
				for n := range waiters {
					g.Go(loops(n))
				}
				for n := range setters {
					g.Go(func(ctx context.Context) error {
						for i := range each {
							v := uint64(n)<<32 | uint64(i+1)
							latest.Store(w.Set(v), v)
							fixture.Spin()
						}
						return nil
					})
				}
				return nil
			})
			f.Journal.Take(fixture.MsgLate)
			if err != nil || len(w.Snapshot().Waiters) > 0 {
				f.Errorf("%v; %v", &w, err)
			}
		})
	})
}

// Two tasks that answer each other's change: a Wait that misses the Set of the same moment would
// wait for ever.
func TestRaceWatchAnswers(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			rounds := uint64(fixture.Iterations(40_000))
			var there, back curio.Watch[int]
			answers := func(mine, others *curio.Watch[int], bySelect bool) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					for i := range rounds {
						fixture.Spin()
						var version uint64
						var err error
						if bySelect {
							_, err = curio.Select(ctx, others.WaitCase(i, nil, &version), curio.Case{})
						} else {
							_, version, err = others.Wait(ctx, i)
						}
						if err != nil || version != i+1 {
							return fmt.Errorf("in round %d, version %d: %w", i, version, err)
						}
						mine.Set(0)
					}
					return nil
				}
			}
			var over atomic.Bool
			var looking sync.WaitGroup
			looking.Go(func() { // so that a Wait is held up between its two looks at the version
				for !over.Load() {
					_, _ = there.Snapshot(), back.Snapshot()
					runtime.Gosched() // the others may have no other processor
				}
			})
			there.Set(0)
			if err := fixture.Team(ctx, fixture.Nothing, answers(&back, &there, false), answers(&there, &back, true)); err != nil {
				f.Error(err)
			}
			over.Store(true)
			looking.Wait()
		})
	})
}

// What has been replaced is garbage, and so is what a Wait that has returned was given.
func TestWatchKeepsNothingAlive(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var w curio.Watch[*fixture.Thing]
		waits := func(v *fixture.Thing) {
			waiter := curio.Go(ctx, func(ctx context.Context) error {
				_, version := w.Get()
				got, _, err := w.Wait(ctx, version)
				if got != v {
					err = errors.Join(err, fixture.ErrBoom)
				}
				return err
			})
			testutil.Await(f, "WATCH_WAIT", func() bool { return waiter.State() == "WATCH_WAIT" })
			w.Set(v)
			if _, err := waiter.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		fixture.Forgets(f, "replaced", 1, func(v *fixture.Thing) {
			waits(v)
			w.Set(nil)
		})
	})
}

// A Wait that waits allocates nothing, and a Set only room for the value.
func TestWatchAllocations(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var there, back curio.Watch[int]
		echo := curio.Go(ctx, func(ctx context.Context) error {
			for v, err := range there.Changes(ctx) {
				if err != nil {
					return err
				}
				back.Set(v)
			}
			return nil
		})
		var version uint64
		if n := testing.AllocsPerRun(1000, func() {
			there.Set(1)
			_, version, _ = back.Wait(ctx, version)
		}); n > 2 {
			f.Errorf("%v allocations for two Sets and two Waits", n)
		}
		_, _ = echo.Cancel(ctx)
	})
}

// Somebody's context is not called while the waiter is listed.
func TestWatchUnderAHostileContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var w curio.Watch[int]
		h := testutil.NewHostile()
		h.Context = ctx
		task := curio.Spawn(ctx, func(context.Context) (int, error) {
			v, version, err := w.Wait(h.WithAfterFunc(), 1)
			if version != 2 {
				f.Errorf("version %d", version)
			}
			return v, err
		})
		synctest.Wait()
		before := h.Calls()
		w.Set(1)
		synctest.Wait()
		w.Set(2)
		if v, err := task.Join(ctx); v != 2 || err != nil || h.Calls() != before {
			f.Errorf("%d, %v; its context was called %d times", v, err, h.Calls()-before)
		}
	})
}
