package curio_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// After Close getters take what is left, in the order of the queue, and then there is
// nothing for ever.
func TestQueueCloseAndDrain(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		q := make(0)
		fillQueue(f, q, 2, 2, 2)
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
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		empty, full := make(0), make(1)
		fillQueue(f, full, 1)
		var calls []*curio.Task[struct{}]
		for i := range 3 {
			getter := curio.Go(ctx, func(ctx context.Context) error { _, err := empty.Get(ctx); return err })
			putter := curio.Go(ctx, putting(full, 2+i))
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
		f.elapsed(start, 0)
		queueHolds(f, empty)
		queueHolds(f, full, 1)
	})
}

// A cancellation that comes after Close has woken somebody changes nothing, and one that
// came before is what the call ends with.
func TestQueueCloseAndCancel(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
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
			is(f, "cancelled before", early.Err(), taskCancelled...)
			if err := late.Err(); err != curio.ErrQueueClosed {
				f.Errorf("cancelled after: %v", err)
			}
			queueHolds(f, q, items...)
		}
	})
}

// Under a context that has ended the context's error counts, also of a closed queue.
func TestQueueClosedUnderEndedContext(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		q := curio.NewQueue[int](0)
		q.Close()
		ctx, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		_, err := q.Get(ctx)
		is(f, "Get", err, scopeCancelled...)
		is(f, "Put", q.Put(ctx, 1), scopeCancelled...)
	})
}

// Join goes on waiting after Close, until the last item is done; of a queue in which
// everything is done it returns.
func TestQueueJoinAfterClose(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
		q := make(2)
		fillQueue(f, q, 1, 1)
		before := curio.Go(ctx, q.Join)
		putter := curio.Go(ctx, putting(q, 3))
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
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
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
			fillQueue(f, q, i)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		q := curio.NewQueue[int](0)
		fillQueue(f, q, 1, 2, 3)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		q := curio.NewQueue[int](0)
		fillQueue(f, q, 7)
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
		is(f, "All", err, taskTimeout...)
		fillQueue(f, q, 8)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		q := curio.NewQueue[int](0)
		fillQueue(f, q, 1, 2, 3, 4)
		all := q.All(ctx)
		for want := 1; want <= 3; want++ {
			for v, err := range all {
				if v != want || err != nil {
					f.Errorf("got %d, %v, want %d", v, err, want)
				}
				break
			}
		}
		queueHolds(f, q, 4)
	})
}

// Q16: several loops over one queue share its items, each of which one of them gets.
func TestQueueAllShared(t *testing.T) {
	eachKind(t, func(ctx context.Context, f *fixture, make newQueue) {
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
	inKernel(t, func(ctx context.Context, f *fixture) {
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
		queueHolds(f, first)
		queueHolds(f, second)
	})
}
