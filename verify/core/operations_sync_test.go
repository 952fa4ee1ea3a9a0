package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// What the hurdles of sync_test.go cover: those are the primitives, by whatever they call
// what waits.
var coveredByHurdles = map[string][]string{
	"Lock":                {"Lock.Acquire", "Lock.Do"},
	"RLock":               {"RLock.Acquire", "RLock.Do"},
	"RWLock":              {"RWLock.Acquire", "RWLock.Do"},
	"RWLock for reading":  {"RWLock.AcquireRead", "RWLock.DoRead"},
	"Semaphore":           {"Semaphore.Acquire", "Semaphore.Do"},
	"Semaphore for three": {"Semaphore.AcquireN", "Semaphore.DoN"},
	"BoundedSemaphore":    nil,
	"Event":               {"Event.Wait"},
	"Result.Wait":         {"Result.Wait"},
	"Result.Get":          {"Result.Get"},
	"Condition":           {"Condition.Wait"},
	"Condition.WaitFor":   {"Condition.WaitFor"},
	"Barrier":             {"Barrier.Wait"},
	"Watch":               {"Watch.Wait"},
	"Broadcast.Send":      {"Broadcast.Send"},
	"SharedCalls":         {"SharedCalls.Do"},
	"Once that fails":     {"Once.Do"},

	"WaitList": {"WaitList.Wait"},

	"WaitList for three":           nil,
	"WaitList that nothing serves": nil,

	"RWLock behind a reader": nil,
	"Condition of an RLock":  nil,
	"Condition of an RWLock": nil,
}

func operationsOfHurdles() (all []operation) {
	for _, kind := range hurdles {
		covers, ok := coveredByHurdles[kind.what]
		if kind.chosen {
			covers, ok = []string{"Select"}, true
		}
		if !ok {
			panic(fmt.Sprintf("it is not known what the hurdle %q covers", kind.what))
		}
		all = append(all, operation{name: kind.what, covers: covers, state: kind.state(), begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
			h := kind.at(ctx)
			return &blocked{run: h.wait, works: func(ctx context.Context) error {
				h.waiters(f)
				h.works(ctx, f)
				return nil
			}}
		}})
	}
	return all
}

// What the hurdles have no row for: other ways to the same waits.
func operationsOfLocks() []operation {
	return []operation{
		{name: "Condition.Acquire", covers: []string{"Condition.Acquire"}, state: "LOCK_ACQUIRE", begin: heldCondition(func(ctx context.Context, c *curio.Condition) error {
			return c.Acquire(ctx)
		})},
		{name: "Condition.Do", covers: []string{"Condition.Do"}, state: "LOCK_ACQUIRE", begin: heldCondition(func(ctx context.Context, c *curio.Condition) error {
			return c.Do(ctx, fixture.Nothing)
		})},
		{name: "DoN of a bounded semaphore", covers: nil, state: "SEMA_ACQUIRE", begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
			s := curio.NewBoundedSemaphore(3)
			fixture.Succeed(s.AcquireN(ctx, 2))
			do := func(ctx context.Context) error { return s.DoN(ctx, 2, fixture.Nothing) }
			return &blocked{run: do, works: func(ctx context.Context) error {
				s.ReleaseN(ctx, 2)
				return errors.Join(do(ctx), s.DoN(ctx, 3, fixture.Nothing))
			}}
		}},
	}
}

// heldCondition is a condition whose lock is held.
func heldCondition(run func(ctx context.Context, c *curio.Condition) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(ctx context.Context, _ *fixture.Fixture) *blocked {
		c := new(curio.Condition)
		fixture.Succeed(c.Acquire(ctx))
		return &blocked{run: func(ctx context.Context) error { return run(ctx, c) }, works: func(ctx context.Context) error {
			c.Release(ctx)
			return c.Do(ctx, fixture.Nothing)
		}}
	}
}

var operationsOfQueues = func() (all []operation) {
	for kind, queue := range everywhereQueues {
		all = append(all,
			operation{name: kind + ".Get", covers: []string{"Queue.Get"}, state: "QUEUE_GET", closes: true, begin: emptyQueue(queue, curio.ErrQueueClosed, getOne)},
			operation{name: kind + ".All", covers: []string{"Queue.All"}, state: "QUEUE_GET", closes: true, begin: emptyQueue(queue, nil, fixture.LoopOver)},
			operation{name: kind + ".Put", covers: []string{"Queue.Put"}, state: "QUEUE_PUT", closes: true, begin: fullQueue(queue)},
			operation{name: "Producer.Put of a " + kind, covers: []string{"Producer.Put"}, state: "QUEUE_PUT", closes: true, begin: fullQueueOf(queue,
				func(ctx context.Context, q *curio.Queue[int]) error {
					return q.Producers(1)[0].Put(ctx, 2)
				})},
			operation{name: kind + ".Join", covers: []string{"Queue.Join"}, state: "QUEUE_JOIN", begin: unfinishedQueue(queue)},
		)
	}
	return all
}()

