package curio_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// Abide: locks of other packages, cancellably.
//
// Of the original's list, B1 and B6 have no meaning here: curio's own locks are no
// sync.Locker, and what is none does not compile. B4 and B5, an object that is bound to
// a thread, are SpawnThread (verify/core/spawnthread_test.go): Go has no reentrant lock.

// A chanLock is a lock made of a channel: in a bubble, who waits for it is at rest, as who
// waits for a sync.Mutex is not. It has no TryLock.
type chanLock chan struct{}

func newChanLock() chanLock { return make(chanLock, 1) }

func (l chanLock) Lock() { l <- struct{}{} }

func (l chanLock) Unlock() {
	select {
	case <-l:
	default:
		panic("unlock of an unlocked lock")
	}
}

// A tryLock is a chanLock that has TryLock too.
type tryLock struct {
	chanLock

	tries atomic.Int64
}

func (l *tryLock) TryLock() bool {
	l.tries.Add(1)
	select {
	case l.chanLock <- struct{}{}:
		return true
	default:
		return false
	}
}

// lockKinds make locks, in a bubble, for use in the same bubble.
var lockKinds = map[string]func() sync.Locker{
	"without TryLock": func() sync.Locker { return newChanLock() },
	"with TryLock":    func() sync.Locker { return &tryLock{chanLock: newChanLock()} },
}

// takeAndLeave returns if mu is free.
func takeAndLeave(mu sync.Locker) {
	mu.Lock()
	defer mu.Unlock()
}

// abiding spawns a task that takes mu, calls body, and releases it.
func abiding(ctx context.Context, mu sync.Locker, body func()) *curio.Task[struct{}] {
	return curio.Go(ctx, func(ctx context.Context) error {
		release, err := curio.Abide(ctx, mu)
		if err != nil {
			if release != nil {
				return errors.New("there is an error and a function to release the lock")
			}
			return err
		}
		defer release()
		body()
		return nil
	}, curio.Name("taker"))
}

// B2: of each kind of lock, one task after the other has it, and those who wait do so in
// a single goroutine.
func TestAbide(t *testing.T) {
	for what, make := range lockKinds {
		t.Run(what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				mu := make()
				start := time.Now()
				inside := 0
				var tasks []*curio.Task[struct{}]
				for range 10 {
					tasks = append(tasks, abiding(ctx, mu, func() {
						if inside++; inside > 1 {
							f.Error("two have the lock")
						}
						time.Sleep(time.Second) // in the bubble: everybody else gets as far as they can
						inside--
					}))
				}
				callsLeft(f, 1)
				for _, task := range tasks {
					if _, err := task.Join(ctx); err != nil {
						f.Error(err)
					}
				}
				f.Elapsed(start, 10*time.Second)
				takeAndLeave(mu)
				callsLeft(f, 0)
				keysLeft(f, 0)
			})
		})
	}
}

// The locks of package sync: outside of bubbles, with conditions.
func TestAbideOfPackageSync(t *testing.T) {
	var rw sync.RWMutex
	for _, c := range []struct {
		what      string
		mu, other sync.Locker // other is what keeps mu from being taken
	}{
		{"Mutex", new(sync.Mutex), nil},
		{"RWMutex", new(sync.RWMutex), nil},
		{"RWMutex behind a reader", &rw, rw.RLocker()},
		{"RLocker", rw.RLocker(), &rw},
	} {
		t.Run(c.what, func(t *testing.T) {
			fixture.Watch(t, func() {
				fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					if c.other == nil {
						c.other = c.mu
					}
					abidePackageSync(ctx, f, c.mu, c.other)
				})
			})
		})
	}
}

// abidePackageSync has mu waited for by a number of tasks, one of which gives up.
func abidePackageSync(ctx context.Context, f *fixture.Fixture, mu, other sync.Locker) {
	other.Lock()
	first := abiding(ctx, mu, func() {})
	testutil.Await(f, "ABIDE", func() bool { return first.State() == "ABIDE" })
	var taken sync.WaitGroup
	taken.Add(10)
	var tasks []*curio.Task[struct{}]
	for range 10 {
		task := abiding(ctx, mu, taken.Done)
		testutil.Await(f, "THREAD_TURN", func() bool { return task.State() == "THREAD_TURN" })
		tasks = append(tasks, task)
	}
	if n := createdBy("blockInThread"); n != 1 || len(f.Kernel.ThreadCalls()) != 1 {
		f.Errorf("%d goroutines, %d calls, want one", n, len(f.Kernel.ThreadCalls()))
	}
	if did, err := first.Cancel(ctx); !did || err != nil {
		f.Error(did, err)
	}
	fixture.Is(f, "first", first.Err(), fixture.TaskCancelled...)
	other.Unlock()
	for _, task := range tasks {
		if _, err := task.Join(ctx); err != nil {
			f.Error(err)
		}
	}
	taken.Wait()
	testutil.Await(f, "all functions end", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
	takeAndLeave(other) // nobody has mu any more
}

// A reader does not keep the other readers out.
func TestAbideOfReaders(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var rw sync.RWMutex
		var releases []func()
		for range 3 {
			release, err := curio.Abide(ctx, rw.RLocker())
			if err != nil {
				f.Fatal(err)
			}
			releases = append(releases, release)
		}
		if rw.TryLock() {
			f.Error("the lock can be taken while it is held by readers")
		}
		for _, release := range releases {
			release()
		}
		if !rw.TryLock() {
			f.Error("the lock cannot be taken after its readers have gone")
		}
		testutil.Await(f, "all functions end", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
	})
}

