package curio_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/verify/fixture"
)

// How a Select is cancelled, and how it waits for each kind of object, is in the tables of
// verify/core/sync_test.go and verify/core/operations_select_test.go; here is what is particular to it.

// If several cases are ready, each is as likely as the others, wherever those stand that are
// not; also what is closed.
func TestSelectIsFair(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		closed := new(curio.Queue[int])
		closed.Close()
		set := new(curio.Event)
		set.Set()
		never := new(curio.Event)
		ended := make(chan int)
		close(ended)
		cases := []curio.Case{closed.GetCase(nil), never.WaitCase(), {}, set.WaitCase(), curio.ReceiveCase(ended, nil), never.WaitCase()}
		const rounds = 12_000
		chosen := make([]int, len(cases))
		for range rounds {
			i, _ := curio.Select(ctx, cases...)
			chosen[i]++
		}
		for i, n := range chosen {
			if ready := i == 0 || i == 3 || i == 4; ready && (n < rounds/3-400 || n > rounds/3+400) || !ready && n > 0 { // seven sigmas
				f.Errorf("chosen were %v of %d", chosen, rounds)
				break
			}
		}
	})
}

// The error is the one of the operation, and the index says of which.
func TestSelectErrors(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		closed := curio.NewQueue[int](1)
		closed.Close()
		var failed curio.Result[int]
		failed.SetError(fixture.ErrBoom)
		crashed := curio.Spawn(ctx, fixture.Fails, curio.ReportCrash(false))
		_ = crashed.Wait(ctx)
		ended := make(chan int)
		close(ended)
		for name, c := range map[string]struct {
			of   curio.Case
			want error
		}{
			"closed queue, get": {closed.GetCase(nil), curio.ErrQueueClosed},
			"closed queue, put": {closed.PutCase(1), curio.ErrQueueClosed},
			"result":            {failed.GetCase(nil), fixture.ErrBoom},
			"join":              {crashed.JoinCase(nil), fixture.ErrBoom},
			"wait":              {crashed.WaitCase(), nil},
			"closed channel":    {curio.ReceiveCase(ended, nil), curio.ErrChannelClosed},
			"time":              {curio.AtCase(time.Now().Add(-time.Hour)), nil},
			"no time":           {curio.AfterCase(-1), nil},
		} {
			for what, choose := range map[string]func(context.Context, ...curio.Case) (int, error){"Select": curio.Select, "TrySelect": curio.TrySelect} {
				i, err := choose(ctx, curio.Case{}, c.of)
				if i != 1 || !errors.Is(err, c.want) {
					f.Errorf("%s, %s: %d, %v", name, what, i, err)
				}
			}
		}
	})
}

// The end of ctx comes before everything: nothing is taken.
func TestSelectInADeadContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		fixture.FillQueue(f, q, 1)
		err := curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error {
			var v int
			i, err := curio.Select(ctx, q.GetCase(&v))
			if i != -1 || v != 0 {
				f.Errorf("it returns %d, %d", i, v)
			}
			return err
		})
		fixture.Is(f, "dead", err, fixture.TaskTimeout...)
		_ = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error {
			i, err := curio.TrySelect(ctx, q.PutCase(2))
			if i != 0 || err != nil {
				f.Errorf("TrySelect: %d, %v", i, err)
			}
			return nil
		})
		fixture.QueueHolds(f, q, 1, 2)
	})
}

func TestSelectMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		fixture.Panics(f, "Select without cases", func() { _, _ = curio.Select(ctx) })
		fixture.Panics(f, "TrySelect without cases", func() { _, _ = curio.TrySelect(ctx) })
		fixture.Panics(f, "AcquireNCase(-1)", func() { curio.NewSemaphore(1).AcquireNCase(-1) })
		set := new(curio.Event)
		set.Set()
		for range 100 { // whatever is tried first
			fixture.Panics(f, "waits on itself", func() { _, _ = curio.Select(ctx, curio.CurrentTask(ctx).WaitCase(), set.WaitCase()) })
			fixture.Panics(f, "belongs to none", func() { _, _ = curio.TrySelect(context.Background(), new(curio.RLock).AcquireCase(), set.WaitCase()) })
		}
		never := new(curio.Event)
		for _, cases := range [][]curio.Case{{{}}, {{}, never.WaitCase()}, {curio.ReceiveCase[int](nil, nil)}, {curio.SendCase[int](nil, 1)}} {
			if i, err := curio.TrySelect(ctx, cases...); i != -1 || err != curio.ErrNotReady {
				f.Errorf("TrySelect: %d, %v", i, err)
			}
			fixture.Is(f, "switched off", curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				return fixture.Selected(ctx, -1, cases...)
			}), fixture.TaskTimeout...)
		}
	})
}