// emptyQueue is one on which get waits, and which can be closed.
func emptyQueue(queue func(int) *curio.Queue[int], closed error, get func(context.Context, *fixture.Fixture, *curio.Queue[int]) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(_ context.Context, f *fixture.Fixture) *blocked {
		q := queue(1)
		isClosed := false
		return &blocked{
			run:   func(ctx context.Context) error { return get(ctx, f, q) },
			close: func() { q.Close(); isClosed = true }, closed: closed,
			works: func(ctx context.Context) error {
				if w := q.Snapshot().Waiters; len(w) > 0 {
					return fmt.Errorf("%d still wait", len(w))
				}
				if isClosed {
					if err := q.Put(ctx, 1); err != curio.ErrQueueClosed {
						return fmt.Errorf("a Put after Close: %w", err)
					}
					return nil
				}
				return fixture.PassOne(ctx, q, 1)
			},
		}
	}
}

func getOne(ctx context.Context, f *fixture.Fixture, q *curio.Queue[int]) error {
	v, err := q.Get(ctx)
	return fixture.NoResult(f, v, err)
}

func fullQueue(queue func(int) *curio.Queue[int]) func(context.Context, *fixture.Fixture) *blocked {
	return fullQueueOf(queue, func(ctx context.Context, q *curio.Queue[int]) error { return q.Put(ctx, 2) })
}

// fullQueueOf is a queue on which put, which puts 2, waits.
func fullQueueOf(queue func(int) *curio.Queue[int], put func(context.Context, *curio.Queue[int]) error) func(context.Context, *fixture.Fixture) *blocked {
	return func(ctx context.Context, _ *fixture.Fixture) *blocked {
		q := queue(1)
		fixture.Succeed(q.Put(ctx, 1))
		return &blocked{
			run:   func(ctx context.Context) error { return put(ctx, q) },
			close: q.Close, closed: curio.ErrQueueClosed,
			works: func(ctx context.Context) error {
				if v, err := q.TryGet(); v != 1 || err != nil {
					return fmt.Errorf("got %d, want what was there before: %w", v, err)
				}
				q.TaskDone()
				if _, err := q.TryGet(); err == curio.ErrQueueEmpty {
					return fixture.PassOne(ctx, q, 3)
				} else if err != curio.ErrQueueClosed {
					return fmt.Errorf("there is more: %w", err)
				}
				return q.Join(ctx) // the second was not put
			},
		}
	}
}

// unfinishedQueue is one that has an item of which nobody has said that it is done. To
// close it does not end a Join.
func unfinishedQueue(queue func(int) *curio.Queue[int]) func(context.Context, *fixture.Fixture) *blocked {
	return func(ctx context.Context, _ *fixture.Fixture) *blocked {
		q := queue(1)
		fixture.Succeed(fixture.PassOne(ctx, q, 1))
		return &blocked{run: q.Join, works: func(ctx context.Context) error {
			q.TaskDone()
			return q.Join(ctx)
		}}
	}
}

var operationsOfChannels = []operation{
	{name: "Receive", covers: []string{"Receive"}, state: "CHANNEL_RECEIVE", closes: true, begin: receiving(func(ctx context.Context, ch chan int) (int, error) {
		return curio.Receive(ctx, ch)
	})},
	// A send on a channel that is closed panics: see ../../channel_test.go.
	{name: "Send", covers: []string{"Send"}, state: "CHANNEL_SEND", begin: sending(func(ctx context.Context, ch chan int, v int) error {
		return curio.Send(ctx, ch, v)
	})},
}

var operationsOfTime = []operation{
	{name: "Sleep", covers: []string{"Sleep"}, state: "TIME_SLEEP", begin: func(context.Context, *fixture.Fixture) *blocked {
		return &blocked{run: fixture.Sleeper, works: pause}
	}},
	{name: "WakeAt", covers: []string{"WakeAt"}, state: "TIME_SLEEP", begin: func(ctx context.Context, _ *fixture.Fixture) *blocked {
		wake := func(ctx context.Context, d time.Duration) error {
			_, err := curio.WakeAt(ctx, curio.Clock(ctx).Add(d)) // what the clock shows is no result
			return err
		}
		return &blocked{
			run:   func(ctx context.Context) error { return wake(ctx, time.Hour) },
			works: func(ctx context.Context) error { return wake(ctx, time.Millisecond) },
		}
	}},
	ofTicker("Ticker.Next", func(ctx context.Context, t *curio.Ticker) (time.Time, error) { return t.Next(ctx) }),
	ofTicker("Ticker.All", func(ctx context.Context, t *curio.Ticker) (tick time.Time, err error) {
		for tick, err = range t.All(ctx) {
			break
		}
		return tick, err
	}),
	{name: "Kernel.Stop", covers: []string{"Kernel.Stop"}, state: "KERNEL_STOP", begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
		var e curio.Event
		k := curio.NewKernel(curio.Logger(slog.New(f.Journal)))
		err := k.Run(ctx, func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error { return curio.DisableCancellation(ctx, e.Wait) })
			return nil
		})
		return &blocked{
			run: func(ctx context.Context) error { return errors.Join(err, k.Stop(ctx, -1)) },
			works: func(ctx context.Context) error {
				e.Set()
				return k.Stop(ctx, -1)
			},
		}
	}},
	{name: "Kernel.Shutdown", covers: []string{"Kernel.Shutdown"}, state: "KERNEL_SHUTDOWN", begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
		var e curio.Event
		k := curio.NewKernel(curio.Logger(slog.New(f.Journal)))
		err := k.Run(ctx, func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error { return curio.DisableCancellation(ctx, e.Wait) }, curio.Daemon())
			return nil
		})
		return &blocked{
			run: func(ctx context.Context) error { return errors.Join(err, k.Shutdown(ctx)) },
			works: func(ctx context.Context) error {
				e.Set()
				return k.Shutdown(ctx)
			},
		}
	}},
}

