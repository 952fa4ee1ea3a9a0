package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// What every operation that waits has to do, of every primitive.

// crowd is how many wait where many do.
const crowd = 1000

// A hurdle is an object at which whoever comes has to wait, until it is opened.
type hurdle struct {
	hurdleKind

	pass func(ctx context.Context, body func(context.Context) error) error // waits, and calls body with what it has got
	open func()                                                            // what those who wait for wait for
	look func() curio.Snapshot
	text func() string

	choose func() curio.Case         // the wait as a case of a Select; nil for none
	back   func(ctx context.Context) // gives back what that has got; nil for nothing
}

type hurdleKind struct {
	what, op string
	build    func(ctx context.Context) *hurdle // ctx is the context of who is in the way
	onlyTask bool                              // nobody else can wait
	chosen   bool                              // by a Select
	single   bool                              // lets in one at a time, in order
	stays    bool                              // stays open
}

var hurdles = append(plainHurdles, selectHurdles()...)

// selectHurdles are the hurdles that a Select can wait at, among other cases.
func selectHurdles() (all []hurdleKind) {
	for _, kind := range plainHurdles {
		switch kind.what {
		case "Lock", "RLock", "RWLock", "RWLock behind a reader", "RWLock for reading", "Semaphore", "Semaphore for three", "Event", "Result.Get", "Watch", "Broadcast.Send", "WaitList", "WaitList for three":
		default:
			continue
		}
		build := kind.build
		kind.what, kind.chosen = "Select of "+kind.what, true
		kind.build = func(ctx context.Context) *hurdle {
			h := build(ctx)
			h.pass = passBySelect(h.choose, h.back)
			return h
		}
		all = append(all, kind)
	}
	return all
}

func passBySelect(choose func() curio.Case, back func(ctx context.Context)) func(context.Context, func(context.Context) error) error {
	return func(ctx context.Context, body func(context.Context) error) error {
		never, empty := new(curio.Event), new(curio.Queue[int])
		i, err := curio.Select(ctx, never.WaitCase(), curio.Case{}, choose(), empty.GetCase(nil))
		if left := len(never.Snapshot().Waiters) + len(empty.Snapshot().Waiters); left > 0 {
			panic(fmt.Sprintf("Select has left %d waiting", left))
		}
		switch {
		case err != nil && i != -1 || err == nil && i != 2:
			panic(fmt.Sprintf("Select returns %d, %v", i, err))
		case err != nil:
			return err
		}
		if back != nil {
			defer back(ctx)
		}
		return body(ctx)
	}
}

// state is how a task is shown that waits at the hurdle.
func (k hurdleKind) state() string {
	if k.chosen {
		return "SELECT"
	}
	return k.op
}

