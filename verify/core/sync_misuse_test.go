package core_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

func TestBroadcastMisuse(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var b curio.Broadcast[int]
		var none curio.Subscription[int]
		var nilContext context.Context
		checkMisuses(f,
			misuse{"capacity of 0", func() { b.Subscribe(ctx, 0, curio.SlowWait) }},
			misuse{"capacity of -1", func() { b.Subscribe(ctx, -1, curio.SlowSkip) }},
			misuse{"SlowPolicy(3); pass SlowWait", func() { b.Subscribe(ctx, 1, 3) }},
			misuse{"SlowPolicy(-1)", func() { b.Subscribe(ctx, 1, -1) }},
			misuse{"nil context", func() { b.Subscribe(nilContext, 1, curio.SlowWait) }},
			misuse{"nil context", func() { _ = b.Send(nilContext, 1) }},
			misuse{"not made by Subscribe", func() { _, _ = none.Receive(ctx) }},
			misuse{"not made by Subscribe", func() { _, _ = none.TryReceive() }},
			misuse{"not made by Subscribe", func() { none.ReceiveCase(nil) }},
			misuse{"not made by Subscribe", func() { none.All(ctx) }},
			misuse{"not made by Subscribe", none.Close},
			misuse{"not made by Subscribe", func() { none.Len() }},
			misuse{"not made by Subscribe", func() { none.Snapshot() }},
			misuse{"not made by Subscribe", func() { _ = none.String() }},
		)
		if b.Subscribers() != 0 {
			f.Error(&b)
		}
	})
}

// Wrong use of the primitives: a sentence that says what was wrong, and no harm done.

// A misuse is a call that panics with a sentence about want.
type misuse struct {
	want string
	call func()
}

func checkMisuses(f *fixture.Fixture, cases ...misuse) {
	f.Helper()
	for i, c := range cases {
		before := f.Failed()
		fixture.Panics(f, c.want, c.call)
		if f.Failed() && !before {
			f.Errorf("that was case %d", i)
		}
	}
}

// inTask calls do in a task called "other" and waits for it.
func inTask(ctx context.Context, do func(ctx context.Context)) {
	task := curio.Go(ctx, func(ctx context.Context) error { do(ctx); return nil }, curio.Name("other"))
	_ = task.Wait(ctx)
}

// L10, W-L8: to release what is free, or what another one holds, panics, says who holds
// it, and changes nothing.
func TestReleaseOfWhatIsNotHeld(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		none := context.Background()
		for _, l := range []curio.Locker{new(curio.Lock), new(curio.RLock), new(curio.RWLock), new(curio.Condition).Locker()} {
			checkMisuses(f,
				misuse{"which is not held; each Release needs an Acquire before it", func() { l.Release(ctx) }},
				misuse{"a goroutine of no task releases the", func() { l.Release(none) }})
			inTask(ctx, func(other context.Context) {
				fixture.Succeed(l.Acquire(other))
				checkMisuses(f,
					misuse{"which task " + curio.CurrentTask(other).Path() + " holds", func() { l.Release(ctx) }},
					misuse{"a goroutine of no task releases the", func() { l.Release(none) }})
				if h := l.Snapshot().Holders; len(h) != 1 || h[0] != fixture.HolderOf(curio.CurrentTask(other), 1) {
					f.Errorf("%T is held by %v", l, h)
				}
				l.Release(other)
			})
			if _, ok := l.(*curio.RLock); !ok {
				fixture.Succeed(l.Acquire(none))
				checkMisuses(f, misuse{"which a goroutine of no task holds", func() { l.Release(ctx) }})
				l.Release(none)
			}
			if err := l.Do(ctx, fixture.Nothing); err != nil {
				f.Errorf("%T, used rightly: %v", l, err)
			}
		}
	})
}

// What was taken for reading is not released for writing, nor the other way round.
func TestReleaseOfTheWrongKind(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RWLock
		checkMisuses(f, misuse{"RWLock (for reading)", func() { l.ReleaseRead(ctx) }})
		fixture.Succeed(l.AcquireRead(ctx))
		checkMisuses(f, misuse{"RWLock (for writing)", func() { l.Release(ctx) }})
		inTask(ctx, func(other context.Context) {
			checkMisuses(f, misuse{"RWLock (for reading)", func() { l.ReleaseRead(other) }})
		})
		l.ReleaseRead(ctx)
		fixture.Succeed(l.Acquire(ctx))
		checkMisuses(f, misuse{"RWLock (for reading)", func() { l.ReleaseRead(ctx) }})
		l.Release(ctx)
		if s := l.Snapshot(); len(s.Holders) != 0 {
			f.Errorf("left is %v", s)
		}
	})
}

