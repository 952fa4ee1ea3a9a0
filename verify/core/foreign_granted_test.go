package core_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// No method of a foreign context is called between the moment an operation is given what it
// waits for and its return.
func TestNothingForeignAfterAGrant(t *testing.T) {
	type granting struct {
		name string
		make func(ctx context.Context) (wait func(context.Context) error, grant func())
	}
	lock := func(l curio.Locker) func(context.Context) (func(context.Context) error, func()) {
		return func(ctx context.Context) (func(context.Context) error, func()) {
			fixture.Succeed(l.Acquire(ctx))
			return l.Acquire, func() { l.Release(ctx) }
		}
	}
	var rw curio.RWLock
	var event curio.Event
	var result curio.Result[int]
	for _, g := range []granting{
		{"Lock", lock(new(curio.Lock))},
		{"RLock", lock(new(curio.RLock))},
		{"RWLock", lock(new(curio.RWLock))},
		{"RWLock.AcquireRead", func(ctx context.Context) (func(context.Context) error, func()) {
			fixture.Succeed(rw.Acquire(ctx))
			return rw.AcquireRead, func() { rw.Release(ctx) }
		}},
		{"Lock.Do", func(ctx context.Context) (func(context.Context) error, func()) {
			l := new(curio.Lock)
			fixture.Succeed(l.Acquire(ctx))
			return func(ctx context.Context) error { return l.Do(ctx, fixture.Nothing) }, func() { l.Release(ctx) }
		}},
		{"Semaphore", func(ctx context.Context) (func(context.Context) error, func()) {
			s := curio.NewSemaphore(0)
			return s.Acquire, func() { s.Release(ctx) }
		}},
		{"Semaphore.DoN", func(ctx context.Context) (func(context.Context) error, func()) {
			s := curio.NewSemaphore(0)
			return func(ctx context.Context) error { return s.DoN(ctx, 2, fixture.Nothing) }, func() { s.Resize(2) }
		}},
		{"WaitList", func(ctx context.Context) (func(context.Context) error, func()) {
			g := fixture.NewGate(0)
			return func(ctx context.Context) error { return g.Enter(ctx, 2) }, func() { g.Leave(ctx, 2) }
		}},
		{"Event", func(context.Context) (func(context.Context) error, func()) { return event.Wait, event.Set }},
		{"Result", func(context.Context) (func(context.Context) error, func()) {
			return result.Wait, func() { result.SetValue(1) }
		}},
		{"Queue.Get", func(ctx context.Context) (func(context.Context) error, func()) {
			q := curio.NewQueue[int](0)
			return func(ctx context.Context) error { _, err := q.Get(ctx); return err }, func() { fixture.Succeed(q.TryPut(1)) }
		}},
		{"Queue.Put", func(ctx context.Context) (func(context.Context) error, func()) {
			q := curio.NewQueue[int](1)
			fixture.Succeed(q.TryPut(1))
			return func(ctx context.Context) error { return q.Put(ctx, 2) }, func() { _, _ = q.TryGet() }
		}},
		{"Queue.Join", func(ctx context.Context) (func(context.Context) error, func()) {
			q := curio.NewQueue[int](1)
			fixture.Succeed(q.TryPut(1))
			return q.Join, q.TaskDone
		}},
		{"Barrier", func(ctx context.Context) (func(context.Context) error, func()) {
			b := curio.NewBarrier(2)
			return func(ctx context.Context) error { _, err := b.Wait(ctx); return err }, func() { _, _ = b.Wait(ctx) }
		}},
		{"Condition", func(ctx context.Context) (func(context.Context) error, func()) {
			c := new(curio.Condition)
			return func(ctx context.Context) error { return c.Do(ctx, c.Wait) }, c.NotifyAll
		}},
		{"Broadcast.Send", func(ctx context.Context) (func(context.Context) error, func()) {
			b := new(curio.Broadcast[int])
			full := b.Subscribe(context.Background(), 1, curio.SlowWait)
			fixture.Succeed(b.TrySend(1))
			return func(ctx context.Context) error { return b.Send(ctx, 2) }, func() { _, _ = full.TryReceive() }
		}},
		{"Subscription.Receive", func(ctx context.Context) (func(context.Context) error, func()) {
			b := new(curio.Broadcast[int])
			s := b.Subscribe(context.Background(), 1, curio.SlowWait)
			return func(ctx context.Context) error { _, err := s.Receive(ctx); return err }, func() { fixture.Succeed(b.TrySend(1)) }
		}},
		{"Watch", func(ctx context.Context) (func(context.Context) error, func()) {
			w := new(curio.Watch[int])
			return func(ctx context.Context) error { _, _, err := w.Wait(ctx, 0); return err }, func() { w.Set(1) }
		}},
		{"Receive", func(ctx context.Context) (func(context.Context) error, func()) {
			ch := make(chan int)
			return func(ctx context.Context) error { _, err := curio.Receive(ctx, ch); return err }, func() { ch <- 1 }
		}},
		{"Send", func(ctx context.Context) (func(context.Context) error, func()) {
			ch := make(chan int)
			return func(ctx context.Context) error { return curio.Send(ctx, ch, 1) }, func() { <-ch }
		}},
		{"Sleep", func(ctx context.Context) (func(context.Context) error, func()) {
			return func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, func() { time.Sleep(time.Hour) }
		}},
		{"SharedCalls", func(ctx context.Context) (func(context.Context) error, func()) {
			var s fixture.Calls
			var done curio.Event
			return func(ctx context.Context) error {
				_, _, err := s.Do(ctx, "key", func(ctx context.Context) (int, error) { return 1, done.Wait(ctx) })
				return err
			}, done.Set
		}},
		{"Once", func(ctx context.Context) (func(context.Context) error, func()) {
			var o curio.Once[int]
			var done curio.Event
			curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return o.Do(ctx, func(ctx context.Context) (int, error) { return 1, done.Wait(ctx) })
			})
			synctest.Wait()
			return func(ctx context.Context) error { _, err := o.Do(ctx, fixture.Returns(2)); return err }, done.Set
		}},
		{"Ticker", func(ctx context.Context) (func(context.Context) error, func()) {
			t := curio.NewTicker(time.Hour, curio.SkipTicks)
			return func(ctx context.Context) error { _, err := t.Next(ctx); return err }, func() { time.Sleep(time.Hour) }
		}},
		{"RunInThread", func(ctx context.Context) (func(context.Context) error, func()) {
			returns := make(chan struct{})
			return func(ctx context.Context) error {
				_, err := curio.RunInThread(ctx, func() (int, error) { <-returns; return 1, nil })
				return err
			}, func() { close(returns) }
		}},
		{"RunInThreadLimited", func(ctx context.Context) (func(context.Context) error, func()) {
			slots := curio.NewSemaphore(0)
			return func(ctx context.Context) error {
				_, err := curio.RunInThreadLimited(ctx, slots, returnsOne)
				return err
			}, func() { slots.Release(ctx) }
		}},
		{"Producer.Put", func(ctx context.Context) (func(context.Context) error, func()) {
			q := curio.NewQueue[int](1)
			fixture.Succeed(q.TryPut(1))
			p := q.Producers(1)[0]
			return func(ctx context.Context) error { return p.Put(ctx, 2) }, func() { _, _ = q.TryGet() }
		}},
	} {
		t.Run(g.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				wait, grant := g.make(ctx)
				h := testutil.NewHostile()
				task := curio.Go(ctx, func(ctx context.Context) error {
					h.Context = ctx
					return wait(h.WithAfterFunc())
				})
				synctest.Wait()
				before := h.Calls()
				grant()
				if err := task.Wait(ctx); err != nil || task.Err() != nil {
					f.Errorf("%v, %v", err, task.Err())
				}
				if n := h.Calls() - before; n != 0 {
					f.Errorf("its context was called %d times after the grant", n)
				}
			})
		})
	}
}