var plainHurdles = []hurdleKind{
	{what: "Lock", op: "LOCK_ACQUIRE", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		return lockHurdle(ctx, new(curio.Lock))
	}},
	{what: "RLock", op: "RLOCK_ACQUIRE", single: true, stays: true, onlyTask: true, build: func(ctx context.Context) *hurdle {
		return lockHurdle(ctx, new(curio.RLock))
	}},
	{what: "RWLock", op: "WRITE_ACQUIRE", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		return lockHurdle(ctx, new(curio.RWLock))
	}},
	{what: "RWLock behind a reader", op: "WRITE_ACQUIRE", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		l := new(curio.RWLock)
		fixture.Succeed(l.AcquireRead(ctx))
		return &hurdle{pass: l.Do, open: func() { l.ReleaseRead(ctx) }, look: l.Snapshot, text: l.String, choose: l.AcquireCase, back: l.Release}
	}},
	{what: "RWLock for reading", op: "READ_ACQUIRE", stays: true, build: func(ctx context.Context) *hurdle {
		l := new(curio.RWLock)
		fixture.Succeed(l.Acquire(ctx))
		return &hurdle{pass: l.DoRead, open: func() { l.Release(ctx) }, look: l.Snapshot, text: l.String, choose: l.AcquireReadCase, back: l.ReleaseRead}
	}},
	{what: "Semaphore", op: "SEMA_ACQUIRE", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		s := curio.NewSemaphore(1)
		fixture.Succeed(s.Acquire(ctx))
		return &hurdle{pass: s.Do, open: func() { s.Release(ctx) }, look: s.Snapshot, text: s.String, choose: s.AcquireCase, back: s.Release}
	}},
	{what: "Semaphore for three", op: "SEMA_ACQUIRE", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		s := curio.NewSemaphore(3)
		fixture.Succeed(s.Acquire(ctx))
		return &hurdle{pass: func(ctx context.Context, body func(context.Context) error) error {
			return s.DoN(ctx, 3, body)
		}, open: func() { s.Release(ctx) }, look: s.Snapshot, text: s.String, choose: func() curio.Case {
			return s.AcquireNCase(3)
		}, back: func(ctx context.Context) { s.ReleaseN(ctx, 3) }}
	}},
	{what: "BoundedSemaphore", op: "SEMA_ACQUIRE", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		s := curio.NewBoundedSemaphore(1)
		fixture.Succeed(s.Acquire(ctx))
		return &hurdle{pass: s.Do, open: func() { s.Release(ctx) }, look: s.Snapshot, text: s.String}
	}},
	{what: "Event", op: "EVENT_WAIT", stays: true, build: func(context.Context) *hurdle {
		e := new(curio.Event)
		return &hurdle{pass: afterwards(e.Wait), open: e.Set, look: e.Snapshot, text: e.String, choose: e.WaitCase}
	}},
	{what: "Result.Wait", op: "RESULT_WAIT", stays: true, build: func(context.Context) *hurdle {
		r := new(curio.Result[int])
		return &hurdle{pass: afterwards(r.Wait), open: func() { r.SetValue(1) }, look: r.Snapshot, text: r.String}
	}},
	{what: "Result.Get", op: "RESULT_WAIT", stays: true, build: func(context.Context) *hurdle {
		r := new(curio.Result[int])
		get := func(ctx context.Context) error { _, err := r.Get(ctx); return err }
		return &hurdle{pass: afterwards(get), open: func() { r.SetValue(1) }, look: r.Snapshot, text: r.String, choose: func() curio.Case {
			return r.GetCase(new(int))
		}}
	}},
	{what: "Condition", op: "CONDITION_WAIT", build: func(context.Context) *hurdle {
		return conditionHurdle(new(curio.Condition))
	}},
	{what: "Condition of an RLock", op: "CONDITION_WAIT", onlyTask: true, build: func(context.Context) *hurdle {
		return conditionHurdle(curio.NewCondition(new(curio.RLock)))
	}},
	{what: "Condition of an RWLock", op: "CONDITION_WAIT", build: func(context.Context) *hurdle {
		return conditionHurdle(curio.NewCondition(new(curio.RWLock)))
	}},
	{what: "Condition.WaitFor", op: "CONDITION_WAIT", stays: true, build: func(ctx context.Context) *hurdle {
		c := new(curio.Condition)
		var open atomic.Bool
		h := conditionHurdle(c)
		h.pass = func(ctx context.Context, body func(context.Context) error) error {
			return c.Do(ctx, func(ctx context.Context) error {
				if err := c.WaitFor(ctx, open.Load); err != nil {
					return err
				}
				return body(ctx)
			})
		}
		h.open = func() {
			fixture.Succeed(c.Do(ctx, func(context.Context) error { open.Store(true); c.NotifyAll(); return nil }))
		}
		return h
	}},
	{what: "SharedCalls", op: "SHARED_CALL", stays: true, build: func(context.Context) *hurdle {
		s, opened := new(curio.SharedCalls[string, int]), new(curio.Event)
		wait := func(ctx context.Context) error {
			_, _, err := s.Do(ctx, "key", func(ctx context.Context) (int, error) { return 1, opened.Wait(ctx) })
			return err
		}
		return &hurdle{pass: afterwards(wait), open: func() {
			opened.Set()
			fixture.WaitUntil(func() bool { return len(s.Snapshot().Holders) == 0 })
		}, look: func() curio.Snapshot { return curio.Snapshot{Waiters: s.Snapshot().Waiters} }, text: s.String}
	}},
	{what: "Once that fails", op: "ONCE_WAIT", single: true, stays: true, build: func(ctx context.Context) *hurdle {
		o, opened := new(curio.Once[int]), new(curio.Event)
		wait := func(ctx context.Context, body func(context.Context) error) (err error) {
			errTried := errors.New("tried")
			_, failed := o.Do(ctx, func(ctx context.Context) (int, error) {
				err = body(ctx)
				return 0, errTried
			})
			if failed != errTried {
				return failed
			}
			return err
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_ = wait(ctx, opened.Wait)
		}()
		fixture.WaitUntil(func() bool { return len(o.Snapshot().Holders) == 1 })
		return &hurdle{pass: wait, open: func() { opened.Set(); <-gone }, look: o.Snapshot, text: o.String}
	}},
	{what: "Barrier", op: "BARRIER_WAIT", build: func(ctx context.Context) *hurdle {
		b := curio.NewBarrier(crowd + 1)
		wait := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
		return &hurdle{pass: afterwards(wait), open: func() {
			for range b.Size() - b.Waiting() {
				curio.Go(ctx, wait)
			}
		}, look: b.Snapshot, text: b.String}
	}},
	{what: "Watch", op: "WATCH_WAIT", stays: true, build: func(context.Context) *hurdle {
		w := new(curio.Watch[int])
		wait := func(ctx context.Context) error { _, _, err := w.Wait(ctx, 0); return err }
		return &hurdle{pass: afterwards(wait), open: func() { w.Set(1) }, look: w.Snapshot, text: w.String, choose: func() curio.Case {
			return w.WaitCase(0, nil, nil)
		}}
	}},
	{what: "WaitList", op: "GATE_ENTER", single: true, stays: true, build: func(ctx context.Context) *hurdle { return gateHurdle(ctx, 1) }},
	{what: "WaitList for three", op: "GATE_ENTER", single: true, stays: true, build: func(ctx context.Context) *hurdle { return gateHurdle(ctx, 3) }},
	{what: "WaitList that nothing serves", op: "BELL_WAIT", build: func(context.Context) *hurdle { return bellHurdle() }},
	{what: "Broadcast.Send", op: "BROADCAST_SEND", stays: true, build: func(context.Context) *hurdle {
		b := new(curio.Broadcast[int])
		full := b.Subscribe(context.Background(), 1, curio.SlowWait)
		fixture.Succeed(b.TrySend(1))
		send := func(ctx context.Context) error { return b.Send(ctx, 2) }
		return &hurdle{pass: afterwards(send), open: full.Close, look: b.Snapshot, text: b.String, choose: func() curio.Case {
			return b.SendCase(2)
		}}
	}},
}

