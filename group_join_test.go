package curio_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// Who takes a member out of its group, and whose its failure is then.

// G8, G22: a member that the body joins is out of the group, with its error.
func TestJoinInsideTheBodyTakesTheMember(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			a := g.Spawn(after(time.Second, 1, nil))
			bad := g.Spawn(after(time.Second, 0, errBoom))
			c := g.Spawn(after(2*time.Second, 3, nil))
			if _, err := bad.Join(ctx); !errors.Is(err, errBoom) {
				f.Errorf("Join: %v", err)
			}
			if v, err := a.Join(ctx); v != 1 || err != nil {
				f.Errorf("Join: %d, %v", v, err)
			}
			if tasks := g.Tasks(); len(tasks) != 1 || tasks[0] != c {
				f.Errorf("tasks: %v", tasks)
			}
			if err := g.Join(ctx); err != nil {
				f.Errorf("Join of the group: %v", err)
			}
			if results, err := g.Results(); fmt.Sprint(results) != "[3]" || err != nil {
				f.Errorf("results: %v, %v", results, err)
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		f.onlyMain()
	})
}

// A joiner that has given up sees nothing: the failure is the group's.
func TestFailureAfterTheJoinerGaveUp(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			bad := g.Spawn(after(2*time.Second, 0, errBoom))
			g.Spawn(sleeping)
			expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := bad.Join(ctx)
				return err
			})
			if !expired || err != nil {
				f.Errorf("IgnoreAfter: %v, %v", expired, err)
			}
			return nil
		})
		checkGroupError(f, err, errBoom)
		f.elapsed(start, 2*time.Second)
	})
}

// Who only waits for a member to end does not see its error, so it is the group's.
func TestWaitDoesNotTakeTheMember(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			bad := g.Spawn(after(time.Second, 0, errBoom))
			g.Spawn(sleeping)
			return bad.Wait(ctx)
		})
		checkGroupError(f, err, errBoom)
		f.elapsed(start, time.Second)
	})
}

// An error in the clean-up of a member that somebody cancels, and does not see.
func TestFailureOfACancelledMember(t *testing.T) {
	badCleanUp := func(ctx context.Context) (int, error) {
		_ = curio.Sleep(ctx, time.Hour)
		return 0, errBoom
	}
	t.Run("CancelRemaining", func(t *testing.T) {
		inKernel(t, func(ctx context.Context, f *fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(badCleanUp)
				synctest.Wait()
				_ = g.CancelRemaining(ctx)
				return nil
			})
			checkGroupError(f, err, errBoom)
		})
	})
	t.Run("Cancel", func(t *testing.T) {
		inKernel(t, func(ctx context.Context, f *fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				task := g.Spawn(badCleanUp)
				synctest.Wait()
				_, _ = task.Cancel(ctx)
				return nil
			})
			checkGroupError(f, err, errBoom)
		})
	})
	t.Run("end of the group", func(t *testing.T) {
		inKernel(t, func(ctx context.Context, f *fixture) {
			err := curio.Group(ctx, func(context.Context, *curio.TaskGroup[int]) error {
				synctest.Wait()
				return nil
			}, curio.WaitNone)
			if err != nil {
				f.Error(err)
			}
			err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(badCleanUp)
				synctest.Wait()
				return nil
			}, curio.WaitNone)
			checkGroupError(f, err, errBoom)
		})
	})
}

// A failure that comes together with the cancellation is a failure: a cancelled
// member whose own group reports an error in clean-up, or that joins its errors.
func TestFailureBesideTheCancellation(t *testing.T) {
	for what, member := range map[string]func(context.Context) (int, error){
		"group": func(ctx context.Context) (int, error) {
			return 0, curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(func(ctx context.Context) (int, error) {
					_ = curio.Sleep(ctx, time.Hour)
					return 0, errBoom
				})
				return curio.Sleep(ctx, time.Hour)
			})
		},
		"panic": func(ctx context.Context) (int, error) {
			panic(curio.Sleep(ctx, time.Hour))
		},
	} {
		t.Run(what, func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) {
				err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(member)
					synctest.Wait()
					return nil
				}, curio.WaitNone)
				var group *curio.TaskGroupError
				if !errors.As(err, &group) || len(group.Failed) != 1 {
					f.Errorf("the group returned %v, want a TaskGroupError", err)
				}
				f.Journal.take(msgPanic)
			})
		})
	}
}

// checkGroupError checks that err is a TaskGroupError of exactly these causes, in
// order.
func checkGroupError(f *fixture, err error, causes ...error) {
	f.Helper()
	var group *curio.TaskGroupError
	if !errors.As(err, &group) || len(group.Failed) != len(causes) {
		f.Errorf("got %v, want a TaskGroupError of %v", err, causes)
		return
	}
	for i, task := range group.Failed {
		if !errors.Is(task.Err(), causes[i]) || !errors.Is(err, causes[i]) {
			f.Errorf("failure %d is %v, want %v", i, task.Err(), causes[i])
		}
	}
}