// The sentence is true: a lock that others hold for reading is held.
func TestReleaseReadOfWhatOthersRead(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RWLock
		fixture.Succeed(l.AcquireRead(ctx))
		defer l.ReleaseRead(ctx)
		inTask(ctx, func(other context.Context) {
			defer func() {
				if text := fmt.Sprint(recover()); strings.Contains(text, "is not held") {
					f.Errorf("%v, and the sentence is: %s", &l, text)
				}
			}()
			l.ReleaseRead(other)
		})
	})
}

// An RLock is of no use to whoever is no task, and a Local neither.
func TestWithoutTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RLock
		var local curio.Local[int]
		timed, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		for _, none := range []context.Context{context.Background(), timed} {
			checkMisuses(f,
				misuse{"an RLock is owned by a task", func() { _ = l.Acquire(none) }},
				misuse{"an RLock is owned by a task", func() { l.TryAcquire(none) }},
				misuse{"an RLock is owned by a task", func() { _ = l.Do(none, fixture.Nothing) }},
				misuse{"an RLock is owned by a task", func() { _ = curio.NewCondition(&l).Acquire(none) }},
				misuse{"without holding its lock", func() { _ = curio.NewCondition(&l).Wait(none) }},
				misuse{"belongs to no task", func() { local.Set(none, 1) }})
		}
		if err := l.Do(ctx, fixture.Nothing); err != nil {
			f.Error(err)
		}
		if _, ok := local.Get(ctx); ok {
			f.Error("the local is set")
		}
	})
}

// Numbers that make no sense.
func TestNegativeNumbers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s, b := curio.NewSemaphore(1), curio.NewBoundedSemaphore(1)
		var c curio.Condition
		var zero curio.Barrier
		checkMisuses(f,
			misuse{"NewSemaphore(-1): the number is negative", func() { curio.NewSemaphore(-1) }},
			misuse{"NewBoundedSemaphore(-1): the number is negative", func() { curio.NewBoundedSemaphore(-1) }},
			misuse{"AcquireN(-1): the number is negative", func() { _ = s.AcquireN(ctx, -1) }},
			misuse{"AcquireN(-1): the number is negative", func() { _ = b.DoN(ctx, -1, fixture.Nothing) }},
			misuse{"AcquireN(-2): the number is negative", func() { s.TryAcquireN(ctx, -2) }},
			misuse{"ReleaseN(-1): the number is negative", func() { s.ReleaseN(ctx, -1) }},
			misuse{"ReleaseN(-1): the number is negative", func() { b.ReleaseN(ctx, -1) }},
			misuse{"Resize(-1): the number is negative", func() { s.Resize(-1) }},
			misuse{"Resize(-1): the number is negative", func() { b.Resize(-1) }},
			misuse{"Notify(-1): the number is negative", func() { c.Notify(-1) }},
			misuse{"NewBarrier(0): a barrier is for at least one task", func() { curio.NewBarrier(0) }},
			misuse{"NewBarrier(-5): a barrier is for at least one task", func() { curio.NewBarrier(-5) }},
			misuse{"make it with NewBarrier", func() { _, _ = zero.Wait(ctx) }})
		for _, s := range []interface {
			Do(context.Context, func(context.Context) error) error
			Value() int64
		}{s, b} {
			if err := s.Do(ctx, fixture.Nothing); err != nil || s.Value() != 1 {
				f.Errorf("left is %v, and %v", s, err)
			}
		}
	})
}

// More units than can be counted are refused, and not made a negative number.
func TestSemaphoreOverflow(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewSemaphore(math.MaxInt64)
		checkMisuses(f, misuse{"", func() { s.Release(ctx) }})
		if !s.TryAcquire(ctx) || s.Size() != math.MaxInt64 {
			f.Errorf("left is %v", s)
		}
	})
}

// L21: to wait for a condition without its lock. Nobody else's lock is touched by that.
func TestConditionWithoutItsLock(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		never := func() bool { return false }
		want := "waits for a Condition without holding its lock"
		all := func() {
			checkMisuses(f,
				misuse{want, func() { _ = c.Wait(ctx) }},
				misuse{want, func() { _ = c.WaitFor(ctx, never) }},
				misuse{"a goroutine of no task " + want, func() { _ = c.Wait(context.Background()) }})
		}
		all()
		inTask(ctx, func(other context.Context) {
			fixture.Succeed(c.Acquire(other))
			all()
			fixture.HoldsLock(other, f, c, true)
			c.Release(other)
		})
		if l, ok := c.Locker().(*curio.RWLock); ok {
			fixture.Succeed(l.AcquireRead(ctx))
			all()
			l.ReleaseRead(ctx)
		}
	})
}

// L21: WaitFor without the lock is wrong, whatever its function says.
func TestConditionWaitForWithoutItsLock(t *testing.T) {
	fixture.EachCondition(t, func(ctx context.Context, f *fixture.Fixture, c *curio.Condition) {
		asked := false
		checkMisuses(f, misuse{"without holding its lock", func() {
			_ = c.WaitFor(ctx, func() bool { asked = true; return true })
		}})
		if asked {
			f.Error("the function was called without the lock")
		}
	})
}

