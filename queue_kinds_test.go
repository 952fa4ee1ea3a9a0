package curio_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// An order is an item whose rank alone is compared.
type order struct{ rank, number int }

func byRank(a, b order) int { return cmp.Compare(a.rank, b.rank) }

// Q10, Q11: the smallest comes first out of a priority queue, the latest out of a stack.
func TestQueueOrders(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		in := rand.Perm(1000)
		for name, c := range map[string]struct {
			q    *curio.Queue[int]
			want func()
			out  []int
		}{
			"Queue":          {q: curio.NewQueue[int](0), out: slices.Clone(in)},
			"UniversalQueue": {q: curio.NewUniversalQueue[int](0), out: slices.Clone(in)},
			"LIFOQueue":      {q: curio.NewLIFOQueue[int](0), out: reversed(in)},
			"PriorityQueue":  {q: curio.NewPriorityQueue(0, cmp.Compare[int]), out: slices.Sorted(slices.Values(in))},
			"largest first": {
				q:   curio.NewPriorityQueue(0, func(a, b int) int { return cmp.Compare(b, a) }),
				out: reversed(slices.Sorted(slices.Values(in))),
			},
		} {
			for _, v := range in {
				if err := c.q.Put(ctx, v); err != nil {
					f.Error(err)
				}
			}
			var got []int
			for range in {
				v, err := c.q.Get(ctx)
				if err != nil {
					f.Error(err)
				}
				got = append(got, v)
			}
			if !slices.Equal(got, c.out) {
				f.Errorf("%s: in came %v, out %v", name, in, got)
			}
		}
	})
}

func reversed(s []int) []int {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

// Q29: equal priorities come out first-in first-out, whatever comes and goes between.
func TestPriorityQueueIsStable(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		q := curio.NewPriorityQueue(0, byRank)
		number := 0
		last := map[int]int{} // of each rank, the number that came out
		get := func() {
			v, err := q.TryGet()
			if err != nil {
				t.Fatal(err)
			}
			if v.number <= last[v.rank] {
				t.Fatalf("seed %d: number %d of rank %d came after number %d", seed, v.number, v.rank, last[v.rank])
			}
			last[v.rank] = v.number
		}
		for range 500 {
			if q.Len() > 0 && random.IntN(3) == 0 {
				get()
				continue
			}
			number++
			fixture.FillQueue(t, q, order{random.IntN(3), number})
		}
		for !q.Empty() {
			get()
		}
	}
}

// Q29: equals come out in order of arrival also if their putters had to wait; a waiting
// item is not compared before it is let in.
func TestPriorityQueueOfBlockedPutters(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewPriorityQueue(2, byRank)
		fixture.FillQueue(f, q, order{5, 0}, order{5, 1})
		for number, rank := range []int{5, 5, 1, 5} {
			parkedAs(f, curio.Go(ctx, fixture.Putting(q, order{rank, 2 + number})), "QUEUE_PUT")
		}
		var got []int
		for range 6 {
			v, err := q.Get(ctx)
			if err != nil {
				f.Error(err)
			}
			got = append(got, v.number)
		}
		// Rank 1 waits its turn for room, and is out first when it has that.
		if want := []int{0, 1, 2, 4, 3, 5}; !slices.Equal(got, want) {
			f.Errorf("got %v, want %v", got, want)
		}
	})
}

// An item that is handed to a waiting getter was the only one: it is not compared.
func TestPriorityQueueHandOver(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewPriorityQueue(0, func(int, int) int { panic("compared") })
		for i := range 3 {
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			fixture.FillQueue(f, q, i)
			if v, err := getter.Join(ctx); v != i || err != nil {
				f.Error(v, err)
			}
		}
	})
}

// The zero value is an empty queue without bound, in order of arrival.
func TestQueueZeroValue(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var plain curio.Queue[int]
		var universal curio.UniversalQueue[int]
		for _, q := range []*curio.Queue[int]{&plain, &universal} {
			if q.Len() != 0 || q.Full() || !q.Empty() || q.Join(ctx) != nil {
				f.Errorf("%v is not empty", q)
			}
			getter := curio.Spawn(ctx, q.Get)
			parkedAs(f, getter, "QUEUE_GET")
			fixture.FillQueue(f, q, 9, 3, 1, 2)
			if v, err := getter.Join(ctx); v != 9 || err != nil {
				f.Error(v, err)
			}
			if q.Full() {
				f.Errorf("%v is full", q)
			}
			fixture.QueueHolds(f, q, 3, 1, 2)
		}
	})
}

