package curio_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// eachKind runs a test for each kind of queue, in a kernel in a bubble.
func eachKind(t *testing.T, test func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue)) {
	t.Helper()
	for _, kind := range fixture.QueueKinds {
		t.Run(kind.Name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { test(ctx, f, kind.Make) })
		})
	}
}

// parkedAs checks that a task comes to wait in this state. It is for bubbles.
func parkedAs[T any](f *fixture.Fixture, task *curio.Task[T], state string) {
	f.Helper()
	synctest.Wait()
	if s := task.State(); s != state {
		f.Errorf("%s is %s, want %s", task.Name(), s, state)
	}
}

// Q1: two consumers take alternately, and Join returns when every item is done.
func TestQueueTwoConsumers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		took := make([][]int, 2)
		for i := range took {
			curio.Go(ctx, func(ctx context.Context) error {
				for {
					v, err := q.Get(ctx)
					if err != nil {
						return err
					}
					took[i] = append(took[i], v)
					if err := curio.Sleep(ctx, time.Second); err != nil {
						return err
					}
					q.TaskDone()
				}
			})
			synctest.Wait()
		}
		start := time.Now()
		for i := range 6 {
			if err := q.Put(ctx, i); err != nil {
				f.Error(err)
			}
		}
		if err := q.Join(ctx); err != nil {
			f.Error(err)
		}
		f.Elapsed(start, 3*time.Second)
		var all []int
		for _, items := range took {
			if len(items) != 3 {
				f.Errorf("the consumers took %v", took)
			}
			all = append(all, items...)
		}
		if slices.Sort(all); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5}) {
			f.Errorf("they took %v", took)
		}
	})
}

// Q3: without a bound a producer never waits, and reaches Join before the consumer starts.
func TestQueueUnbounded(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		const n = 1000
		q := make(0)
		producer := curio.Go(ctx, func(ctx context.Context) error {
			for i := range n {
				if err := q.Put(ctx, i); err != nil {
					return err
				}
			}
			return q.Join(ctx)
		})
		parkedAs(f, producer, "QUEUE_JOIN")
		if c := producer.Cycles(); c != 1 || q.Len() != n || q.Full() {
			f.Errorf("it has waited %d times; Len is %d, Full %v", c, q.Len(), q.Full())
		}
		for range n {
			if producer.Terminated() {
				f.Fatal("Join returned too early")
			}
			if _, err := q.Get(ctx); err != nil {
				f.Error(err)
			}
			q.TaskDone()
		}
		if err := producer.Wait(ctx); err != nil || producer.Err() != nil {
			f.Error(err, producer.Err())
		}
	})
}

// Q4: a bounded Put waits for room, and no longer: with capacity 2, and a Get each second.
func TestQueueBounded(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(2)
		start := time.Now()
		var gets, puts []time.Duration
		consumer := curio.Go(ctx, func(ctx context.Context) error {
			for range 5 {
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				if _, err := q.Get(ctx); err != nil {
					return err
				}
				gets = append(gets, time.Since(start)/time.Second)
			}
			return nil
		})
		for i := range 5 {
			if err := q.Put(ctx, i); err != nil {
				f.Error(err)
			}
			puts = append(puts, time.Since(start)/time.Second)
		}
		if _, err := consumer.Join(ctx); err != nil {
			f.Error(err)
		}
		if want := []time.Duration{0, 0, 1, 2, 3}; !slices.Equal(puts, want) {
			f.Errorf("put at %d, want %d", puts, want)
		}
		if want := []time.Duration{1, 2, 3, 4, 5}; !slices.Equal(gets, want) {
			f.Errorf("got at %d, want %d", gets, want)
		}
		fixture.QueueHolds(f, q)
	})
}

