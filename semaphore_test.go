package curio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// L11: a semaphore of one is like a lock; its value is 0 while it is held.
// L12: of one of two, two have it at once, and the third when the first leaves.
func TestSemaphore(t *testing.T) {
	for size := range int64(4) {
		t.Run(fmt.Sprintf("size=%d", size+1), func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				s := curio.NewSemaphore(size + 1)
				start := time.Now()
				var came fixture.Roll[int64]
				var tasks []*curio.Task[struct{}]
				for i := range int64(9) {
					tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
						return s.Do(ctx, func(ctx context.Context) error {
							came.Add(i)
							if at := int64(time.Since(start) / time.Second); at != i/(size+1) {
								f.Errorf("the one at place %d came in after %d s", i, at)
							}
							return curio.Sleep(ctx, time.Second)
						})
					}))
					synctest.Wait()
					if got, want := s.Value(), max(0, size-i); got != want {
						f.Errorf("with %d there, the value is %d, want %d", i+1, got, want)
					}
				}
				for _, task := range tasks {
					_, _ = task.Join(ctx)
				}
				if n := len(came.All()); n != 9 || s.Value() != size+1 || s.Size() != size+1 {
					f.Errorf("there were %d; %v", n, s)
				}
			})
		})
	}
}

// A large request waits for so many units, and is not overtaken by small ones.
func TestSemaphoreWeighted(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewSemaphore(5)
		fixture.Succeed(s.AcquireN(ctx, 3))
		var served fixture.Roll[int64]
		ask := func(n int64) {
			curio.Go(ctx, func(ctx context.Context) error {
				err := s.AcquireN(ctx, n)
				served.Add(n)
				return err
			})
			synctest.Wait()
		}
		ask(4)
		ask(1)
		ask(2)
		if s.Value() != 2 || len(served.All()) != 0 || s.TryAcquire(ctx) || s.TryAcquireN(ctx, 2) {
			f.Errorf("the small ones have overtaken: %v, %v", served.All(), s)
		}
		s.ReleaseN(ctx, 1)
		synctest.Wait()
		if len(served.All()) != 0 {
			f.Errorf("too early: %v, %v", served.All(), s)
		}
		s.Release(ctx)
		synctest.Wait()
		if !slices.Equal(served.All(), []int64{4}) || s.Value() != 0 {
			f.Errorf("then: %v, %v", served.All(), s)
		}
		s.ReleaseN(ctx, 1)
		s.ReleaseN(context.Background(), 2) // of whoever has them
		synctest.Wait()
		if all := served.All(); len(all) != 3 || all[0] != 4 || s.Value() != 0 {
			f.Errorf("in the end: %v, %v", served.All(), s)
		}
	})
}

// L24: a large request at the head is cancelled: the small ones behind it get what there
// is, at once.
func TestSemaphoreCancelledRequestHoldsUpNobody(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewSemaphore(3)
		fixture.Succeed(s.Acquire(ctx))
		big := curio.Go(ctx, func(ctx context.Context) error { return s.AcquireN(ctx, 3) })
		synctest.Wait()
		var small []*curio.Task[struct{}]
		for range 3 {
			small = append(small, curio.Go(ctx, s.Acquire))
			synctest.Wait()
		}
		_, _ = big.Cancel(ctx)
		synctest.Wait()
		if !small[0].Terminated() || !small[1].Terminated() || small[2].State() != "SEMA_ACQUIRE" || s.Value() != 0 {
			f.Errorf("%v, %v, %v; %v", small[0], small[1], small[2], s)
		}
		s.Release(ctx)
		if _, err := small[2].Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// A request for more than the size waits for the size, and holds up nobody.
func TestSemaphoreRequestBeyondTheSize(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewSemaphore(2)
		big := curio.Go(ctx, func(ctx context.Context) error { return s.AcquireN(ctx, 5) })
		synctest.Wait()
		if !s.TryAcquire(ctx) {
			f.Error("it holds up TryAcquire")
		}
		if err := curio.TimeoutAfter(ctx, time.Second, s.Acquire); err != nil {
			f.Errorf("it holds up Acquire: %v", err)
		}
		last := curio.Go(ctx, s.Acquire)
		synctest.Wait()
		s.Release(ctx)
		if _, err := last.Join(ctx); err != nil {
			f.Errorf("it holds up who waits: %v", err)
		}
		s.Resize(5) // from now on it stands first
		if big.Terminated() || s.TryAcquire(ctx) {
			f.Errorf("%v: it was overtaken", s)
		}
		for range 2 {
			s.Release(ctx)
		}
		if _, err := big.Join(ctx); err != nil || s.Value() != 0 {
			f.Errorf("%v; %v", err, s)
		}
	})
}

