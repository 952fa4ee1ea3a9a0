package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// G1, T14: leaving the group waits for all; the results are readable afterwards, in
// the order of spawning and not of ending.
func TestGroupResultsInOrderOfSpawning(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var group *curio.TaskGroup[int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			group = g
			for i := range 10 {
				g.Spawn(fixture.After(time.Duration(10-i)*time.Second, i, nil))
			}
			return nil
		})
		f.Elapsed(start, 10*time.Second)
		results, resultsErr := group.Results()
		if err != nil || resultsErr != nil || fmt.Sprint(results) != "[0 1 2 3 4 5 6 7 8 9]" {
			f.Errorf("results %v, %v, %v", results, resultsErr, err)
		}
		for i, task := range group.Tasks() {
			if v, err := task.Result(); v != i || err != nil || !task.Terminated() {
				f.Errorf("task %d: %d, %v", i, v, err)
			}
		}
		if c := group.Completed(); c != group.Tasks()[9] {
			f.Errorf("completed first: %v", c)
		}
		f.OnlyMain()
	})
}

// T15: a gather that is cut by a timeout: what has finished is there, the others
// were cancelled, and all have ended.
func TestGatherCutByTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var group *curio.TaskGroup[int]
		err := curio.TimeoutAfter(ctx, 2*time.Second, func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(fixture.After(time.Second, 7, nil))
				g.Spawn(fixture.Sleeping)
				return nil
			})
		})
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
		tasks := group.Tasks()
		if v, err := tasks[0].Result(); v != 7 || err != nil {
			f.Errorf("the one that finished: %d, %v", v, err)
		}
		fixture.Is(f, "the other", tasks[1].Err(), fixture.TaskCancelled...)
		_, err = group.Results()
		fixture.Is(f, "results", err, fixture.TaskCancelled...)
		f.OnlyMain()
	})
}

// T16: with KeepGoing the other tasks run on when one fails.
func TestGatherWithFailureKeepsGoing(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var group *curio.TaskGroup[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			group = g
			g.Spawn(fixture.Fails)
			g.Spawn(fixture.After(time.Second, 7, nil))
			return nil
		}, curio.KeepGoing)
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		tasks := group.Tasks()
		if v, err := tasks[1].Result(); v != 7 || err != nil {
			f.Errorf("the other: %d, %v", v, err)
		}
		if _, err := group.Results(); err != fixture.ErrBoom {
			f.Errorf("results: %v", err)
		}
	})
}

// G5, G29: iterating yields every member once, those that members spawn included.
func TestGroupIteration(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var order []int
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 5 {
				g.Spawn(func(ctx context.Context) (int, error) {
					if err := curio.Sleep(ctx, time.Duration(5-i)*time.Second); err != nil {
						return 0, err
					}
					g.Spawn(fixture.After(time.Minute, 10+i, nil))
					return i, nil
				})
			}
			for task, err := range g.Done(ctx) {
				f.Must(err)
				v, err := task.Result()
				if err != nil {
					f.Error(err)
				}
				order = append(order, v)
			}
			if len(g.Tasks()) > 0 {
				f.Errorf("tasks are left: %v", g.Tasks())
			}
			r, err := g.Results()
			if len(r) > 0 || err != nil {
				f.Errorf("results are left: %v, %v", r, err)
			}
			return nil
		})
		if err != nil || fmt.Sprint(order) != "[4 3 2 1 0 14 13 12 11 10]" {
			f.Errorf("order %v, %v", order, err)
		}
	})
}