// The same object in several cases: one takes effect, once.
func TestSelectTheSameTwice(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](1)
		var a, b int
		twice := curio.Go(ctx, func(ctx context.Context) error {
			_, err := curio.Select(ctx, q.GetCase(&a), q.GetCase(&b))
			return err
		})
		synctest.Wait()
		fixture.FillQueue(f, q, 1)
		_, err := twice.Join(ctx)
		if err != nil || a+b != 1 {
			f.Errorf("got %d and %d, %v", a, b, err)
		}
		fixture.QueueHolds(f, q)

		// There is room, or else there is something to get: it never waits, nor gets its own item.
		var v int
		for range 100 {
			before := q.Len()
			i, err := curio.Select(ctx, q.GetCase(&v), q.PutCase(7))
			if err != nil || q.Len() != before+2*i-1 {
				f.Errorf("case %d, %v: %d items, %d before", i, err, q.Len(), before)
			}
		}

		var l curio.Lock
		fixture.Succeed(l.Acquire(ctx))
		locks := curio.Go(ctx, func(ctx context.Context) error {
			if _, err := curio.Select(ctx, l.AcquireCase(), l.AcquireCase()); err != nil {
				return err
			}
			l.Release(ctx)
			if l.Locked() {
				return errors.New("it is locked twice")
			}
			return nil
		})
		synctest.Wait()
		l.Release(ctx)
		_, err = locks.Join(ctx)
		fixture.Is(f, "locked twice", err, nil)
	})
}

// A Select that leaves the head of a line makes room for those behind it.
func TestSelectLeavesTheHead(t *testing.T) {
	stop := new(curio.Event)
	for name, c := range map[string]func(ctx context.Context) (head curio.Case, next func(ctx context.Context) error){
		"semaphore": func(ctx context.Context) (curio.Case, func(context.Context) error) {
			s := curio.NewSemaphore(6)
			fixture.Succeed(s.AcquireN(ctx, 5))
			return s.AcquireNCase(5), s.Acquire
		},
		"readers behind a writer": func(ctx context.Context) (curio.Case, func(context.Context) error) {
			l := new(curio.RWLock)
			fixture.Succeed(l.AcquireRead(ctx))
			return l.AcquireCase(), l.AcquireRead
		},
	} {
		for _, channel := range []bool{false, true} {
			for _, cancel := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/channel=%v/cancel=%v", name, channel, cancel), func(t *testing.T) {
					fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
						stop.Clear()
						head, next := c(ctx)
						cases := []curio.Case{head, stop.WaitCase()}
						if channel {
							cases = append(cases, curio.ReceiveCase(make(chan int), nil))
						}
						first := curio.Go(ctx, func(ctx context.Context) error { return fixture.Selected(ctx, 1, cases...) })
						synctest.Wait()
						second := curio.Go(ctx, next)
						synctest.Wait()
						if second.Terminated() {
							f.Error("the second has overtaken the first")
						}
						if cancel {
							first.CancelNow()
						} else {
							stop.Set()
						}
						_ = first.Wait(ctx)
						_, err := second.Join(ctx)
						fixture.Is(f, "second", err, nil)
					})
				})
			}
		}
	}
}