// Growing lets in those who wait, in order; shrinking takes nothing from anybody, and
// lets nobody in before enough has been released.
func TestSemaphoreResize(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewBoundedSemaphore(1)
		var tasks []*curio.Task[struct{}]
		in := func() (n int) {
			synctest.Wait()
			for _, task := range tasks {
				if task.State() == "TIME_SLEEP" {
					n++
				}
			}
			return n
		}
		for i := range 6 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				return s.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Duration(i+1)*time.Hour) })
			}))
			synctest.Wait()
		}
		for _, step := range []struct {
			size, value int64
			in          int
		}{{1, 0, 1}, {4, 0, 4}, {2, -2, 4}, {0, -4, 4}, {3, -1, 4}, {4, 0, 4}, {2, -2, 4}} {
			s.Resize(step.size)
			if n := in(); n != step.in || s.Value() != step.value || s.Size() != step.size {
				f.Errorf("of size %d: %d are in, want %d; value %d, want %d", step.size, n, step.in, s.Value(), step.value)
			}
		}
		for hour, want := range []int{4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 0} { // two units for six tasks
			if n := in(); n != want {
				f.Errorf("after %d hours: %d are in, want %d; %v", hour, n, want, s)
			}
			_ = curio.Sleep(ctx, time.Hour)
		}
		for _, task := range tasks {
			_ = task.Wait(ctx)
		}
		if s.Value() != 2 {
			f.Errorf("left is %v", s)
		}
	})
}

// Shrinking below what the first in the queue asks for lets those behind it in.
func TestSemaphoreShrinksBelowARequest(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewSemaphore(5)
		fixture.Succeed(s.Acquire(ctx))
		big := curio.Go(ctx, func(ctx context.Context) error { return s.AcquireN(ctx, 5) })
		synctest.Wait()
		small := curio.Go(ctx, s.Acquire)
		synctest.Wait()
		if small.Terminated() {
			f.Error("it has overtaken")
		}
		s.Resize(4)
		if _, err := small.Join(ctx); err != nil || big.Terminated() {
			f.Errorf("%v; %v", err, big)
		}
		_, _ = big.Cancel(ctx)
	})
}

// W-L8: to release what nobody holds makes one more: so it counts events. The zero value
// has none.
func TestSemaphoreAsACounter(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var s curio.Semaphore
		consumer := curio.Spawn(ctx, func(ctx context.Context) (n int, err error) {
			for n < 10 {
				if err := s.Acquire(ctx); err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		})
		for range 5 {
			s.Release(ctx)
			synctest.Wait()
		}
		go s.ReleaseN(context.Background(), 6)
		if n, err := consumer.Join(ctx); n != 10 || err != nil {
			f.Errorf("%d, %v", n, err)
		}
		if s.Value() != 1 {
			f.Errorf("left is %v", &s)
		}
	})
}

// Of nothing there is always enough.
func TestSemaphoreZeroUnits(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewBoundedSemaphore(1)
		fixture.Succeed(s.Acquire(ctx))
		if err := s.AcquireN(ctx, 0); err != nil || !s.TryAcquireN(ctx, 0) {
			f.Error(err)
		}
		s.ReleaseN(ctx, 0)
		dead, cancel := curio.WithTimeout(ctx, time.Hour)
		cancel()
		fixture.Is(f, "of a dead context", s.AcquireN(dead, 0), fixture.ScopeCancelled...)
		if s.Value() != 0 || len(s.Snapshot().Holders) != 1 {
			f.Error(s)
		}
		s.Release(dead)
	})
}