func afterwards(wait func(context.Context) error) func(context.Context, func(context.Context) error) error {
	return func(ctx context.Context, body func(context.Context) error) error {
		if err := wait(ctx); err != nil {
			return err
		}
		return body(ctx)
	}
}

// lockHurdle is a lock that is held.
func lockHurdle(ctx context.Context, l curio.Locker) *hurdle {
	fixture.Succeed(l.Acquire(ctx))
	return &hurdle{pass: l.Do, open: func() { l.Release(ctx) }, look: l.Snapshot, text: l.(fmt.Stringer).String, choose: l.AcquireCase, back: l.Release}
}

func conditionHurdle(c *curio.Condition) *hurdle {
	return &hurdle{pass: func(ctx context.Context, body func(context.Context) error) error {
		return c.Do(ctx, func(ctx context.Context) error {
			if err := c.Wait(ctx); err != nil {
				return err
			}
			return body(ctx)
		})
	}, open: c.NotifyAll, look: c.Snapshot, text: c.String}
}

// wait waits at the hurdle, and gives back what it has got.
func (h *hurdle) wait(ctx context.Context) error { return h.pass(ctx, fixture.Nothing) }

// eachHurdle calls body with every kind of hurdle, in a bubble of its own. The task of
// ctx is in the way.
func eachHurdle(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, h *hurdle)) {
	eachHurdleKind(t, func(ctx context.Context, f *fixture.Fixture, kind hurdleKind) { body(ctx, f, kind.at(ctx)) })
}

// eachHurdleKind is eachHurdle for a body that makes the hurdles itself.
func eachHurdleKind(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, kind hurdleKind)) {
	for _, kind := range hurdles {
		t.Run(kind.what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { body(ctx, f, kind) })
		})
	}
}

func (k hurdleKind) at(ctx context.Context) *hurdle {
	h := k.build(ctx)
	h.hurdleKind = k
	return h
}

// waiters checks who waits, in which order, and that the text knows how many.
func (h *hurdle) waiters(t testing.TB, want ...*curio.AnyTask) {
	t.Helper()
	var listed []curio.Waiter
	for _, task := range want {
		listed = append(listed, curio.Waiter{Task: task, Op: h.op})
	}
	if got := h.look().Waiters; !slices.Equal(got, listed) {
		t.Errorf("waiting are %v, want %v", got, listed)
	}
	some := fmt.Sprintf("%d waiting", len(want))
	if h.op == "BARRIER_WAIT" {
		some = fmt.Sprintf("%d of %d", len(want), crowd+1)
	}
	if text := h.text(); strings.Contains(text, some) != (len(want) > 0 || h.op == "BARRIER_WAIT") || !strings.HasSuffix(text, ")") {
		t.Errorf("%s, with %d waiting", text, len(want))
	}
}