// Q9, Q12, Q29: Len, Empty and Full tell the truth; so do TryPut and TryGet.
func TestQueueTellsTheTruth(t *testing.T) {
	eachKind(t, func(_ context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(3)
		look := func(n int, full bool) {
			f.Helper()
			if q.Len() != n || q.Empty() != (n == 0) || q.Full() != full {
				f.Errorf("Len %d, Empty %v, Full %v, of %d items", q.Len(), q.Empty(), q.Full(), n)
			}
		}
		look(0, false)
		if v, err := q.TryGet(); v != 0 || err != curio.ErrQueueEmpty {
			f.Errorf("TryGet: %d, %v", v, err)
		}
		for i := range 3 {
			fixture.FillQueue(f, q, 7)
			look(i+1, i == 2)
		}
		if err := q.TryPut(7); err != curio.ErrQueueFull {
			f.Errorf("TryPut: %v", err)
		}
		look(3, true)
		for i := range 3 {
			if v, err := q.TryGet(); v != 7 || err != nil {
				f.Errorf("TryGet: %d, %v", v, err)
			}
			look(2-i, false)
		}
		q.Close()
		if err := q.TryPut(7); err != curio.ErrQueueClosed {
			f.Errorf("TryPut: %v", err)
		}
		if v, err := q.TryGet(); v != 0 || err != curio.ErrQueueClosed {
			f.Errorf("TryGet: %d, %v", v, err)
		}
		look(0, false)
	})
}

// Q25: getters are served first come, first served, and those who gave up are passed
// over, wherever they stood.
func TestQueueGettersAreFIFO(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		var getters []*curio.Task[int]
		for range 10 {
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			getters = append(getters, getter)
		}
		for _, i := range []int{9, 4, 0} {
			_, _ = getters[i].Cancel(ctx)
			fixture.Is(f, "cancelled", getters[i].Err(), fixture.TaskCancelled...)
			getters = slices.Delete(getters, i, i+1)
		}
		for i, getter := range getters {
			fixture.FillQueue(f, q, 100-i)
			if v, err := getter.Join(ctx); v != 100-i || err != nil {
				f.Errorf("getter %d: %d, %v", i, v, err)
			}
		}
		fixture.QueueHolds(f, q)
	})
}

// Q6: putters are let in first come, first served, and those who gave up have put nothing.
func TestQueuePuttersAreFIFO(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(1)
		fixture.FillQueue(f, q, 0)
		var putters []*curio.Task[struct{}]
		for i := range 10 {
			putter := curio.Go(ctx, fixture.Putting(q, 100-i))
			parkedAs(f, putter, "QUEUE_PUT")
			putters = append(putters, putter)
		}
		for _, i := range []int{9, 4, 0} {
			_, _ = putters[i].Cancel(ctx)
			fixture.Is(f, "cancelled", putters[i].Err(), fixture.TaskCancelled...)
		}
		for _, want := range []int{0, 99, 98, 97, 95, 94, 93, 92} {
			if v, err := q.TryGet(); v != want || err != nil {
				f.Errorf("got %d, %v, want %d", v, err, want)
			}
		}
		for i, putter := range putters {
			_ = putter.Wait(ctx)
			if err := putter.Err(); (err != nil) != (i == 9 || i == 4 || i == 0) {
				f.Errorf("putter %d: %v", i, err)
			}
		}
		fixture.QueueHolds(f, q)
	})
}

// Q27, W-L4: a newcomer does not overtake a getter that has been given its item, nor a
// putter that has been let in, whether or not they have run since.
func TestQueueNobodyOvertakes(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for range 100 {
			q := make(1)
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			fixture.FillQueue(f, q, 1)
			if v, err := q.TryGet(); err != curio.ErrQueueEmpty || q.Len() != 0 {
				f.Errorf("the newcomer got %d, %v; Len is %d", v, err, q.Len())
			}
			if v, err := getter.Join(ctx); v != 1 || err != nil {
				f.Errorf("the getter got %d, %v", v, err)
			}

			fixture.FillQueue(f, q, 1)
			putter := curio.Go(ctx, fixture.Putting(q, 2))
			parkedAs(f, putter, "QUEUE_PUT")
			if v, err := q.TryGet(); v != 1 || err != nil {
				f.Errorf("got %d, %v", v, err)
			}
			if err := q.TryPut(3); err != curio.ErrQueueFull || !q.Full() {
				f.Errorf("the newcomer put with %v; Full is %v", err, q.Full())
			}
			if _, err := putter.Join(ctx); err != nil {
				f.Errorf("the putter: %v", err)
			}
			fixture.QueueHolds(f, q, 2)
		}
	})
}

