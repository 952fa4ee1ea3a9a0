package curio_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/curio-go/curio"
)

// A thing is large enough to be an object of its own for the collector.
type thing struct {
	rank int
	_    [120]byte
}

var thingQueues = map[string]func(max int) *curio.Queue[*thing]{
	"Queue": curio.NewQueue[*thing],
	"PriorityQueue": func(max int) *curio.Queue[*thing] {
		return curio.NewPriorityQueue(max, func(a, b *thing) int {
			if a.rank == poison || b.rank == poison {
				panic("poison")
			}
			return cmp.Compare(a.rank, b.rank)
		})
	},
	"LIFOQueue": func(max int) *curio.Queue[*thing] { return curio.NewLIFOQueue[*thing](max) },
}

// forgets checks that what do leaves behind does not keep alive what do was given.
func forgets(t testing.TB, what string, rank int, do func(v *thing)) {
	t.Helper()
	v := &thing{rank: rank}
	seen := weak.Make(v)
	do(v)
	v = nil
	_ = v
	until(t, what+": that the item is garbage", func() bool {
		runtime.GC()
		return seen.Value() == nil
	})
}

// What has left the queue, or was never let in, is not kept in memory by the queue, nor
// by the waiter that a task keeps for its next wait.
func TestQueueKeepsNothingAlive(t *testing.T) {
	for name, make := range thingQueues {
		t.Run(name, func(t *testing.T) {
			withKernel(t, func(ctx context.Context, f *fixture) {
				q := make(3)
				fillQueue(f, q, &thing{rank: 2}, &thing{rank: 2})
				forgets(f, "got", 1, func(v *thing) {
					fillQueue(f, q, v)
					for range 3 { // not all of the kinds hand out v first
						w, err := q.Get(ctx)
						if err != nil {
							f.Fatal(err)
						}
						if w != v {
							fillQueue(f, q, w)
						}
					}
				})
				forgets(f, "drained", 3, func(v *thing) { fillQueue(f, q, v); drainQueue(q) })
				forgets(f, "handed over", 1, func(v *thing) { handOver(ctx, f, q, v) })
				fillQueue(f, q, &thing{rank: 2}, &thing{rank: 2}, &thing{rank: 2})
				forgets(f, "refused", 1, func(v *thing) { _ = q.TryPut(v) })
				forgets(f, "timed out", 1, func(v *thing) {
					err := curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { return q.Put(ctx, v) })
					is(f, "Put", err, taskTimeout...)
					f.Journal.take(msgLate)
				})
				forgets(f, "let in and got", 1, func(v *thing) { letIn(ctx, f, q, v) })
				if name == "PriorityQueue" {
					forgets(f, "panicked about", poison, func(v *thing) {
						defer func() { _ = recover() }()
						letIn(ctx, f, q, v)
					})
				}
				for q.TryPut(&thing{}) == nil {
				}
				forgets(f, "closed out", 1, func(v *thing) {
					go func() { waitFor(f, q, "QUEUE_PUT"); q.Close() }()
					if err := q.Put(ctx, v); err != curio.ErrQueueClosed {
						f.Error(err)
					}
				})
				runtime.KeepAlive(q)
			})
		})
	}
}

// waitFor returns when somebody waits in this state.
func waitFor[T any](t testing.TB, q *curio.Queue[T], state string) {
	t.Helper()
	until(t, state, func() bool {
		w := q.Snapshot().Waiters
		return len(w) > 0 && w[0].Op == state
	})
}

// handOver gives v to the calling task, which waits for it.
func handOver(ctx context.Context, f *fixture, q *curio.Queue[*thing], v *thing) {
	f.Helper()
	var other sync.WaitGroup
	other.Go(func() { waitFor(f, q, "QUEUE_GET"); fillQueue(f, q, v) })
	if w, err := q.Get(ctx); w != v || err != nil {
		f.Error(w, err)
	}
	other.Wait()
}

// letIn puts v, for which the calling task has to wait, and then drains the queue.
func letIn(ctx context.Context, f *fixture, q *curio.Queue[*thing], v *thing) {
	f.Helper()
	var other sync.WaitGroup
	other.Go(func() { waitFor(f, q, "QUEUE_PUT"); _, _ = q.TryGet() })
	defer func() {
		other.Wait()
		drainQueue(q)
		fillQueue(f, q, &thing{rank: 2}, &thing{rank: 2}, &thing{rank: 2})
	}()
	if err := q.Put(ctx, v); err != nil {
		f.Error(err)
	}
}