// An operation that is cancelled lets the waiters behind it go on before it asks its
// context for the error.
func TestHostileContextHoldsUpNobodyBehind(t *testing.T) {
	for name, begin := range map[string]func(ctx context.Context) (first, behind func(context.Context) error){
		"RWLock": func(ctx context.Context) (first, behind func(context.Context) error) {
			l := new(curio.RWLock)
			fixture.Succeed(l.AcquireRead(ctx))
			return l.Acquire, l.AcquireRead
		},
		"Semaphore": func(ctx context.Context) (first, behind func(context.Context) error) {
			s := curio.NewSemaphore(2)
			fixture.Succeed(s.Acquire(ctx))
			return func(ctx context.Context) error { return s.AcquireN(ctx, 2) }, s.Acquire
		},
		"WaitList": func(ctx context.Context) (first, behind func(context.Context) error) {
			g := fixture.NewGate(2)
			fixture.Succeed(g.Enter(ctx, 1))
			return func(ctx context.Context) error { return g.Enter(ctx, 2) }, func(ctx context.Context) error { return g.Enter(ctx, 1) }
		},
		"Once": func(ctx context.Context) (first, behind func(context.Context) error) {
			var o curio.Once[int]
			var done curio.Event
			curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return o.Do(ctx, func(ctx context.Context) (int, error) { return 0, errors.Join(done.Wait(ctx), fixture.ErrBoom) })
			}, curio.ReportCrash(false))
			synctest.Wait()
			do := func(ctx context.Context) error { _, err := o.Do(ctx, fixture.Returns(1)); return err }
			return do, func(ctx context.Context) error {
				curio.Go(ctx, func(ctx context.Context) error { done.Set(); return nil })
				return do(ctx)
			}
		},
		"Barrier": func(ctx context.Context) (first, behind func(context.Context) error) {
			b := curio.NewBarrier(2)
			wait := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
			return wait, func(ctx context.Context) error {
				if b.Waiting() > 0 {
					return errors.New("a task that was cancelled is still counted")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				first, behind := begin(ctx)
				release := make(chan struct{})
				h := testutil.NewHostile()
				base, cancel := context.WithCancel(ctx)
				h.Context = base
				one := curio.Go(ctx, func(context.Context) error { return first(h.WithAfterFunc()) })
				synctest.Wait()
				h.At("Err", 1, func() { <-release })
				if name == "Barrier" || name == "Once" {
					cancel()
					synctest.Wait()
				}
				other := curio.Go(ctx, behind)
				synctest.Wait()
				cancel()
				synctest.Wait()
				if !h.HasActed() {
					f.Error("its context has not been asked")
				}
				if !other.Terminated() || other.Err() != nil {
					f.Errorf("the one behind: %v, %v", other.State(), other.Err())
				}
				close(release)
				_ = one.Wait(ctx)
				fixture.Is(f, "error", one.Err(), fixture.ScopeCancelled...)
				other.CancelNow()
				_ = other.Wait(ctx)
			})
		})
	}
}

func returnsOne() (int, error) { return 1, nil }