// Q26, W-L3: a Get that was given its item before it was cancelled returns it, also if the
// queue is full again; a Put that was let in has put.
func TestQueueAssignedThenCancelled(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for range 100 {
			q := make(1)
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			fixture.FillQueue(f, q, 1, 2)
			getter.CancelNow()
			_ = getter.Wait(ctx)
			if v, err := getter.Result(); v != 1 || err != nil {
				f.Errorf("the getter got %d, %v", v, err)
			}
			putter := curio.Go(ctx, fixture.Putting(q, 3))
			parkedAs(f, putter, "QUEUE_PUT")
			if v, err := q.TryGet(); v != 2 || err != nil {
				f.Errorf("got %d, %v", v, err)
			}
			putter.CancelNow()
			_ = putter.Wait(ctx)
			if err := putter.Err(); err != nil {
				f.Errorf("the putter was let in, and got %v", err)
			}
			fixture.QueueHolds(f, q, 3)
		}
	})
}

// A thousand who wait to get, to put and to join, all cancelled by one call, leave
// nothing behind.
func TestQueueThousandWaitersCancelled(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		empty, full := make(0), make(1)
		fixture.FillQueue(f, full, 1)
		parent := curio.Go(ctx, func(ctx context.Context) error {
			for i := range 1000 {
				curio.Spawn(ctx, empty.Get)
				curio.Go(ctx, fixture.Putting(full, i))
				curio.Go(ctx, full.Join)
			}
			return fixture.Sleeper(ctx)
		})
		synctest.Wait()
		if g, p := len(empty.Snapshot().Waiters), len(full.Snapshot().Waiters); g != 1000 || p != 2000 {
			f.Errorf("%d and %d wait", g, p)
		}
		_, _ = parent.Cancel(ctx)
		f.OnlyMain()
		fixture.QueueHolds(f, empty)
		fixture.QueueHolds(f, full, 1)
		fixture.FillQueue(f, empty, 1)
		fixture.QueueHolds(f, empty, 1)
	})
}

// Q28, W-L5: one TaskDone too many panics, and changes nothing.
func TestQueueTaskDoneTooOften(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		tooOften := func() {
			f.Helper()
			fixture.Panics(f, "TaskDone called more often than items were put", q.TaskDone)
		}
		tooOften()
		fixture.FillQueue(f, q, 1)
		joiner := curio.Go(ctx, q.Join)
		parkedAs(f, joiner, "QUEUE_JOIN")
		q.TaskDone()
		tooOften()
		if _, err := joiner.Join(ctx); err != nil {
			f.Error(err)
		}
		fixture.FillQueue(f, q, 2)
		joiner = curio.Go(ctx, q.Join)
		parkedAs(f, joiner, "QUEUE_JOIN")
		q.TaskDone()
		if _, err := joiner.Join(ctx); err != nil {
			f.Error(err)
		}
		if n := len(fixture.DrainQueue(q)); n != 2 {
			f.Errorf("%d items are left, want 2", n)
		}
		tooOften()
	})
}

// Q1, Q3: Join waits for what was put, not for what is in the queue; any number may join.
func TestQueueJoin(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		if err := q.Join(ctx); err != nil {
			f.Errorf("nothing was put: %v", err)
		}
		getter := curio.Spawn(ctx, q.Get)
		parkedAs(f, getter, "QUEUE_GET")
		fixture.FillQueue(f, q, 1, 2) // the first is handed over
		fixture.QueueHolds(f, q, 2)
		var joiners []*curio.Task[struct{}]
		for range 3 {
			joiners = append(joiners, curio.Go(ctx, q.Join))
		}
		for range 2 {
			for _, joiner := range joiners {
				parkedAs(f, joiner, "QUEUE_JOIN")
			}
			q.TaskDone()
		}
		for _, joiner := range joiners {
			if _, err := joiner.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		if v, err := getter.Join(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
	})
}

