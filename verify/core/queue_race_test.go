package core_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What can happen to a queue at the same moment is made to happen, often. Whatever comes
// first: an item is in the queue, or somebody got it, or its Put failed, and one of these.

// Q5, Q7, Q26, W-L3: a Put, a cancellation and a timeout of the Get that waits for it. The
// queue is full again at once, so that there is no place to put an item back to.
func TestRaceQueueGet(t *testing.T) {
	fixture.RaceQueueKinds(t, 8000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(1)
		var put []int
		got := -1
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() {
			for i := 1; q.TryPut(i) == nil; i++ {
				put = append(put, i)
			}
		}, func(ctx context.Context) (err error) {
			v, err := q.Get(ctx)
			if err == nil {
				got = v
			} else if v != 0 {
				t.Errorf("Get failed with %v, and returned %d", err, v)
			}
			return err
		})
		left := fixture.DrainQueue(q)
		if err == nil {
			left = append(left, got)
		}
		if slices.Sort(left); !slices.Equal(left, put) {
			t.Errorf("put were %v; the Get ended with %v; got, or left, are %v", put, err, left)
		}
		if w := q.Snapshot().Waiters; len(w) > 0 {
			t.Errorf("%v still wait", w)
		}
	})
}

// Q6, Q8, Q24: a Get, a cancellation and a timeout of the Put that waits for it.
func TestRaceQueuePut(t *testing.T) {
	fixture.RaceQueueKinds(t, 8000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(1)
		fixture.FillQueue(t, q, 1)
		first := 0
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() { first, _ = q.TryGet() }, fixture.Putting(q, 2))
		left := append(fixture.DrainQueue(q), first)
		want := []int{1, 2}
		if err != nil {
			want = []int{1}
		}
		if slices.Sort(left); !slices.Equal(left, want) {
			t.Errorf("the Put ended with %v; got, or left, are %v", err, left)
		}
	})
}

// Q1: the last TaskDone, a cancellation and a timeout of the Join that waits for it.
func TestRaceQueueJoin(t *testing.T) {
	fixture.RaceQueueKinds(t, 5000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(0)
		fixture.FillQueue(t, q, 1)
		var done atomic.Bool
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() { done.Store(true); q.TaskDone() }, func(ctx context.Context) error {
			err := q.Join(ctx)
			if err == nil && !done.Load() {
				t.Error("Join returned before the item was done")
			}
			return err
		})
		if e := q.Join(ctx); e != nil || len(q.Snapshot().Waiters) > 0 {
			t.Errorf("after %v, Join returns %v, and %v wait", err, e, q.Snapshot())
		}
	})
}

// Q25: the first of two getters is cancelled while an item comes: one of the two gets it.
func TestRaceQueueFirstGetterCancelled(t *testing.T) {
	fixture.RaceQueueKinds(t, 5000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(1)
		first := curio.Spawn(ctx, q.Get)
		testutil.Await(t, "QUEUE_GET", func() bool { return first.State() == "QUEUE_GET" })
		second := curio.Spawn(ctx, q.Get)
		testutil.Await(t, "QUEUE_GET", func() bool { return second.State() == "QUEUE_GET" })
		fixture.AtOnce(
			func() { fixture.Spin(); fixture.FillQueue(t, q, 1) },
			func() { fixture.Spin(); first.CancelNow() },
		)
		_ = first.Wait(ctx)
		if v, err := first.Result(); err == nil {
			if v != 1 {
				t.Errorf("the first got %d", v)
			}
			fixture.FillQueue(t, q, 2)
		}
		want := 1
		if first.Err() == nil {
			want = 2
		}
		if v, err := second.Join(ctx); v != want || err != nil {
			t.Errorf("the first ended with %v, and the second got %d, %v", first.Err(), v, err)
		}
		fixture.QueueHolds(t, q)
	})
}