// An iteration that is left early takes no more than it has yielded.
func TestGroupIterationLeftEarly(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 3 {
				g.Spawn(fixture.Returns(i))
			}
			synctest.Wait()
			for range g.Done(ctx) {
				break
			}
			if n := len(g.Tasks()); n != 2 {
				f.Errorf("%d tasks left, want 2", n)
			}
			// An iteration that is cut short ends.
			g.Spawn(fixture.Sleeping)
			err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) (failed error) {
				n := 0
				for task, err := range g.Done(ctx) {
					if n++; n == 3 {
						if task != nil {
							f.Errorf("%v, %v", task, err)
						}
						failed = err
						continue
					}
					f.Must(err)
				}
				if n != 3 {
					f.Errorf("%d turns, want 3", n)
				}
				return failed
			})
			fixture.Is(f, "iteration under a timeout", err, fixture.TaskTimeout...)
			return g.CancelRemaining(ctx)
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// G6: a member that fails cancels the others; the error is of exactly that member,
// and the others know whose fault it is.
func TestMemberFailureCancelsTheOthers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var bad *curio.Task[int]
		var others [2]*curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			others[0] = g.Spawn(fixture.Sleeping)
			bad = g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom), curio.Name("bad"))
			others[1] = g.Spawn(fixture.Sleeping)
			return nil
		})
		f.Elapsed(start, time.Second)
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || !slices.Equal(group.Failed, []*curio.AnyTask{bad.AnyTask}) || group.Body != nil {
			f.Errorf("got %v", err)
		}
		fixture.Is(f, "group", err, fixture.ErrBoom)
		for _, other := range others {
			fixture.Because(f, "sibling", other.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
			who, ok := curio.WhoCancelled(other.Err())
			if !ok || !strings.HasSuffix(who.By, "/bad") || !errors.Is(who.Reason, fixture.ErrBoom) {
				f.Errorf("the sibling says that it was %+v", who)
			}
		}
	})
}

// G7, G17: an error of the body cancels all members, daemons too, and comes out
// unchanged.
func TestBodyErrorCancelsMembers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var tasks []*curio.Task[int]
		want := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			tasks = append(tasks, g.Spawn(fixture.Sleeping), g.Spawn(fixture.Sleeping), g.Spawn(fixture.Sleeping, curio.Daemon()))
			synctest.Wait()
			return want
		})
		if err != error(want) {
			f.Errorf("got %v", err)
		}
		for _, task := range tasks {
			fixture.Is(f, "member", task.Err(), fixture.TaskCancelled...)
		}
	})
}

// G9: several failures are listed in the order of failing, whatever that of
// spawning; the text names all of them.
func TestSeveralFailures(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		other := errors.New("bang")
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(2*time.Second, 0, other), curio.Name("second"))
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom), curio.Name("first"))
			return nil
		}, curio.KeepGoing)
		fixture.CheckGroupError(f, err, fixture.ErrBoom, other)
		for _, want := range []string{"2 of", "first: boom", "second: bang"} {
			if !strings.Contains(err.Error(), want) {
				f.Errorf("%q is missing in %q", want, err)
			}
		}
		// A sibling that fails in its clean-up is listed too, after the first.
		err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(ctx context.Context) (int, error) { _ = fixture.Sleeper(ctx); return 0, other })
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			return nil
		})
		fixture.CheckGroupError(f, err, fixture.ErrBoom, other)
	})
}

// W-G9: an error of the body does not hide failures of members.
func TestBodyErrorAndFailures(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		other := errors.New("body")
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Fails)
			synctest.Wait()
			return other
		})
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || group.Body != other || len(group.Failed) != 1 {
			f.Fatalf("got %v", err)
		}
		if !errors.Is(err, other) || !errors.Is(err, fixture.ErrBoom) || !strings.Contains(err.Error(), "body") {
			f.Errorf("got %v", err)
		}
	})
}

// G10: cancelling the owner cancels the members, then the cancellation goes on. No
// member outlives the group.
func TestCancelTheOwner(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var members []*curio.Task[int]
		var left atomic.Int32
		for _, wait := range []string{"body", "end"} {
			owner := curio.Go(ctx, func(ctx context.Context) error {
				err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					for range 3 {
						members = append(members, g.Spawn(func(ctx context.Context) (int, error) {
							defer left.Add(-1)
							left.Add(1)
							err := fixture.Sleeper(ctx)
							_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
							return 0, err
						}))
					}
					if wait == "body" {
						return fixture.Sleeper(ctx)
					}
					return nil
				})
				if n := left.Load(); n != 0 {
					f.Errorf("%d members are left", n)
				}
				fixture.Is(f, "group", err, fixture.TaskCancelled...)
				return err
			})
			synctest.Wait()
			start := time.Now()
			_, _ = owner.Cancel(ctx)
			f.Elapsed(start, time.Second) // G32: in parallel
			fixture.Is(f, "owner", owner.Err(), fixture.TaskCancelled...)
			for _, member := range members {
				fixture.Is(f, "member", member.Err(), fixture.TaskCancelled...)
			}
		}
	})
}