// Q9: who waits, in order and for what, and the same in words.
func TestQueueSnapshot(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](2)
		says := func(want string) {
			f.Helper()
			if s := fmt.Sprint(q); s != want {
				f.Errorf("it says %q, want %q", s, want)
			}
		}
		says("Queue(0 of 2 items)")
		g1 := curio.Spawn(ctx, q.Get)
		parkedAs(f, g1, "QUEUE_GET")
		g2 := curio.Spawn(ctx, q.Get)
		parkedAs(f, g2, "QUEUE_GET")
		want := []curio.Waiter{{Task: g1.AnyTask, Op: "QUEUE_GET"}, {Task: g2.AnyTask, Op: "QUEUE_GET"}}
		if s := q.Snapshot(); !slices.Equal(s.Waiters, want) || s.Holders != nil {
			f.Errorf("%v, want %v", s, want)
		}
		says("Queue(0 of 2 items, 2 waiting)")
		fixture.FillQueue(f, q, 1, 2, 3, 4)
		var plain sync.WaitGroup
		plain.Go(func() { _ = q.Put(context.Background(), 5) })
		synctest.Wait()
		p2 := curio.Go(ctx, fixture.Putting(q, 6))
		parkedAs(f, p2, "QUEUE_PUT")
		j := curio.Go(ctx, q.Join)
		parkedAs(f, j, "QUEUE_JOIN")
		want = []curio.Waiter{{Op: "QUEUE_PUT"}, {Task: p2.AnyTask, Op: "QUEUE_PUT"}, {Task: j.AnyTask, Op: "QUEUE_JOIN"}}
		if s := q.Snapshot(); !slices.Equal(s.Waiters, want) || s.Holders != nil {
			f.Errorf("%v, want %v", s, want)
		}
		says("Queue(2 of 2 items, 3 waiting)")
		if n := len(fixture.DrainQueue(q)); n != 4 {
			f.Errorf("%d were left, want 4", n)
		}
		plain.Wait()
		for range 6 {
			q.TaskDone()
		}
		_, err := j.Join(ctx)
		synctest.Wait()
		if err = errors.Join(err, g1.Err(), g2.Err(), p2.Err()); err != nil {
			f.Error(err)
		}
		q.Close()
		says("Queue(0 of 2 items, closed)")
	})
}

// Q9: what each kind says of itself.
func TestQueueString(t *testing.T) {
	var zero curio.Queue[string]
	fixture.FillQueue(t, &zero, "a")
	for want, q := range map[string]fmt.Stringer{
		"Queue(1 items)":              &zero,
		"Queue(0 of 3 items)":         curio.NewQueue[int](3),
		"PriorityQueue(0 items)":      curio.NewPriorityQueue(0, cmp.Compare[int]),
		"LIFOQueue(0 of 1 items)":     curio.NewLIFOQueue[int](1),
		"Queue(0 items)":              new(curio.UniversalQueue[int]),
		"PriorityQueue(0 of 9 items)": curio.NewPriorityQueue(9, cmp.Compare[int]),
	} {
		if s := q.String(); s != want {
			t.Errorf("it says %q, want %q", s, want)
		}
	}
}

// Q13, Q14: what waits need not be a task: a goroutine, or an OS thread, waits and is
// served in the same order.
func TestQueueServesEverybody(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		got := [3]int{}
		var all sync.WaitGroup
		keep := func(i int, ctx context.Context) {
			var err error
			if got[i], err = q.Get(ctx); err != nil {
				f.Error(err)
			}
		}
		all.Go(func() { keep(0, context.Background()) })
		synctest.Wait()
		task := curio.Go(ctx, func(ctx context.Context) error { keep(1, ctx); return nil })
		parkedAs(f, task, "QUEUE_GET")
		all.Go(func() {
			runtime.LockOSThread() // for ever: the thread ends with the goroutine
			keep(2, context.Background())
		})
		synctest.Wait()
		fixture.FillQueue(f, q, 5, 6, 7)
		all.Wait()
		_ = task.Wait(ctx)
		if got != [3]int{5, 6, 7} {
			f.Errorf("got %v", got)
		}
	})
}

// After Close getters take what is left, in the order of the queue, and then there is
// nothing for ever.
func TestQueueCloseAndDrain(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		fixture.FillQueue(f, q, 2, 2, 2)
		q.Close()
		if err := q.Put(ctx, 3); err != curio.ErrQueueClosed {
			f.Errorf("Put: %v", err)
		}
		if err := q.TryPut(3); err != curio.ErrQueueClosed {
			f.Errorf("TryPut: %v", err)
		}
		for range 3 {
			if v, err := q.Get(ctx); v != 2 || err != nil {
				f.Errorf("Get: %d, %v", v, err)
			}
		}
		for range 2 {
			if v, err := q.Get(ctx); v != 0 || err != curio.ErrQueueClosed {
				f.Errorf("Get of a closed, empty queue: %d, %v", v, err)
			}
			if v, err := q.TryGet(); v != 0 || err != curio.ErrQueueClosed {
				f.Errorf("TryGet of a closed, empty queue: %d, %v", v, err)
			}
			q.Close()
		}
	})
}

