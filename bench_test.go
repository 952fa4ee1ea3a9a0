package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/verify/fixture"
)

// Each benchmark has what a Go programmer would otherwise write as a sub-benchmark
// beside ours. The work is the same and so is what is guaranteed, as far as that can
// be had without this package.

// inBenchKernel runs b's loop in a task.
func inBenchKernel(b *testing.B, loop func(ctx context.Context)) {
	b.Helper()
	b.ReportAllocs()
	err := curio.Run(b.Context(), func(ctx context.Context) error {
		loop(ctx)
		return nil
	})
	if err != nil {
		b.Error(err)
	}
}

func BenchmarkSpawnJoin(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("n=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				tasks := make([]*curio.Task[struct{}], n)
				for b.Loop() {
					for i := range tasks {
						tasks[i] = curio.Go(ctx, fixture.Nothing)
					}
					for _, task := range tasks {
						_, _ = task.Join(ctx)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/impl=WaitGroup", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() {
						_ = fixture.Nothing(ctx)
					})
				}
				wg.Wait()
			}
		})
	}
}

// A timeout around work that does not block.
func BenchmarkTimeout(b *testing.B) {
	b.Run("impl=TimeoutAfter", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				_ = curio.TimeoutAfter(ctx, time.Minute, fixture.Nothing)
			}
		})
	})
	b.Run("impl=WithTimeout", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				inner, cancel := curio.WithTimeout(ctx, time.Minute)
				_ = fixture.Nothing(inner)
				cancel()
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		parent, stop := context.WithCancel(b.Context())
		defer stop()
		for b.Loop() {
			inner, cancel := context.WithTimeout(parent, time.Minute)
			_ = fixture.Nothing(inner)
			cancel()
		}
	})
}

// Ten members, an error of any of which would cancel the others.
func BenchmarkGroup(b *testing.B) {
	const n = 10
	b.Run("impl=curio", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			member := func(ctx context.Context) (struct{}, error) { return struct{}{}, fixture.Nothing(ctx) }
			for b.Loop() {
				err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
					for range n {
						g.Spawn(member)
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("impl=WaitGroup", func(b *testing.B) {
		b.ReportAllocs()
		parent, stop := context.WithCancel(b.Context())
		defer stop()
		for b.Loop() {
			ctx, cancel := context.WithCancel(parent)
			var wg sync.WaitGroup
			var once sync.Once
			var failed error
			for range n {
				wg.Go(func() {
					if err := fixture.Nothing(ctx); err != nil {
						once.Do(func() { failed = err; cancel() })
					}
				})
			}
			wg.Wait()
			cancel()
			if failed != nil {
				b.Fatal(failed)
			}
		}
	})
}

// A task that waits, for an hour or for nothing, is cancelled and waited for. It has
// begun its wait in most of the runs, as the other goroutine has.
func BenchmarkCancelJoin(b *testing.B) {
	b.Run("impl=curio", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				asleep := make(chan struct{})
				task := curio.Go(ctx, func(ctx context.Context) error {
					close(asleep)
					return fixture.Sleeper(ctx)
				})
				<-asleep
				if _, err := task.Cancel(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("impl=context", func(b *testing.B) {
		b.ReportAllocs()
		parent, stop := context.WithCancel(b.Context())
		defer stop()
		for b.Loop() {
			asleep, done := make(chan struct{}), make(chan struct{})
			ctx, cancel := context.WithCancel(parent)
			go func() {
				defer close(done)
				close(asleep)
				timer := time.NewTimer(time.Hour)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
			}()
			<-asleep
			cancel()
			<-done
			if !errors.Is(ctx.Err(), context.Canceled) {
				b.Fatal(ctx.Err())
			}
		}
	})
}

func BenchmarkSleep(b *testing.B) {
	b.Run("impl=curio", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				_ = curio.Sleep(ctx, time.Microsecond)
			}
		})
	})
	b.Run("impl=time", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			time.Sleep(time.Microsecond)
		}
	})
}

// A Select over two queues beside a select statement over two channels and a context's. The
// context counts as a case of Go's, since Select ends with its context too.