// G11: members see a plain cancellation, and the timeout block the timeout.
func TestTimeoutAroundGroup(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var member *curio.Task[int]
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(fixture.Sleeping)
				err := fixture.Sleeper(ctx)
				fixture.Is(f, "body", err, fixture.TaskTimeout...)
				return err
			})
			fixture.Is(f, "group", err, fixture.TaskTimeout...)
			return err
		})
		fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
		fixture.Is(f, "member", member.Err(), fixture.TaskCancelled...)
	})
}

// G12: the next one, then cancel the rest, and a clean end; the group goes on after
// CancelRemaining.
func TestNextThenCancelRemaining(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			fast := g.Spawn(fixture.After(time.Second, 1, nil))
			next := g.Spawn(fixture.After(2*time.Second, 2, nil))
			slow := g.Spawn(fixture.Sleeping)
			if task, err := g.NextDone(ctx); task != fast || err != nil {
				f.Errorf("NextDone: %v, %v", task, err)
			}
			if v, err := g.NextResult(ctx); v != 2 || err != nil || !next.Terminated() {
				f.Errorf("NextResult: %v, %v", v, err)
			}
			if err := g.CancelRemaining(ctx); err != nil {
				f.Error(err)
			}
			if !slow.Terminated() || !slow.Cancelled() || next.Cancelled() {
				f.Errorf("%v and %v", slow, next)
			}
			late := g.Spawn(fixture.After(time.Second, 3, nil))
			if v, err := late.Join(ctx); v != 3 || err != nil {
				f.Errorf("spawned after CancelRemaining: %d, %v", v, err)
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		f.Elapsed(start, 3*time.Second)
	})
}

// G16, G18: daemon members are not waited for, their failure and result do not
// matter, they are cancelled at the end, and can be joined.
func TestDaemonMembers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var daemon, bad *curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			daemon = g.Spawn(fixture.Sleeping, curio.Daemon())
			bad = g.Spawn(fixture.Fails, curio.Daemon())
			g.Spawn(fixture.After(time.Second, 1, nil))
			good := g.Spawn(fixture.Returns(5), curio.Daemon())
			if v, err := good.Join(ctx); v != 5 || err != nil {
				f.Errorf("Join of a daemon: %d, %v", v, err)
			}
			if err := g.Join(ctx); err != nil {
				f.Error(err)
			}
			if r, err := g.Results(); fmt.Sprint(r) != "[1]" || err != nil {
				f.Errorf("results: %v, %v", r, err)
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		f.Elapsed(start, time.Second)
		fixture.Is(f, "daemon", daemon.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "failed daemon", bad.Err(), fixture.ErrBoom)
		if n := len(f.Journal.Take(fixture.MsgUnseen)); n != 1 {
			f.Errorf("the failed daemon was logged %d times", n)
		}
	})
}

// A group with nothing but daemons ends at once.
func TestOnlyDaemons(t *testing.T) {
	for _, policy := range policies {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			start := time.Now()
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(fixture.Sleeping, curio.Daemon())
				if task, err := g.NextDone(ctx); task != nil || err != curio.ErrNoTask {
					f.Errorf("NextDone: %v, %v", task, err)
				}
				return nil
			}, policy.opt)
			if err != nil {
				f.Error(err)
			}
			f.Elapsed(start, 0)
		})
	}
}

// G21: what is not there yet is an error, and does not wait.
func TestResultsBeforeTheEnd(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			task := g.Spawn(fixture.After(time.Second, 1, nil))
			_, err := g.Results()
			fixture.Is(f, "results", err, curio.ErrNotTerminated)
			_, err = task.Result()
			fixture.Is(f, "result", err, curio.ErrNotTerminated)
			fixture.Is(f, "error", task.Err(), curio.ErrNotTerminated)
			if g.Completed() != nil {
				f.Errorf("completed: %v", g.Completed())
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// G25, G26, W-G6: a member that somebody cancels is no failure, and cancels nobody
// else.
func TestOneMemberCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var client *curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			server := g.Spawn(fixture.Sleeping)
			client = g.Spawn(fixture.After(2*time.Second, 2, nil))
			g.Spawn(func(ctx context.Context) (int, error) {
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return 0, err
				}
				did, err := server.Cancel(ctx)
				if !did {
					f.Error("not cancelled")
				}
				return 3, err
			})
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		if v, err := client.Result(); v != 2 || err != nil {
			f.Errorf("the other: %d, %v", v, err)
		}
		f.Elapsed(start, 2*time.Second)
	})
}