// L15: the bound can be read; one release too many is refused, also by Do, and leaves it
// as it was.
func TestBoundedSemaphore(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s := curio.NewBoundedSemaphore(2)
		if s.Size() != 2 {
			f.Errorf("the bound is %d", s.Size())
		}
		tooMany := "each Release needs an Acquire before it"
		fixture.Panics(f, tooMany, func() { s.Release(ctx) })
		fixture.Panics(f, tooMany, func() { s.ReleaseN(ctx, 1) })
		fixture.Panics(f, tooMany, func() {
			_ = s.Do(ctx, func(ctx context.Context) error { s.Release(ctx); return nil })
		})
		fixture.Panics(f, "releases 2 units of a bounded semaphore of which 1 are held", func() {
			_ = s.DoN(ctx, 2, func(ctx context.Context) error { s.Release(ctx); return nil })
		})
		s.Release(ctx)
		fixture.Succeed(s.Acquire(ctx))
		fixture.Panics(f, "releases 2 units of a bounded semaphore of which 1 are held", func() { s.ReleaseN(ctx, 2) })
		task := curio.Go(ctx, func(ctx context.Context) error { s.Release(ctx); return nil }) // what another one has
		if _, err := task.Join(ctx); err != nil {
			f.Error(err)
		}
		if s.Value() != 2 || s.Size() != 2 || len(s.Snapshot().Holders) != 0 {
			f.Errorf("left is %v", s)
		}
	})
}

// L22
func TestSemaphoreString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		s, b := curio.NewSemaphore(3), curio.NewBoundedSemaphore(1)
		says := func(v fmt.Stringer, want string) {
			f.Helper()
			if got := v.String(); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
		}
		me := curio.CurrentTask(ctx).Path()
		says(s, "Semaphore(3 of 3 free)")
		fixture.Succeed(s.AcquireN(ctx, 2))
		fixture.Succeed(b.Acquire(context.Background()))
		waiter := curio.Go(ctx, func(ctx context.Context) error { return s.AcquireN(ctx, 3) })
		synctest.Wait()
		says(s, "Semaphore(1 of 3 free, held by task "+me+" (2), 1 waiting)")
		says(b, "BoundedSemaphore(0 of 1 free, held by a goroutine of no task)")
		s.Resize(1)
		says(s, "Semaphore(-1 of 1 free, held by task "+me+" (2), 1 waiting)")
		_, _ = waiter.Cancel(ctx)
	})
}

// The text is of one moment: when nobody has anything, all is free, whatever the size.
func TestRaceSemaphoreString(t *testing.T) {
	s := curio.NewSemaphore(1)
	fixture.AtOnce(
		func() {
			for i := range testutil.Times(20000) {
				s.Resize(int64(i % 9))
			}
		},
		func() {
			for range testutil.Times(20000) {
				var free, size int
				if _, err := fmt.Sscanf(s.String(), "Semaphore(%d of %d free)", &free, &size); err != nil || free != size {
					t.Errorf("%d of %d are free, and nobody has the rest: %v", free, size, err)
					return
				}
			}
		})
}

// A semaTwin is what a semaphore should do, said naively.
type semaTwin struct {
	size  int64
	held  map[*curio.AnyTask]int64
	queue []semaRequest
}

type semaRequest struct {
	who *curio.AnyTask
	n   int64
}

func (m *semaTwin) total() (n int64) {
	for _, has := range m.held {
		n += has
	}
	return n
}

// admit serves the first that could ever be served, as long as there is enough for it.
func (m *semaTwin) admit() {
	for {
		i := slices.IndexFunc(m.queue, func(r semaRequest) bool { return r.n <= m.size })
		if i < 0 || m.queue[i].n > m.size-m.total() {
			return
		}
		m.held[m.queue[i].who] += m.queue[i].n
		m.queue = slices.Delete(m.queue, i, i+1)
	}
}

// release is by who has enough, or when all is his: which of the others loses how much
// is not laid down.
func (m *semaTwin) release(who *curio.AnyTask, n int64) {
	m.size += max(0, n-m.held[who])
	m.held[who] = max(0, m.held[who]-n)
	m.admit()
}