// Those who wait in Get, and those who wait in Put, get ErrQueueClosed at once; what
// the latter wanted to put was not put.
func TestQueueCloseWhileWaiting(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		empty, full := make(0), make(1)
		fixture.FillQueue(f, full, 1)
		var calls []*curio.Task[struct{}]
		for i := range 3 {
			getter := curio.Go(ctx, func(ctx context.Context) error { _, err := empty.Get(ctx); return err })
			putter := curio.Go(ctx, fixture.Putting(full, 2+i))
			parkedAs(f, getter, "QUEUE_GET")
			parkedAs(f, putter, "QUEUE_PUT")
			calls = append(calls, getter, putter)
		}
		start := time.Now()
		empty.Close()
		full.Close()
		for _, call := range calls {
			_ = call.Wait(ctx)
			if err := call.Err(); err != curio.ErrQueueClosed {
				f.Errorf("%v: %v", call, err)
			}
		}
		f.Elapsed(start, 0)
		fixture.QueueHolds(f, empty)
		fixture.QueueHolds(f, full, 1)
	})
}

// A cancellation that comes after Close has woken somebody changes nothing, and one that
// came before is what the call ends with.
func TestQueueCloseAndCancel(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for _, c := range queueCalls[:2] {
			q, items := c.queue(f, make, true)
			early := curio.Go(ctx, func(ctx context.Context) error { return c.call(ctx, q) })
			parkedAs(f, early, c.state)
			late := curio.Go(ctx, func(ctx context.Context) error { return c.call(ctx, q) })
			parkedAs(f, late, c.state)
			early.CancelNow()
			q.Close()
			late.CancelNow()
			_, _ = early.Wait(ctx), late.Wait(ctx)
			fixture.Is(f, "cancelled before", early.Err(), fixture.TaskCancelled...)
			if err := late.Err(); err != curio.ErrQueueClosed {
				f.Errorf("cancelled after: %v", err)
			}
			fixture.QueueHolds(f, q, items...)
		}
	})
}

// Under a context that has ended the context's error counts, also of a closed queue.
func TestQueueClosedUnderEndedContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		q.Close()
		ctx, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		_, err := q.Get(ctx)
		fixture.Is(f, "Get", err, fixture.ScopeCancelled...)
		fixture.Is(f, "Put", q.Put(ctx, 1), fixture.ScopeCancelled...)
	})
}

// Join goes on waiting after Close, until the last item is done; of a queue in which
// everything is done it returns.
func TestQueueJoinAfterClose(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(2)
		fixture.FillQueue(f, q, 1, 1)
		before := curio.Go(ctx, q.Join)
		putter := curio.Go(ctx, fixture.Putting(q, 3))
		parkedAs(f, putter, "QUEUE_PUT")
		q.Close()
		_ = putter.Wait(ctx)
		if err := putter.Err(); err != curio.ErrQueueClosed {
			f.Error(err)
		}
		later := curio.Go(ctx, q.Join)
		for range 2 { // and not 3: the last was refused
			parkedAs(f, before, "QUEUE_JOIN")
			parkedAs(f, later, "QUEUE_JOIN")
			if _, err := q.Get(ctx); err != nil {
				f.Error(err)
			}
			q.TaskDone()
		}
		for _, joiner := range []*curio.Task[struct{}]{before, later} {
			if _, err := joiner.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		if err := q.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// Q2, Q20: a loop over All gets what comes, and ends without an error when the queue has
// been closed and nothing is left.
func TestQueueAll(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		loop := curio.Spawn(ctx, func(ctx context.Context) (got []int, err error) {
			for v, err := range q.All(ctx) {
				if err != nil {
					return got, err
				}
				got = append(got, v)
				q.TaskDone()
			}
			return got, nil
		})
		for i := range 3 {
			parkedAs(f, loop, "QUEUE_GET")
			fixture.FillQueue(f, q, i)
		}
		if err := q.Join(ctx); err != nil {
			f.Error(err)
		}
		parkedAs(f, loop, "QUEUE_GET")
		q.Close()
		if got, err := loop.Join(ctx); err != nil || !slices.Equal(got, []int{0, 1, 2}) {
			f.Errorf("the loop got %v, %v", got, err)
		}
		for v, err := range q.All(ctx) {
			f.Errorf("of a closed queue, All gives %d, %v", v, err)
		}
	})
}