// BenchmarkSelectReady is of a Select one of whose cases is ready; cases are how many there are.
func BenchmarkSelectReady(b *testing.B) {
	for _, n := range []int{2, 1000} {
		b.Run(fmt.Sprintf("cases=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				q := curio.NewQueue[int](1)
				cases := []curio.Case{q.GetCase(nil)}
				for len(cases) < n {
					cases = append(cases, curio.NewQueue[int](1).GetCase(nil))
				}
				for b.Loop() {
					_ = q.TryPut(1)
					if i, err := curio.Select(ctx, cases...); i != 0 || err != nil {
						b.Fatal(i, err)
					}
				}
			})
		})
	}
	b.Run("cases=2/impl=select", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		one, other := make(chan int, 1), make(chan int, 1)
		for b.Loop() {
			one <- 1
			select {
			case <-one:
			case <-other:
			case <-ctx.Done():
			}
		}
	})
}

// BenchmarkSelectBlocks is of a Select that has to wait, in a round trip.
func BenchmarkSelectBlocks(b *testing.B) {
	for _, channel := range []bool{false, true} {
		impl := "curio"
		if channel {
			impl = "curio with a channel"
		}
		b.Run("impl="+impl, func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				there, never, back := curio.NewQueue[int](1), curio.NewQueue[int](1), curio.NewQueue[int](1)
				peer := curio.Go(ctx, func(ctx context.Context) error {
					cases := []curio.Case{there.GetCase(nil), never.GetCase(nil)}
					if channel {
						cases = append(cases, curio.ReceiveCase(make(chan int), nil))
					}
					for {
						if _, err := curio.Select(ctx, cases...); err != nil {
							return err
						}
						if err := back.Put(ctx, 1); err != nil {
							return err
						}
					}
				})
				for b.Loop() {
					_ = there.Put(ctx, 1)
					_, _ = back.Get(ctx)
				}
				_, _ = peer.Cancel(ctx)
			})
		})
	}
	b.Run("impl=select", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		there, never, back := make(chan int, 1), make(chan int, 1), make(chan int, 1)
		go func() {
			for {
				select {
				case <-there:
				case <-never:
				case <-ctx.Done():
					return
				}
				select {
				case back <- 1:
				case <-ctx.Done():
				}
			}
		}()
		for b.Loop() {
			select {
			case there <- 1:
			case <-ctx.Done():
			}
			select {
			case <-back:
			case <-ctx.Done():
			}
		}
	})
}

// BenchmarkMap is of Map and what one would otherwise write: a group of goroutines with a slice.
// bench/waits compares it with errgroup.
func BenchmarkMap(b *testing.B) {
	double := func(_ context.Context, v int) (int, error) { return 2 * v, nil }
	for _, n := range []int{10, 10_000} {
		items := make([]int, n)
		for _, limit := range []int{0, 10} {
			var opts []curio.GroupOption
			if limit > 0 {
				opts = append(opts, curio.Limit(limit))
			}
			b.Run(fmt.Sprintf("items=%d/limit=%d/impl=curio", n, limit), func(b *testing.B) {
				b.ReportAllocs()
				_ = curio.Run(b.Context(), func(ctx context.Context) error {
					for b.Loop() {
						if _, err := curio.Map(ctx, items, double, opts...); err != nil {
							return err
						}
					}
					return nil
				})
			})
			b.Run(fmt.Sprintf("items=%d/limit=%d/impl=WaitGroup", n, limit), func(b *testing.B) {
				b.ReportAllocs()
				ctx := b.Context()
				for b.Loop() {
					mapByHand(ctx, items, double, limit)
				}
			})
		}
	}
}

// mapByHand knows of no failure, no panic and no cancellation.
func mapByHand(ctx context.Context, items []int, fn func(context.Context, int) (int, error), limit int) []int {
	results := make([]int, len(items))
	var wg sync.WaitGroup
	var slots chan struct{}
	if limit > 0 {
		slots = make(chan struct{}, limit)
	}
	for i, item := range items {
		if slots != nil {
			slots <- struct{}{}
		}
		wg.Go(func() {
			results[i], _ = fn(ctx, item)
			if slots != nil {
				<-slots
			}
		})
	}
	wg.Wait()
	return results
}

// A broadcast beside a channel for each subscriber under a mutex, to each of which the sender
// sends in a select statement with its context. That does not do the same: a Send that is cut
// short has reached some of the subscribers, and one that leaves has to be seen to.

type channels struct {
	mu   sync.Mutex
	subs []chan int
}

func (c *channels) subscribe(room int) <-chan int {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan int, room)
	c.subs = append(c.subs, ch)
	return ch
}

