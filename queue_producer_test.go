package curio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// eachProduced runs body for each kind of queue, in a bubble of its own.
func eachProduced(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue)) {
	for _, kind := range fixture.QueueKinds {
		t.Run(kind.Name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { body(ctx, f, kind.Make) })
		})
	}
}

// closedQueue checks whether q is closed: an empty queue, which it leaves empty.
func closedQueue(f *fixture.Fixture, q *curio.Queue[int], want bool) {
	f.Helper()
	_, err := q.TryGet()
	if want && err != curio.ErrQueueClosed || !want && err != curio.ErrQueueEmpty {
		f.Errorf("closed is to be %v, and TryGet returns %v", want, err)
	}
}

func twoProducers[T any](q *curio.Queue[T]) (a, b *curio.Producer[T]) {
	both := q.Producers(2)
	return both[0], both[1]
}

// refuses checks that p refuses whatever is put.
func refuses(ctx context.Context, f *fixture.Fixture, p *curio.Producer[int]) {
	f.Helper()
	i, selected := curio.Select(ctx, curio.Case{}, p.PutCase(1))
	for how, err := range map[string]error{"Put": p.Put(ctx, 1), "TryPut": p.TryPut(1), "Select": selected} {
		if err != curio.ErrQueueClosed {
			f.Errorf("%s: %v", how, err)
		}
	}
	if i != 1 {
		f.Errorf("Select: index %d", i)
	}
}

// The consumers' loops end when the last producer has ended, and they have all items.
func TestLastProducerCloses(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		for _, max := range []int{0, 2} {
			q := make(max)
			var got fixture.Roll[int]
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for i, p := range q.Producers(5) {
					g.Go(func(ctx context.Context) error {
						defer p.Close()
						if err := curio.Sleep(ctx, time.Duration(i)*time.Second); err != nil {
							return err
						}
						return errors.Join(p.Put(ctx, i), p.TryPut(i+5))
					})
				}
				for range 2 {
					g.Go(func(ctx context.Context) error {
						for v, err := range q.All(ctx) {
							if err != nil {
								return err
							}
							got.Add(v)
						}
						return nil
					})
				}
				return nil
			})
			all := got.All()
			if slices.Sort(all); err != nil || !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
				f.Errorf("%v, %v", all, err)
			}
		}
	})
}

// What is left in the queue is still got after the last Close.
func TestLastProducerLeavesTheItems(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		p := q.Producers(1)[0]
		fixture.Succeed(errors.Join(p.Put(ctx, 1), p.Put(ctx, 2)))
		p.Close()
		if left := fixture.DrainQueue(q); len(left) != 2 {
			f.Errorf("left are %v", left)
		}
		closedQueue(f, q, true)
	})
}

// The descriptor of a UniversalQueue tells of the last Close.
func TestLastProducerAndFD(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](0)
		fd, err := q.FD()
		fixture.Succeed(err)
		defer q.CloseFD()
		p := q.Producers(1)[0]
		waits := curio.Go(ctx, func(ctx context.Context) error { return curio.WaitRead(ctx, fd) })
		testutil.Await(f, "it waits", func() bool { return waits.State() == "READ_WAIT" })
		p.Close()
		if _, err := waits.Join(ctx); err != nil {
			f.Error(err)
		}
		closedQueue(f, q, true)
	})
}

// Without producers, nothing is to come.
func TestNoProducers(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		consumer := curio.Go(ctx, func(ctx context.Context) error { return fixture.LoopOver(ctx, f, q) })
		fixture.TaskState(f, consumer, "QUEUE_GET")
		p := q.Producers(1)[0]
		if all := q.Producers(0); len(all) != 0 {
			f.Error(all)
		}
		fixture.TaskState(f, consumer, "QUEUE_GET") // there is another
		p.Close()
		fixture.TaskState(f, consumer, "TERMINATED")

		q = make(0)
		q.Producers(0)
		closedQueue(f, q, true)
		q.Producers(0)
		fixture.Panics(f, "make all of them in one call", func() { q.Producers(1) })
		fixture.Panics(f, "negative", func() { q.Producers(-1) })

		q = make(0)
		q.Close()
		q.Producers(0)
		refuses(ctx, f, q.Producers(1)[0])
	})
}

