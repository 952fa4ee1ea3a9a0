package curio_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What is handed over arrives, in order of arrival; who is first can be passed over by who asks
// for something else.
func TestWaitListHandsOver(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		l := fixture.NewBareLine[int](nil)
		var tasks []*curio.Task[int]
		for ask := range 5 {
			tasks = append(tasks, curio.Spawn(ctx, func(ctx context.Context) (int, error) { return l.Wait(ctx, ask) }))
			synctest.Wait()
		}
		l.Locked(func() {
			var asks []int
			for w := range l.All() {
				if asks = append(asks, w.Ask()); w.Task() != tasks[w.Ask()].AnyTask {
					f.Errorf("%d is asked for by %v", w.Ask(), w.Task())
				}
				if w.Ask() == 3 && (!w.Grant(33) || w.Grant(34) || w.Ask() != 3 || w.Task() != tasks[3].AnyTask) {
					f.Error("granting once, and once more")
				}
			}
			if !slices.Equal(asks, []int{0, 1, 2, 3, 4}) || l.Len() != 4 {
				f.Errorf("they ask for %v, and %d are left", asks, l.Len())
			}
			if !l.Hand(10) || l.HandAll(20) != 3 || l.Hand(30) || l.HandAll(30) != 0 || l.Len() != 0 || len(l.Waiters()) != 0 {
				f.Error("handing to the first, to all, to nobody")
			}
		})
		var got []int
		for _, task := range tasks {
			v, err := task.Join(ctx)
			f.Must(err)
			got = append(got, v)
		}
		if !slices.Equal(got, []int{10, 20, 20, 33, 20}) {
			f.Errorf("they were given %v", got)
		}
	})
}

// The body of a loop may take anybody off the list: the one it is at, the next, all, in a loop
// inside; and it may be left early.
func TestWaitListLoops(t *testing.T) {
	for name, loop := range map[string]func(l *fixture.BareLine[int]) (seen []int){
		"grant each": func(l *fixture.BareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				w.Grant(0)
			}
			return seen
		},
		"hand to the first": func(l *fixture.BareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				if w.Ask() == 1 {
					l.Hand(0) // 0
					l.Hand(0) // 1, itself
					l.Hand(0) // 2, the next
				}
			}
			return append(seen, -1)
		},
		"hand to all": func(l *fixture.BareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				l.HandAll(0)
			}
			return seen
		},
		"loop inside": func(l *fixture.BareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				for inner := range l.All() {
					if inner.Ask()%2 == 1 || inner.Ask() == 4 {
						inner.Grant(0)
					}
					for range l.All() {
						break
					}
				}
			}
			return seen
		},
		"leave": func(l *fixture.BareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				break
			}
			for w := range l.All() {
				seen = append(seen, w.Ask())
			}
			return seen
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				l := fixture.NewBareLine[int](nil)
				for ask := range 6 {
					curio.Go(ctx, func(ctx context.Context) error { _, err := l.Wait(ctx, ask); return err })
					synctest.Wait()
				}
				want := map[string][]int{
					"grant each":        {0, 1, 2, 3, 4, 5},
					"hand to the first": {0, 1, 3, 4, 5, -1},
					"hand to all":       {0},
					"loop inside":       {0, 2},
					"leave":             {0, 0, 1, 2, 3, 4, 5},
				}[name]
				l.Locked(func() {
					if seen := loop(l); !slices.Equal(seen, want) {
						f.Errorf("seen are %v, want %v", seen, want)
					}
					l.HandAll(0)
				})
				synctest.Wait()
			})
		})
	}
}

// A Waiting that was kept too long does nothing, although its task waits again, here or elsewhere.
func TestWaitListStaleWaiting(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		if (curio.Waiting[int]{}).Grant(1) {
			f.Error("the zero Waiting grants something")
		}
		here, elsewhere := fixture.NewBareLine[int](nil), fixture.NewBareLine[int](nil)
		task := curio.Spawn(ctx, func(ctx context.Context) (sum int, err error) {
			for _, l := range []*fixture.BareLine[int]{here, here, elsewhere} {
				v, err := l.Wait(ctx, 1)
				if err != nil {
					return 0, err
				}
				sum += v
			}
			return sum, nil
		})
		var stale curio.Waiting[int]
		synctest.Wait()
		here.Locked(func() {
			for stale = range here.All() {
			}
			here.Hand(1)
		})
		for _, l := range []*fixture.BareLine[int]{here, elsewhere} {
			synctest.Wait()
			l.Locked(func() {
				if l.Len() != 1 || stale.Grant(100) || l.Len() != 1 || !l.Hand(10) {
					f.Errorf("%d wait", l.Len())
				}
			})
		}
		if sum, err := task.Join(ctx); sum != 21 || err != nil {
			f.Errorf("%d, %v", sum, err)
		}
	})
}