// Q2: what is left when the queue is closed is looped over too.
func TestQueueAllDrains(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		fixture.FillQueue(f, q, 1, 2, 3)
		q.Close()
		var got []int
		for v, err := range q.All(ctx) {
			if err != nil {
				f.Error(err)
			}
			got = append(got, v)
		}
		if !slices.Equal(got, []int{1, 2, 3}) {
			f.Errorf("got %v", got)
		}
	})
}

// When its context ends, a loop over All gets the error once, with the zero value, and
// ends also if it goes on.
func TestQueueAllUnderCancellation(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		fixture.FillQueue(f, q, 7)
		seq := q.All(ctx)
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			var values []int
			var errs []error
			for v, err := range q.All(ctx) {
				values, errs = append(values, v), append(errs, err)
			}
			if !slices.Equal(values, []int{7, 0}) || len(errs) != 2 || errs[0] != nil {
				f.Errorf("the loop got %v with %v", values, errs)
			}
			return errs[len(errs)-1]
		})
		fixture.Is(f, "All", err, fixture.TaskTimeout...)
		fixture.FillQueue(f, q, 8)
		for v, err := range seq { // of the other context, and made before
			if v != 8 || err != nil {
				f.Errorf("the next loop got %d, %v", v, err)
			}
			break
		}
	})
}

// A loop over All that is left takes no more than it was given; it can be begun again.
func TestQueueAllBreak(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		fixture.FillQueue(f, q, 1, 2, 3, 4)
		all := q.All(ctx)
		for want := 1; want <= 3; want++ {
			for v, err := range all {
				if v != want || err != nil {
					f.Errorf("got %d, %v, want %d", v, err, want)
				}
				break
			}
		}
		fixture.QueueHolds(f, q, 4)
	})
}

// Q16: several loops over one queue share its items, each of which one of them gets.
func TestQueueAllShared(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		const n = 300
		q := make(10)
		var got [n]atomic.Int32
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for range 3 {
				g.Spawn(func(ctx context.Context) (int, error) {
					for v, err := range q.All(ctx) {
						if err != nil {
							return 0, err
						}
						got[v].Add(1)
						q.TaskDone()
					}
					return 0, nil
				})
			}
			for i := range n {
				if err := q.Put(ctx, i); err != nil {
					return err
				}
			}
			err := q.Join(ctx)
			q.Close()
			return err
		})
		if err != nil {
			f.Error(err)
		}
		for i := range got {
			if c := got[i].Load(); c != 1 {
				f.Errorf("item %d was got %d times", i, c)
			}
		}
	})
}

// Close wakes the consumers of a pipeline one after the other, down to its end.
func TestQueueClosePipeline(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		first, second := curio.NewQueue[int](1), curio.NewQueue[int](1)
		stage := curio.Go(ctx, func(ctx context.Context) error {
			defer second.Close()
			for v, err := range first.All(ctx) {
				if err != nil {
					return err
				}
				if err := second.Put(ctx, v*v); err != nil {
					return err
				}
			}
			return nil
		})
		sum := curio.Spawn(ctx, func(ctx context.Context) (sum int, err error) {
			for v, err := range second.All(ctx) {
				if err != nil {
					return sum, err
				}
				sum += v
			}
			return sum, nil
		})
		for i := range 10 {
			if err := first.Put(ctx, i); err != nil {
				f.Error(err)
			}
		}
		first.Close()
		v, err := sum.Join(ctx)
		if err = errors.Join(err, stage.Wait(ctx), stage.Err()); v != 285 || err != nil {
			f.Errorf("%d, %v", v, err)
		}
		synctest.Wait()
		fixture.QueueHolds(f, first)
		fixture.QueueHolds(f, second)
	})
}

// A queueCall is an operation of a queue that may block: on one for one item, with so
// many in it. With one more or less it completes.
type queueCall struct {
	name, state string
	blockedBy   int
	call        func(ctx context.Context, q *curio.Queue[int]) error
}