// B3, W-L7: who gives up does so at once. The lock is taken in the background when it is
// free, and released at once, so that others can have it.
func TestAbideCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := newChanLock()
		mu.Lock()
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			_, err := curio.Abide(ctx, mu)
			return err
		})
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Second)
		calls := f.Kernel.ThreadCalls()
		if len(calls) != 1 || calls[0].Op != "Abide" || !calls[0].Abandoned || !calls[0].Since.Equal(start) ||
			calls[0].Task != curio.CurrentTask(ctx).Path() {
			f.Errorf("calls: %+v", calls)
		}
		second := abiding(ctx, mu, func() {})
		fixture.TaskState(f, second, "THREAD_TURN") // the goroutine in the background waits first
		callsLeft(f, 1)
		mu.Unlock()
		if _, err := second.Join(ctx); err != nil {
			f.Error(err)
		}
		callsLeft(f, 0)
		keysLeft(f, 0)
		if len(mu) != 0 {
			f.Error("the lock is not free in the end")
		}
	})
}

// A thousand who wait for a held lock and all give up: one goroutine, which releases the
// lock as soon as it has it.
func TestAbideThousandCancelled(t *testing.T) {
	for what, make := range lockKinds {
		t.Run(what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				mu := make()
				mu.Lock()
				var tasks []*curio.Task[struct{}]
				for range 1000 {
					tasks = append(tasks, abiding(ctx, mu, func() { f.Error("has it") }))
				}
				callsLeft(f, 1)
				if n := createdBy("blockInThread"); n != 1 {
					f.Errorf("%d goroutines, want 1", n)
				}
				for _, task := range tasks {
					_, _ = task.Cancel(ctx)
				}
				callsLeft(f, 1)
				mu.Unlock()
				callsLeft(f, 0)
				keysLeft(f, 0)
				release, err := curio.Abide(ctx, mu)
				if err != nil {
					f.Fatal(err)
				}
				release()
				callsLeft(f, 0)
			})
		})
	}
}

// Those who wait get the lock in order of arrival, whoever of them gives up.
func TestAbideOrder(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := newChanLock()
		mu.Lock()
		var order []int
		var tasks []*curio.Task[struct{}]
		for i := range 10 {
			tasks = append(tasks, abiding(ctx, mu, func() { order = append(order, i) }))
			synctest.Wait()
		}
		fixture.TaskState(f, tasks[0], "ABIDE")
		fixture.TaskState(f, tasks[1], "THREAD_TURN")
		for _, i := range []int{0, 5, 9} {
			_, _ = tasks[i].Cancel(ctx)
		}
		mu.Unlock()
		for _, task := range tasks {
			_ = task.Wait(ctx)
		}
		if got := fmt.Sprint(order); got != "[1 2 3 4 6 7 8]" {
			f.Errorf("order %s", got)
		}
		callsLeft(f, 0)
	})
}

// A lock that is free and can be tried costs no goroutine, and one that cannot costs one
// for as long as Lock takes. A context that has ended gets none.
func TestAbideTriesFirst(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := &tryLock{chanLock: newChanLock()}
		cycles := curio.CurrentTask(ctx).Cycles()
		release, err := curio.Abide(ctx, mu)
		if err != nil || mu.tries.Load() != 1 || len(mu.chanLock) != 1 {
			f.Errorf("%v, tried %d times", err, mu.tries.Load())
		}
		if n := curio.CurrentTask(ctx).Cycles(); n != cycles {
			f.Error("it has waited")
		}
		release()
		dead, cancel := context.WithCancel(ctx)
		cancel()
		for _, mu := range []sync.Locker{mu, mu.chanLock} {
			release, err := curio.Abide(dead, mu)
			fixture.Is(f, "dead context", err, fixture.ScopeCancelled...)
			if release != nil {
				f.Error("there is a function to release it")
			}
		}
		if mu.tries.Load() != 1 || len(mu.chanLock) != 0 {
			f.Error("it was taken")
		}
		callsLeft(f, 0)
	})
}