// Whoever gives up in front lets those behind it through: by a cancellation, by a timeout, by
// another case of its Select.
func TestWaitListGivesWay(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context, g *fixture.Gate, n int64, other *curio.Event) error{
		"Wait": func(ctx context.Context, g *fixture.Gate, n int64, _ *curio.Event) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return g.Enter(ctx, n) })
		},
		"Select": func(ctx context.Context, g *fixture.Gate, n int64, other *curio.Event) error {
			_, err := curio.Select(ctx, g.EnterCase(n), other.WaitCase())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []string{"cancelled", "other"} {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					g, other := fixture.NewGate(3), new(curio.Event)
					fixture.Succeed(g.Enter(ctx, 1))
					large := curio.Go(ctx, func(ctx context.Context) error { return wait(ctx, g, 3, other) }, curio.ReportCrash(false))
					synctest.Wait()
					small := curio.Go(ctx, func(ctx context.Context) error { return g.Enter(ctx, 1) })
					synctest.Wait()
					if g.TryEnter(ctx, 1) || small.Terminated() {
						f.Error("the large request was overtaken")
					}
					if end == "cancelled" {
						large.CancelNow()
					} else {
						other.Set()
						_ = curio.Sleep(ctx, 2*time.Second)
					}
					if _, err := small.Join(ctx); err != nil || g.Free() != 1 {
						f.Errorf("%v, %d free", err, g.Free())
					}
				})
			}
		})
	}
}

// The same commands to a gate and to our Semaphore have the same effects.
func TestWaitListLikeOurSemaphore(t *testing.T) {
	const size, workers, steps = 4, 8, 300
	for seed := range uint64(5) {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			rng := rand.New(rand.NewPCG(seed, 1))
			g, s := fixture.NewGate(size), curio.NewSemaphore(size)
			type side struct {
				acquire func(context.Context, int64) error
				release func(context.Context, int64)
				tasks   [workers]*curio.Task[struct{}]
				leave   [workers]*curio.Event
				got     [workers]bool
			}
			sides := []*side{
				{acquire: g.Enter, release: g.Leave},
				{acquire: s.AcquireN, release: s.ReleaseN},
			}
			for step := range steps {
				i, n, cancels := rng.IntN(workers), rng.Int64N(size)+1, rng.IntN(3) == 0
				for _, side := range sides {
					if task := side.tasks[i]; task != nil && !task.Terminated() {
						if cancels {
							task.CancelNow()
						} else {
							side.leave[i].Set()
						}
						continue
					}
					leave := new(curio.Event)
					side.leave[i] = leave
					side.tasks[i] = curio.Go(ctx, func(ctx context.Context) error {
						if err := side.acquire(ctx, n); err != nil {
							return err
						}
						side.got[i] = true
						defer func() { side.got[i] = false; side.release(ctx, n) }()
						return leave.Wait(ctx)
					})
				}
				synctest.Wait()
				if sides[0].got != sides[1].got || g.Free() != s.Value() {
					f.Fatalf("seed %d, step %d: %v with %d free, ours %v with %d", seed, step, sides[0].got, g.Free(), sides[1].got, s.Value())
				}
			}
			for _, side := range sides {
				for _, task := range side.tasks {
					if task != nil {
						_, _ = task.Cancel(ctx)
					}
				}
			}
			if g.Free() != size || len(g.Snapshot().Holders) != 0 {
				f.Errorf("left is %v", g)
			}
		})
	}
}

// The text, the snapshot and a selecting task show a primitive of the user's like ours.
func TestWaitListIsSeen(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		g := fixture.NewGate(3)
		if !g.TryEnter(ctx, 2) { // in the name of the task, as Enter
			f.Error("it is open")
		}
		waiter := curio.Go(ctx, func(ctx context.Context) error { return g.Enter(ctx, 2) }, curio.Name("waiter"))
		synctest.Wait()
		me := curio.CurrentTask(ctx)
		want := "Gate(1 free, held by task " + me.Path() + " (2), 1 waiting)"
		if g.String() != want {
			f.Errorf("it is %q, want %q", g, want)
		}
		if h := g.Snapshot().Holders; !slices.Equal(h, []curio.Holder{fixture.HolderOf(me, 2)}) {
			f.Errorf("held by %v", h)
		}
		if w, ok := curio.ParkedOf(waiter.AnyTask); !ok || w.Object != any(g) || waiter.State() != "GATE_ENTER" {
			f.Errorf("it waits for %v in %s", w.Object, waiter.State())
		}
		if curio.HolderOf(nil, 3) != (curio.Holder{N: 3}) {
			f.Error("a holder of no task")
		}
		_, _ = waiter.Cancel(ctx)
	})
}

