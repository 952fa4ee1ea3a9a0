package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// The worst moments of the primitives: woken and cancelled at once, by many, in the midst
// of a queue. First in bubbles, where all is made to happen while the waiter cannot move;
// then on all processors, thousands of times.

// L24, L25: cancelled and then let through: it fails, and what was meant for it has gone
// to the one behind, at once. Let through and then cancelled: it has what it waited for,
// and gives it back in its own time. Both before it knows of either.
func TestSyncWokenAndCancelled(t *testing.T) {
	eachHurdleKind(t, func(ctx context.Context, f *fixture.Fixture, kind hurdleKind) {
		for _, foreign := range []bool{false, true} {
			for _, openFirst := range []bool{false, true} {
				h := kind.at(ctx)
				cancel := func() {}
				first, letGo := fixture.HeldUp(ctx, f, h.state(), func(ctx context.Context) error {
					if !foreign {
						return h.wait(ctx)
					}
					derived, stop := context.WithCancel(ctx)
					cancel = func() { stop(); synctest.Wait() }
					return h.wait(derived)
				})
				if !foreign {
					cancel = func() { first.CancelNow() }
				}
				second := curio.Go(ctx, h.wait)
				synctest.Wait()
				h.waiters(f, first.AnyTask, second.AnyTask)
				if openFirst {
					h.open()
					cancel()
				} else {
					cancel()
					h.open()
				}
				synctest.Wait()
				// A barrier has counted on the one that was cancelled.
				passed := openFirst || h.op == "BARRIER_WAIT"
				if !passed && !second.Terminated() {
					f.Errorf("held up by one that was cancelled is %v", second)
				}
				letGo()
				what := fmt.Sprintf("foreign %v, open first %v", foreign, openFirst)
				if err := first.Err(); passed && err != nil || !passed && !errors.Is(err, context.Canceled) {
					f.Errorf("%s: %v", what, err)
				}
				if _, err := second.Join(ctx); err != nil {
					f.Errorf("%s: the second: %v", what, err)
				}
				h.waiters(f)
			}
		}
	})
}

// L28, W-L2: a notification and a cancellation at the same moment: exactly one of two
// waiters is notified, and the one that is cancelled has the lock all the same.
func TestConditionNotifiedAndCancelled(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		for _, notifyFirst := range []bool{false, true} {
			var first *curio.Task[struct{}]
			first, letGo := fixture.HeldUp(ctx, f, "CONDITION_WAIT", func(ctx context.Context) error {
				return c.Do(ctx, func(ctx context.Context) error {
					err := c.Wait(ctx)
					fixture.HoldsLock(ctx, f, c, true)
					return err
				})
			})
			second := fixture.ConditionWaiter(ctx, f, c, func(error) {})
			if notifyFirst {
				c.Notify(1)
				first.CancelNow()
			} else {
				first.CancelNow()
				c.Notify(1)
			}
			letGo()
			synctest.Wait()
			if notified := first.Err() == nil; notified != notifyFirst || second.Terminated() == notified {
				f.Errorf("notify first: %v; the first ended with %v, the second: %v", notifyFirst, first.Err(), second)
			}
			c.Notify(1)
			_ = second.Wait(ctx)
		}
	})
}

// One that is cancelled and still listed holds up a newcomer no longer than until it is
// off: then the newcomer is served, although nobody releases anything.
func TestSyncNewcomerBehindTheCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RWLock
		s := curio.NewSemaphore(3)
		fixture.Succeed(l.AcquireRead(ctx))
		fixture.Succeed(s.Acquire(ctx))
		for _, c := range []struct {
			op         string
			big, small func(context.Context) error
			try        func(context.Context) bool
		}{
			{"WRITE_ACQUIRE", l.Acquire, l.AcquireRead, l.TryAcquireRead},
			{"SEMA_ACQUIRE", func(ctx context.Context) error { return s.AcquireN(ctx, 3) }, s.Acquire, s.TryAcquire},
		} {
			big, letGo := fixture.HeldUp(ctx, f, c.op, c.big)
			big.CancelNow()
			newcomer := curio.Go(ctx, c.small)
			synctest.Wait()
			if c.try(ctx) && !newcomer.Terminated() {
				f.Errorf("%s: overtaken by a Try is %v", c.op, newcomer)
			}
			letGo()
			synctest.Wait()
			if !newcomer.Terminated() {
				f.Errorf("%s: held up by nobody is %v", c.op, newcomer)
				newcomer.CancelNow()
			}
			fixture.Is(f, c.op, big.Err(), fixture.TaskCancelled...)
		}
	})
}