// Each producer counts once, however often it is closed.
func TestProducerCountsOnce(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(0)
		a, b := twoProducers(q)
		if text := q.String(); !strings.Contains(text, ", 2 producers") {
			f.Error(text)
		}
		for range 3 {
			a.Close()
		}
		refuses(ctx, f, a)
		closedQueue(f, q, false)
		c := q.Producers(1)[0] // as long as one is open
		b.Close()
		b.Close()
		closedQueue(f, q, false)
		fixture.Succeed(c.Put(ctx, 1))
		if v, err := q.Get(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
		c.Close()
		closedQueue(f, q, true)
		fixture.Panics(f, "make all of them in one call", func() { q.Producers(1) })
		for _, p := range []*curio.Producer[int]{a, b, c, new(curio.Producer[int])} {
			p.Close()
			refuses(ctx, f, p)
			done, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			fixture.Is(f, "of a context that is done", p.Put(done, 1), fixture.ScopeCancelled...)
		}
		if text := q.String(); strings.Contains(text, "producers") || !strings.Contains(text, ", closed") {
			f.Error(text)
		}
	})
}

// Close of the queue itself comes before that of the producers, which then have nothing to do.
func TestProducersOfAQueueThatIsClosed(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(1)
		p := q.Producers(1)[0]
		fixture.Succeed(p.Put(ctx, 1))
		waits := curio.Go(ctx, func(ctx context.Context) error { return p.Put(ctx, 2) })
		synctest.Wait()
		q.Close()
		_ = waits.Wait(ctx)
		if err := waits.Err(); err != curio.ErrQueueClosed {
			f.Errorf("the Put that waited: %v", err)
		}
		refuses(ctx, f, p)
		late := q.Producers(1)[0] // the one who made it could not know
		refuses(ctx, f, late)
		p.Close()
		late.Close()
		refuses(ctx, f, q.Producers(1)[0])
		if v, err := q.Get(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
		closedQueue(f, q, true)
	})
}

// A producer that is closed while others wait in Put does not disturb them.
func TestProducerClosesWhileOthersPut(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(1)
		a, b := twoProducers(q)
		fixture.Succeed(a.Put(ctx, 1))
		put := func(p *curio.Producer[int], v int) *curio.Task[struct{}] {
			task := curio.Go(ctx, func(ctx context.Context) error { return p.Put(ctx, v) }, curio.ReportCrash(false))
			fixture.TaskState(f, task, "QUEUE_PUT")
			return task
		}
		byB, byA := put(b, 2), put(a, 3)
		a.Close()
		fixture.TaskState(f, byB, "QUEUE_PUT")
		fixture.TaskState(f, byA, "QUEUE_PUT") // it had begun
		if v, err := q.Get(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
		fixture.TaskState(f, byB, "TERMINATED")
		b.Close() // the last: nobody can put any more
		fixture.TaskState(f, byA, "TERMINATED")
		if byB.Err() != nil || byA.Err() != curio.ErrQueueClosed {
			f.Errorf("%v, %v", byB.Err(), byA.Err())
		}
		if left := fixture.DrainQueue(q); !slices.Equal(left, []int{2}) {
			f.Errorf("left are %v", left)
		}
	})
}

// A producer that was cancelled counts, by its deferred Close.
func TestCancelledProducerCounts(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		q := make(1)
		produces := func(p *curio.Producer[int]) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				defer p.Close()
				for {
					if err := p.Put(ctx, 1); err != nil {
						return err
					}
				}
			}
		}
		first, second := twoProducers(q)
		a, b := curio.Go(ctx, produces(first)), curio.Go(ctx, produces(second))
		synctest.Wait()
		_, _ = a.Cancel(ctx)
		if v, err := q.Get(ctx); v != 1 || err != nil {
			f.Error(v, err)
		}
		consumer := curio.Spawn(ctx, func(ctx context.Context) (n int, err error) {
			_, _ = b.Cancel(ctx)
			for _, err := range q.All(ctx) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		})
		if n, err := consumer.Join(ctx); n != 1 || err != nil {
			f.Errorf("%d, %v", n, err)
		}
	})
}