// Serve sees a task of TryWait as it sees one of Wait.
func TestWaitListTryWaitIsSeenByServe(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var seen []curio.Waiter
		l := fixture.NewBareLine[int](nil)
		l.Serve = func() { seen = l.Waiters() }
		_ = curio.Sleep(ctx, time.Second) // for which the task's waiter has been used
		l.TryWait(ctx, 1)
		if want := []curio.Waiter{{Task: curio.CurrentTask(ctx), Op: "BARE_WAIT"}}; !slices.Equal(seen, want) {
			f.Errorf("%v, want %v", seen, want)
		}
	})
}

// A Serve that panics, or ends the goroutine, wherever it is called: the call that has called it
// does the same, the mutex is released, nobody is left on the list, and the list works on.
func TestWaitListServeFails(t *testing.T) {
	for deed, fail := range map[string]func(){
		"panics": func() { panic("serve") },
		"exits":  runtime.Goexit,
	} {
		for name, call := range map[string]func(ctx context.Context, l *fixture.BareLine[int], fails *bool){
			"Wait": func(ctx context.Context, l *fixture.BareLine[int], fails *bool) {
				*fails = true
				_, _ = l.Wait(ctx, 1)
			},
			"Wait under a foreign context": func(ctx context.Context, l *fixture.BareLine[int], fails *bool) {
				*fails = true
				_, _ = l.Wait(unknown{ctx}, 1)
			},
			"Wait that gives up": func(ctx context.Context, l *fixture.BareLine[int], fails *bool) {
				_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
					curio.Go(context.WithoutCancel(ctx), func(context.Context) error { l.Locked(func() { *fails = true }); return nil })
					_, err := l.Wait(ctx, 1)
					return err
				})
			},
			"TryWait": func(ctx context.Context, l *fixture.BareLine[int], fails *bool) {
				*fails = true
				_, _ = l.TryWait(ctx, 1)
			},
			"Select that tries": func(ctx context.Context, l *fixture.BareLine[int], fails *bool) {
				*fails = true
				_, _ = curio.Select(ctx, l.Case(1, nil), new(curio.Event).WaitCase())
			},
			"Select that gives up": func(ctx context.Context, l *fixture.BareLine[int], fails *bool) {
				var e curio.Event
				curio.Go(ctx, func(context.Context) error { l.Locked(func() { *fails = true }); e.Set(); return nil })
				_, _ = curio.Select(ctx, l.Case(1, nil), e.WaitCase(), l.Case(2, nil))
			},
		} {
			t.Run(name+"/"+deed, func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					fails := false
					l := fixture.NewBareLine[int](func() {
						if fails {
							fail()
						}
					})
					behind := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return l.Wait(ctx, 7) })
					synctest.Wait()
					returned := false
					task := curio.Go(ctx, func(ctx context.Context) error {
						call(ctx, l, &fails)
						returned = true
						return nil
					}, curio.ReportCrash(false))
					_ = task.Wait(ctx)
					if _, panicked := errors.AsType[*curio.PanicError](task.Err()); returned || panicked != (deed == "panics") {
						f.Errorf("it ended with %v", task.Err())
					}
					fails = false
					l.Locked(func() {
						if l.Len() != 1 || len(l.Waiters()) != 1 || !l.Hand(8) {
							f.Errorf("%d are on the list: %v", l.Len(), l.Waiters())
						}
					})
					if v, err := behind.Join(ctx); v != 8 || err != nil {
						f.Errorf("the one before it: %d, %v", v, err)
					}
					if v, ok := l.TryWait(ctx, 1); v != 0 || ok {
						f.Error("it was given something")
					}
					f.Journal.Take("panicked")
				})
			})
		}
	}
}

// unknown is a context that is neither ours nor package context's.
type unknown struct{ context.Context }