// A task that is not chosen has not been joined; one that is chosen has.
func TestSelectJoins(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		crashes := func(ctx context.Context) error { <-ctx.Done(); return fixture.ErrBoom }
		one, other := curio.Go(ctx, crashes), curio.Go(ctx, crashes)
		cancels := curio.Go(ctx, func(context.Context) error { one.CancelNow(); return nil })
		fixture.Is(f, "one", fixture.Selected(ctx, 1, other.JoinCase(nil), one.JoinCase(nil)), fixture.ErrBoom)
		_ = cancels.Wait(ctx)
		if lines := f.Journal.Lines(); len(lines) > 0 {
			f.Errorf("logged: %v", lines)
		}
		other.CancelNow()
		fixture.Is(f, "waited for", fixture.Selected(ctx, 0, other.WaitCase(), new(curio.Event).WaitCase()), nil)
		_, err := other.Join(ctx)
		fixture.Is(f, "joined later", err, fixture.ErrBoom)
	})
}

// A member's failure that has cancelled the group cannot be joined in it: what Select returns is
// the cancellation, as Join does.
func TestSelectJoinsTooLate(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			member := g.Spawn(fixture.Fails)
			fixture.WaitUntil(member.Terminated)
			for what, choose := range map[string]func(context.Context, ...curio.Case) (int, error){"Select": curio.Select, "TrySelect": curio.TrySelect} {
				i, err := choose(ctx, member.JoinCase(nil))
				if i != -1 {
					f.Errorf("%s: case %d", what, i)
				}
				fixture.Is(f, what, err, fixture.ScopeCancelled...)
			}
			return nil
		})
		fixture.Is(f, "group", err, fixture.ErrBoom)
	})
}

// A flaky context does something, and then panics, when its Value is called for the nth time
// since it was armed.
type flaky struct {
	context.Context
	armed    bool
	calls, n int
	do       func()
}

func (c *flaky) Value(key any) any {
	if c.armed {
		if c.calls++; c.calls == c.n {
			c.do()
			panic("flaky")
		}
	}
	return c.Context.Value(key)
}

// A context of package context's below one of somebody else's, which panics in the midst of a
// Select: it does so before there is anybody to get the item that is put in this moment, and the
// task can go on waiting.
func TestSelectUnderAContextThatPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		e, panicked := new(curio.Event), 0
		for n := range 8 {
			for what, wait := range map[string]func(ctx context.Context, q *curio.Queue[int]) error{
				"Get": func(ctx context.Context, q *curio.Queue[int]) error { _, err := q.Get(ctx); return err },
				"Select": func(ctx context.Context, q *curio.Queue[int]) error {
					return fixture.Selected(ctx, 0, q.GetCase(nil), e.WaitCase())
				},
				"Select with a channel": func(ctx context.Context, q *curio.Queue[int]) error {
					return fixture.Selected(ctx, 0, q.GetCase(nil), curio.ReceiveCase(make(chan int), nil))
				},
			} {
				q := new(curio.Queue[int])
				below := &flaky{Context: ctx, n: n + 1, do: func() { fixture.FillQueue(f, q, 1) }}
				derived, cancel := context.WithCancel(below)
				did := func() (did bool) {
					helper := curio.Go(ctx, func(ctx context.Context) error { return cmp.Or(curio.Sleep(ctx, brief), q.Put(ctx, 2)) })
					defer helper.Wait(ctx)
					defer func() { did = recover() != nil }()
					below.armed = true
					fixture.Is(f, what, wait(derived, q), nil)
					return false
				}()
				below.armed = false
				cancel()
				if did {
					panicked++
					fixture.QueueHolds(f, q, 1, 2)
				} else {
					fixture.QueueHolds(f, q)
				}
				start := time.Now()
				fixture.Is(f, "later", fixture.Selected(ctx, 1, e.WaitCase(), curio.AfterCase(time.Second)), nil)
				f.Elapsed(start, time.Second)
			}
		}
		if panicked == 0 {
			f.Error("it has not panicked")
		}
	})
}