// The last Close wakes a Select that waits for an item, among other things, and one that waits to
// put.
func TestLastProducerAndSelect(t *testing.T) {
	eachProduced(t, func(ctx context.Context, f *fixture.Fixture, make fixture.NewQueue) {
		empty, full := make(0), make(1)
		fixture.Succeed(full.Put(ctx, 1))
		p, r := empty.Producers(1)[0], full.Producers(1)[0]
		producer := curio.Go(ctx, func(ctx context.Context) error {
			defer r.Close()
			defer p.Close()
			return curio.Sleep(ctx, time.Second)
		})
		tasks := spawnAll(ctx, func(ctx context.Context) (int, error) {
			return curio.Select(ctx, new(curio.Event).WaitCase(), empty.GetCase(nil))
		}, func(ctx context.Context) (int, error) {
			return curio.Select(ctx, empty.GetCase(nil), r.PutCase(2))
		})
		if i, err := curio.Select(ctx, producer.JoinCase(nil), full.PutCase(3)); i != 0 && i != 1 || i == 0 && err != nil || i == 1 && err != curio.ErrQueueClosed {
			f.Errorf("%d, %v", i, err)
		}
		for _, task := range tasks {
			_ = task.Wait(ctx)
			if err := task.Err(); err != curio.ErrQueueClosed {
				f.Errorf("%v", err)
			}
		}
		if left := fixture.DrainQueue(full); !slices.Equal(left, []int{1}) {
			f.Errorf("left are %v", left)
		}
	})
}

// spawnAll spawns tasks and waits until they wait.
func spawnAll(ctx context.Context, fns ...fixture.Racer) (tasks []*curio.Task[int]) {
	for _, fn := range fns {
		tasks = append(tasks, curio.Spawn(ctx, fn, curio.ReportCrash(false)))
	}
	synctest.Wait()
	return tasks
}

// A Producer that everybody has forgotten counts as closed.
func TestForgottenProducerCounts(t *testing.T) {
	for _, kind := range fixture.QueueKinds {
		t.Run(kind.Name, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				q := kind.Make(0)
				forgetProducers(ctx, f, q)
				consumer := curio.Go(ctx, func(ctx context.Context) error {
					for _, err := range q.All(ctx) {
						if err != nil {
							return err
						}
					}
					return nil
				})
				testutil.Await(f, "the queue's end", func() bool { runtime.GC(); return consumer.Terminated() })
				if err := consumer.Err(); err != nil {
					f.Error(err)
				}
				fixture.Panics(f, "make all of them in one call", func() { q.Producers(1) })
			})
		})
	}
}

//go:noinline
func forgetProducers(ctx context.Context, f *fixture.Fixture, q *curio.Queue[int]) {
	all := q.Producers(3)
	fixture.Succeed(all[0].Put(ctx, 1))
	all[1].Close()
	// One whose task is cancelled before its function is called.
	_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(fixture.Sleeper)
		p := all[2]
		waits := g.Go(func(context.Context) error {
			defer p.Close()
			f.Error("it is called")
			return nil
		})
		_, _ = waits.Cancel(ctx)
		return fixture.ErrBoom
	}, curio.Limit(1))
}

// While one waits in Put or in a Select, its Producer is no garbage, even if nobody else has it.
func TestWaitingProducerIsNotForgotten(t *testing.T) {
	for what, put := range map[string]func(context.Context, *curio.Queue[int]) error{
		"Put": func(ctx context.Context, q *curio.Queue[int]) error { return q.Producers(1)[0].Put(ctx, 2) },
		"Select": func(ctx context.Context, q *curio.Queue[int]) error {
			_, err := curio.Select(ctx, q.Producers(1)[0].PutCase(2), curio.Case{})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				q := curio.NewQueue[int](1)
				fixture.Succeed(q.Put(ctx, 1))
				task := curio.Go(ctx, func(ctx context.Context) error { return put(ctx, q) })
				testutil.Await(f, "it waits", func() bool { return len(q.Snapshot().Waiters) == 1 })
				for range 3 {
					runtime.GC()
					time.Sleep(time.Millisecond) // for the cleanups, of which there must be none
				}
				for want := range 2 {
					if v, err := q.Get(ctx); v != want+1 || err != nil {
						f.Error(v, err)
					}
				}
				if _, err := task.Join(ctx); err != nil {
					f.Error(err)
				}
			})
		})
	}
}

