package curio_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

type newQueue func(max int) *curio.Queue[int]

// queueKinds are the four kinds of queue, each as the Queue that it is built on: that is
// how functions that take a *Queue get them.
var queueKinds = []struct {
	name string
	make newQueue
}{
	{"Queue", curio.NewQueue[int]},
	{"PriorityQueue", func(max int) *curio.Queue[int] { return curio.NewPriorityQueue(max, cmp.Compare[int]) }},
	{"LIFOQueue", func(max int) *curio.Queue[int] { return curio.NewLIFOQueue[int](max) }},
	{"UniversalQueue", func(max int) *curio.Queue[int] { return curio.NewUniversalQueue[int](max) }},
}

// eachKind runs a test for each kind of queue, in a kernel in a bubble.
func eachKind(t *testing.T, test func(ctx context.Context, f *fixture, make newQueue)) {
	t.Helper()
	for _, kind := range queueKinds {
		t.Run(kind.name, func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) { test(ctx, f, kind.make) })
		})
	}
}

// putting is a task that puts v.
func putting[T any](q *curio.Queue[T], v T) func(context.Context) error {
	return func(ctx context.Context) error { return q.Put(ctx, v) }
}

// fillQueue puts items, for which there must be room.
func fillQueue[T any](t testing.TB, q *curio.Queue[T], items ...T) {
	t.Helper()
	for _, v := range items {
		if err := q.TryPut(v); err != nil {
			t.Fatalf("TryPut(%v): %v", v, err)
		}
	}
}

// drainQueue takes what is in a queue.
func drainQueue[T any](q *curio.Queue[T]) (items []T) {
	for v, err := q.TryGet(); err == nil; v, err = q.TryGet() {
		items = append(items, v)
	}
	return items
}

// queueHolds checks what is in a queue, which it empties, and that nobody waits.
func queueHolds[T comparable](t testing.TB, q *curio.Queue[T], want ...T) {
	t.Helper()
	if n := q.Len(); n != len(want) {
		t.Errorf("Len is %d, want %d", n, len(want))
	}
	if w := q.Snapshot().Waiters; len(w) > 0 {
		t.Errorf("%d wait: %v", len(w), w)
	}
	if got := drainQueue(q); !slices.Equal(got, want) {
		t.Errorf("there is left %v, want %v", got, want)
	}
}

// parkedAs checks that a task comes to wait in this state. It is for bubbles.
func parkedAs[T any](f *fixture, task *curio.Task[T], state string) {
	f.Helper()
	synctest.Wait()
	if s := task.State(); s != state {
		f.Errorf("%s is %s, want %s", task.Name(), s, state)
	}
}

// Q1: two consumers take alternately, and Join returns when every item is done.
func TestQueueTwoConsumers(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
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
		f.elapsed(start, 3*time.Second)
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
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
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
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
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
		queueHolds(f, q)
	})
}

// Q9, Q12, Q29: Len, Empty and Full tell the truth; so do TryPut and TryGet.
func TestQueueTellsTheTruth(t *testing.T) {
	eachKind(t, func(_ context.Context, f *fixture, make newQueue) {
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
			fillQueue(f, q, 7)
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
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		q := make(0)
		var getters []*curio.Task[int]
		for range 10 {
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			getters = append(getters, getter)
		}
		for _, i := range []int{9, 4, 0} {
			_, _ = getters[i].Cancel(ctx)
			is(f, "cancelled", getters[i].Err(), taskCancelled...)
			getters = slices.Delete(getters, i, i+1)
		}
		for i, getter := range getters {
			fillQueue(f, q, 100-i)
			if v, err := getter.Join(ctx); v != 100-i || err != nil {
				f.Errorf("getter %d: %d, %v", i, v, err)
			}
		}
		queueHolds(f, q)
	})
}

// Q6: putters are let in first come, first served, and those who gave up have put nothing.
func TestQueuePuttersAreFIFO(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		q := make(1)
		fillQueue(f, q, 0)
		var putters []*curio.Task[struct{}]
		for i := range 10 {
			putter := curio.Go(ctx, putting(q, 100-i))
			parkedAs(f, putter, "QUEUE_PUT")
			putters = append(putters, putter)
		}
		for _, i := range []int{9, 4, 0} {
			_, _ = putters[i].Cancel(ctx)
			is(f, "cancelled", putters[i].Err(), taskCancelled...)
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
		queueHolds(f, q)
	})
}

// Q27, W-L4: a newcomer does not overtake a getter that has been given its item, nor a
// putter that has been let in, whether or not they have run since.
func TestQueueNobodyOvertakes(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		for range 100 {
			q := make(1)
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			fillQueue(f, q, 1)
			if v, err := q.TryGet(); err != curio.ErrQueueEmpty || q.Len() != 0 {
				f.Errorf("the newcomer got %d, %v; Len is %d", v, err, q.Len())
			}
			if v, err := getter.Join(ctx); v != 1 || err != nil {
				f.Errorf("the getter got %d, %v", v, err)
			}

			fillQueue(f, q, 1)
			putter := curio.Go(ctx, putting(q, 2))
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
			queueHolds(f, q, 2)
		}
	})
}