// The comparison of a priority queue panics, or exits the goroutine, while a Select tries, or
// when another task puts what it has waited to put: nothing is left of the other cases.
func TestSelectComparisonThatFails(t *testing.T) {
	for _, exits := range []bool{false, true} {
		for _, waits := range []bool{false, true} {
			for position := range 3 {
				t.Run(fmt.Sprintf("exits=%v/waits=%v/%d", exits, waits, position), func(t *testing.T) {
					fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
						fail := false
						q := curio.NewPriorityQueue(2, func(a, b int) int {
							if fail && exits {
								runtime.Goexit()
							} else if fail {
								panic(fixture.ErrBoom)
							}
							return cmp.Compare(a, b)
						})
						fixture.FillQueue(f, q, 1)
						if waits {
							fixture.FillQueue(f, q, 2)
						} else {
							fail = true
						}
						others := []*curio.Queue[int]{new(curio.Queue[int]), new(curio.Queue[int])}
						cases := []curio.Case{others[0].GetCase(nil), others[1].GetCase(nil)}
						cases = append(cases[:position], append([]curio.Case{q.PutCase(3)}, cases[position:]...)...)
						task := curio.Go(ctx, func(ctx context.Context) error { return fixture.Selected(ctx, -1, cases...) }, curio.ReportCrash(false))
						synctest.Wait()
						if waits {
							fail = true
							_, _ = q.TryGet()
						}
						_ = task.Wait(ctx)
						want := error(curio.ErrGoexit)
						if !exits {
							want = fixture.ErrBoom
						}
						fixture.Is(f, "error", task.Err(), want)
						fail = false
						for _, q := range append(others, q) {
							if w := q.Snapshot().Waiters; len(w) > 0 {
								f.Errorf("there wait %v", w)
							}
						}
						f.Journal.Take("")
					})
				})
			}
		}
	}
}

// A send on a channel that is closed meanwhile panics, and the other cases are left.
func TestSelectSendOnAClosedChannel(t *testing.T) {
	for _, more := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			q, ch := new(curio.Queue[int]), make(chan int)
			cases := []curio.Case{q.GetCase(nil), curio.SendCase(ch, 1), q.GetCase(nil)}
			if more {
				cases = append(cases, curio.ReceiveCase(make(chan int), nil))
			}
			task := curio.Go(ctx, func(ctx context.Context) error { return fixture.Selected(ctx, -1, cases...) }, curio.ReportCrash(false))
			synctest.Wait()
			close(ch)
			_ = task.Wait(ctx)
			if err := task.Err(); err == nil || !strings.Contains(err.Error(), "send on closed channel") {
				f.Errorf("it ends with %v", err)
			}
			fixture.FillQueue(f, q, 1)
			fixture.QueueHolds(f, q, 1)
			fixture.Is(f, "the next one", curio.TimeoutAfter(ctx, brief, func(ctx context.Context) error {
				return fixture.Selected(ctx, -1, q.GetCase(nil))
			}), fixture.TaskTimeout...)
		})
	}
}

// What a Select waits for is shown, of the task and of each object.
func TestSelectIsShown(t *testing.T) {
	for _, channel := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			q, e := new(curio.Queue[int]), new(curio.Event)
			cases := []curio.Case{q.GetCase(nil), e.WaitCase(), curio.AfterCase(time.Hour)}
			if channel {
				cases = append(cases, curio.ReceiveCase(make(chan int), nil))
			}
			owner := make(chan *wait.Owner, 1)
			task := curio.Go(ctx, func(ctx context.Context) error {
				owner <- wait.CurrentTask(ctx)
				return fixture.Selected(ctx, 1, cases...)
			})
			synctest.Wait()
			if s := task.State(); s != "SELECT" {
				f.Errorf("it is %s", s)
			}
			if w := q.Snapshot().Waiters; len(w) != 1 || w[0] != (curio.Waiter{Task: task.AnyTask, Op: "QUEUE_GET"}) {
				f.Errorf("for the queue wait %v", w)
			}
			seen, ok := (<-owner).Parked()
			text := fmt.Sprint(seen.Object)
			if !ok || seen.Until == 0 || !strings.HasPrefix(text, "Queue(0 items, 1 waiting) or Event(not set, 1 waiting) or the clock") {
				f.Errorf("it waits for %s until %d", text, seen.Until)
			}
			e.Set()
			_, err := task.Join(ctx)
			fixture.Is(f, "error", err, nil)
			if seen.Object.(fmt.Stringer).String() == "" {
				f.Error("what was seen has gone")
			}
		})
	}
}