// Wrong sizes, and a priority queue without a comparison, panic with a sentence.
func TestQueueMisuse(t *testing.T) {
	for name, make := range map[string]func(){
		"NewQueue":          func() { curio.NewQueue[int](-1) },
		"NewPriorityQueue":  func() { curio.NewPriorityQueue(-1, cmp.Compare[int]) },
		"NewLIFOQueue":      func() { curio.NewLIFOQueue[int](-1) },
		"NewUniversalQueue": func() { curio.NewUniversalQueue[int](-1) },
	} {
		fixture.Panics(t, name, make)
		fixture.Panics(t, "-1", make)
	}
	fixture.Panics(t, "without a comparison", func() { curio.NewPriorityQueue[int](0, nil) })
}

// poison is what explosive panics about: a comparison with it.
const poison = -1

func explosive(a, b int) int {
	if a == poison || b == poison {
		panic("curio: poison")
	}
	return cmp.Compare(a, b)
}

// A comparison that panics in Put or in Get does so for the caller; after that the queue
// is as before, and not locked.
func TestPriorityQueueComparisonPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewPriorityQueue(0, explosive)
		fixture.FillQueue(f, q, 5, 3, 4, 1, 2)
		fixture.Panics(f, "poison", func() { _ = q.Put(ctx, poison) })
		fixture.Panics(f, "poison", func() { _ = q.TryPut(poison) })
		fixture.QueueHolds(f, q, 1, 2, 3, 4, 5)
		for range 5 { // not 7
			q.TaskDone()
		}
		if err := q.Join(ctx); err != nil {
			f.Error(err)
		}

		armed := false
		q = curio.NewPriorityQueue(0, func(a, b int) int {
			if armed {
				panic("curio: armed")
			}
			return cmp.Compare(a, b)
		})
		in := rand.Perm(100)
		fixture.FillQueue(f, q, in...)
		for want := range in {
			armed = q.Len() > 2 // below, there is nothing to compare
			if armed {
				fixture.Panics(f, "armed", func() { _, _ = q.Get(ctx) })
				fixture.Panics(f, "armed", func() { _, _ = q.TryGet() })
				fixture.Panics(f, "armed", func() { _ = q.Put(ctx, -7) })
			}
			armed = false
			if v, err := q.Get(ctx); v != want || err != nil {
				f.Fatalf("got %d, %v, want %d", v, err, want)
			}
		}
		fixture.QueueHolds(f, q)
	})
}

// The item of a putter that waits is compared by the Get that lets it in: if that panics,
// it is the putter's panic, and the Get succeeds.
func TestPriorityQueueComparisonPanicsForAWaitingPutter(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewPriorityQueue(2, explosive)
		fixture.FillQueue(f, q, 1, 2)
		putter := curio.Go(ctx, func(ctx context.Context) error {
			fixture.Panics(f, "poison", func() { _ = q.Put(ctx, poison) })
			return q.Put(ctx, 3) // the queue, and the task's waiter, are as good as new
		})
		parkedAs(f, putter, "QUEUE_PUT")
		if v, err := q.Get(ctx); v != 1 || err != nil {
			f.Errorf("Get: %d, %v", v, err)
		}
		if _, err := putter.Join(ctx); err != nil {
			f.Error(err)
		}
		fixture.QueueHolds(f, q, 2, 3)
		for range 3 {
			q.TaskDone()
		}
		if err := q.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// If the comparison refuses the item of one who waits, there is room for the next.
func TestPriorityQueuePanicLetsTheNextPutterIn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewPriorityQueue(2, explosive)
		fixture.FillQueue(f, q, 1, 2)
		for range 3 {
			bad := curio.Go(ctx, func(ctx context.Context) error {
				fixture.Panics(f, "poison", func() { _ = q.Put(ctx, poison) })
				return nil
			})
			parkedAs(f, bad, "QUEUE_PUT")
		}
		good := curio.Go(ctx, fixture.Putting(q, 3))
		parkedAs(f, good, "QUEUE_PUT")
		if v, err := q.Get(ctx); v != 1 || err != nil {
			f.Errorf("Get: %d, %v", v, err)
		}
		synctest.Wait()
		if w := q.Snapshot().Waiters; len(w) > 0 && !q.Full() {
			f.Errorf("%v still wait, and there is room: %v", w, q)
		}
		if err := q.TryPut(4); err != curio.ErrQueueFull {
			f.Errorf("a newcomer overtakes the putter: %v", err)
		}
		for !good.Terminated() {
			if _, err := q.Get(ctx); err != nil {
				f.Error(err)
			}
			synctest.Wait()
		}
		if err := good.Err(); err != nil {
			f.Error(err)
		}
	})
}