var queueCalls = []queueCall{
	{"Get", "QUEUE_GET", 0, func(ctx context.Context, q *curio.Queue[int]) error {
		_, err := q.Get(ctx)
		return err
	}},
	{"Put", "QUEUE_PUT", 1, func(ctx context.Context, q *curio.Queue[int]) error { return q.Put(ctx, 2) }},
	{"Join", "QUEUE_JOIN", 1, func(ctx context.Context, q *curio.Queue[int]) error { return q.Join(ctx) }},
	{"All", "QUEUE_GET", 0, func(ctx context.Context, q *curio.Queue[int]) (failed error) {
		for _, err := range q.All(ctx) {
			failed = err
		}
		return failed
	}},
}

// queue makes one on which the call blocks, or, if it must not, completes.
func (c queueCall) queue(f *fixture.Fixture, make fixture.NewQueue, blocks bool) (q *curio.Queue[int], items []int) {
	q = make(1)
	if (c.blockedBy == 1) == blocks {
		items = []int{1}
		fixture.FillQueue(f, q, 1)
	}
	return q, items
}

// queueEndings are what can end a blocked call, and what the call then returns.
var queueEndings = []struct {
	name string
	run  func(ctx context.Context, call func(context.Context) error) error
	want []error
}{
	{"task cancelled", func(ctx context.Context, call func(context.Context) error) error {
		task := curio.Go(ctx, call)
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		return task.Err()
	}, fixture.TaskCancelled},
	{"timeout", func(ctx context.Context, call func(context.Context) error) error {
		return curio.TimeoutAfter(ctx, time.Second, call)
	}, fixture.TaskTimeout},
	{"outer timeout", func(ctx context.Context, call func(context.Context) error) (inner error) {
		_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, call)
			return inner
		})
		return inner
	}, fixture.OuterTimeout},
	{"timeout ignored", func(ctx context.Context, call func(context.Context) error) (inner error) {
		_, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = call(ctx)
			return inner
		})
		if err != nil {
			return err
		}
		return inner
	}, fixture.TaskTimeout},
	{"foreign timeout", func(_ context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return call(ctx)
	}, fixture.ForeignTimeout},
	{"foreign timeout derived from ours", func(ctx context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return call(ctx)
	}, fixture.ForeignTimeout},
	{"foreign cancellation derived from ours", func(ctx context.Context, call func(context.Context) error) error {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cancel(fixture.ErrBoom) })
		return call(ctx)
	}, fixture.ScopeCancelled},
	{"OS thread with a foreign context", func(_ context.Context, call func(context.Context) error) error {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			done <- call(ctx)
		}()
		return <-done
	}, fixture.ForeignTimeout},
	{"another kernel's timeout", func(_ context.Context, call func(context.Context) error) (inner error) {
		_ = curio.Run(context.Background(), func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Second, call)
			return nil
		})
		return inner
	}, fixture.TaskTimeout},
}

// Q5–Q8, Q24, W-L7: whatever ends a Get, a Put, a Join or a loop over All, it ends at
// once with the error that says why, and the queue is as it was.
func TestQueueBlockedCallsEnd(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for _, c := range queueCalls {
			for _, ending := range queueEndings {
				what := c.name + ", " + ending.name
				q, items := c.queue(f, make, true)
				began := time.Now()
				fixture.Is(f, what, ending.run(ctx, func(ctx context.Context) error { return c.call(ctx, q) }), ending.want...)
				if d := time.Since(began); d != time.Second && ending.name != "task cancelled" {
					f.Errorf("%s: after %v", what, d)
				}
				fixture.QueueHolds(f, q, items...)
				for range items {
					q.TaskDone()
				}
				if err := q.Put(ctx, 3); err != nil {
					f.Errorf("%s: a Put after that: %v", what, err)
				}
				fixture.QueueHolds(f, q, 3)
			}
		}
	})
}

// The state of a task that waits, and that it runs when it has what it waited for.
func TestQueueStates(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for _, c := range queueCalls[:3] {
			q, _ := c.queue(f, make, true)
			task := curio.Go(ctx, func(ctx context.Context) error {
				if err := c.call(ctx, q); err != nil {
					return err
				}
				return curio.Sleep(ctx, time.Second)
			})
			parkedAs(f, task, c.state)
			switch c.name {
			case "Get":
				fixture.FillQueue(f, q, 1)
			default:
				fixture.DrainQueue(q)
				q.TaskDone()
			}
			parkedAs(f, task, "TIME_SLEEP")
			if _, err := task.Join(ctx); err != nil {
				f.Error(c.name, err)
			}
		}
	})
}