// The time counts from the beginning of the Select, whatever happens in between.
func TestSelectTime(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q, ch := new(curio.Queue[int]), make(chan int)
		start := time.Now()
		task := curio.Go(ctx, func(ctx context.Context) error {
			// With a channel, what is put makes it look again, and finds nothing.
			return fixture.Selected(ctx, 2, q.GetCase(nil), curio.ReceiveCase(ch, nil), curio.AfterCase(time.Second), curio.AfterCase(time.Minute))
		})
		for range 3 {
			synctest.Wait()
			getter := curio.Go(ctx, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
			synctest.Wait()
			fixture.FillQueue(f, q, 1)
			_, err := getter.Join(ctx)
			fixture.Is(f, "getter", err, nil)
			fixture.Succeed(curio.Sleep(ctx, 300*time.Millisecond))
		}
		_, err := task.Join(ctx)
		fixture.Is(f, "error", err, nil)
		f.Elapsed(start, time.Second)
		q.Close()
	})
}

// An event that is set and cleared at once wakes those that waited, with a channel
// among the cases too.
func TestSelectOfAPulse(t *testing.T) {
	for _, channel := range []bool{false, true} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			e := new(curio.Event)
			cases := []curio.Case{e.WaitCase()}
			if channel {
				cases = append(cases, curio.ReceiveCase(make(chan int), nil))
			}
			task := curio.Go(ctx, func(ctx context.Context) error { return fixture.Selected(ctx, 0, cases...) })
			synctest.Wait()
			e.Set()
			e.Clear()
			_, err := task.Join(ctx)
			fixture.Is(f, "error", err, nil)
		})
	}
}

// What a Select has waited for, and got, is kept by nobody afterwards.
func TestSelectKeepsNothing(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		type large [1 << 20]byte
		collected := make(chan struct{}, 2)
		q, full := new(curio.Queue[*large]), curio.NewQueue[*large](1)
		fixture.FillQueue(f, full, nil)
		func() {
			got, put := new(large), new(large)
			for _, v := range []*large{got, put} {
				runtime.AddCleanup(v, func(int) { collected <- struct{}{} }, 0)
			}
			task := curio.Go(ctx, func(ctx context.Context) error {
				var v *large
				return fixture.Selected(ctx, 1, full.PutCase(put), q.GetCase(&v), curio.AfterCase(time.Hour))
			})
			fixture.WaitUntil(func() bool { return task.State() == "SELECT" })
			fixture.FillQueue(f, q, got)
			_, err := task.Join(ctx)
			fixture.Is(f, "error", err, nil)
		}()
		fixture.Watch(t, func() {
			for n := 0; n < 2; {
				runtime.GC()
				select {
				case <-collected:
					n++
				default:
				}
			}
		})
	})
}

// A loop of Selects with a long timeout takes no more memory the longer it runs.
func TestSelectLoopTakesNoMemory(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		there, back, never := new(curio.Queue[int]), new(curio.Queue[int]), new(curio.Event)
		rounds := testutil.Times(100_000)
		peer := curio.Go(ctx, func(ctx context.Context) error {
			for range rounds {
				if err := fixture.Selected(ctx, 0, there.GetCase(nil), never.WaitCase(), curio.AfterCase(time.Hour)); err != nil {
					return err
				}
				fixture.Succeed(back.Put(ctx, 1))
			}
			return nil
		})
		round := func(n int) {
			for range n {
				fixture.Succeed(there.Put(ctx, 1))
				_, err := back.Get(ctx)
				fixture.Succeed(err)
			}
		}
		round(rounds / 10)
		before := fixture.HeapMB()
		round(rounds - rounds/10)
		if more := fixture.HeapMB() - before; more > 1 {
			f.Errorf("%.1f MB more after %d rounds", more, rounds)
		}
		_, err := peer.Join(ctx)
		fixture.Is(f, "peer", err, nil)
	})
}