// The second release of a lock is a mistake, and does not unlock what somebody else may
// have by now.
func TestAbideReleaseTwice(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := newChanLock()
		release, err := curio.Abide(ctx, mu)
		if err != nil {
			f.Fatal(err)
		}
		release()
		again, err := curio.Abide(ctx, mu)
		if err != nil {
			f.Fatal(err)
		}
		fixture.Panics(f, "released a second time", release)
		if len(mu) != 1 {
			f.Error("the second release has unlocked it")
		}
		again()
		callsLeft(f, 0)
	})
}

// release may be called by whoever likes, also when the context has ended.
func TestAbideReleaseElsewhere(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := newChanLock()
		task := curio.Spawn(ctx, func(ctx context.Context) (func(), error) { return curio.Abide(ctx, mu) })
		release, err := task.Join(ctx)
		if err != nil {
			f.Fatal(err)
		}
		go release()
		synctest.Wait()
		if len(mu) != 0 {
			f.Error("it is not free")
		}
	})
}

// brokenLock is a lock whose methods panic.
type brokenLock struct{ gate threadGate }

func (l *brokenLock) Lock() { <-l.gate; panic("cannot lock") }

func (l *brokenLock) Unlock() { panic("cannot unlock") }

// A Lock that panics is an error of Abide, too late or not, and the next one has his turn.
func TestAbideLockPanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := &brokenLock{make(threadGate)}
		late := abiding(ctx, mu, func() {})
		synctest.Wait()
		first := abiding(ctx, mu, func() {})
		synctest.Wait()
		_, _ = late.Cancel(ctx)
		close(mu.gate)
		_ = first.Wait(ctx)
		var panicked *curio.PanicError
		if !errors.As(first.Err(), &panicked) || panicked.Value != "cannot lock" {
			f.Error(first.Err())
		}
		callsLeft(f, 0)
		keysLeft(f, 0)
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 2 {
			f.Errorf("two panics were logged %d times", n)
		}
	})
}

// funcLock is a lock that cannot be compared, and so cannot be told from another.
type funcLock struct{ lock, unlock func() }

func (l funcLock) Lock() { l.lock() }

func (l funcLock) Unlock() { l.unlock() }

// A lock that cannot be waited for is refused with a sentence about what was called.
func TestAbideOfWhatCannotBeCompared(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		fixture.Panics(f, "Abide", func() { _, _ = curio.Abide(ctx, funcLock{func() {}, func() {}}) })
		fixture.Panics(f, "curio_test.funcLock", func() { _, _ = curio.Abide(ctx, funcLock{func() {}, func() {}}) })
		callsLeft(f, 0)
	})
}

// A lock is no key of the user's: BlockInThread for the lock itself is something else.
func TestAbideIsNoKey(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		mu := newChanLock()
		mu.Lock()
		taker := abiding(ctx, mu, func() {})
		fixture.TaskState(f, taker, "ABIDE")
		if v, err := curio.BlockInThread(ctx, mu, returnsOne); v != 1 || err != nil {
			f.Error(v, err)
		}
		mu.Unlock()
		_ = taker.Wait(ctx)
	})
}

// B2: a condition of another package is waited for with BlockInThread: one goroutine for
// all.
func TestForeignCondition(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var event sync.WaitGroup
		event.Add(1)
		wait := func() (int, error) { event.Wait(); return 1, nil }
		var tasks []*curio.Task[int]
		for range 1000 {
			tasks = append(tasks, blocking(ctx, &event, wait))
		}
		callsLeft(f, 1)
		event.Done()
		for _, task := range tasks {
			if v, err := task.Join(ctx); v != 1 || err != nil {
				f.Error(v, err)
			}
		}
		callsLeft(f, 0)
	})
}

// A lock that is got in the moment of the cancellation is held by the task or is free.
func TestRaceAbideAndCancel(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			got := map[string]int{}
			var mu sync.Mutex
			for range testutil.Times(2000) {
				mu.Lock()
				taker := curio.Spawn(ctx, func(ctx context.Context) (func(), error) { return curio.Abide(ctx, &mu) })
				testutil.Await(f, "ABIDE", func() bool { return taker.State() == "ABIDE" })
				fixture.AtOnce(
					func() { fixture.Spin(); mu.Unlock() },
					func() { fixture.Spin(); taker.CancelNow() },
				)
				_ = taker.Wait(ctx)
				testutil.Await(f, "the function ends", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
				release, err := taker.Result()
				got[fmt.Sprint(err == nil)]++
				if err == nil {
					if mu.TryLock() {
						t.Fatal("the task has the lock, and it is free")
					}
					release()
				}
				if !mu.TryLock() {
					t.Fatalf("nobody has the lock, and it is not free; the task got %v", err)
				}
				mu.Unlock()
			}
			t.Logf("taken: %v", got)
		})
	})
}