// Nothing, where something is needed.
func TestNilInPrimitives(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var nobody context.Context
		var l curio.Lock
		var rl curio.RLock
		var rw curio.RWLock
		var e curio.Event
		var c curio.Condition
		var r curio.Result[int]
		var v curio.Local[int]
		s, b, barrier := curio.NewSemaphore(1), curio.NewBoundedSemaphore(1), curio.NewBarrier(2)
		const context, function = "nil context", "a nil function"
		checkMisuses(f,
			misuse{function, func() { _ = l.Do(ctx, nil) }}, misuse{function, func() { _ = rl.Do(ctx, nil) }},
			misuse{function, func() { _ = rw.Do(ctx, nil) }}, misuse{function, func() { _ = rw.DoRead(ctx, nil) }},
			misuse{function, func() { _ = s.Do(ctx, nil) }}, misuse{function, func() { _ = b.Do(ctx, nil) }},
			misuse{function, func() { _ = s.DoN(ctx, 1, nil) }}, misuse{function, func() { _ = b.DoN(ctx, 1, nil) }},
			misuse{function, func() { _ = c.Do(ctx, nil) }}, misuse{function, func() { r.Do(ctx, nil) }},
			misuse{function, func() { _ = c.Do(ctx, func(ctx contextType) error { return c.WaitFor(ctx, nil) }) }},
			misuse{"NewCondition of a nil lock", func() { curio.NewCondition(nil) }},
			misuse{"SetError(nil)", func() { r.SetError(nil) }},
			misuse{context, func() { _ = l.Acquire(nobody) }}, misuse{context, func() { l.TryAcquire(nobody) }},
			misuse{context, func() { l.Release(nobody) }}, misuse{context, func() { _ = l.Do(nobody, fixture.Nothing) }},
			misuse{context, func() { _ = rl.Acquire(nobody) }}, misuse{context, func() { rl.TryAcquire(nobody) }},
			misuse{context, func() { rl.Release(nobody) }}, misuse{context, func() { _ = rw.Acquire(nobody) }},
			misuse{context, func() { _ = rw.AcquireRead(nobody) }}, misuse{context, func() { rw.TryAcquireRead(nobody) }},
			misuse{context, func() { rw.Release(nobody) }}, misuse{context, func() { rw.ReleaseRead(nobody) }},
			misuse{context, func() { _ = s.Acquire(nobody) }}, misuse{context, func() { s.TryAcquire(nobody) }},
			misuse{context, func() { s.Release(nobody) }}, misuse{context, func() { b.Release(nobody) }},
			misuse{context, func() { _ = e.Wait(nobody) }}, misuse{context, func() { _ = c.Wait(nobody) }},
			misuse{context, func() { _, _ = barrier.Wait(nobody) }}, misuse{context, func() { _ = r.Wait(nobody) }},
			misuse{context, func() { _, _ = r.Get(nobody) }}, misuse{context, func() { v.Get(nobody) }},
			misuse{context, func() { v.Set(nobody, 1) }})
		for _, text := range []string{
			l.String(), rl.String(), rw.String(), e.String(), c.String(), r.String(), s.String(), b.String(), barrier.String(),
		} {
			if strings.Contains(text, "held") || strings.Contains(text, "waiting") || r.IsSet() {
				f.Errorf("left is %s", text)
			}
		}
	})
}

type contextType = context.Context

// Do releases however its function ends.
func TestDoReleases(t *testing.T) {
	eachHurdleKind(t, func(ctx context.Context, f *fixture.Fixture, kind hurdleKind) {
		if slices.Contains([]string{"EVENT_WAIT", "RESULT_WAIT", "BARRIER_WAIT", "WATCH_WAIT", "BROADCAST_SEND", "SHARED_CALL", "BELL_WAIT"}, kind.op) {
			return // nothing to release
		}
		for _, end := range fixture.Endings {
			if end.Cancelled {
				continue
			}
			h := kind.at(ctx)
			var within bool
			task := curio.Go(ctx, func(ctx context.Context) error {
				return h.pass(ctx, func(ctx context.Context) error {
					within = len(h.look().Holders) == 1
					_, err := end.Call(ctx)
					return err
				})
			}, curio.ReportCrash(false))
			synctest.Wait()
			h.open()
			_ = task.Wait(ctx)
			if s := h.look(); !within || len(s.Holders) != 0 || len(s.Waiters) != 0 {
				f.Errorf("%s: held inside: %v, left is %v", end.What, within, s)
			}
			if failed := task.Err() != nil; failed != end.Failure {
				f.Errorf("%s: %v", end.What, task.Err())
			}
		}
	})
}