// What was given to others before Serve panicked stays theirs.
func TestWaitListServePanicsHalfway(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l *fixture.BareLine[int]
		armed := false
		l = fixture.NewBareLine[int](func() {
			if armed {
				l.Hand(5)
				panic("halfway")
			}
		})
		first := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return l.Wait(ctx, 1) })
		synctest.Wait()
		armed = true
		func() {
			defer func() { _ = recover() }()
			_, _ = l.Wait(ctx, 1)
			f.Error("Wait returns")
		}()
		if v, err := first.Join(ctx); v != 5 || err != nil || l.Len() != 0 {
			f.Errorf("%d, %v, and %d wait", v, err, l.Len())
		}
	})
}

func TestWaitListMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var mu sync.Mutex
		for _, l := range []*curio.WaitList[int]{{}, {Mutex: &mu}, {State: "STATE"}} {
			fixture.Panics(f, "set them before the first use", func() { _, _ = l.Wait(ctx, 1) })
			fixture.Panics(f, "set them before the first use", func() { _, _ = l.TryWait(ctx, 1) })
			fixture.Panics(f, "set them before the first use", func() { l.Case(1, nil) })
		}
		fixture.Panics(f, "NoteHeld(-1)", func() { curio.NoteHeld(ctx, &mu, -1) })
		fixture.Panics(f, "NoteReleased(-1)", func() { curio.NoteReleased(ctx, &mu, -1) })
		mu.Lock()
	})
}

// Neither an operation that need not wait allocates anything, nor one that waits, is granted, or
// is cancelled by an own scope.
func TestWaitListAllocatesNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		g := fixture.NewGate(1)
		if n := testing.AllocsPerRun(1000, func() { _ = g.Enter(ctx, 1); g.Leave(ctx, 1) }); n > 0 {
			f.Errorf("%v allocations without waiting", n)
		}
		ping, pong := fixture.NewBareLine[int](nil), fixture.NewBareLine[int](nil)
		peer := curio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := ping.Wait(ctx, 1); err != nil {
					return err
				}
				pong.Listed(f, 1)
				pong.Locked(func() { pong.Hand(1) })
			}
		})
		round := func() {
			ping.Listed(f, 1)
			ping.Locked(func() { ping.Hand(1) })
			_, _ = pong.Wait(ctx, 1)
		}
		round()
		if n := testing.AllocsPerRun(200, round); n > 4 { // those of listed, twice
			f.Errorf("%v allocations with waiting", n)
		}
		_, _ = peer.Cancel(ctx)
	})
}

// Nothing that was asked for or given is kept by the list or by the task, also not by one that
// was cancelled or has selected something else.
func TestWaitListKeepsNothing(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		l := fixture.NewBareLine[*fixture.Load](nil)
		var mine fixture.Loads
		var e, end curio.Event
		waits := []func(ctx context.Context, ask *fixture.Load) error{
			func(ctx context.Context, ask *fixture.Load) error { _, err := l.Wait(ctx, ask); return err },
			func(ctx context.Context, ask *fixture.Load) error {
				_, _ = l.TryWait(ctx, ask)
				_, err := l.Wait(ctx, nil)
				return err
			},
			func(ctx context.Context, ask *fixture.Load) error {
				return ignoreTimeout(curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
					_, err := l.Wait(ctx, ask)
					return err
				}))
			},
			func(ctx context.Context, ask *fixture.Load) error {
				_, err := curio.Select(ctx, l.Case(ask, nil), e.WaitCase())
				return err
			},
		}
		reached, making := curio.NewSemaphore(0), new(sync.Mutex)
		produce := func() *fixture.Load {
			making.Lock()
			defer making.Unlock()
			return mine.Make()
		}
		for _, wait := range waits {
			curio.Go(ctx, func(ctx context.Context) error {
				if err := wait(ctx, produce()); err != nil {
					return err
				}
				reached.Release(ctx)
				return end.Wait(ctx)
			})
		}
		testutil.Await(f, "the one that times out", func() bool { return reached.Value() == 1 })
		l.Listed(f, 3)
		l.Locked(func() { l.Hand(produce()); l.Hand(produce()); l.Hand(produce()) })
		fixture.Succeed(reached.AcquireN(ctx, 4))
		if n := mine.Left(); n > 0 {
			f.Errorf("%d of %d are kept", n, len(mine.Made))
		}
		end.Set()
		runtime.KeepAlive(l)
	})
}

func ignoreTimeout(err error) error {
	if errors.Is(err, curio.ErrTaskTimeout) {
		return nil
	}
	return err
}