// Q26, W-L3: a Get that was given its item before it was cancelled returns it, also if the
// queue is full again; a Put that was let in has put.
func TestQueueAssignedThenCancelled(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		for range 100 {
			q := make(1)
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			fillQueue(f, q, 1, 2)
			getter.CancelNow()
			_ = getter.Wait(ctx)
			if v, err := getter.Result(); v != 1 || err != nil {
				f.Errorf("the getter got %d, %v", v, err)
			}
			putter := curio.Go(ctx, putting(q, 3))
			parkedAs(f, putter, "QUEUE_PUT")
			if v, err := q.TryGet(); v != 2 || err != nil {
				f.Errorf("got %d, %v", v, err)
			}
			putter.CancelNow()
			_ = putter.Wait(ctx)
			if err := putter.Err(); err != nil {
				f.Errorf("the putter was let in, and got %v", err)
			}
			queueHolds(f, q, 3)
		}
	})
}

// A thousand who wait to get, to put and to join, all cancelled by one call, leave
// nothing behind.
func TestQueueThousandWaitersCancelled(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		empty, full := make(0), make(1)
		fillQueue(f, full, 1)
		parent := curio.Go(ctx, func(ctx context.Context) error {
			for i := range 1000 {
				curio.Spawn(ctx, empty.Get)
				curio.Go(ctx, putting(full, i))
				curio.Go(ctx, full.Join)
			}
			return sleeper(ctx)
		})
		synctest.Wait()
		if g, p := len(empty.Snapshot().Waiters), len(full.Snapshot().Waiters); g != 1000 || p != 2000 {
			f.Errorf("%d and %d wait", g, p)
		}
		_, _ = parent.Cancel(ctx)
		f.onlyMain()
		queueHolds(f, empty)
		queueHolds(f, full, 1)
		fillQueue(f, empty, 1)
		queueHolds(f, empty, 1)
	})
}

// Q28, W-L5: one TaskDone too many panics, and changes nothing.
func TestQueueTaskDoneTooOften(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		q := make(0)
		tooOften := func() {
			f.Helper()
			panics(f, "TaskDone called more often than items were put", q.TaskDone)
		}
		tooOften()
		fillQueue(f, q, 1)
		joiner := curio.Go(ctx, q.Join)
		parkedAs(f, joiner, "QUEUE_JOIN")
		q.TaskDone()
		tooOften()
		if _, err := joiner.Join(ctx); err != nil {
			f.Error(err)
		}
		fillQueue(f, q, 2)
		joiner = curio.Go(ctx, q.Join)
		parkedAs(f, joiner, "QUEUE_JOIN")
		q.TaskDone()
		if _, err := joiner.Join(ctx); err != nil {
			f.Error(err)
		}
		if n := len(drainQueue(q)); n != 2 {
			f.Errorf("%d items are left, want 2", n)
		}
		tooOften()
	})
}

// Q1, Q3: Join waits for what was put, not for what is in the queue; any number may join.
func TestQueueJoin(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		q := make(0)
		if err := q.Join(ctx); err != nil {
			f.Errorf("nothing was put: %v", err)
		}
		getter := curio.Spawn(ctx, q.Get)
		parkedAs(f, getter, "QUEUE_GET")
		fillQueue(f, q, 1, 2) // the first is handed over
		queueHolds(f, q, 2)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
		fillQueue(f, q, 1, 2, 3, 4)
		var plain sync.WaitGroup
		plain.Go(func() { _ = q.Put(context.Background(), 5) })
		synctest.Wait()
		p2 := curio.Go(ctx, putting(q, 6))
		parkedAs(f, p2, "QUEUE_PUT")
		j := curio.Go(ctx, q.Join)
		parkedAs(f, j, "QUEUE_JOIN")
		want = []curio.Waiter{{Op: "QUEUE_PUT"}, {Task: p2.AnyTask, Op: "QUEUE_PUT"}, {Task: j.AnyTask, Op: "QUEUE_JOIN"}}
		if s := q.Snapshot(); !slices.Equal(s.Waiters, want) || s.Holders != nil {
			f.Errorf("%v, want %v", s, want)
		}
		says("Queue(2 of 2 items, 3 waiting)")
		if n := len(drainQueue(q)); n != 4 {
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
	fillQueue(t, &zero, "a")
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
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
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
		fillQueue(f, q, 5, 6, 7)
		all.Wait()
		_ = task.Wait(ctx)
		if got != [3]int{5, 6, 7} {
			f.Errorf("got %v", got)
		}
	})
}
