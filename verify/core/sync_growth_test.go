package core_test

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// The cost of an operation on a lock, a queue or similar does not depend on how many others
// wait. See growth_test.go.

// beside returns a growth for what one operation costs while n others wait.
func beside(what string, cost func(ctx context.Context, n int) time.Duration) growth {
	return growth{what, 1_000, 1_000_000, func(ctx context.Context, n int) (time.Duration, int) { return cost(ctx, n), 1 }}
}

// throng starts n tasks and waits until all of them wait.
func throng(ctx context.Context, n int, fn func(ctx context.Context) error) []*curio.Task[struct{}] {
	tasks := make([]*curio.Task[struct{}], n)
	for i := range tasks {
		tasks[i] = curio.Go(ctx, fn, curio.ReportCrash(false))
	}
	for _, task := range tasks {
		for task.Cycles() == 0 {
			time.Sleep(10 * time.Microsecond)
		}
	}
	return tasks
}

// disperse cancels tasks in random order, and returns the time that each took.
func disperse(ctx context.Context, tasks []*curio.Task[struct{}]) time.Duration {
	rand.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	took := timed(func() {
		for _, task := range tasks {
			task.CancelNow()
		}
		for _, task := range tasks {
			_ = task.Wait(ctx)
		}
	})
	return took / time.Duration(max(len(tasks), 1))
}

// each measures the time that op takes while tasks wait. Then it cancels the tasks.
func each(ctx context.Context, tasks []*curio.Task[struct{}], op func()) time.Duration {
	const rounds, times = 20, 50
	took := time.Hour // the shortest counts, as the machine has other things to do
	for range rounds {
		start := time.Now()
		for range times {
			op()
		}
		took = min(took, time.Since(start)/times)
	}
	for _, task := range tasks {
		task.CancelNow()
	}
	for _, task := range tasks {
		_ = task.Wait(ctx)
	}
	return took
}

// cancelling returns a growth in which n waiting tasks are cancelled in random order.
func cancelling(name string, waiting func(ctx context.Context) func(context.Context) error) growth {
	return beside("cancel waiters of "+name, func(ctx context.Context, n int) time.Duration {
		return disperse(ctx, throng(ctx, n, waiting(ctx)))
	})
}

func tooLarge(s *curio.Semaphore, n int64) func(context.Context) error {
	return func(ctx context.Context) error { return s.AcquireN(ctx, n) }
}

var syncGrowths = []growth{
	cancelling("Lock", func(ctx context.Context) func(context.Context) error {
		l := new(curio.Lock)
		fixture.Succeed(l.Acquire(ctx))
		return l.Acquire
	}),
	cancelling("RLock", func(ctx context.Context) func(context.Context) error {
		l := new(curio.RLock)
		fixture.Succeed(l.Acquire(ctx))
		return l.Acquire
	}),
	cancelling("RWLock", func(ctx context.Context) func(context.Context) error {
		l := new(curio.RWLock)
		fixture.Succeed(l.AcquireRead(ctx))
		return l.Acquire
	}),
	cancelling("Condition", func(ctx context.Context) func(context.Context) error {
		c := new(curio.Condition)
		return func(ctx context.Context) error { return c.Do(ctx, c.Wait) }
	}),
	cancelling("Event", func(ctx context.Context) func(context.Context) error { return new(curio.Event).Wait }),
	cancelling("Result", func(ctx context.Context) func(context.Context) error { return new(curio.Result[int]).Wait }),
	cancelling("Barrier", func(ctx context.Context) func(context.Context) error {
		b := curio.NewBarrier(1 << 30)
		return func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
	}),
	cancelling("Queue", func(ctx context.Context) func(context.Context) error {
		q := new(curio.Queue[int])
		return func(ctx context.Context) error { _, err := q.Get(ctx); return err }
	}),
	cancelling("Watch", func(ctx context.Context) func(context.Context) error {
		w := new(curio.Watch[int])
		return func(ctx context.Context) error { _, _, err := w.Wait(ctx, 0); return err }
	}),
	cancelling("a WaitList", func(ctx context.Context) func(context.Context) error {
		g := fixture.NewGate(0)
		return func(ctx context.Context) error { return g.Enter(ctx, 1) }
	}),
	cancelling("a subscription, and subscribers", func(ctx context.Context) func(context.Context) error {
		b := new(curio.Broadcast[int])
		return func(ctx context.Context) error {
			_, err := b.Subscribe(ctx, 1, curio.SlowWait).Receive(ctx)
			return err
		}
	}),
	cancelling("a full Broadcast", func(ctx context.Context) func(context.Context) error {
		b := new(curio.Broadcast[int])
		b.Subscribe(context.Background(), 1, curio.SlowWait)
		fixture.Succeed(b.TrySend(1))
		return func(ctx context.Context) error { return b.Send(ctx, 2) }
	}),
	cancelling("a Semaphore of size 0", func(ctx context.Context) func(context.Context) error { return new(curio.Semaphore).Acquire }),
	cancelling("a Semaphore of size 1", func(ctx context.Context) func(context.Context) error {
		s := curio.NewSemaphore(1)
		fixture.Succeed(s.Acquire(ctx))
		return s.Acquire
	}),
	cancelling("a Semaphore, all too large", func(ctx context.Context) func(context.Context) error {
		return tooLarge(curio.NewSemaphore(10), 11)
	}),
	beside("Acquire and Release beside requests that are too large", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(10)
		return each(ctx, throng(ctx, n, tooLarge(s, 11)), func() {
			fixture.Succeed(s.Acquire(ctx))
			s.Release(ctx)
		})
	}),
	beside("Resize beside requests that are too large", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(10)
		size := int64(0)
		return each(ctx, throng(ctx, n, tooLarge(s, 11)), func() {
			s.Resize(size)
			size = 10 - size
		})
	}),
	beside("Resize of a Semaphore to nothing and back", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(10)
		fixture.Succeed(s.AcquireN(ctx, 10))
		size := int64(0)
		return each(ctx, throng(ctx, n, s.Acquire), func() {
			s.Resize(size)
			size = 10 - size
		})
	}),
	beside("Snapshot of a Lock beside tasks that do something else", func(ctx context.Context, n int) time.Duration {
		l := new(curio.Lock)
		holder := throng(ctx, 1, func(ctx context.Context) error { return l.Do(ctx, fixture.Sleeper) })
		took := each(ctx, throng(ctx, n, fixture.Sleeper), func() { _ = l.Snapshot() })
		return took + each(ctx, holder, func() {})
	}),
	beside("Release of what others hold", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(int64(n))
		holding := func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			return fixture.Sleeper(ctx)
		}
		tasks := throng(ctx, n, holding)
		s.ReleaseN(ctx, int64(n-1))
		return each(ctx, tasks, func() {
			s.TryAcquire(context.Background())
			s.Release(ctx)
		})
	}),
}
