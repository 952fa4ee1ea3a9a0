package curio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// What an operation costs does not depend on how many others wait. The tests compare few
// with many; the benchmarks go up to a million:
//
//	go test -run '^$' -bench Growth -benchtime 1x .

// A growth is something of which there are n, and an operation beside them.
type growth struct {
	name string
	// cost sets n up and returns what one operation takes.
	cost func(ctx context.Context, n int) time.Duration
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

// disperse cancels tasks in any order, and returns what each took.
func disperse(ctx context.Context, tasks []*curio.Task[struct{}]) time.Duration {
	rand.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	start := time.Now()
	for _, task := range tasks {
		task.CancelNow()
	}
	for _, task := range tasks {
		_ = task.Wait(ctx)
	}
	return time.Since(start) / time.Duration(max(len(tasks), 1))
}

// each measures what an operation takes, while tasks wait, which are cancelled after that.
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

// cancelling is a growth in which n wait that are cancelled in any order.
func cancelling(name string, waiting func(ctx context.Context) func(context.Context) error) growth {
	return growth{"cancel waiters of " + name, func(ctx context.Context, n int) time.Duration {
		return disperse(ctx, throng(ctx, n, waiting(ctx)))
	}}
}

func tooLarge(s *curio.Semaphore, n int64) func(context.Context) error {
	return func(ctx context.Context) error { return s.AcquireN(ctx, n) }
}

var growths = []growth{
	cancelling("Lock", func(ctx context.Context) func(context.Context) error {
		l := new(curio.Lock)
		succeed(l.Acquire(ctx))
		return l.Acquire
	}),
	cancelling("RLock", func(ctx context.Context) func(context.Context) error {
		l := new(curio.RLock)
		succeed(l.Acquire(ctx))
		return l.Acquire
	}),
	cancelling("RWLock", func(ctx context.Context) func(context.Context) error {
		l := new(curio.RWLock)
		succeed(l.AcquireRead(ctx))
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
	cancelling("a Semaphore of size 0", func(ctx context.Context) func(context.Context) error { return new(curio.Semaphore).Acquire }),
	cancelling("a Semaphore of size 1", func(ctx context.Context) func(context.Context) error {
		s := curio.NewSemaphore(1)
		succeed(s.Acquire(ctx))
		return s.Acquire
	}),
	cancelling("a Semaphore, all too large", func(ctx context.Context) func(context.Context) error {
		return tooLarge(curio.NewSemaphore(10), 11)
	}),
	{"Acquire and Release beside requests that are too large", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(10)
		return each(ctx, throng(ctx, n, tooLarge(s, 11)), func() {
			succeed(s.Acquire(ctx))
			s.Release(ctx)
		})
	}},
	{"Resize beside requests that are too large", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(10)
		size := int64(0)
		return each(ctx, throng(ctx, n, tooLarge(s, 11)), func() {
			s.Resize(size)
			size = 10 - size
		})
	}},
	{"Resize of a Semaphore to nothing and back", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(10)
		succeed(s.AcquireN(ctx, 10))
		size := int64(0)
		return each(ctx, throng(ctx, n, s.Acquire), func() {
			s.Resize(size)
			size = 10 - size
		})
	}},
	{"Snapshot of a Lock beside tasks that do something else", func(ctx context.Context, n int) time.Duration {
		l := new(curio.Lock)
		holder := throng(ctx, 1, func(ctx context.Context) error { return l.Do(ctx, sleeper) })
		took := each(ctx, throng(ctx, n, sleeper), func() { _ = l.Snapshot() })
		return took + each(ctx, holder, func() {})
	}},
	{"Release of what others hold", func(ctx context.Context, n int) time.Duration {
		s := curio.NewSemaphore(int64(n))
		holding := func(ctx context.Context) error {
			if err := s.Acquire(ctx); err != nil {
				return err
			}
			return sleeper(ctx)
		}
		tasks := throng(ctx, n, holding)
		s.ReleaseN(ctx, int64(n-1))
		return each(ctx, tasks, func() {
			s.TryAcquire(context.Background())
			s.Release(ctx)
		})
	}},
}

// linear fails if an operation costs much more beside 24 times as many.
func linear(t *testing.T, g growth) {
	const few, many, most = 1000, 24_000, 12 // caches are felt
	beside := map[int]time.Duration{few: time.Hour, many: time.Hour}
	factor := 0.0
	for range 8 { // the shortest counts, as above
		for n := range beside {
			withKernel(t, func(ctx context.Context, f *fixture) { beside[n] = min(beside[n], g.cost(ctx, n)) })
		}
		factor = float64(beside[many]) / float64(max(beside[few], 50*time.Nanosecond))
		if factor < most {
			return
		}
	}
	t.Errorf("beside %d each takes %v, %.1f times as long as beside %d", many, beside[many], factor, few)
}

func TestGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, g := range growths {
		t.Run(g.name, func(t *testing.T) { linear(t, g) })
	}
}

func BenchmarkGrowth(b *testing.B) {
	for _, g := range growths {
		for n := 1000; n <= 1_000_000; n *= 10 {
			b.Run(fmt.Sprintf("%s/n=%d", g.name, n), func(b *testing.B) {
				var took time.Duration
				inBenchKernel(b, func(ctx context.Context) {
					for range b.N {
						took += g.cost(ctx, n)
					}
				})
				b.ReportMetric(float64(took)/float64(b.N), "ns/each")
			})
		}
	}
}