// G27: a failed member that NextDone handed over is no failure of the group, and
// the others go on.
func TestNextDoneHandsOverFailures(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			bad := g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			g.Spawn(fixture.After(2*time.Second, 2, nil))
			if task, err := g.NextDone(ctx); task != bad || err != nil {
				f.Errorf("NextDone: %v, %v", task, err)
			}
			if v, err := g.NextResult(ctx); v != 2 || err != nil {
				f.Errorf("NextResult: %v, %v", v, err)
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		f.Elapsed(start, 2*time.Second)
		// Those that were not taken are reported.
		err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(time.Second, 1, nil))
			if _, err := g.NextDone(ctx); err != nil {
				f.Error(err)
			}
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			return nil
		})
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
	})
}

// G28: NextResult gives the member's own error; if that leaves the body, the rest is
// cancelled.
func TestNextResultOfAFailure(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var rest *curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			rest = g.Spawn(fixture.Sleeping)
			_, err := g.NextResult(ctx)
			return err
		})
		if err != fixture.ErrBoom {
			f.Errorf("got %v", err)
		}
		fixture.Is(f, "rest", rest.Err(), fixture.TaskCancelled...)
		f.Elapsed(start, time.Second)
	})
}

// G33, W-G1: the owner is cancelled, or times out, while the group is torn down: all
// members have ended all the same when Group returns.
func TestCancelWhileGroupIsTornDown(t *testing.T) {
	for _, how := range []string{"cancel", "timeout", "shutdown"} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			var left atomic.Int32
			member := func(ctx context.Context) (int, error) {
				left.Add(1)
				defer left.Add(-1)
				err := fixture.Sleeper(ctx)
				_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 3*time.Second) })
				return 0, err
			}
			kernel := curio.NewKernel()
			var owner *curio.Task[struct{}]
			_ = kernel.Run(f.Context(), func(ctx context.Context) error {
				owner = curio.Go(ctx, func(ctx context.Context) error {
					group := func(ctx context.Context) error {
						err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
							for range 3 {
								g.Spawn(member)
							}
							synctest.Wait()
							return fixture.ErrBoom // the teardown begins
						})
						if n := left.Load(); n != 0 {
							f.Errorf("%s: %d members are left", how, n)
						}
						return err
					}
					if how == "timeout" {
						return curio.TimeoutAfter(ctx, time.Second, group)
					}
					return group(ctx)
				}, curio.ReportCrash(false))
				return nil
			})
			var wg sync.WaitGroup
			start := time.Now()
			time.Sleep(time.Second)
			switch how {
			case "cancel":
				owner.CancelNow()
			case "shutdown":
				wg.Go(func() { _ = kernel.Shutdown(f.Context()) })
			}
			_ = owner.Wait(ctx)
			f.Elapsed(start, 3*time.Second)
			if err := owner.Err(); err != fixture.ErrBoom {
				f.Errorf("%s: %v", how, err)
			}
			wg.Wait()
			_ = kernel.Shutdown(f.Context())
		})
	}
}

// G34, W-G5: a member that fails while the body waits for something else ends that.
func TestMemberFailureInterruptsTheBody(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			err := fixture.Sleeper(ctx)
			fixture.Because(f, "body", err, fixture.ErrBoom, fixture.ScopeCancelled...)
			if e := ctx.Err(); e != context.Canceled {
				f.Errorf("Err: %v", e)
			}
			return err
		})
		f.Elapsed(start, time.Second)
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		var group *curio.TaskGroupError
		if errors.As(err, &group) && group.Body != nil {
			f.Errorf("that the body was cut is taken for an error of its own: %v", group.Body)
		}
		fixture.Is(f, "group", err, fixture.ErrBoom)

		// But not code outside of the group.
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Error(err)
		}
	})
}