// ofTicker is an operation that waits for the next tick, which is then still there.
func ofTicker(name string, next func(ctx context.Context, t *curio.Ticker) (time.Time, error)) operation {
	return operation{name: name, covers: []string{name}, state: "TIME_SLEEP", begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		t, first := curio.NewTicker(time.Hour, curio.BurstTicks), time.Now().Add(time.Hour)
		return &blocked{
			run: func(ctx context.Context) error {
				tick, err := next(ctx, t)
				return fixture.NoResult(f, tick, err)
			},
			works: func(ctx context.Context) error {
				tick, err := next(ctx, t)
				if err == nil && !tick.Equal(first) {
					return fmt.Errorf("the tick is %v, not %v", tick, first)
				}
				return err
			},
		}
	}}
}

// What others work on: a shared call, and a value that is made once.
var operationsOfCalls = []operation{
	ofOthersWork("SharedCalls.Do of a call that runs", "SHARED_CALL", nil, func() func(context.Context, fixture.Racer) (int, error) {
		var s fixture.Calls
		return func(ctx context.Context, fn fixture.Racer) (int, error) {
			v, shared, err := s.Do(ctx, "key", fn)
			if err != nil && shared {
				panic("an error of the context is shared")
			}
			return v, err
		}
	}),
	ofOthersWork("Once.Do", "ONCE_WAIT", []string{"Once.Do"}, func() func(context.Context, fixture.Racer) (int, error) {
		return new(curio.Once[int]).Do
	}),
}

// ofOthersWork is an operation that waits for the function of somebody else's.
func ofOthersWork(name, state string, covers []string, do func() func(context.Context, fixture.Racer) (int, error)) operation {
	return operation{name: name, covers: covers, state: state, begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
		var done curio.Event
		do := do()
		other := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			return do(ctx, func(ctx context.Context) (int, error) { return 1, done.Wait(ctx) })
		})
		synctest.Wait()
		// Not to be called. But a caller that a context has held up may find the other's call over.
		another := func(context.Context) (int, error) { return 2, nil }
		return &blocked{
			run: func(ctx context.Context) error {
				v, err := do(ctx, another)
				return fixture.NoResult(f, v, err)
			},
			works: func(ctx context.Context) error {
				waits := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return do(ctx, another) })
				synctest.Wait()
				done.Set()
				v, err := waits.Join(ctx)
				w, joined := other.Join(ctx)
				if v != 1 || w != 1 {
					return fmt.Errorf("they get %d and %d, %v, %v", v, w, err, joined)
				}
				return errors.Join(err, joined)
			},
		}
	}}
}

// A descriptor of somebody else's must not be closed while one waits for it.
var operationsOnDescriptors = []operation{
	{name: "WaitRead", covers: []string{"WaitRead"}, state: "READ_WAIT", real: true, begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		r, w := testutil.Pipe(f)
		wait := func(ctx context.Context) error { return curio.WaitRead(ctx, r) }
		return &blocked{run: wait, works: func(ctx context.Context) error {
			_, err := syscall.Write(w, []byte("x"))
			return cmp.Or(err, wait(ctx))
		}}
	}},
	{name: "WaitWrite", covers: []string{"WaitWrite"}, state: "WRITE_WAIT", real: true, begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		r, w := testutil.Pipe(f)
		fixture.Succeed(syscall.SetNonblock(w, true))
		room := 0
		for n, err := syscall.Write(w, make([]byte, 4096)); err == nil; n, err = syscall.Write(w, make([]byte, 4096)) {
			room += n
		}
		wait := func(ctx context.Context) error { return curio.WaitWrite(ctx, w) }
		return &blocked{run: wait, works: func(ctx context.Context) error {
			n, err := syscall.Read(r, make([]byte, room))
			if n != room {
				return fmt.Errorf("read %d of %d: %w", n, room, err)
			}
			return wait(ctx)
		}}
	}},
}