// L6, L11, L24: it goes round in order of arrival. Who is cancelled at the head of the
// queue, in the middle or at its end is skipped, and a newcomer does not overtake.
func TestSyncOrder(t *testing.T) {
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		if !h.single {
			return
		}
		var order []int
		var line []*curio.Task[struct{}]
		join := func() {
			i := len(line)
			line = append(line, curio.Go(ctx, func(ctx context.Context) error {
				return h.pass(ctx, func(context.Context) error {
					order = append(order, i)
					if i == 1 {
						synctest.Wait() // for the newcomer, who sees that others wait
					}
					return nil
				})
			}))
			synctest.Wait()
		}
		for range 9 {
			join()
		}
		for _, i := range []int{0, 4, 8} {
			line[i].CancelNow()
		}
		synctest.Wait()
		h.waiters(f, line[1].AnyTask, line[2].AnyTask, line[3].AnyTask, line[5].AnyTask, line[6].AnyTask, line[7].AnyTask)
		h.open()
		if err := h.pass(ctx, func(context.Context) error { order = append(order, -1); return nil }); err != nil {
			f.Errorf("newcomer: %v", err)
		}
		if want := []int{1, 2, 3, 5, 6, 7, -1}; !slices.Equal(order, want) {
			f.Errorf("the order was %v, want %v", order, want)
		}
	})
}

// L24, L25: woken and cancelled at the same moment, of two that wait: it ends with one or
// the other, and the one behind it comes through in any case.
func TestRaceSyncPassesOn(t *testing.T) {
	for _, kind := range hurdles {
		if kind.op == "BARRIER_WAIT" {
			continue
		}
		t.Run(kind.what, func(t *testing.T) {
			fixture.Race(t, 2000, func(ctx context.Context) {
				h := kind.at(ctx)
				first := curio.Go(ctx, h.wait)
				if rand.IntN(2) == 0 {
					fixture.WaitUntil(func() bool { return len(h.look().Waiters) == 1 })
				}
				second := curio.Go(ctx, h.wait)
				fixture.WaitUntil(func() bool { return len(h.look().Waiters) == 2 })
				fixture.AtOnce(
					func() { fixture.Spin(); h.open() },
					func() { fixture.Spin(); first.CancelNow() },
				)
				if _, err := second.Join(ctx); err != nil {
					t.Errorf("the second: %v", err)
				}
				_ = first.Wait(ctx)
				if err := first.Err(); err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
					t.Errorf("the first: %v", err)
				}
				h.waiters(t)
			})
		})
	}
}

// Woken, cancelled and out of time at the same moment, and perhaps before it waits.
func TestRaceSyncOutOfTime(t *testing.T) {
	for _, kind := range hurdles {
		if kind.op == "BARRIER_WAIT" {
			continue
		}
		t.Run(kind.what, func(t *testing.T) {
			fixture.TimedRace(t, 1000, func(ctx context.Context) {
				h := kind.at(ctx)
				_ = fixture.RaceWait(t, ctx, fixture.Tiny(), h.open, h.wait)
				h.waiters(t)
				if h.stays {
					if err := h.wait(ctx); err != nil {
						t.Errorf("the next one: %v", err)
					}
				}
			})
		})
	}
}

// One notification is consumed by exactly one, cancelled or not.
func TestRaceConditionNotify(t *testing.T) {
	fixture.Race(t, 10000, func(ctx context.Context) {
		var c curio.Condition
		waits := func(ctx context.Context) error { return c.Do(ctx, c.Wait) }
		var tasks [3]*curio.Task[struct{}]
		for i := range tasks {
			tasks[i] = curio.Go(ctx, waits)
		}
		fixture.WaitUntil(func() bool { return len(c.Snapshot().Waiters) == len(tasks) })
		first := c.Snapshot().Waiters[0].Task
		fixture.AtOnce(
			func() { fixture.Spin(); c.Notify(1) },
			func() { fixture.Spin(); first.CancelNow() },
		)
		_ = first.Wait(ctx)
		want := 2 // if the first was notified; otherwise another one was
		if first.Err() != nil {
			want = 1
		}
		if got := len(c.Snapshot().Waiters); got != want {
			t.Errorf("%d wait on, want %d; the first ended with %v", got, want, first.Err())
		}
		c.NotifyAll()
		for _, task := range tasks {
			_ = task.Wait(ctx)
		}
		if s := c.Locker().Snapshot(); len(s.Holders)+len(s.Waiters) != 0 {
			t.Errorf("left is %v", s)
		}
	})
}