// The numbers of the members that have ended wrap around.
func TestNextDoneAfterVeryManyMembers(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			curio.SetEnded(g, math.MaxInt32-2)
			for i := range 5 {
				task := g.Spawn(func(context.Context) (int, error) { return i, nil })
				if err := task.Wait(ctx); err != nil {
					return err
				}
			}
			for i := range 5 {
				if got, err := g.NextResult(ctx); got != i || err != nil {
					f.Errorf("%d, %v, want %d", got, err, i)
				}
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// Go in a group is Spawn for functions without a result.
func TestGroupGo(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(context.Context) (int, error) { return 7, nil })
			task := g.Go(fixture.Nothing, curio.Name("second"))
			if v, err := task.Join(ctx); v != 0 || err != nil || task.Name() != "second" {
				f.Errorf("%d, %v, %s", v, err, task.Name())
			}
			g.Go(func(context.Context) error { return fixture.ErrBoom })
			return nil
		}, curio.WaitAll)
		if !errors.Is(err, fixture.ErrBoom) {
			f.Errorf("the group returned %v", err)
		}
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			fixture.Panics(t, "nil function", func() { g.Go(nil) })
			return nil
		}, curio.WaitAll)
	})
}

// Who takes a member out of its group, and whose its failure is then.

// G8, G22: a member that the body joins is out of the group, with its error.
func TestJoinInsideTheBodyTakesTheMember(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			a := g.Spawn(fixture.After(time.Second, 1, nil))
			bad := g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			c := g.Spawn(fixture.After(2*time.Second, 3, nil))
			if _, err := bad.Join(ctx); !errors.Is(err, fixture.ErrBoom) {
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
		f.OnlyMain()
	})
}

// A joiner that has given up sees nothing: the failure is the group's.
func TestFailureAfterTheJoinerGaveUp(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			bad := g.Spawn(fixture.After(2*time.Second, 0, fixture.ErrBoom))
			g.Spawn(fixture.Sleeping)
			expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := bad.Join(ctx)
				return err
			})
			if !expired || err != nil {
				f.Errorf("IgnoreAfter: %v, %v", expired, err)
			}
			return nil
		})
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		f.Elapsed(start, 2*time.Second)
	})
}

// Who only waits for a member to end does not see its error, so it is the group's.
func TestWaitDoesNotTakeTheMember(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			bad := g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			g.Spawn(fixture.Sleeping)
			return bad.Wait(ctx)
		})
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		f.Elapsed(start, time.Second)
	})
}

// An error in the clean-up of a member that somebody cancels, and does not see.
func TestFailureOfACancelledMember(t *testing.T) {
	badCleanUp := func(ctx context.Context) (int, error) {
		_ = curio.Sleep(ctx, time.Hour)
		return 0, fixture.ErrBoom
	}
	t.Run("CancelRemaining", func(t *testing.T) {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(badCleanUp)
				synctest.Wait()
				_ = g.CancelRemaining(ctx)
				return nil
			})
			fixture.CheckGroupError(f, err, fixture.ErrBoom)
		})
	})
	t.Run("Cancel", func(t *testing.T) {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				task := g.Spawn(badCleanUp)
				synctest.Wait()
				_, _ = task.Cancel(ctx)
				return nil
			})
			fixture.CheckGroupError(f, err, fixture.ErrBoom)
		})
	})
	t.Run("end of the group", func(t *testing.T) {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
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
			fixture.CheckGroupError(f, err, fixture.ErrBoom)
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
					return 0, fixture.ErrBoom
				})
				return curio.Sleep(ctx, time.Hour)
			})
		},
		"panic": func(ctx context.Context) (int, error) {
			panic(curio.Sleep(ctx, time.Hour))
		},
	} {
		t.Run(what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(member)
					synctest.Wait()
					return nil
				}, curio.WaitNone)
				var group *curio.TaskGroupError
				if !errors.As(err, &group) || len(group.Failed) != 1 {
					f.Errorf("the group returned %v, want a TaskGroupError", err)
				}
				f.Journal.Take(fixture.MsgPanic)
			})
		})
	}
}

