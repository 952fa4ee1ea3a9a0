package core_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// The worst moments: what can happen at the same time is made to happen at the
// same time, often. These tests run outside of bubbles, on all processors.

// A standard context that is derived while ours is being cancelled: the context
// package calls AfterFunc with a lock held that our call of the function needs.
func TestRaceDeriveAndCancel(t *testing.T) {
	fixture.Race(t, 20000, func(ctx context.Context) {
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		var derived context.Context
		var stop context.CancelFunc
		fixture.AtOnce(
			func() { derived, stop = context.WithCancel(inner) },
			cancel,
		)
		<-derived.Done()
		stop()
	})
}

// A failure that somebody has seen is not logged, however early he saw it.
func TestRaceSeenFailureIsNotLogged(t *testing.T) {
	for range testutil.Times(20000) {
		log := new(testutil.Journal)
		err := curio.Run(t.Context(), func(context.Context) error { return fixture.ErrBoom }, curio.Logger(slog.New(log)))
		if err != fixture.ErrBoom || len(log.Lines()) > 0 {
			t.Fatalf("Run returned %v and logged %q", err, log.Lines())
		}
	}
	fixture.Race(t, 20000, func(ctx context.Context) {
		task := curio.Spawn(ctx, fixture.Fails)
		for !task.Terminated() {
			runtime.Gosched()
		}
		if _, err := task.Join(ctx); !errors.Is(err, fixture.ErrBoom) {
			t.Errorf("Join: %v", err)
		}
	})
}

// A task that has ended by itself was not cancelled, also if its group or its
// kernel cancels what is left at this moment.
func TestRaceEndedMembersAreNotCancelled(t *testing.T) {
	fixture.Race(t, 10000, func(ctx context.Context) {
		var tasks []*curio.Task[int]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 4 {
				tasks = append(tasks, g.Spawn(fixture.Returns(i)))
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
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			for range testutil.Times(20000) {
				task := curio.Spawn(ctx, fixture.Returns(1))
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

// Completion, cancellation and timeout of one wait at the same moment. One of them
// wins; the error is the winner's; what was waited for is not lost; nothing is left.

func TestRaceJoin(t *testing.T) {
	fixture.TimedRace(t, 35000, func(ctx context.Context) {
		gate := make(chan struct{})
		want := rand.Int()
		child := curio.Spawn(ctx, func(context.Context) (int, error) { <-gate; return want, nil })
		got := -1
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() { close(gate) }, func(ctx context.Context) (err error) {
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
	fixture.TimedRace(t, 30000, func(ctx context.Context) {
		d := fixture.Tiny()
		err := fixture.RaceWait(t, ctx, fixture.Tiny(), func() {}, func(ctx context.Context) error {
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
	fixture.TimedRace(t, 35000, func(ctx context.Context) {
		gate := make(chan struct{})
		want := rand.Int()
		taken := 0
		var member *curio.Task[int]
		err := fixture.RaceWait(t, ctx, time.Duration(rand.IntN(60_000)), func() { close(gate) }, func(ctx context.Context) error {
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
	fixture.TimedRace(t, 300, func(ctx context.Context) {
		const n = 50
		var taken [n]atomic.Int32
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range n {
				g.Spawn(func(context.Context) (int, error) { fixture.Spin(); return i, nil })
			}
			takers := make([]*curio.Task[struct{}], 4)
			for i := range takers {
				takers[i] = curio.Go(ctx, func(ctx context.Context) error {
					for {
						var task *curio.Task[int]
						expired, err := curio.IgnoreAfter(ctx, fixture.Tiny(), func(ctx context.Context) (err error) {
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
	fixture.Race(t, 5000, func(ctx context.Context) {
		task := curio.Spawn(ctx, fixture.Sleeping)
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
		fixture.AtOnce(cancel, cancel, cancel)
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
	fixture.Race(t, 100000, func(ctx context.Context) {
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		var child *curio.Task[int]
		fixture.AtOnce(func() { child = curio.Spawn(inner, fixture.Sleeping) }, cancel)
		endsSoon(ctx, t, child)
	})
}

// The parent ends, its child passes to its grandparent, and that is cancelled, all
// at once.
func TestRaceOrphanAndCancel(t *testing.T) {
	fixture.Race(t, 20000, func(ctx context.Context) {
		inner, cancel := curio.WithTimeout(ctx, time.Hour)
		gate := make(chan struct{})
		children := make(chan *curio.Task[int], 1)
		parent := curio.Go(inner, func(ctx context.Context) error {
			children <- curio.Spawn(ctx, fixture.Sleeping)
			<-gate
			return nil
		})
		child := <-children
		fixture.AtOnce(func() { close(gate) }, cancel, func() { _ = child.State(); _ = child.Path(); _ = child.Parent() })
		_ = parent.Wait(ctx)
		endsSoon(ctx, t, child)
	})
}
