package core_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// dally takes a little while, of a different length each time.
func dally() {
	for range rand.IntN(20) {
		if rand.IntN(4) == 0 {
			runtime.Gosched()
		}
	}
}

// A member fails at the moment the body joins it: either Join returns its error and the
// group has not failed, or the group has failed and Join was cut short. Never both, and
// never neither.
func TestAMemberFailsAsItIsJoined(t *testing.T) {
	rounds := 30_000
	if testutil.Race || !testutil.Long {
		rounds = 3_000
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		handled := 0
		for range rounds {
			var joined error
			var member *curio.Task[int]
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(func(context.Context) (int, error) { dally(); return 0, fixture.ErrBoom })
				dally()
				_, joined = member.Join(ctx)
				return nil
			})
			_, has := joined.(*curio.TaskError)
			if has {
				handled++
			}
			if failed := err != nil; failed == has {
				f.Fatalf("Join has returned %v, and the group %v", joined, err)
			}
			if !has && !errors.Is(joined, curio.ErrCancelled) {
				f.Fatalf("Join was cut by %v", joined)
			}
		}
		f.Logf("in %d of %d rounds it was the body's", handled, rounds)
	})
}

// The same holds for any number of joiners: if one of them came in time, all get the error;
// otherwise none of those in the group does.
func TestAMemberFailsAsManyJoinIt(t *testing.T) {
	rounds := 5_000
	if testutil.Race || !testutil.Long {
		rounds = 500
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for range rounds {
			var mu sync.Mutex
			has, cut := 0, 0
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				start := make(chan struct{})
				bad := g.Spawn(func(context.Context) (int, error) { <-start; dally(); return 0, fixture.ErrBoom })
				for range 3 {
					g.Go(func(ctx context.Context) error {
						<-start
						dally()
						_, err := bad.Join(ctx)
						mu.Lock()
						defer mu.Unlock()
						if _, ok := err.(*curio.TaskError); ok {
							has++
						} else {
							cut++
						}
						return nil
					})
				}
				close(start)
				return nil
			})
			if has+cut != 3 || (err != nil) == (has > 0) {
				f.Fatalf("%d have the error, %d were cut, and the group returned %v", has, cut, err)
			}
		}
	})
}

// A task that fails at the moment it is adopted is reported once: by its joiner or by the
// group, and not by the log.
func TestATaskFailsAsItIsAdopted(t *testing.T) {
	rounds := 5_000
	if testutil.Race || !testutil.Long {
		rounds = 500
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for range rounds {
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				bad := curio.Spawn(ctx, func(context.Context) (int, error) { dally(); return 0, fixture.ErrBoom })
				dally()
				return g.AddTask(bad)
			})
			fixture.CheckGroupError(f, err, fixture.ErrBoom)
		}
	})
}

// Each member that ends goes to one collector, even if collectors are cancelled at that
// time.
func TestCollectorsAreCancelledAsMembersEnd(t *testing.T) {
	rounds := 2_000
	if testutil.Race || !testutil.Long {
		rounds = 200
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		const n = 8
		for range rounds {
			var mu sync.Mutex
			got := map[*curio.Task[int]]int{}
			note := func(task *curio.Task[int]) {
				mu.Lock()
				defer mu.Unlock()
				got[task]++
			}
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				start := make(chan struct{})
				for range n {
					g.Spawn(func(context.Context) (int, error) { <-start; dally(); return 0, fixture.ErrBoom })
				}
				collectors := make([]*curio.Task[struct{}], n)
				for i := range collectors {
					collectors[i] = curio.Go(ctx, func(ctx context.Context) error {
						task, err := g.NextDone(ctx)
						if task != nil {
							note(task)
						}
						return err
					}, curio.ReportCrash(false))
				}
				close(start)
				for _, c := range collectors[:n/2] {
					dally()
					c.CancelNow()
				}
				for _, c := range collectors {
					_ = c.Wait(ctx)
				}
				for task, err := range g.Done(ctx) {
					f.Must(err)
					note(task)
				}
				return nil
			}, curio.KeepGoing)
			if err != nil || len(got) != n {
				f.Fatalf("%d of %d members were collected: %v", len(got), n, err)
			}
			for _, times := range got {
				if times != 1 {
					f.Fatalf("one was collected %d times", times)
				}
			}
		}
	})
}