// After a burst the memory is given back, and the order is kept on the way.
func TestQueueShrinks(t *testing.T) {
	const n, size, rest = 20_000, 512, 100
	type block [size]byte
	for name, q := range map[string]*curio.Queue[block]{
		"Queue":         curio.NewQueue[block](0),
		"LIFOQueue":     curio.NewLIFOQueue[block](0),
		"PriorityQueue": curio.NewPriorityQueue(0, func(a, b block) int { return slices.Compare(a[:3], b[:3]) }),
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			for i := range n {
				fillQueue(t, q, block{byte(i >> 16), byte(i >> 8), byte(i)})
			}
			if grown := allocated() - before; grown < n*size {
				t.Errorf("%d items take %d bytes: the measurement is wrong", n, grown)
			}
			for i := range n - rest {
				v, err := q.TryGet()
				want := i
				if name == "LIFOQueue" {
					want = n - 1 - i
				}
				if got := int(v[0])<<16 | int(v[1])<<8 | int(v[2]); got != want || err != nil {
					t.Fatalf("got %d, %v, want %d", got, err, want)
				}
			}
			if kept := allocated() - before; kept > 10*rest*size {
				t.Errorf("%d items of %d bytes take %d", rest, size, kept)
			}
			if left := len(drainQueue(q)); left != rest {
				t.Errorf("%d were left, want %d", left, rest)
			}
			runtime.KeepAlive(q)
		})
	}
}

// allocated is how much memory is in use.
func allocated() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A Put and a Get that do not block allocate nothing.
func TestQueueAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	watched := curio.NewUniversalQueue[int](0)
	if _, err := watched.FD(); err != nil {
		t.Fatal(err)
	}
	defer watched.CloseFD()
	queues := map[string]*curio.Queue[int]{"UniversalQueue with a descriptor": watched}
	for _, kind := range queueKinds {
		queues[kind.name] = kind.make(0)
		queues[kind.name+" with a bound"] = kind.make(5)
	}
	withKernel(t, func(ctx context.Context, f *fixture) {
		timed, cancel := curio.WithTimeout(ctx, time.Hour)
		defer cancel()
		for name, q := range queues {
			for where, ctx := range map[string]context.Context{"task": ctx, "timeout": timed, "Background": context.Background()} {
				if n := testing.AllocsPerRun(1000, func() {
					if err := q.Put(ctx, math.MaxInt); err != nil {
						f.Error(err)
					}
					if _, err := q.Get(ctx); err != nil {
						f.Error(err)
					}
					q.TaskDone()
				}); n != 0 {
					f.Errorf("%s, %s: %v allocations for a Put and a Get", name, where, n)
				}
			}
		}
	})
}

// Nor do those of two tasks that wait for each other all the time.
func TestQueueHandOverAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, kind := range queueKinds {
		for _, max := range []int{0, 1} {
			t.Run(fmt.Sprint(kind.name, max), func(t *testing.T) {
				withKernel(t, func(ctx context.Context, f *fixture) { pingPong(ctx, f, kind.make(max), kind.make(max)) })
			})
		}
	}
}

func pingPong(ctx context.Context, f *fixture, there, back *curio.Queue[int]) {
	echo := curio.Go(ctx, func(ctx context.Context) error {
		for v, err := range there.All(ctx) {
			if err != nil {
				return err
			}
			if err := back.Put(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
	main := curio.CurrentTask(ctx)
	before, rounds := main.Cycles(), uint64(0)
	allocations := testing.AllocsPerRun(2000, func() {
		rounds++
		if err := there.Put(ctx, math.MaxInt); err != nil {
			f.Error(err)
		}
		if _, err := back.Get(ctx); err != nil {
			f.Error(err)
		}
	})
	if waited := main.Cycles() - before; waited < rounds/2 {
		f.Errorf("waited only %d times in %d rounds", waited, rounds)
	}
	if allocations != 0 {
		f.Errorf("%v allocations for a round trip", allocations)
	}
	there.Close()
	if _, err := echo.Join(ctx); err != nil {
		f.Error(err)
	}
}

// Nor does a Put that waits for room, nor the Get that lets it in.
func TestQueueWaitingPutAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, kind := range queueKinds {
		t.Run(kind.name, func(t *testing.T) {
			withKernel(t, func(ctx context.Context, f *fixture) {
				q := kind.make(1)
				producer := curio.Go(ctx, func(ctx context.Context) error {
					for {
						if err := q.Put(ctx, math.MaxInt); err != nil {
							return err
						}
					}
				})
				if n := testing.AllocsPerRun(1000, func() {
					for producer.State() != "QUEUE_PUT" {
						runtime.Gosched()
					}
					if _, err := q.Get(ctx); err != nil {
						f.Error(err)
					}
				}); n != 0 {
					f.Errorf("%v allocations", n)
				}
				_, _ = producer.Cancel(ctx)
			})
		})
	}
}