// Random operations: after each, the semaphore and its twin agree on who holds how much,
// who waits and in which order.
func TestSemaphoreModel(t *testing.T) {
	for range testutil.Times(300) {
		seed := rand.Uint64()
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			defer func() {
				if f.Failed() {
					f.Logf("seed %d", seed)
				}
			}()
			modelSemaphore(ctx, f, rand.New(rand.NewPCG(seed, 0)))
		})
		if t.Failed() {
			return
		}
	}
}

// An actor is a task that does one thing after the other with a semaphore. It can be
// interrupted when it waits.
type actor struct {
	task *curio.AnyTask
	do   chan func(ctx context.Context)
	stop context.CancelFunc
}

func newActor(ctx context.Context) *actor {
	a := &actor{do: make(chan func(context.Context)), stop: func() {}}
	a.task = curio.Go(ctx, func(ctx context.Context) error {
		for f := range a.do {
			inner, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
			a.stop = cancel
			f(inner)
			cancel()
		}
		return nil
	}).AnyTask
	return a
}

func modelSemaphore(ctx context.Context, f *fixture.Fixture, random *rand.Rand) {
	s := curio.NewSemaphore(4)
	twin := &semaTwin{size: 4, held: map[*curio.AnyTask]int64{}}
	var actors []*actor
	for range 6 {
		actors = append(actors, newActor(ctx))
	}
	for step := range 80 {
		a, n := actors[random.IntN(len(actors))], 1+random.Int64N(3)
		waits := slices.IndexFunc(twin.queue, func(r semaRequest) bool { return r.who == a.task })
		switch what := random.IntN(10); {
		case what == 0:
			size := random.Int64N(8)
			s.Resize(size)
			twin.size = size
			twin.admit()
		case waits >= 0 && what < 5:
			a.stop()
			twin.queue = slices.Delete(twin.queue, waits, waits+1)
			twin.admit()
		case waits >= 0:
		case what < 5:
			a.do <- func(ctx context.Context) { _ = s.AcquireN(ctx, n) }
			twin.queue = append(twin.queue, semaRequest{a.task, n})
			twin.admit()
		case what < 9 && (twin.held[a.task] >= n || twin.held[a.task] == twin.total()):
			a.do <- func(ctx context.Context) { s.ReleaseN(ctx, n) }
			twin.release(a.task, n)
		default:
			want := n <= twin.size-twin.total() && !slices.ContainsFunc(twin.queue, func(r semaRequest) bool { return r.n <= twin.size })
			a.do <- func(ctx context.Context) {
				if s.TryAcquireN(ctx, n) != want {
					f.Errorf("step %d: TryAcquireN(%d) is not %v: %v", step, n, want, s)
				}
			}
			if want {
				twin.held[a.task] += n
			}
		}
		synctest.Wait()
		compareSemaphore(f, step, s, twin)
	}
	for _, a := range actors {
		a.stop()
		close(a.do)
		_ = a.task.Wait(ctx)
	}
}

func compareSemaphore(f *fixture.Fixture, step int, s *curio.Semaphore, twin *semaTwin) {
	f.Helper()
	snapshot := s.Snapshot()
	held := map[*curio.AnyTask]int64{}
	for _, h := range snapshot.Holders {
		if held[h.Task] != 0 || h.N < 1 {
			f.Errorf("step %d: strange holders: %v", step, snapshot.Holders)
		}
		held[h.Task] = h.N
	}
	for task, n := range twin.held {
		if held[task] != n {
			f.Errorf("step %d: %v holds %d, want %d", step, task, held[task], n)
		}
	}
	var queue []*curio.AnyTask
	for _, r := range twin.queue {
		queue = append(queue, r.who)
	}
	if !slices.EqualFunc(snapshot.Waiters, queue, func(w curio.Waiter, t *curio.AnyTask) bool { return w.Task == t }) ||
		s.Size() != twin.size || s.Value() != twin.size-twin.total() {
		f.Errorf("step %d: %v, want size %d, %d held, %v waiting", step, s, twin.size, twin.total(), twin.queue)
	}
	if f.Failed() {
		f.FailNow()
	}
}