// works checks that who waits now will be let through.
func (h *hurdle) works(ctx context.Context, f *fixture.Fixture) {
	f.Helper()
	later := curio.Go(ctx, h.wait)
	synctest.Wait()
	h.waiters(f, later.AnyTask)
	h.open()
	if _, err := later.Join(ctx); err != nil {
		f.Errorf("the next one: %v", err)
	}
	h.waiters(f)
}

// L3, L7, L13, L17: who waits can be cancelled, is shown meanwhile, and leaves nothing.
func TestSyncCancel(t *testing.T) {
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		waiter := curio.Go(ctx, h.wait)
		synctest.Wait()
		if s := waiter.State(); s != h.state() {
			f.Errorf("the waiter is %s, want %s", s, h.state())
		}
		h.waiters(f, waiter.AnyTask)
		if did, err := waiter.Cancel(ctx); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		fixture.Is(f, "cancelled", waiter.Err(), fixture.TaskCancelled...)
		h.waiters(f)
		h.works(ctx, f)
	})
}

// L4, L5, L8, L14, L18, U5: who waits can time out; who is let through in time is not hit
// later, nor is anybody by what was meant for who has gone.
func TestSyncTimeout(t *testing.T) {
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		start := time.Now()
		waiter := curio.Go(ctx, func(ctx context.Context) error {
			fixture.Is(f, "timeout", curio.TimeoutAfter(ctx, time.Second, h.wait), fixture.TaskTimeout...)
			f.Elapsed(start, time.Second)
			h.waiters(f)
			err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				fixture.Is(f, "inner timeout", curio.TimeoutAfter(ctx, time.Second, h.wait), fixture.TaskTimeout...)
				return curio.TimeoutAfter(ctx, time.Minute, h.wait)
			})
			f.Elapsed(start, 3*time.Second)
			return errors.Join(err, curio.Sleep(ctx, 2*time.Hour))
		})
		_ = curio.Sleep(ctx, 3*time.Second)
		h.open()
		if _, err := waiter.Join(ctx); err != nil {
			f.Errorf("in time: %v", err)
		}
	})
}

// A context that has ended ends the operation before it begins, also if it need not wait.
func TestSyncEndedContext(t *testing.T) {
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		if h.stays {
			h.open()
		}
		before := h.text()
		ours, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		fixture.Is(f, "ours", h.wait(ours), fixture.ScopeCancelled...)
		ours, cancel = curio.WithTimeout(ctx, -1)
		fixture.Is(f, "ours, expired", h.wait(ours), fixture.TaskTimeout...)
		cancel()
		for _, base := range []context.Context{ctx, context.Background()} {
			foreign, cancel := context.WithCancel(base)
			cancel()
			fixture.Is(f, "foreign", h.wait(foreign), fixture.ScopeCancelled...)
			foreign, cancel = context.WithTimeout(base, -1)
			fixture.Is(f, "foreign, expired", h.wait(foreign), fixture.ForeignTimeout...)
			cancel()
		}
		if after := h.text(); after != before {
			f.Errorf("it was %s, and is %s", before, after)
		}
		if h.stays {
			if err := h.wait(ctx); err != nil {
				f.Errorf("with a context that is alive: %v", err)
			}
		}
	})
}