// A Producer that has been closed keeps neither the queue nor its items.
func TestClosedProducerKeepsNothing(t *testing.T) {
	p, item := closedProducer(t.Context())
	for range 5 {
		if runtime.GC(); item.Value() == nil {
			break
		}
	}
	if item.Value() != nil {
		t.Error("the item is kept")
	}
	runtime.KeepAlive(p)
}

//go:noinline
func closedProducer(ctx context.Context) (*curio.Producer[*fixture.Load], weak.Pointer[fixture.Load]) {
	q, v := curio.NewQueue[*fixture.Load](0), new(fixture.Load)
	p, other := twoProducers(q)
	defer runtime.KeepAlive(other)
	fixture.Succeed(p.Put(ctx, v))
	p.Close()
	return p, weak.Make(v)
}

// To make a Producer costs little, and to put with it nothing.
func TestProducerAllocations(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewQueue[int](0)
		p := q.Producers(1)[0]
		if n := testing.AllocsPerRun(1000, func() {
			fixture.Succeed(p.Put(ctx, 1))
			_, _ = q.TryGet()
		}); n != 0 {
			f.Errorf("%v allocations for a Put", n)
		}
	})
}

// The last producers end while consumers are cancelled: each item has been got or is left, and
// nobody waits any more.
func TestRaceLastProducer(t *testing.T) {
	fixture.RaceQueueKinds(t, 1000, func(t *testing.T, ctx context.Context, make fixture.NewQueue) {
		q := make(rand.IntN(3))
		var put, got atomic.Int64
		var all []*curio.Task[struct{}]
		for i, p := range q.Producers(3) {
			all = append(all, curio.Go(ctx, func(ctx context.Context) error {
				defer p.Close()
				for range i {
					fixture.Spin()
					if err := p.Put(ctx, 1); err != nil {
						return err
					}
					put.Add(1)
				}
				return nil
			}))
		}
		for i := range 4 {
			all = append(all, curio.Go(ctx, func(ctx context.Context) error {
				for {
					var v int
					var err error
					if i%2 == 0 {
						v, err = q.Get(ctx)
					} else {
						_, err = curio.Select(ctx, q.GetCase(&v), curio.Case{})
					}
					switch {
					case err == curio.ErrQueueClosed:
						return nil
					case err != nil:
						return err
					}
					got.Add(int64(v))
				}
			}))
		}
		// Two consumers and, now and then, a producer.
		fixture.AtOnce(
			func() { fixture.Spin(); all[3].CancelNow() },
			func() { fixture.Spin(); all[4].CancelNow() },
			func() {
				if fixture.Spin(); rand.IntN(4) == 0 {
					all[2].CancelNow()
				}
			},
		)
		for i, task := range all {
			_ = task.Wait(ctx)
			if err := task.Err(); err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
				t.Errorf("task %d: %v", i, err)
			}
		}
		left := fixture.DrainQueue(q)
		if _, err := q.TryGet(); err != curio.ErrQueueClosed || put.Load() != got.Load()+int64(len(left)) {
			t.Errorf("put %d, got %d, left %v; TryGet: %v", put.Load(), got.Load(), left, err)
		}
		if w := q.Snapshot().Waiters; len(w) > 0 {
			t.Errorf("%v still wait", w)
		}
	})
}

// One producer is closed by several at once, while the other one is closed, and a third is made by
// it first.
func TestRaceProducerCloses(t *testing.T) {
	fixture.Race(t, 2000, func(ctx context.Context) {
		q := curio.NewQueue[int](0)
		a, b := twoProducers(q)
		var c *curio.Producer[int]
		fixture.AtOnce(a.Close, a.Close, func() {
			c = q.Producers(1)[0]
			b.Close()
		})
		if _, err := q.TryGet(); err != curio.ErrQueueEmpty {
			t.Errorf("with an open producer: %v", err)
		}
		fixture.AtOnce(c.Close, c.Close, q.Close)
		if _, err := q.TryGet(); err != curio.ErrQueueClosed {
			t.Errorf("in the end: %v", err)
		}
		if text := fmt.Sprint(q); text != "Queue(0 items, closed)" {
			t.Error(text)
		}
	})
}
