package curio_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// The worst moments: what can happen at the same time is made to happen at the
// same time, often. These tests run outside of bubbles, on all processors.

// atOnce calls all of fs at the same moment and waits for them.
func atOnce(fs ...func()) {
	var ready, wg sync.WaitGroup
	var start atomic.Bool
	ready.Add(len(fs))
	for _, f := range fs {
		wg.Go(func() {
			ready.Done()
			for !start.Load() {
				runtime.Gosched()
			}
			f()
		})
	}
	ready.Wait()
	start.Store(true)
	wg.Wait()
}

// race runs f so often, in a kernel in which nothing may be left or logged.
func race(t *testing.T, n int, f func(ctx context.Context)) {
	t.Helper()
	watch(t, func() {
		withKernel(t, func(ctx context.Context, fx *fixture) {
			for range times(n) {
				f(ctx)
				if t.Failed() {
					return
				}
			}
			fx.nothingUnder(ctx)
		})
	})
}

// A standard context that is derived while ours is being cancelled: the context
// package calls AfterFunc with a lock held that our call of the function needs.
func TestRaceDeriveAndCancel(t *testing.T) {
	race(t, 20000, func(ctx context.Context) {
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		var derived context.Context
		var stop context.CancelFunc
		atOnce(
			func() { derived, stop = context.WithCancel(inner) },
			cancel,
		)
		<-derived.Done()
		stop()
	})
}

// A failure that somebody has seen is not logged, however early he saw it.
func TestRaceSeenFailureIsNotLogged(t *testing.T) {
	for range times(20000) {
		log := new(journal)
		err := curio.Run(t.Context(), func(context.Context) error { return errBoom }, curio.Logger(slog.New(log)))
		if err != errBoom || len(log.lines()) > 0 {
			t.Fatalf("Run returned %v and logged %q", err, log.lines())
		}
	}
	race(t, 20000, func(ctx context.Context) {
		task := curio.Spawn(ctx, fails)
		for !task.Terminated() {
			runtime.Gosched()
		}
		if _, err := task.Join(ctx); !errors.Is(err, errBoom) {
			t.Errorf("Join: %v", err)
		}
	})
}

// A task that has ended by itself was not cancelled, also if its group or its
// kernel cancels what is left at this moment.
func TestRaceEndedMembersAreNotCancelled(t *testing.T) {
	race(t, 10000, func(ctx context.Context) {
		var tasks []*curio.Task[int]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 4 {
				tasks = append(tasks, g.Spawn(returns(i)))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for _, task := range tasks {
			if task.Cancelled() {
				t.Errorf("%v has ended by itself, and says that it was cancelled", task)
			}
		}
	})
}

// A task that was joined has ended, so Tasks does not list it.
func TestRaceJoinedTaskIsNotListed(t *testing.T) {
	watch(t, func() {
		withKernel(t, func(ctx context.Context, f *fixture) {
			for range times(20000) {
				task := curio.Spawn(ctx, returns(1))
				if _, err := task.Join(ctx); err != nil {
					t.Fatal(err)
				}
				if tasks := f.Kernel.Tasks(); len(tasks) != 1 {
					t.Fatalf("after Join, Tasks still lists %v", tasks)
				}
			}
		})
	})
}
