package curio_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// Completion, cancellation and timeout of one wait at the same moment. One of them
// wins; the error is the winner's; what was waited for is not lost; nothing is left.

// timedRace is race with timeouts that may be late: what is logged of that is no
// concern here.
func timedRace(t *testing.T, n int, f func(ctx context.Context)) {
	t.Helper()
	watch(t, func() {
		withKernel(t, func(ctx context.Context, fx *fixture) {
			for range times(n) {
				f(ctx)
				fx.Journal.take(msgLate)
				fx.nothingUnder(ctx)
				if t.Failed() {
					return
				}
			}
		})
	})
}

// spin lasts a random while, as long as it takes the others to get going.
func spin() {
	for range rand.IntN(200) {
		runtime.KeepAlive(nil)
	}
	if rand.IntN(4) == 0 {
		runtime.Gosched()
	}
}

// tiny is a random duration about as long as a race lasts.
func tiny() time.Duration { return time.Duration(rand.IntN(20_000)) }

// raceWait runs wait as a task under a timeout, and releases it, cancels it and lets
// its time run out at the same moment. It returns how wait ended. check is called
// in the task, with what wait has returned.
func raceWait(t *testing.T, ctx context.Context, d time.Duration, release func(), wait func(context.Context) error) error {
	var ready atomic.Bool
	var inner error
	var did bool
	waiter := curio.Go(ctx, func(ctx context.Context) error {
		err := curio.TimeoutAfter(ctx, d, func(ctx context.Context) error {
			ready.Store(true)
			inner = wait(ctx)
			return inner
		})
		if err != inner && !(errors.Is(inner, curio.ErrTaskTimeout) && errors.Is(err, curio.ErrTaskTimeout)) {
			t.Errorf("the wait ended with %v, and the timeout around it with %v", inner, err)
		}
		return err
	})
	for !ready.Load() {
		runtime.Gosched()
	}
	atOnce(
		func() { spin(); release() },
		func() { spin(); did = waiter.CancelNow() },
	)
	_ = waiter.Wait(ctx)
	err := waiter.Err()
	switch {
	case err == nil:
	case errors.Is(err, curio.ErrTaskCancelled):
		if !did {
			t.Errorf("CancelNow says that it was not it, but the task saw %v", err)
		}
	case errors.Is(err, curio.ErrTaskTimeout):
	default:
		t.Errorf("the wait ended with %v", err)
	}
	if waiter.Cancelled() != did {
		t.Errorf("CancelNow: %v, Cancelled: %v", did, waiter.Cancelled())
	}
	return err
}

func TestRaceJoin(t *testing.T) {
	timedRace(t, 35000, func(ctx context.Context) {
		gate := make(chan struct{})
		want := rand.Int()
		child := curio.Spawn(ctx, func(context.Context) (int, error) { <-gate; return want, nil })
		got := -1
		err := raceWait(t, ctx, tiny(), func() { close(gate) }, func(ctx context.Context) (err error) {
			v, err := child.Join(ctx)
			if err == nil {
				got = v
			}
			return err
		})
		if err == nil && got != want {
			t.Errorf("joined %d, want %d", got, want)
		}
		if v, err := child.Join(ctx); v != want || err != nil {
			t.Errorf("the child's value is lost: %d, %v", v, err)
		}
		if child.Cancelled() {
			t.Error("the child was cancelled with its joiner")
		}
	})
}

func TestRaceSleep(t *testing.T) {
	timedRace(t, 30000, func(ctx context.Context) {
		d := tiny()
		err := raceWait(t, ctx, tiny(), func() {}, func(ctx context.Context) error {
			start := time.Now()
			err := curio.Sleep(ctx, d)
			if slept := time.Since(start); err == nil && slept < d {
				t.Errorf("slept %v, want %v", slept, d)
			}
			// The clock, the waiter and the alarm are as good as new.
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
				start := time.Now()
				if err := curio.Sleep(ctx, 2*time.Microsecond); err != nil || time.Since(start) < 2*time.Microsecond {
					t.Errorf("the next sleep: %v, %v", time.Since(start), err)
				}
				return nil
			})
			return err
		})
		_ = err
	})
}