// Many who wait are given up, served and looked through in a time that grows with their number.
func TestWaitListOfMany(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		g := fixture.NewGate(1)
		fixture.Succeed(g.Enter(ctx, 1))
		scope, cancel := curio.WithTimeout(ctx, time.Hour)
		const n = 2000
		var passed int
		for range n {
			curio.Go(scope, func(ctx context.Context) error { return g.Enter(ctx, 1) })
			curio.Go(ctx, func(ctx context.Context) error {
				return g.Do(ctx, 1, func(context.Context) error { passed++; return nil })
			})
		}
		synctest.Wait()
		if w := len(g.Snapshot().Waiters); w != 2*n {
			f.Errorf("%d wait", w)
		}
		cancel()
		g.Leave(ctx, 1)
		synctest.Wait()
		if passed != n || g.Free() != 1 || !strings.HasPrefix(g.String(), "Gate(1 free") {
			f.Errorf("%d have passed: %v", passed, g)
		}
	})
}

// What a case of a WaitList is given arrives in taken, whose error Select returns; another case
// leaves the list as it was.
func TestWaitListCase(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		errTaken := errors.New("taken")
		l := fixture.NewBareLine[int](nil)
		var e curio.Event
		for _, want := range []error{nil, errTaken} {
			got := 0
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return curio.Select(ctx, e.WaitCase(), l.Case(2, func(inner context.Context, v int) error {
					if curio.CurrentTask(inner) != curio.CurrentTask(ctx) {
						f.Error("it is called with another context")
					}
					got = v
					return want
				}))
			})
			synctest.Wait()
			if task.State() != "SELECT" {
				f.Errorf("it is in state %s", task.State())
			}
			l.Locked(func() {
				for w := range l.All() {
					if w.Ask() != 2 || w.Task() != task.AnyTask || !w.Grant(3) {
						f.Errorf("%v asks for %d", w.Task(), w.Ask())
					}
				}
			})
			_ = task.Wait(ctx)
			if i, err := task.Result(); i != 1 || !errors.Is(err, want) || got != 3 {
				f.Errorf("%d, %v, and got %d", i, err, got)
			}
		}
		e.Set()
		i, err := curio.Select(ctx, l.Case(2, func(context.Context, int) error { panic("not given anything") }), e.WaitCase())
		if i != 1 || err != nil || l.Len() != 0 {
			f.Errorf("%d, %v, and %d wait", i, err, l.Len())
		}
	})
}

// What can be had at once is had by a TrySelect, and by a Select without waiting, in the midst of
// others too; a nil taken will do.
func TestWaitListCaseAtOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		full, open := fixture.NewGate(0), fixture.NewGate(4)
		for _, choose := range []func(context.Context, ...curio.Case) (int, error){curio.TrySelect, curio.Select} {
			i, err := choose(ctx, full.EnterCase(1), full.Line.Case(1, nil), open.Line.Case(2, nil), curio.Case{})
			if i != 2 || err != nil {
				f.Errorf("%d, %v", i, err)
			}
		}
		i, err := curio.TrySelect(ctx, full.EnterCase(1), open.EnterCase(1))
		if i != -1 || err != curio.ErrNotReady || open.Free() != 0 || len(open.Snapshot().Waiters)+len(full.Snapshot().Waiters) > 0 {
			f.Errorf("%d, %v: %v, %v", i, err, open, full)
		}
	})
}

// The gate opens between the moment in which a Select has tried its cases and the one in which
// it is on the list: here another case's Serve opens it.
func TestWaitListCaseIsServedWhileListing(t *testing.T) {
	for _, channel := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			g := fixture.NewGate(0)
			calls := 0
			opens := fixture.NewBareLine[int](func() {
				if calls++; calls == 2 { // the first time it is tried, the second time listed
					g.Leave(ctx, 1)
				}
			})
			for _, first := range []bool{false, true} {
				calls = 0
				cases := []curio.Case{opens.Case(1, nil), g.EnterCase(1)}
				if first {
					cases[0], cases[1] = cases[1], cases[0]
				}
				if channel {
					cases = append(cases, curio.ReceiveCase(make(chan int), nil))
				}
				i, err := curio.Select(ctx, cases...)
				if err != nil || (i == 0) != first || g.Free() != 0 || opens.Len()+len(g.Snapshot().Waiters) != 0 {
					f.Errorf("%d, %v: %v", i, err, g)
				}
				g.Leave(ctx, 1)
				_ = g.TryEnter(ctx, 1)
			}
		})
	}
}