// A writer, or a large request, at the head of the queue is cancelled when it would be
// served: those behind it come in, and in the end nothing is held.
func TestRaceCancelledHeadOfTheQueue(t *testing.T) {
	fixture.Race(t, 5000, func(ctx context.Context) {
		var l curio.RWLock
		s := curio.NewSemaphore(4)
		fixture.Succeed(l.AcquireRead(ctx))
		fixture.Succeed(s.AcquireN(ctx, 2))
		writer := curio.Go(ctx, func(ctx context.Context) error { return l.Do(ctx, fixture.Nothing) })
		big := curio.Go(ctx, func(ctx context.Context) error {
			if err := s.AcquireN(ctx, 4); err != nil {
				return err
			}
			s.ReleaseN(ctx, 4)
			return nil
		})
		fixture.WaitUntil(func() bool { return len(l.Snapshot().Waiters) == 1 && len(s.Snapshot().Waiters) == 1 })
		var behind []*curio.Task[struct{}]
		for range 3 {
			behind = append(behind,
				curio.Go(ctx, func(ctx context.Context) error { return l.DoRead(ctx, fixture.Nothing) }),
				curio.Go(ctx, func(ctx context.Context) error { return s.Do(ctx, fixture.Nothing) }))
		}
		fixture.AtOnce(
			func() { fixture.Spin(); l.ReleaseRead(ctx); s.ReleaseN(ctx, 2) },
			func() { fixture.Spin(); writer.CancelNow(); big.CancelNow() },
		)
		for _, task := range behind {
			if _, err := task.Join(ctx); err != nil {
				t.Error(err)
			}
		}
		_ = writer.Wait(ctx)
		_ = big.Wait(ctx)
		if left := l.Snapshot(); len(left.Holders)+len(left.Waiters) != 0 || s.Value() != 4 || len(s.Snapshot().Waiters) != 0 {
			t.Errorf("left are %v and %v", &l, s)
		}
	})
}

// Who holds a lock is known as long as it lives, also while tasks end around it and it
// moves up the tree.
func TestRaceLockHolderIsKnown(t *testing.T) {
	fixture.Race(t, 300, func(ctx context.Context) {
		var l curio.Lock
		var end, release curio.Event
		var holder *curio.Task[struct{}]
		parent := curio.Go(ctx, func(ctx context.Context) error {
			holder = curio.Go(ctx, func(ctx context.Context) error { return l.Do(ctx, release.Wait) })
			return end.Wait(ctx)
		})
		var siblings []*curio.Task[struct{}] // who are looked at before it
		for range 100 {
			siblings = append(siblings, curio.Go(ctx, release.Wait))
		}
		fixture.WaitUntil(func() bool { return len(end.Snapshot().Waiters) == 1 && len(release.Snapshot().Waiters) == 101 })
		fixture.AtOnce(
			func() { fixture.Spin(); end.Set() },
			func() {
				for range 20 {
					if s := l.Snapshot(); s.Holders[0].Task != holder.AnyTask {
						t.Errorf("%v holds it, but it was held by %v", holder, s.Holders)
						return
					}
				}
			},
		)
		release.Set()
		for _, task := range append(siblings, parent, holder) {
			_ = task.Wait(ctx)
		}
	})
}

// All get their share: 64 tasks that want one lock all the time, on all processors.
func TestLockIsFair(t *testing.T) {
	if !testutil.Long {
		t.Skip("takes a second of real time: only with CURIO_LONG=1")
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		var counts [64]int // guarded by l, as is stop
		stop := false
		_ = l.Acquire(ctx) // so that all begin together
		var tasks []*curio.Task[struct{}]
		for i := range counts {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				for over := false; !over; {
					err := l.Do(ctx, func(context.Context) error {
						counts[i]++
						over = stop
						return nil
					})
					if err != nil {
						return err
					}
				}
				return nil
			}))
		}
		testutil.Await(f, "64 wait", func() bool { return len(l.Snapshot().Waiters) == len(counts) })
		l.Release(ctx)
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Error(err)
		}
		_ = l.Acquire(ctx)
		low, high := slices.Min(counts[:]), slices.Max(counts[:])
		stop = true
		l.Release(ctx)
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		if low == 0 || float64(high)/float64(low) > 1.5 {
			f.Errorf("the idlest got the lock %d times, the busiest %d times", low, high)
		}
		f.Logf("the busiest got the lock %.3f times as often as the idlest (%d)", float64(high)/float64(low), low)
	})
}

// Tasks that never have to wait end with the timeout around them, and were cancelled by
// it, for whoever asks: no failure that nobody has seen. They find out by themselves,
// before the cancellation has come down to each of them.
func TestRaceOutOfTimeIsCancelled(t *testing.T) {
	fixture.Race(t, 1000, func(ctx context.Context) {
		timed, cancel := curio.WithTimeout(ctx, 100*time.Microsecond)
		defer cancel()
		var tasks []*curio.Task[struct{}]
		for range 16 {
			tasks = append(tasks, curio.Go(timed, func(ctx context.Context) error {
				var l curio.Lock
				for {
					if err := l.Do(ctx, fixture.Nothing); err != nil {
						return err
					}
				}
			}))
		}
		for _, task := range tasks {
			_ = task.Wait(ctx)
			if err := task.Err(); !errors.Is(err, curio.ErrTaskCancelled) || !task.Cancelled() {
				t.Errorf("it ended with %v; cancelled: %v", err, task.Cancelled())
			}
		}
	})
}