// Which member Completed returns, for each policy, with KeepGoing and without. The members
// end one after the other, a second apart. The table has the index of the member, or -1 for
// none.
func TestCompleted(t *testing.T) {
	value := 1
	type end struct {
		what string // ok, nil, fail, cancel (by its own Cancel), late (after an hour), stubborn (returns a value when it is cancelled)
	}
	ends := func(what ...string) (all []end) {
		for _, w := range what {
			all = append(all, end{w})
		}
		return all
	}
	for _, c := range []struct {
		what                 string
		members              []end
		take                 bool // the body takes the first with NextDone
		all, any, obj, none  int
		allK, anyK, objK, nK int // with KeepGoing
	}{
		{"nobody", nil, false, -1, -1, -1, -1, -1, -1, -1, -1},
		{"first of two", ends("ok", "ok"), false, 0, 0, 0, -1, 0, 0, 0, -1},
		{"nil first", ends("nil", "ok"), false, 0, 0, 1, -1, 0, 0, 1, -1},
		{"all nil", ends("nil", "nil"), false, 0, 0, -1, -1, 0, 0, -1, -1},
		{"failure first", ends("fail", "ok"), false, -1, 0, -1, -1, 1, 1, 1, -1},
		{"failure second", ends("ok", "fail"), false, 0, 0, 0, -1, 0, 0, 0, -1},
		{"all fail", ends("fail", "fail"), false, -1, 0, -1, -1, -1, -1, -1, -1},
		{"cancelled first", ends("cancel", "ok"), false, 1, 1, 1, -1, 1, 1, 1, -1},
		{"all cancelled", ends("cancel", "cancel"), false, -1, -1, -1, -1, -1, -1, -1, -1},
		{"value in spite of a failure", ends("fail", "stubborn"), false, -1, 0, -1, -1, 1, 1, 1, -1},
		{"taken", ends("ok", "late"), true, 0, 0, 0, 0, 0, 0, 0, 0},
		{"taken failure", ends("fail", "ok"), true, 1, 1, 1, -1, 1, 1, 1, -1},
	} {
		for i, want := range []int{c.all, c.any, c.obj, c.none, c.allK, c.anyK, c.objK, c.nK} {
			policy, opts := policies[i%4], []curio.GroupOption{policies[i%4].opt}
			if i >= 4 {
				opts = append(opts, curio.KeepGoing)
			}
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var group *curio.TaskGroup[*int]
				var members []*curio.Task[*int]
				_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*int]) error {
					group = g
					g.Spawn(fixture.After(time.Millisecond, &value, nil), curio.Daemon()) // never counts
					for i, e := range c.members {
						d := time.Duration(i+1) * time.Second
						m := g.Spawn(func(ctx context.Context) (*int, error) {
							switch e.what {
							case "ok":
								return fixture.After(d, &value, nil)(ctx)
							case "nil":
								return fixture.After[*int](d, nil, nil)(ctx)
							case "fail":
								return fixture.After[*int](d, nil, fixture.ErrBoom)(ctx)
							case "late":
								return fixture.After(time.Hour, &value, nil)(ctx)
							case "stubborn":
								_ = curio.Sleep(ctx, d)
								return &value, nil
							}
							return nil, fixture.Sleeper(ctx)
						})
						if e.what == "cancel" {
							curio.Go(ctx, func(ctx context.Context) error {
								if err := curio.Sleep(ctx, d); err != nil {
									return err
								}
								m.CancelNow()
								return nil
							})
						}
						members = append(members, m)
					}
					if c.take {
						_, _ = g.NextDone(ctx)
					}
					return nil
				}, opts...)
				got := -1
				for i, m := range members {
					if m == group.Completed() {
						got = i
					}
				}
				if got != want || (group.Completed() != nil) != (want >= 0) {
					f.Errorf("%s, wait=%s, KeepGoing %v: it is member %d, want %d", c.what, policy.what, i >= 4, got, want)
				}
			})
		}
	}
}

// G2: existing tasks, finished or running, become members.
func TestAddTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		finished := curio.Spawn(ctx, fixture.Returns(1))
		_ = finished.Wait(ctx)
		running := curio.Spawn(ctx, fixture.After(time.Second, 2, nil))
		joined := curio.Spawn(ctx, fixture.Returns(3))
		_, _ = joined.Join(ctx)
		start := time.Now()
		var group *curio.TaskGroup[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			group = g
			for _, task := range []*curio.Task[int]{finished, running, joined} {
				if err := g.AddTask(task); err != nil {
					f.Error(err)
				}
			}
			g.Spawn(fixture.After(time.Second, 4, nil))
			return nil
		})
		f.Elapsed(start, time.Second)
		if r, e := group.Results(); fmt.Sprint(r) != "[1 2 3 4]" || e != nil || err != nil {
			f.Errorf("results %v, %v, %v", r, e, err)
		}
	})
}