// Contexts of the standard library count, whether they were derived from ours or not.
func TestSyncForeignContext(t *testing.T) {
	type key struct{}
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		for _, ours := range []bool{true, false} {
			if !ours && h.onlyTask {
				continue
			}
			for _, expires := range []bool{true, false} {
				var shown *curio.AnyTask
				waiter := curio.Go(ctx, func(ctx context.Context) error {
					base := context.Background()
					if ours {
						base, shown = ctx, curio.CurrentTask(ctx)
					}
					foreign, cancel := context.WithCancel(base)
					if want := fixture.ScopeCancelled; expires {
						foreign, cancel = context.WithTimeout(base, time.Second)
						want = fixture.ForeignTimeout
						fixture.Is(f, "foreign timeout", h.wait(foreign), want...)
					} else {
						time.AfterFunc(time.Second, cancel)
						fixture.Is(f, "foreign cancel", h.wait(foreign), want...)
					}
					cancel()
					return nil
				})
				synctest.Wait()
				h.waiters(f, shown)
				start := time.Now()
				_, _ = waiter.Join(ctx)
				f.Elapsed(start, time.Second)
				h.waiters(f)
			}
		}
		// Each of a task of its own, which owns what it acquires.
		derive := []func(context.Context) context.Context{
			func(ctx context.Context) context.Context {
				foreign, cancel := context.WithCancel(ctx)
				context.AfterFunc(ctx, cancel)
				return foreign
			},
			context.WithoutCancel,
			func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) },
		}
		var waiters []*curio.Task[struct{}]
		for _, from := range derive {
			waiters = append(waiters, curio.Go(ctx, func(ctx context.Context) error { return h.wait(from(ctx)) }))
		}
		synctest.Wait()
		h.open()
		for i, waiter := range waiters {
			if _, err := waiter.Join(ctx); err != nil {
				f.Errorf("waiter %d: %v", i, err)
			}
		}
	})
}

// L23, U1–U4: goroutines that are no tasks wait with any context, and nobody needs a kernel.
func TestSyncPlainGoroutines(t *testing.T) {
	for _, kind := range hurdles {
		if kind.onlyTask {
			continue
		}
		t.Run(kind.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := kind.at(context.Background())
				errs := make(chan error)
				for range 3 {
					go func() { errs <- h.wait(context.Background()) }()
				}
				dead, cancel := context.WithCancel(context.Background())
				go func() { errs <- h.wait(dead) }()
				synctest.Wait()
				h.waiters(t, nil, nil, nil, nil)
				cancel()
				fixture.Is(t, "cancelled", <-errs, fixture.ScopeCancelled...)
				h.open()
				for range 3 {
					if err := <-errs; err != nil {
						t.Error(err)
					}
				}
				h.waiters(t)
			})
		})
	}
}

// L23: tasks of two kernels and plain goroutines share one object, and who waits is
// shown in order.
func TestSyncAcrossKernels(t *testing.T) {
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		other := curio.NewKernel()
		var shown []*curio.AnyTask
		errs := make(chan error)
		come := func(run func(waits func(context.Context) error) error) {
			go func() {
				errs <- run(func(ctx context.Context) error {
					shown = append(shown, curio.CurrentTask(ctx))
					return h.wait(ctx)
				})
			}()
			synctest.Wait()
		}
		come(func(waits func(context.Context) error) error { return other.Run(context.Background(), waits) })
		if !h.onlyTask {
			come(func(waits func(context.Context) error) error { return waits(context.Background()) })
		}
		come(func(waits func(context.Context) error) error { return curio.Go(ctx, waits).Wait(context.Background()) })
		h.waiters(f, shown...)
		h.open()
		for range shown {
			if err := <-errs; err != nil {
				f.Error(err)
			}
		}
		dying := make(chan error)
		go func() { dying <- other.Run(context.Background(), h.wait) }()
		synctest.Wait()
		if err := errors.Join(other.Shutdown(context.Background()), <-dying); !h.stays && !errors.Is(err, curio.ErrTaskCancelled) {
			f.Errorf("its kernel was shut down: %v", err)
		}
		h.waiters(f)
	})
}

// A thousand waiters are cancelled, half of them one by one, half together.
func TestSyncCrowdCancelled(t *testing.T) {
	eachHurdle(t, func(ctx context.Context, f *fixture.Fixture, h *hurdle) {
		together, cancel := curio.WithTimeout(ctx, time.Hour)
		var tasks []*curio.Task[struct{}]
		for i := range crowd {
			if i%2 == 0 {
				tasks = append(tasks, curio.Go(ctx, h.wait))
			} else {
				tasks = append(tasks, curio.Go(together, h.wait))
			}
		}
		synctest.Wait()
		if n := len(h.look().Waiters); n != crowd {
			f.Errorf("%d wait, want %d", n, crowd)
		}
		for i := 0; i < crowd; i += 2 {
			tasks[i].CancelNow()
		}
		cancel()
		for i, task := range tasks {
			_ = task.Wait(ctx)
			if err := task.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
				f.Fatalf("waiter %d ended with %v", i, err)
			}
		}
		f.OnlyMain()
		h.works(ctx, f)
	})
}