// An arena counts who is in, and what was done inside, without any lock of its own: the
// race detector looks on.
type arena struct {
	t       *testing.T
	inside  atomic.Int64 // a reader counts 1, a writer 1<<32
	count   int          // guarded by the lock under test
	written atomic.Int64
}

func (a *arena) write(context.Context) error {
	if n := a.inside.Add(1 << 32); n != 1<<32 {
		a.t.Errorf("not alone: %#x", n)
	}
	before := a.count
	fixture.Spin()
	a.count = before + 1
	a.written.Add(1)
	a.inside.Add(-1 << 32)
	return nil
}

func (a *arena) read(context.Context) error {
	if n := a.inside.Add(1); n >= 1<<32 {
		a.t.Errorf("with a writer: %#x", n)
	}
	_ = a.count
	fixture.Spin()
	a.inside.Add(-1)
	return nil
}

// intrude calls do in one of the ways in which it can be cut short, or not.
func intrude(ctx context.Context, do func(context.Context) error) error {
	switch rand.IntN(5) {
	case 0:
		task := curio.Go(ctx, do)
		fixture.Spin()
		task.CancelNow()
		_ = task.Wait(ctx)
		return task.Err()
	case 1:
		_, err := curio.IgnoreAfter(ctx, fixture.Tiny(), do)
		return err
	case 2:
		foreign, cancel := context.WithCancel(ctx)
		go cancel()
		return do(foreign)
	case 3:
		return curio.TimeoutAfter(ctx, time.Hour, do)
	}
	return do(ctx)
}

// Many tasks, cancellations and timeouts at random: never are two inside, no update is
// lost, and in the end everything is free.
func TestRaceStress(t *testing.T) {
	var (
		lock  = new(curio.Lock)
		rlock = new(curio.RLock)
		rw    = new(curio.RWLock)
		sema  = curio.NewSemaphore(1)
		bound = curio.NewBoundedSemaphore(3)
		cond  curio.Condition
	)
	twice := func(ctx context.Context, body func(context.Context) error) error {
		return rlock.Do(ctx, func(ctx context.Context) error { return rlock.Do(ctx, body) })
	}
	threes := func(ctx context.Context, body func(context.Context) error) error {
		return bound.DoN(ctx, 3, body)
	}
	notified := func(ctx context.Context, body func(context.Context) error) error {
		return cond.Do(ctx, func(ctx context.Context) error {
			defer cond.Notify(1)
			if err := curio.TimeoutAfter(ctx, fixture.Tiny(), cond.Wait); err != nil && !errors.Is(err, curio.ErrTaskTimeout) {
				return err
			}
			return body(ctx)
		})
	}
	type do = func(context.Context, func(context.Context) error) error
	for _, c := range []struct {
		what        string
		write, read do
		look        func() curio.Snapshot
	}{
		{"Lock", lock.Do, lock.Do, lock.Snapshot},
		{"RLock", rlock.Do, twice, rlock.Snapshot},
		{"RWLock", rw.Do, rw.DoRead, rw.Snapshot},
		{"Semaphore", sema.Do, sema.Do, sema.Snapshot},
		{"BoundedSemaphore", threes, bound.Do, bound.Snapshot},
		{"Condition", notified, cond.Do, cond.Snapshot},
	} {
		t.Run(c.what, func(t *testing.T) { stress(t, c.write, c.read, c.look) })
	}
}

func stress(t *testing.T, write, read func(context.Context, func(context.Context) error) error, look func() curio.Snapshot) {
	a := &arena{t: t}
	fixture.TimedRace(t, 10, func(ctx context.Context) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for range 32 {
				g.Spawn(func(ctx context.Context) (int, error) {
					for range 30 {
						err := intrude(ctx, func(ctx context.Context) error {
							if rand.IntN(3) == 0 {
								return read(ctx, a.read)
							}
							return write(ctx, a.write)
						})
						if err != nil && !errors.Is(err, curio.ErrCancelled) {
							return 0, err
						}
					}
					return 0, nil
				})
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if s := look(); len(s.Holders)+len(s.Waiters) != 0 || a.inside.Load() != 0 {
			t.Errorf("left is %v, with %#x inside", s, a.inside.Load())
		}
		if a.count != int(a.written.Load()) {
			t.Errorf("%d updates, of which %d are to be seen", a.written.Load(), a.count)
		}
	})
	if a.count == 0 {
		t.Error("nobody came in")
	}
}