// A Join that ended before the task was added to a group has taken nothing out of the group,
// whether or not it had to wait.
func TestAddTaskThatWasJoined(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, waits := range []bool{false, true} {
			for _, fails := range []error{nil, fixture.ErrBoom} {
				joined := curio.Spawn(ctx, fixture.After(time.Second, 3, fails), curio.ReportCrash(false))
				if !waits {
					synctest.Wait()
					_ = curio.Sleep(ctx, 2*time.Second)
				}
				_, _ = joined.Join(ctx)
				var group *curio.TaskGroup[int]
				err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					group = g
					return g.AddTask(joined)
				})
				r, e := group.Results()
				if fails == nil && (fmt.Sprint(r) != "[3]" || e != nil || err != nil) || fails != nil && !errors.Is(err, fixture.ErrBoom) {
					f.Errorf("waits %t, fails %v: results %v, %v, %v", waits, fails, r, e, err)
				}
			}
		}
	})
}

// G13: a task is in one group at most, and in that once.
func TestAddTaskTwice(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, outer *curio.TaskGroup[int]) error {
			task := curio.Spawn(ctx, fixture.After(time.Second, 1, nil), curio.Name("once"))
			if err := outer.AddTask(task); err != nil {
				f.Error(err)
			}
			own := outer.Spawn(fixture.Returns(2))
			return curio.Group(ctx, func(ctx context.Context, inner *curio.TaskGroup[int]) error {
				for _, g := range []*curio.TaskGroup[int]{outer, inner} {
					for _, task := range []*curio.Task[int]{task, own} {
						if err := g.AddTask(task); err == nil {
							f.Errorf("%v was added again", task)
						}
					}
				}
				_ = task.Wait(ctx)
				if err := inner.AddTask(task); err == nil {
					f.Error("added to another group after its end")
				}
				return nil
			})
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// What an adopted task ends with is the group's affair: a failure cancels the
// others, before or after the adoption, and is not logged; a cancellation is none.
func TestAddTaskThatFails(t *testing.T) {
	for _, finished := range []bool{true, false} {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			bad := curio.Spawn(ctx, fixture.After(time.Second, 0, fixture.ErrBoom))
			if finished {
				_ = bad.Wait(ctx)
			}
			var other *curio.Task[int]
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				other = g.Spawn(fixture.Sleeping)
				if err := g.AddTask(bad); err != nil {
					f.Error(err)
				}
				fixture.Because(f, "body", fixture.Sleeper(ctx), fixture.ErrBoom, fixture.ScopeCancelled...)
				return nil
			})
			fixture.CheckGroupError(f, err, fixture.ErrBoom)
			fixture.Because(f, "sibling", other.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
		})
	}
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.Sleeping)
		_, _ = task.Cancel(ctx)
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error { return g.AddTask(task) })
		if err != nil {
			f.Errorf("a task that was cancelled: %v", err)
		}
	})
}

// An adopted task is cancelled with the group, and knows why.
func TestAddTaskIsCancelledWithTheGroup(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.Sleeping)
		daemon := curio.Spawn(ctx, fixture.Sleeping, curio.Daemon())
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			_ = g.AddTask(task)
			_ = g.AddTask(daemon)
			synctest.Wait()
			return fixture.ErrBoom
		})
		if err != fixture.ErrBoom {
			f.Error(err)
		}
		fixture.Is(f, "task", task.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "daemon", daemon.Err(), fixture.TaskCancelled...)
		if who, ok := curio.WhoCancelled(task.Err()); !ok || who.By != curio.CurrentTask(ctx).Path() {
			f.Errorf("cancelled by %+v", who)
		}
		// Added when the group has been cancelled already.
		late := curio.Spawn(ctx, fixture.Sleeping)
		err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Fails)
			synctest.Wait()
			return g.AddTask(late)
		})
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		fixture.Because(f, "late", late.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
	})
}

// A group that is cancelled from outside cancels what it has adopted.
func TestAddTaskAndOwnerCancelled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Spawn(ctx, fixture.Sleeping)
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error { return g.AddTask(task) })
		})
		synctest.Wait()
		start := time.Now()
		if did, err := owner.Cancel(ctx); !did || err != nil {
			f.Error(did, err)
		}
		f.Elapsed(start, 0)
		fixture.Is(f, "adopted", task.Err(), fixture.TaskCancelled...)
		fixture.Is(f, "owner", owner.Err(), fixture.TaskCancelled...)
	})
}