func (c *channels) send(ctx context.Context, v int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.subs {
		select {
		case ch <- v:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// BenchmarkBroadcast is of a Send to n subscribers, each of which has room, and of n receptions.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("n=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				var cast curio.Broadcast[int]
				subs := make([]*curio.Subscription[int], n)
				for i := range subs {
					subs[i] = cast.Subscribe(ctx, 16, curio.SlowWait)
				}
				for b.Loop() {
					_ = cast.Send(ctx, 1)
					for _, s := range subs {
						_, _ = s.Receive(ctx)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/impl=channels", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var cast channels
			subs := make([]<-chan int, n)
			for i := range subs {
				subs[i] = cast.subscribe(16)
			}
			for b.Loop() {
				_ = cast.send(ctx, 1)
				for _, ch := range subs {
					select {
					case <-ch:
					case <-ctx.Done():
					}
				}
			}
		})
	}
}

// BenchmarkBroadcastTasks is of a Send to n subscribers that are tasks of their own. With one
// value of room, they wait for the sender, and it for them.
func BenchmarkBroadcastTasks(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("n=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				var cast curio.Broadcast[int]
				all := make([]*curio.Task[struct{}], n)
				for i := range all {
					s := cast.Subscribe(ctx, 1, curio.SlowWait)
					all[i] = curio.Go(ctx, func(ctx context.Context) error {
						for _, err := range s.All(ctx) {
							if err != nil {
								return err
							}
						}
						return nil
					})
				}
				for b.Loop() {
					_ = cast.Send(ctx, 1)
				}
				cast.Close()
				for _, task := range all {
					_ = task.Wait(ctx)
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/impl=channels", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var cast channels
			var all sync.WaitGroup
			for range n {
				ch := cast.subscribe(1)
				all.Go(func() {
					for {
						select {
						case _, ok := <-ch:
							if !ok {
								return
							}
						case <-ctx.Done():
							return
						}
					}
				})
			}
			for b.Loop() {
				_ = cast.send(ctx, 1)
			}
			for _, ch := range cast.subs {
				close(ch)
			}
			all.Wait()
		})
	}
}

// A watched value in three ways: with a Watch; with a sync.Cond, whose Wait nothing can cancel;
// and with a channel that is closed at each change.
type changing interface {
	set(v int)
	wait(ctx context.Context, after uint64) (version uint64)
}

type curioWatch struct{ curio.Watch[int] }

func (w *curioWatch) set(v int) { w.Set(v) }

func (w *curioWatch) wait(ctx context.Context, after uint64) uint64 {
	_, version, _ := w.Wait(ctx, after)
	return version
}

type condWatch struct {
	mu      sync.Mutex
	changed sync.Cond
	value   int
	version uint64
}

func (w *condWatch) set(v int) {
	w.mu.Lock()
	w.value, w.version = v, w.version+1
	w.mu.Unlock()
	w.changed.Broadcast()
}

func (w *condWatch) wait(_ context.Context, after uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.version <= after {
		w.changed.Wait()
	}
	return w.version
}

type closingWatch struct {
	mu      sync.Mutex
	changed chan struct{}
	value   int
	version uint64
}

func (w *closingWatch) set(v int) {
	w.mu.Lock()
	w.value, w.version = v, w.version+1
	changed := w.changed
	w.changed = make(chan struct{})
	w.mu.Unlock()
	close(changed)
}

func (w *closingWatch) wait(ctx context.Context, after uint64) uint64 {
	for {
		w.mu.Lock()
		changed, version := w.changed, w.version
		w.mu.Unlock()
		if version > after {
			return version
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0
		}
	}
}

func watches() map[string]func() changing {
	return map[string]func() changing{
		"curio": func() changing { return new(curioWatch) },
		"Cond": func() changing {
			w := new(condWatch)
			w.changed.L = &w.mu
			return w
		},
		"close": func() changing { return &closingWatch{changed: make(chan struct{})} },
	}
}

// BenchmarkWatch is of a change to n waiters, each of which answers with a change of its own, for
// all of which the one that has made it waits.
func BenchmarkWatch(b *testing.B) {
	for _, n := range []int{1, 100} {
		for impl, make := range watches() {
			b.Run(fmt.Sprintf("n=%d/impl=%s", n, impl), func(b *testing.B) {
				inBenchKernel(b, func(ctx context.Context) {
					there, back := make(), make()
					stopped := false
					var all []*curio.Task[struct{}]
					for range n {
						all = append(all, curio.Go(ctx, func(ctx context.Context) error {
							for version := uint64(0); ; {
								if version = there.wait(ctx, version); stopped {
									return nil
								}
								back.set(1)
							}
						}))
					}
					seen, answers := uint64(0), uint64(0)
					for b.Loop() {
						there.set(1)
						for answers += uint64(n); seen < answers; {
							seen = back.wait(ctx, seen)
						}
					}
					stopped = true
					there.set(0)
					for _, task := range all {
						_ = task.Wait(ctx)
					}
				})
			})
		}
	}
}