// A comparison may end its goroutine, as a t.Fatal in it does. Also in a Get that lets
// somebody in, that does not leave the queue locked, nor him waiting, for ever.
func TestPriorityQueueComparisonExits(t *testing.T) {
	q := curio.NewPriorityQueue(2, func(a, b int) int {
		if a == poison || b == poison {
			runtime.Goexit()
		}
		return cmp.Compare(a, b)
	})
	exits := func(call func()) {
		done := make(chan bool)
		go func() { defer close(done); call() }()
		<-done
	}
	fixture.FillQueue(t, q, 1)
	exits(func() { _ = q.TryPut(poison) })
	fixture.QueueHolds(t, q, 1)

	fixture.FillQueue(t, q, 1, 2)
	ctx := t.Context()
	left := make(chan struct{})
	go func() { // and the putter, for whom it was called
		defer close(left)
		_ = q.Put(ctx, poison)
		t.Error("Put of what cannot be compared returned")
	}()
	testutil.Await(t, "QUEUE_PUT", func() bool { return len(q.Snapshot().Waiters) == 1 })
	exits(func() { _, _ = q.TryGet() })
	<-left
	fixture.QueueHolds(t, q, 2)
}

// A fuse makes the nth comparison from now on fail.
type fuse struct {
	n    int
	blow func()
}

func (f *fuse) compare(a, b int) int {
	if f.n > 0 {
		if f.n--; f.n == 0 {
			f.blow()
		}
	}
	return cmp.Compare(a, b)
}

// An outcome is how an operation on a queue has ended, in a goroutine of its own.
type outcome struct {
	returned bool
	v        int
	err      error
}

func outcomeOf(op func() (int, error)) chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			_ = recover()
			ended <- o
		}()
		o.v, o.err = op()
		o.returned = true
	}()
	return ended
}

// Any comparison in any operation may panic or end the goroutine. Then the caller whose
// item is compared ends, no item is lost or duplicated, and the queue goes on working.
func TestPriorityQueueComparisonThatFails(t *testing.T) {
	const full = 7
	for how, blow := range map[string]func(){"panics": func() { panic("blown") }, "exits": runtime.Goexit} {
		for name, op := range map[string]func(ctx context.Context, q *curio.Queue[int]) (int, error){
			"Put":    func(ctx context.Context, q *curio.Queue[int]) (int, error) { return 0, q.Put(ctx, 3) },
			"TryPut": func(_ context.Context, q *curio.Queue[int]) (int, error) { return 0, q.TryPut(3) },
			"Get":    func(ctx context.Context, q *curio.Queue[int]) (int, error) { return q.Get(ctx) },
			"TryGet": func(_ context.Context, q *curio.Queue[int]) (int, error) { return q.TryGet() },
			"All": func(ctx context.Context, q *curio.Queue[int]) (int, error) {
				for v, err := range q.All(ctx) {
					return v, err
				}
				return 0, curio.ErrQueueClosed
			},
		} {
			puts := name == "Put" || name == "TryPut"
			for _, waiting := range []bool{false, true} {
				if puts && waiting {
					continue
				}
				t.Run(name+"/"+how, func(t *testing.T) {
					for n := 1; n < 20; n++ {
						fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
							var fuse fuse
							q := curio.NewPriorityQueue(full, fuse.compare)
							items := []int{40, 10, 70, 20, 60, 50}
							for _, v := range items {
								fixture.Succeed(q.TryPut(v))
							}
							var putter chan outcome
							if waiting {
								items = append(items, 30)
								fixture.Succeed(q.TryPut(30))
								putter = outcomeOf(func() (int, error) { return 0, q.Put(ctx, 5) })
								synctest.Wait()
							}
							fuse.n, fuse.blow = n, blow
							o := <-outcomeOf(func() (int, error) { return op(ctx, q) })
							fuse.n = 0
							var left []int
							for {
								v, err := q.TryGet()
								if err != nil {
									break
								}
								left = append(left, v)
							}
							if o.returned && puts {
								items = append(items, 3)
							}
							if o.returned && !puts {
								left = append(left, o.v)
							}
							if waiting {
								put := <-putter
								if put.returned {
									items = append(items, 5)
								} else if !o.returned {
									f.Errorf("comparison %d: both have ended", n)
								}
							}
							slices.Sort(items)
							slices.Sort(left)
							if !slices.Equal(items, left) {
								f.Errorf("comparison %d: there were %v and are %v", n, items, left)
							}
							fixture.Succeed(fixture.PassOne(ctx, q, 1))
						})
					}
				})
			}
		}
	}
}

// A comparison for a Put that has waited may end its goroutine. That does not end the Get
// that made room.
func TestPriorityQueueExitOfAComparisonIsThePutters(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var fuse fuse
		q := curio.NewPriorityQueue(2, fuse.compare)
		fixture.Succeed(q.TryPut(1))
		fixture.Succeed(q.TryPut(2))
		putter := outcomeOf(func() (int, error) { return 0, q.Put(ctx, 3) })
		synctest.Wait()
		fuse.n, fuse.blow = 1, runtime.Goexit
		if o := <-outcomeOf(func() (int, error) { return q.Get(ctx) }); !o.returned || o.v != 1 || o.err != nil {
			f.Errorf("Get: %+v", o)
		}
		if o := <-putter; o.returned {
			f.Errorf("Put: %+v", o)
		}
	})
}