// The adoption races with the end of the task: it counts once, its result is there,
// its failure is reported once, by the group or by nobody else.
func TestRaceAddTaskAndItsEnd(t *testing.T) {
	fixture.Race(t, 10000, func(ctx context.Context) {
		for _, end := range []func(context.Context) (int, error){fixture.Returns(7), fixture.Fails} {
			gate := make(chan struct{})
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				<-gate
				return end(ctx)
			})
			var group *curio.TaskGroup[int]
			err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(fixture.Returns(1))
				fixture.AtOnce(func() { close(gate) }, func() {
					if err := g.AddTask(task); err != nil {
						t.Error(err)
					}
				})
				return nil
			})
			if failed := task.Err(); failed != nil {
				var e *curio.TaskGroupError
				if !errors.As(err, &e) || len(e.Failed) != 1 {
					t.Errorf("the group says %v", err)
				}
				continue
			}
			if r, e := group.Results(); fmt.Sprint(r) != "[1 7]" || e != nil || err != nil {
				t.Errorf("results %v, %v, %v", r, e, err)
			}
		}
	})
}

// A failing member races with the return of the body: the failure is never lost, and
// nobody is left.
func TestRaceFailureAndReturnOfTheBody(t *testing.T) {
	fixture.Race(t, 10000, func(ctx context.Context) {
		gate := make(chan struct{})
		var others []*curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			others = append(others, g.Spawn(fixture.Sleeping))
			g.Spawn(func(context.Context) (int, error) { <-gate; return 0, fixture.ErrBoom })
			others = append(others, g.Spawn(fixture.Sleeping))
			close(gate)
			return nil
		})
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || len(group.Failed) != 1 || group.Body != nil {
			t.Errorf("got %v", err)
		}
		for _, other := range others {
			if !other.Terminated() || !errors.Is(other.Err(), curio.ErrTaskCancelled) {
				t.Errorf("%v: %v", other, other.Err())
			}
		}
	})
}

// The same with a body that itself fails at this moment: neither error is lost.
func TestRaceFailureAndErrorOfTheBody(t *testing.T) {
	other := errors.New("other")
	fixture.Race(t, 10000, func(ctx context.Context) {
		gate := make(chan struct{})
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(context.Context) (int, error) { <-gate; return 0, fixture.ErrBoom })
			runtime.Gosched()
			close(gate)
			return other
		})
		if !errors.Is(err, fixture.ErrBoom) || !errors.Is(err, other) {
			t.Errorf("got %v", err)
		}
	})
}

// A group of ten thousand, taken one by one: no work that grows with the square.
func TestGroupOfTenThousand(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			const n = 10000
			sum := 0
			start := time.Now()
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				for i := range n {
					g.Spawn(fixture.Returns(i))
				}
				for task, err := range g.Done(ctx) {
					if err != nil {
						return err
					}
					v, err := task.Result()
					if err != nil {
						return err
					}
					sum += v
				}
				return nil
			})
			if err != nil || sum != n*(n-1)/2 {
				f.Errorf("sum %d, %v", sum, err)
			}
			if d := time.Since(start); d > 20*time.Second {
				f.Errorf("took %v", d)
			}
		})
	})
}

// A group that has been woken by the end of one member is cancelled before it has looked,
// and the cancellation ends the other member. The group has not done what it was for, so
// it must not return nil. (Found by TestEverywhereCondition under the race detector.)
func TestGroupWokenAndCancelled(t *testing.T) {
	for name, opts := range map[string][]curio.GroupOption{
		"WaitAll": nil, "KeepGoing": {curio.KeepGoing}, "WaitObject": {curio.WaitObject}, "Limit": {curio.Limit(2)},
	} {
		t.Run(name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				var e curio.Event
				var other *curio.Task[any]
				host, letGo := fixture.HeldUp(ctx, f, "TASKGROUP_JOIN", func(ctx context.Context) error {
					return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[any]) error {
						g.Go(e.Wait)
						other = g.Go(fixture.Sleeper)
						return nil
					}, opts...)
				})
				e.Set()
				synctest.Wait() // the first member has ended, and woken the group
				host.CancelNow()
				synctest.Wait() // the other has ended too
				letGo()
				fixture.Is(f, "the other member", other.Err(), fixture.TaskCancelled...)
				fixture.Is(f, "the group", host.Err(), fixture.TaskCancelled...)
			})
		})
	}
}
