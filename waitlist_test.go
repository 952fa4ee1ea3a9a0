package curio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// A line for the tests: nothing serves it but the test.
type bareLine[T any] struct {
	sync.Mutex
	curio.WaitList[T]
}

func newBareLine[T any](serve func()) *bareLine[T] {
	l := new(bareLine[T])
	l.WaitList.Mutex, l.State, l.Serve = &l.Mutex, "BARE_WAIT", serve
	return l
}

// locked calls fn with the mutex held.
func (l *bareLine[T]) locked(fn func()) {
	l.Mutex.Lock()
	defer l.Mutex.Unlock()
	fn()
}

// listed waits until n are on the list. It is for tests outside of bubbles.
func (l *bareLine[T]) listed(t testing.TB, n int) {
	until(t, fmt.Sprint(n, " on the list"), func() (is bool) {
		l.locked(func() { is = l.Len() == n })
		return is
	})
}

// What is handed over arrives, in order of arrival; who is first can be passed over by who asks
// for something else.
func TestWaitListHandsOver(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		l := newBareLine[int](nil)
		var tasks []*curio.Task[int]
		for ask := range 5 {
			tasks = append(tasks, curio.Spawn(ctx, func(ctx context.Context) (int, error) { return l.Wait(ctx, ask) }))
			synctest.Wait()
		}
		l.locked(func() {
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
			f.must(err)
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
	for name, loop := range map[string]func(l *bareLine[int]) (seen []int){
		"grant each": func(l *bareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				w.Grant(0)
			}
			return seen
		},
		"hand to the first": func(l *bareLine[int]) (seen []int) {
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
		"hand to all": func(l *bareLine[int]) (seen []int) {
			for w := range l.All() {
				seen = append(seen, w.Ask())
				l.HandAll(0)
			}
			return seen
		},
		"loop inside": func(l *bareLine[int]) (seen []int) {
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
		"leave": func(l *bareLine[int]) (seen []int) {
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
			inKernel(t, func(ctx context.Context, f *fixture) {
				l := newBareLine[int](nil)
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
				l.locked(func() {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		if (curio.Waiting[int]{}).Grant(1) {
			f.Error("the zero Waiting grants something")
		}
		here, elsewhere := newBareLine[int](nil), newBareLine[int](nil)
		task := curio.Spawn(ctx, func(ctx context.Context) (sum int, err error) {
			for _, l := range []*bareLine[int]{here, here, elsewhere} {
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
		here.locked(func() {
			for stale = range here.All() {
			}
			here.Hand(1)
		})
		for _, l := range []*bareLine[int]{here, elsewhere} {
			synctest.Wait()
			l.locked(func() {
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
	for name, wait := range map[string]func(ctx context.Context, g *gate, n int64, other *curio.Event) error{
		"Wait": func(ctx context.Context, g *gate, n int64, _ *curio.Event) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { return g.Enter(ctx, n) })
		},
		"Select": func(ctx context.Context, g *gate, n int64, other *curio.Event) error {
			_, err := curio.Select(ctx, g.EnterCase(n), other.WaitCase())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, end := range []string{"cancelled", "other"} {
				inKernel(t, func(ctx context.Context, f *fixture) {
					g, other := newGate(3), new(curio.Event)
					succeed(g.Enter(ctx, 1))
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
		inKernel(t, func(ctx context.Context, f *fixture) {
			rng := rand.New(rand.NewPCG(seed, 1))
			g, s := newGate(size), curio.NewSemaphore(size)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		g := newGate(3)
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
		if h := g.Snapshot().Holders; !slices.Equal(h, []curio.Holder{holderOf(me, 2)}) {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		var seen []curio.Waiter
		l := newBareLine[int](nil)
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
		for name, call := range map[string]func(ctx context.Context, l *bareLine[int], fails *bool){
			"Wait": func(ctx context.Context, l *bareLine[int], fails *bool) {
				*fails = true
				_, _ = l.Wait(ctx, 1)
			},
			"Wait under a foreign context": func(ctx context.Context, l *bareLine[int], fails *bool) {
				*fails = true
				_, _ = l.Wait(unknown{ctx}, 1)
			},
			"Wait that gives up": func(ctx context.Context, l *bareLine[int], fails *bool) {
				_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
					curio.Go(context.WithoutCancel(ctx), func(context.Context) error { l.locked(func() { *fails = true }); return nil })
					_, err := l.Wait(ctx, 1)
					return err
				})
			},
			"TryWait": func(ctx context.Context, l *bareLine[int], fails *bool) {
				*fails = true
				_, _ = l.TryWait(ctx, 1)
			},
			"Select that tries": func(ctx context.Context, l *bareLine[int], fails *bool) {
				*fails = true
				_, _ = curio.Select(ctx, l.Case(1, nil), new(curio.Event).WaitCase())
			},
			"Select that gives up": func(ctx context.Context, l *bareLine[int], fails *bool) {
				var e curio.Event
				curio.Go(ctx, func(context.Context) error { l.locked(func() { *fails = true }); e.Set(); return nil })
				_, _ = curio.Select(ctx, l.Case(1, nil), e.WaitCase(), l.Case(2, nil))
			},
		} {
			t.Run(name+"/"+deed, func(t *testing.T) {
				inKernel(t, func(ctx context.Context, f *fixture) {
					fails := false
					l := newBareLine[int](func() {
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
					l.locked(func() {
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
					f.Journal.take("panicked")
				})
			})
		}
	}
}

// unknown is a context that is neither ours nor package context's.
type unknown struct{ context.Context }

// What was given to others before Serve panicked stays theirs.
func TestWaitListServePanicsHalfway(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var l *bareLine[int]
		armed := false
		l = newBareLine[int](func() {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		var mu sync.Mutex
		for _, l := range []*curio.WaitList[int]{{}, {Mutex: &mu}, {State: "STATE"}} {
			panics(f, "set them before the first use", func() { _, _ = l.Wait(ctx, 1) })
			panics(f, "set them before the first use", func() { _, _ = l.TryWait(ctx, 1) })
			panics(f, "set them before the first use", func() { l.Case(1, nil) })
		}
		panics(f, "NoteHeld(-1)", func() { curio.NoteHeld(ctx, &mu, -1) })
		panics(f, "NoteReleased(-1)", func() { curio.NoteReleased(ctx, &mu, -1) })
		mu.Lock()
	})
}

// Neither an operation that need not wait allocates anything, nor one that waits, is granted, or
// is cancelled by an own scope.
func TestWaitListAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	withKernel(t, func(ctx context.Context, f *fixture) {
		g := newGate(1)
		if n := testing.AllocsPerRun(1000, func() { _ = g.Enter(ctx, 1); g.Leave(ctx, 1) }); n > 0 {
			f.Errorf("%v allocations without waiting", n)
		}
		ping, pong := newBareLine[int](nil), newBareLine[int](nil)
		peer := curio.Go(ctx, func(ctx context.Context) error {
			for {
				if _, err := ping.Wait(ctx, 1); err != nil {
					return err
				}
				pong.listed(f, 1)
				pong.locked(func() { pong.Hand(1) })
			}
		})
		round := func() {
			ping.listed(f, 1)
			ping.locked(func() { ping.Hand(1) })
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
	withKernel(t, func(ctx context.Context, f *fixture) {
		l := newBareLine[*load](nil)
		var mine loads
		var e, end curio.Event
		waits := []func(ctx context.Context, ask *load) error{
			func(ctx context.Context, ask *load) error { _, err := l.Wait(ctx, ask); return err },
			func(ctx context.Context, ask *load) error {
				_, _ = l.TryWait(ctx, ask)
				_, err := l.Wait(ctx, nil)
				return err
			},
			func(ctx context.Context, ask *load) error {
				return ignoreTimeout(curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
					_, err := l.Wait(ctx, ask)
					return err
				}))
			},
			func(ctx context.Context, ask *load) error {
				_, err := curio.Select(ctx, l.Case(ask, nil), e.WaitCase())
				return err
			},
		}
		reached, making := curio.NewSemaphore(0), new(sync.Mutex)
		produce := func() *load {
			making.Lock()
			defer making.Unlock()
			return mine.make()
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
		until(f, "the one that times out", func() bool { return reached.Value() == 1 })
		l.listed(f, 3)
		l.locked(func() { l.Hand(produce()); l.Hand(produce()); l.Hand(produce()) })
		succeed(reached.AcquireN(ctx, 4))
		if n := mine.left(); n > 0 {
			f.Errorf("%d of %d are kept", n, len(mine.made))
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		g := newGate(1)
		succeed(g.Enter(ctx, 1))
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