// BenchmarkWatchNobodyWaits is of a Set without waiters, and of a Wait for what is there.
func BenchmarkWatchNobodyWaits(b *testing.B) {
	for impl, make := range watches() {
		b.Run("impl="+impl, func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				w := make()
				version := uint64(0)
				for b.Loop() {
					w.set(1)
					version = w.wait(ctx, version)
				}
			})
		})
	}
}

// The shared calls themselves are compared with golang.org/x/sync/singleflight in bench/waits.

// BenchmarkOnceSet is of a value that is there already.
func BenchmarkOnceSet(b *testing.B) {
	b.Run("impl=Once.Do", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			var o curio.Once[int]
			for b.Loop() {
				if v, err := o.Do(ctx, makesOne); v != 1 || err != nil {
					b.Fatal(v, err)
				}
			}
		})
	})
	b.Run("impl=sync.Once", func(b *testing.B) {
		b.ReportAllocs()
		var o sync.Once
		value := 0
		for b.Loop() {
			if o.Do(func() { value = 1 }); value != 1 {
				b.Fatal(value)
			}
		}
	})
	b.Run("impl=sync.OnceValues", func(b *testing.B) {
		b.ReportAllocs()
		get := sync.OnceValues(func() (int, error) { return 1, nil })
		for b.Loop() {
			if v, err := get(); v != 1 || err != nil {
				b.Fatal(v, err)
			}
		}
	})
}

func makesOne(context.Context) (int, error) { return 1, nil }

// BenchmarkOnceFirst is of a value that is made, by one caller.
func BenchmarkOnceFirst(b *testing.B) {
	b.Run("impl=Once.Do", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			for b.Loop() {
				var o curio.Once[int]
				_, _ = o.Do(ctx, makesOne)
			}
		})
	})
	b.Run("impl=sync.OnceValues", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = sync.OnceValues(func() (int, error) { return 1, nil })()
		}
	})
}