func TestRaceNextDone(t *testing.T) {
	timedRace(t, 35000, func(ctx context.Context) {
		gate := make(chan struct{})
		want := rand.Int()
		taken := 0
		var member *curio.Task[int]
		err := raceWait(t, ctx, time.Duration(rand.IntN(60_000)), func() { close(gate) }, func(ctx context.Context) error {
			var cut error
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(func(context.Context) (int, error) { <-gate; return want, nil })
				var task *curio.Task[int]
				if task, cut = g.NextDone(ctx); cut == nil {
					taken++
					if task != member {
						t.Errorf("took %v", task)
					}
				} else if task != nil {
					t.Errorf("took %v and failed: %v", task, cut)
				}
				// What was not taken is still there, what was is not.
				return curio.DisableCancellation(ctx, func(ctx context.Context) error {
					task, err := g.NextDone(ctx)
					if (task != nil) == (cut == nil) || (err != nil) != (cut == nil) || err != nil && err != curio.ErrNoTask {
						t.Errorf("after NextDone returned %v, it is %v, %v", cut, task, err)
					}
					if task != nil {
						taken++
					}
					return nil
				})
			})
			if err != nil && !errors.Is(err, curio.ErrCancelled) {
				t.Errorf("the group returned %v", err)
			}
			return cut
		})
		if v, e := member.Result(); v != want || e != nil || taken != 1 {
			t.Errorf("taken %d times, result %d, %v; the wait ended with %v", taken, v, e, err)
		}
	})
}

// Many takers, some of whom give up, get each member exactly once.
func TestRaceManyTakers(t *testing.T) {
	timedRace(t, 300, func(ctx context.Context) {
		const n = 50
		var taken [n]atomic.Int32
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range n {
				g.Spawn(func(context.Context) (int, error) { spin(); return i, nil })
			}
			takers := make([]*curio.Task[struct{}], 4)
			for i := range takers {
				takers[i] = curio.Go(ctx, func(ctx context.Context) error {
					for {
						var task *curio.Task[int]
						expired, err := curio.IgnoreAfter(ctx, tiny(), func(ctx context.Context) (err error) {
							task, err = g.NextDone(ctx)
							return err
						})
						if task != nil {
							v, _ := task.Result()
							taken[v].Add(1)
						}
						if err == curio.ErrNoTask {
							return nil
						}
						if err != nil || task == nil && !expired {
							t.Errorf("%v, %v, %v", task, expired, err)
							return err
						}
					}
				})
			}
			for _, taker := range takers {
				if _, err := taker.Join(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for i := range taken {
			if c := taken[i].Load(); c != 1 {
				t.Errorf("member %d was taken %d times", i, c)
			}
		}
	})
}

// Several cancel the same task at once: one was it, and all wait for its end.
func TestRaceManyCancellers(t *testing.T) {
	race(t, 5000, func(ctx context.Context) {
		task := curio.Spawn(ctx, sleeping)
		var dids atomic.Int32
		cancel := func() {
			did, err := task.Cancel(context.Background())
			if did {
				dids.Add(1)
			}
			if err != nil || !task.Terminated() {
				t.Errorf("Cancel returned %v, and the task is %v", err, task)
			}
		}
		atOnce(cancel, cancel, cancel)
		if n := dids.Load(); n != 1 {
			t.Errorf("%d calls say that it was they", n)
		}
	})
}

// endsSoon checks that the child has been cancelled.
func endsSoon(ctx context.Context, t *testing.T, child *curio.Task[int]) {
	t.Helper()
	err := curio.TimeoutAfter(ctx, 5*time.Second, child.Wait)
	if err != nil {
		t.Errorf("the child was not cancelled: %v", err)
		child.CancelNow()
	} else if err := child.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
		t.Errorf("the child ended with %v", err)
	}
}

// The scope a task is spawned in is cancelled at that moment: the task is born
// cancelled, or is cancelled after; it never gets away.
func TestRaceSpawnAndCancel(t *testing.T) {
	race(t, 100000, func(ctx context.Context) {
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		var child *curio.Task[int]
		atOnce(func() { child = curio.Spawn(inner, sleeping) }, cancel)
		endsSoon(ctx, t, child)
	})
}

// The parent ends, its child passes to its grandparent, and that is cancelled, all
// at once.
func TestRaceOrphanAndCancel(t *testing.T) {
	race(t, 20000, func(ctx context.Context) {
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		gate := make(chan struct{})
		children := make(chan *curio.Task[int], 1)
		parent := curio.Go(inner, func(ctx context.Context) error {
			children <- curio.Spawn(ctx, sleeping)
			<-gate
			return nil
		})
		child := <-children
		atOnce(func() { close(gate) }, cancel, func() { _ = child.State(); _ = child.Path(); _ = child.Parent() })
		_ = parent.Wait(ctx)
		endsSoon(ctx, t, child)
	})
}