// Q5–Q8: under a context that has ended a call fails at once, also if it could complete,
// and then it does nothing.
func TestQueueCallsUnderEndedContexts(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		start := time.Now()
		cancelled, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		expired, cancel := curio.WithTimeout(ctx, -1)
		defer cancel()
		foreign, cancel := context.WithCancel(context.Background())
		cancel()
		derived, cancel := context.WithDeadline(ctx, time.Now())
		defer cancel()
		var dying context.Context
		task := curio.Go(ctx, func(ctx context.Context) error { dying = ctx; return fixture.Sleeper(ctx) })
		synctest.Wait()
		_, _ = task.Cancel(ctx)
		for _, c := range queueCalls {
			for _, end := range []struct {
				name string
				ctx  context.Context
				want []error
			}{
				{"cancelled", cancelled, fixture.ScopeCancelled},
				{"expired", expired, fixture.TaskTimeout},
				{"foreign", foreign, fixture.ScopeCancelled},
				{"derived", derived, fixture.ForeignTimeout},
				{"of a cancelled task", dying, fixture.TaskCancelled},
			} {
				for _, blocks := range []bool{false, true} {
					q, items := c.queue(f, make, blocks)
					fixture.Is(f, c.name+", "+end.name, c.call(end.ctx, q), end.want...)
					fixture.QueueHolds(f, q, items...)
				}
			}
		}
		f.Elapsed(start, 0)
	})
}

// A loop of calls that never have to wait ends with its timeout.
func TestQueueLoopThatNeverWaits(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		err := curio.TimeoutAfter(ctx, 5*time.Millisecond, func(ctx context.Context) error {
			for {
				if err := q.Put(ctx, 1); err != nil {
					return err
				}
				if _, err := q.Get(ctx); err != nil {
					return err
				}
			}
		})
		fixture.Is(f, "loop", err, fixture.TaskTimeout...)
		if n := q.Len(); n > 1 {
			f.Errorf("%d are left", n)
		}
	})
}

// context.Background never ends, and values alone change nothing: a Get under either
// waits for as long as it takes.
func TestQueueUnderBackground(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for name, ctx := range map[string]context.Context{
			"Background":    context.Background(),
			"WithValue":     context.WithValue(context.Background(), key{"a"}, 1),
			"WithoutCancel": context.WithoutCancel(ctx),
		} {
			q := make(1)
			done := false
			go func() {
				defer func() { done = true }()
				for i := range 3 {
					if v, err := q.Get(ctx); v != i || err != nil {
						f.Errorf("%s: Get: %d, %v", name, v, err)
					}
					q.TaskDone()
				}
			}()
			for i := range 3 {
				time.Sleep(1000 * time.Hour)
				if err := q.Put(ctx, i); err != nil {
					f.Errorf("%s: Put: %v", name, err)
				}
			}
			if err := q.Join(ctx); err != nil {
				f.Errorf("%s: Join: %v", name, err)
			}
			synctest.Wait()
			if !done {
				f.Errorf("%s: not done", name)
			}
		}
	})
}

// A shield keeps the cancellation out of a Get, which then gets its item.
func TestQueueGetInAShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		task := curio.Go(ctx, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				if v, err := q.Get(ctx); v != 1 || err != nil {
					f.Errorf("in the shield: %d, %v", v, err)
				}
				return nil
			})
		})
		parkedAs(f, task, "QUEUE_GET")
		task.CancelNow()
		parkedAs(f, task, "QUEUE_GET")
		fixture.FillQueue(f, q, 1)
		_ = task.Wait(ctx)
	})
}

// K5: no context at all is misuse, and the queue is not left locked by it.
func TestQueueNilContext(t *testing.T) {
	fixture.InKernel(t, func(_ context.Context, f *fixture.Fixture) {
		var nilContext context.Context
		for _, c := range queueCalls {
			q, items := c.queue(f, curio.NewQueue[int], false)
			fixture.Panics(f, "nil context", func() { _ = c.call(nilContext, q) })
			fixture.QueueHolds(f, q, items...)
		}
	})
}