// BenchmarkTicker is of a tick that is due already, and of one that is waited for; then what counts
// is the time above the interval.
func BenchmarkTicker(b *testing.B) {
	b.Run("due/impl=Ticker", func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			ticker := curio.NewTicker(1, curio.SkipTicks)
			for b.Loop() {
				_, _ = ticker.Next(ctx)
			}
		})
	})
	b.Run("due/impl=time.Ticker", func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		ticker := time.NewTicker(1)
		defer ticker.Stop()
		for b.Loop() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	const interval = 100 * time.Microsecond
	b.Run(fmt.Sprintf("interval=%v/impl=Ticker", interval), func(b *testing.B) {
		inBenchKernel(b, func(ctx context.Context) {
			ticker := curio.NewTicker(interval, curio.SkipTicks)
			for b.Loop() {
				_, _ = ticker.Next(ctx)
			}
		})
	})
	b.Run(fmt.Sprintf("interval=%v/impl=time.Ticker", interval), func(b *testing.B) {
		b.ReportAllocs()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for b.Loop() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
}

// channelGate is a semaphore as one would write it without us: a channel, and a select statement
// for the context.
type channelGate chan struct{}

func (g channelGate) Enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g channelGate) Leave(context.Context) { <-g }

// A bareGate is what a primitive on a WaitList costs at least: a gate of one unit that keeps no
// account of who holds it.
type bareGate struct {
	mu    sync.Mutex
	taken bool
	line  curio.WaitList[struct{}]
}

func newBareGate() *bareGate {
	g := new(bareGate)
	g.line.Mutex, g.line.State, g.line.Object, g.line.Serve = &g.mu, "GATE_ENTER", g, g.serve
	return g
}

func (g *bareGate) serve() {
	if !g.taken && g.line.Hand(struct{}{}) {
		g.taken = true
	}
}

func (g *bareGate) Enter(ctx context.Context) error {
	_, err := g.line.Wait(ctx, struct{}{})
	return err
}

func (g *bareGate) Leave(context.Context) {
	g.mu.Lock()
	g.taken = false
	g.serve()
	g.mu.Unlock()
}

// A semaphore of one unit that n tasks take and give back: with n=1 there is nobody to wait for.
// Between n tasks it changes hands each time.
func BenchmarkWaitList(b *testing.B) {
	for _, n := range []int{1, 2, 100} {
		g, bare, l, s, c := fixture.NewGate(1), newBareGate(), new(curio.Lock), curio.NewSemaphore(1), make(channelGate, 1)
		for _, impl := range []struct {
			name  string
			enter func(context.Context) error
			leave func(context.Context)
		}{
			{"WaitList", func(ctx context.Context) error { return g.Enter(ctx, 1) }, func(ctx context.Context) { g.Leave(ctx, 1) }},
			{"bare WaitList", bare.Enter, bare.Leave},
			{"Semaphore", s.Acquire, s.Release},
			{"Lock", l.Acquire, l.Release},
			{"channel", c.Enter, c.Leave},
		} {
			b.Run(fmt.Sprintf("n=%d/impl=%s", n, impl.name), func(b *testing.B) {
				inBenchKernel(b, func(ctx context.Context) {
					var peers []*curio.Task[struct{}]
					for range n - 1 {
						peers = append(peers, curio.Go(ctx, func(ctx context.Context) error {
							for {
								if err := impl.enter(ctx); err != nil {
									return err
								}
								impl.leave(ctx)
							}
						}))
					}
					for b.Loop() {
						_ = impl.enter(ctx)
						impl.leave(ctx)
					}
					for _, peer := range peers {
						_, _ = peer.Cancel(ctx)
					}
				})
			})
		}
	}
}

// What a look for deadlocks costs for each task of the kernel: tasks that sleep, tasks that wait for one lock, and tasks that
// join one another.
func BenchmarkDeadlocks(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		for _, c := range []struct {
			name string
			task func(lock *curio.Lock, before *curio.AnyTask) func(ctx context.Context) error
		}{
			{"sleeping", func(*curio.Lock, *curio.AnyTask) func(ctx context.Context) error {
				return func(ctx context.Context) error { return curio.Sleep(ctx, curio.NoTimeout) }
			}},
			{"one lock", func(lock *curio.Lock, _ *curio.AnyTask) func(ctx context.Context) error { return lock.Acquire }},
			{"a chain of joins", func(_ *curio.Lock, before *curio.AnyTask) func(ctx context.Context) error {
				if before == nil {
					return func(ctx context.Context) error { return curio.Sleep(ctx, curio.NoTimeout) }
				}
				return before.Wait
			}},
		} {
			b.Run(fmt.Sprintf("tasks=%s/n=%d", c.name, n), func(b *testing.B) {
				err := curio.Run(b.Context(), func(ctx context.Context) error {
					var lock curio.Lock
					if err := lock.Acquire(ctx); err != nil {
						return err
					}
					var last *curio.AnyTask
					for range n {
						last = curio.Go(ctx, c.task(&lock, last)).AnyTask
					}
					for last.Cycles() == 0 {
						runtime.Gosched()
					}
					k := curio.KernelOf(ctx)
					for b.Loop() {
						if found := k.Deadlocks(); found != nil {
							return fmt.Errorf("found %v", found)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// What it costs that events are recorded: nothing, what always is, waits too, and all that a trace wants.
func BenchmarkRecording(b *testing.B) {
	sets := []struct {
		name string
		set  events.Set
	}{
		{"nothing", 0},
		{"tasks", events.Tasks},
		{"waits", events.Tasks | events.Pauses},
		{"trace", events.Tasks | events.Pauses | events.Steps | events.Order},
	}
	for _, r := range sets {
		b.Run("what=spawn/record="+r.name, func(b *testing.B) {
			defer events.Base(events.Base(r.set))
			inBenchKernel(b, func(ctx context.Context) {
				for b.Loop() {
					_, _ = curio.Go(ctx, fixture.Nothing).Join(ctx)
				}
			})
		})
	}
	for _, r := range sets {
		b.Run("what=wait/record="+r.name, func(b *testing.B) {
			defer events.Base(events.Base(r.set))
			inBenchKernel(b, func(ctx context.Context) {
				once, end := fixture.HandOver(ctx)
				defer end()
				for b.Loop() {
					once()
				}
			})
		})
	}
}