// The first of two putters is cancelled while a place becomes free: one of the two is let
// in, and if it was the first, the second is still waiting.
func TestRaceQueueFirstPutterCancelled(t *testing.T) {
	fixture.RaceQueueKinds(t, 5000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(1)
		fixture.FillQueue(t, q, 1)
		first := curio.Go(ctx, fixture.Putting(q, 2))
		testutil.Await(t, "QUEUE_PUT", func() bool { return first.State() == "QUEUE_PUT" })
		second := curio.Go(ctx, fixture.Putting(q, 3))
		testutil.Await(t, "QUEUE_PUT", func() bool { return second.State() == "QUEUE_PUT" })
		fixture.AtOnce(
			func() { fixture.Spin(); _, _ = q.TryGet() },
			func() { fixture.Spin(); first.CancelNow() },
		)
		_ = first.Wait(ctx)
		want := []int{3}
		if first.Err() == nil {
			want = []int{2, 3}
		}
		var got []int
		for range want {
			v, err := q.TryGet()
			if err != nil {
				t.Errorf("there is no room used: %v, %v", err, q)
			}
			got = append(got, v)
		}
		if _, err := second.Join(ctx); err != nil || !slices.Equal(got, want) {
			t.Errorf("the first ended with %v, the second with %v; got %v", first.Err(), err, got)
		}
		fixture.QueueHolds(t, q)
	})
}

// A queueCrowd is many who put and get, each of them with little patience.
type queueCrowd struct {
	q    *curio.Queue[int]
	each int          // how many each producer tries to put
	puts atomic.Int32 // how many succeeded so far

	mu       sync.Mutex
	put, got []int
}

func (c *queueCrowd) produce(ctx context.Context, who int) error {
	var put []int
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.put = append(c.put, put...)
	}()
	for i := range c.each {
		v := who*c.each + i
		_, err := curio.IgnoreAfter(ctx, fixture.Tiny(), func(ctx context.Context) error {
			err := c.q.Put(ctx, v)
			if err == nil {
				put = append(put, v)
				c.puts.Add(1)
			}
			return err
		})
		if err == curio.ErrQueueClosed {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// consume gets until the queue is closed and empty.
func (c *queueCrowd) consume(ctx context.Context) error {
	var got []int
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got = append(c.got, got...)
	}()
	for {
		_, err := curio.IgnoreAfter(ctx, fixture.Tiny(), func(ctx context.Context) error {
			v, err := c.q.Get(ctx)
			if err == nil {
				got = append(got, v)
				c.q.TaskDone()
			}
			return err
		})
		if err == curio.ErrQueueClosed {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// check compares what was put with what was got.
func (c *queueCrowd) check(t *testing.T) {
	t.Helper()
	slices.Sort(c.put)
	slices.Sort(c.got)
	if !slices.Equal(c.put, c.got) {
		t.Errorf("%d were put, %d got, and they are not the same: lost, or got twice, is one of %v", len(c.put), len(c.got), differing(c.put, c.got))
	}
	fixture.QueueHolds(t, c.q)
	if err := c.q.Join(context.Background()); err != nil {
		t.Error(err)
	}
}

// differing is what is not as often in one of two sorted slices as in the other.
func differing(a, b []int) (d []int) {
	count := map[int]int{}
	for _, v := range a {
		count[v]++
	}
	for _, v := range b {
		count[v]--
	}
	for v, n := range count {
		if n != 0 {
			d = append(d, v)
		}
	}
	return d
}

// Q16, Q26: many producers and consumers with little patience. Each item whose Put
// succeeded is got once, also those put while the queue is being closed.
func TestRaceQueueCrowd(t *testing.T) {
	for _, closing := range []string{"in the end", "in the middle"} {
		t.Run(closing, func(t *testing.T) {
			fixture.RaceQueueKinds(t, 20, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
				c := &queueCrowd{q: make(rand.IntN(4)), each: 200}
				var producers, consumers []*curio.Task[struct{}]
				for who := range 4 {
					producers = append(producers, curio.Go(ctx, func(ctx context.Context) error { return c.produce(ctx, who) }))
				}
				for range 3 {
					consumers = append(consumers, curio.Go(ctx, c.consume))
				}
				if closing == "in the middle" {
					testutil.Await(t, "a part of it", func() bool { return c.puts.Load() > 100 || producers[0].Terminated() })
					c.q.Close()
				}
				var errs []error
				for _, producer := range producers {
					_, err := producer.Join(ctx)
					errs = append(errs, err)
				}
				c.q.Close()
				for _, consumer := range consumers {
					_, err := consumer.Join(ctx)
					errs = append(errs, err)
				}
				if err := errors.Join(errs...); err != nil {
					t.Error(err)
				}
				c.check(t)
			})
		})
	}
}

// Close, a Put and a Get at the same moment: what was put is got, and nobody hangs.
func TestRaceQueueClose(t *testing.T) {
	fixture.RaceQueueKinds(t, 8000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(1)
		fixture.FillQueue(t, q, 1)
		var put, get error
		got := []int{}
		fixture.AtOnce(
			func() { fixture.Spin(); put = q.Put(ctx, 2) }, // waits for the Get, or for Close
			func() {
				fixture.Spin()
				var v int
				if v, get = q.Get(ctx); get == nil {
					got = append(got, v)
				}
			},
			func() { fixture.Spin(); q.Close() },
		)
		got = append(got, fixture.DrainQueue(q)...)
		want := []int{1, 2}
		if put != nil {
			want = []int{1}
		}
		if slices.Sort(got); !slices.Equal(got, want) || put != nil && put != curio.ErrQueueClosed || get != nil {
			t.Errorf("Put ended with %v, Get with %v; got are %v", put, get, got)
		}
	})
}

// Close against those who wait to get, as an item comes: one gets it, the others hear
// that there will be no more.
func TestRaceQueueCloseOnGetters(t *testing.T) {
	fixture.RaceQueueKinds(t, 5000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(0)
		var got, closed atomic.Int32
		var getters []*curio.Task[struct{}]
		for range 3 {
			getters = append(getters, curio.Go(ctx, func(ctx context.Context) error {
				switch v, err := q.Get(ctx); {
				case v == 1 && err == nil:
					got.Add(1)
				case v == 0 && err == curio.ErrQueueClosed:
					closed.Add(1)
				default:
					t.Errorf("Get: %d, %v", v, err)
				}
				return nil
			}))
		}
		var put error
		fixture.AtOnce(
			func() { fixture.Spin(); put = q.TryPut(1) },
			func() { fixture.Spin(); q.Close() },
		)
		for _, getter := range getters {
			_ = getter.Wait(ctx)
		}
		want := int32(1)
		if put != nil {
			want = 0
		}
		if got.Load() != want || closed.Load() != 3-want {
			t.Errorf("TryPut: %v; %d got it, and %d did not", put, got.Load(), closed.Load())
		}
		fixture.QueueHolds(t, q)
	})
}

// Q27, W-L4: newcomers that try all the time get nothing that was given to those who wait.
func TestRaceQueueNewcomers(t *testing.T) {
	fixture.RaceQueueKinds(t, 20, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(1)
		var stop atomic.Bool
		var stolen atomic.Int32
		var newcomers sync.WaitGroup
		for range 2 {
			newcomers.Go(func() {
				for !stop.Load() {
					if _, err := q.TryGet(); err == nil {
						stolen.Add(1)
					}
					runtime.Gosched()
				}
			})
		}
		for i := range 50 {
			getter := curio.Spawn(ctx, q.Get)
			testutil.Await(t, "QUEUE_GET", func() bool { return getter.State() == "QUEUE_GET" })
			fixture.FillQueue(t, q, i)
			if v, err := getter.Join(ctx); v != i || err != nil {
				t.Errorf("got %d, %v, want %d", v, err, i)
			}
		}
		stop.Store(true)
		newcomers.Wait()
		if n := stolen.Load(); n > 0 {
			t.Errorf("newcomers got %d items", n)
		}
	})
}

// Plain goroutines under contexts of the standard library: the same holds.
func TestRaceQueueForeignContexts(t *testing.T) {
	fixture.RaceQueueKinds(t, 8000, func(t *testing.T, _ context.Context, make fixture.NewQueue) {
		q := make(1)
		getting, cancelGet := context.WithTimeout(context.Background(), time.Hour)
		defer cancelGet()
		putErr, getErr, got := error(nil), error(nil), 0
		fixture.AtOnce(
			func() { fixture.Spin(); putErr = q.Put(getting, 1) },
			func() { fixture.Spin(); got, getErr = q.Get(getting) },
			func() { fixture.Spin(); cancelGet() },
		)
		left := fixture.DrainQueue(q)
		if getErr == nil {
			left = append(left, got)
		}
		want := []int{1}
		if putErr != nil {
			want = nil
		}
		if !slices.Equal(left, want) {
			t.Errorf("Put ended with %v, Get with %v; got, or left, are %v", putErr, getErr, left)
		}
		for what, err := range map[string]error{"Put": putErr, "Get": getErr} {
			if err != nil {
				fixture.Is(t, what, err, fixture.ScopeCancelled...)
			}
		}
	})
}
