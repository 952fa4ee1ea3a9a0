package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// G1, T14: leaving the group waits for all; the results are readable afterwards, in
// the order of spawning and not of ending.
func TestGroupResultsInOrderOfSpawning(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var group *curio.TaskGroup[int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			group = g
			for i := range 10 {
				g.Spawn(after(time.Duration(10-i)*time.Second, i, nil))
			}
			return nil
		})
		f.elapsed(start, 10*time.Second)
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
		f.onlyMain()
	})
}

// T15: a gather that is cut by a timeout: what has finished is there, the others
// were cancelled, and all have ended.
func TestGatherCutByTimeout(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var group *curio.TaskGroup[int]
		err := curio.TimeoutAfter(ctx, 2*time.Second, func(ctx context.Context) error {
			return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(after(time.Second, 7, nil))
				g.Spawn(sleeping)
				return nil
			})
		})
		is(f, "timeout", err, taskTimeout...)
		tasks := group.Tasks()
		if v, err := tasks[0].Result(); v != 7 || err != nil {
			f.Errorf("the one that finished: %d, %v", v, err)
		}
		is(f, "the other", tasks[1].Err(), taskCancelled...)
		_, err = group.Results()
		is(f, "results", err, taskCancelled...)
		f.onlyMain()
	})
}

// T16: with KeepGoing the other tasks run on when one fails.
func TestGatherWithFailureKeepsGoing(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var group *curio.TaskGroup[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			group = g
			g.Spawn(fails)
			g.Spawn(after(time.Second, 7, nil))
			return nil
		}, curio.KeepGoing)
		checkGroupError(f, err, errBoom)
		tasks := group.Tasks()
		if v, err := tasks[1].Result(); v != 7 || err != nil {
			f.Errorf("the other: %d, %v", v, err)
		}
		if _, err := group.Results(); err != errBoom {
			f.Errorf("results: %v", err)
		}
	})
}

// G5, G29: iterating yields every member once, those that members spawn included.
func TestGroupIteration(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var order []int
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 5 {
				g.Spawn(func(ctx context.Context) (int, error) {
					if err := curio.Sleep(ctx, time.Duration(5-i)*time.Second); err != nil {
						return 0, err
					}
					g.Spawn(after(time.Minute, 10+i, nil))
					return i, nil
				})
			}
			for task, err := range g.Done(ctx) {
				f.must(err)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 3 {
				g.Spawn(returns(i))
			}
			synctest.Wait()
			for range g.Done(ctx) {
				break
			}
			if n := len(g.Tasks()); n != 2 {
				f.Errorf("%d tasks left, want 2", n)
			}
			// An iteration that is cut short ends.
			g.Spawn(sleeping)
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
					f.must(err)
				}
				if n != 3 {
					f.Errorf("%d turns, want 3", n)
				}
				return failed
			})
			is(f, "iteration under a timeout", err, taskTimeout...)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		var bad *curio.Task[int]
		var others [2]*curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			others[0] = g.Spawn(sleeping)
			bad = g.Spawn(after(time.Second, 0, errBoom), curio.Name("bad"))
			others[1] = g.Spawn(sleeping)
			return nil
		})
		f.elapsed(start, time.Second)
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || !slices.Equal(group.Failed, []*curio.AnyTask{bad.AnyTask}) || group.Body != nil {
			f.Errorf("got %v", err)
		}
		is(f, "group", err, errBoom)
		for _, other := range others {
			because(f, "sibling", other.Err(), errBoom, taskCancelled...)
			who, ok := curio.WhoCancelled(other.Err())
			if !ok || !strings.HasSuffix(who.By, "/bad") || !errors.Is(who.Reason, errBoom) {
				f.Errorf("the sibling says that it was %+v", who)
			}
		}
	})
}

// G7, G17: an error of the body cancels all members, daemons too, and comes out
// unchanged.
func TestBodyErrorCancelsMembers(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var tasks []*curio.Task[int]
		want := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			tasks = append(tasks, g.Spawn(sleeping), g.Spawn(sleeping), g.Spawn(sleeping, curio.Daemon()))
			synctest.Wait()
			return want
		})
		if err != error(want) {
			f.Errorf("got %v", err)
		}
		for _, task := range tasks {
			is(f, "member", task.Err(), taskCancelled...)
		}
	})
}

// G9: several failures are listed in the order of failing, whatever that of
// spawning; the text names all of them.
func TestSeveralFailures(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		other := errors.New("bang")
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(after(2*time.Second, 0, other), curio.Name("second"))
			g.Spawn(after(time.Second, 0, errBoom), curio.Name("first"))
			return nil
		}, curio.KeepGoing)
		checkGroupError(f, err, errBoom, other)
		for _, want := range []string{"2 of", "first: boom", "second: bang"} {
			if !strings.Contains(err.Error(), want) {
				f.Errorf("%q is missing in %q", want, err)
			}
		}
		// A sibling that fails in its clean-up is listed too, after the first.
		err = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(ctx context.Context) (int, error) { _ = sleeper(ctx); return 0, other })
			g.Spawn(after(time.Second, 0, errBoom))
			return nil
		})
		checkGroupError(f, err, errBoom, other)
	})
}

// W-G9: an error of the body does not hide failures of members.
func TestBodyErrorAndFailures(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		other := errors.New("body")
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fails)
			synctest.Wait()
			return other
		})
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || group.Body != other || len(group.Failed) != 1 {
			f.Fatalf("got %v", err)
		}
		if !errors.Is(err, other) || !errors.Is(err, errBoom) || !strings.Contains(err.Error(), "body") {
			f.Errorf("got %v", err)
		}
	})
}

// G10: cancelling the owner cancels the members, then the cancellation goes on. No
// member outlives the group.
func TestCancelTheOwner(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var members []*curio.Task[int]
		var left atomic.Int32
		for _, wait := range []string{"body", "end"} {
			owner := curio.Go(ctx, func(ctx context.Context) error {
				err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					for range 3 {
						members = append(members, g.Spawn(func(ctx context.Context) (int, error) {
							defer left.Add(-1)
							left.Add(1)
							err := sleeper(ctx)
							_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
							return 0, err
						}))
					}
					if wait == "body" {
						return sleeper(ctx)
					}
					return nil
				})
				if n := left.Load(); n != 0 {
					f.Errorf("%d members are left", n)
				}
				is(f, "group", err, taskCancelled...)
				return err
			})
			synctest.Wait()
			start := time.Now()
			_, _ = owner.Cancel(ctx)
			f.elapsed(start, time.Second) // G32: in parallel
			is(f, "owner", owner.Err(), taskCancelled...)
			for _, member := range members {
				is(f, "member", member.Err(), taskCancelled...)
			}
		}
	})
}

// G11: members see a plain cancellation, and the timeout block the timeout.
func TestTimeoutAroundGroup(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var member *curio.Task[int]
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(sleeping)
				err := sleeper(ctx)
				is(f, "body", err, taskTimeout...)
				return err
			})
			is(f, "group", err, taskTimeout...)
			return err
		})
		is(f, "timeout", err, taskTimeout...)
		is(f, "member", member.Err(), taskCancelled...)
	})
}

// G12: the next one, then cancel the rest, and a clean end; the group goes on after
// CancelRemaining.
func TestNextThenCancelRemaining(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			fast := g.Spawn(after(time.Second, 1, nil))
			next := g.Spawn(after(2*time.Second, 2, nil))
			slow := g.Spawn(sleeping)
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
			late := g.Spawn(after(time.Second, 3, nil))
			if v, err := late.Join(ctx); v != 3 || err != nil {
				f.Errorf("spawned after CancelRemaining: %d, %v", v, err)
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		f.elapsed(start, 3*time.Second)
	})
}

// G16, G18: daemon members are not waited for, their failure and result do not
// matter, they are cancelled at the end, and can be joined.
func TestDaemonMembers(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var daemon, bad *curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			daemon = g.Spawn(sleeping, curio.Daemon())
			bad = g.Spawn(fails, curio.Daemon())
			g.Spawn(after(time.Second, 1, nil))
			good := g.Spawn(returns(5), curio.Daemon())
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
		f.elapsed(start, time.Second)
		is(f, "daemon", daemon.Err(), taskCancelled...)
		is(f, "failed daemon", bad.Err(), errBoom)
		if n := len(f.Journal.take(msgUnseen)); n != 1 {
			f.Errorf("the failed daemon was logged %d times", n)
		}
	})
}

// A group with nothing but daemons ends at once.
func TestOnlyDaemons(t *testing.T) {
	for _, policy := range policies {
		inKernel(t, func(ctx context.Context, f *fixture) {
			start := time.Now()
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(sleeping, curio.Daemon())
				if task, err := g.NextDone(ctx); task != nil || err != curio.ErrNoTask {
					f.Errorf("NextDone: %v, %v", task, err)
				}
				return nil
			}, policy.opt)
			if err != nil {
				f.Error(err)
			}
			f.elapsed(start, 0)
		})
	}
}

// G21: what is not there yet is an error, and does not wait.
func TestResultsBeforeTheEnd(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			task := g.Spawn(after(time.Second, 1, nil))
			_, err := g.Results()
			is(f, "results", err, curio.ErrNotTerminated)
			_, err = task.Result()
			is(f, "result", err, curio.ErrNotTerminated)
			is(f, "error", task.Err(), curio.ErrNotTerminated)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		var client *curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			server := g.Spawn(sleeping)
			client = g.Spawn(after(2*time.Second, 2, nil))
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
		f.elapsed(start, 2*time.Second)
	})
}

// G27: a failed member that NextDone handed over is no failure of the group, and
// the others go on.
func TestNextDoneHandsOverFailures(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			bad := g.Spawn(after(time.Second, 0, errBoom))
			g.Spawn(after(2*time.Second, 2, nil))
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
		f.elapsed(start, 2*time.Second)
		// Those that were not taken are reported.
		err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(after(time.Second, 1, nil))
			if _, err := g.NextDone(ctx); err != nil {
				f.Error(err)
			}
			g.Spawn(after(time.Second, 0, errBoom))
			return nil
		})
		checkGroupError(f, err, errBoom)
	})
}

// G28: NextResult gives the member's own error; if that leaves the body, the rest is
// cancelled.
func TestNextResultOfAFailure(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var rest *curio.Task[int]
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(after(time.Second, 0, errBoom))
			rest = g.Spawn(sleeping)
			_, err := g.NextResult(ctx)
			return err
		})
		if err != errBoom {
			f.Errorf("got %v", err)
		}
		is(f, "rest", rest.Err(), taskCancelled...)
		f.elapsed(start, time.Second)
	})
}

// G33, W-G1: the owner is cancelled, or times out, while the group is torn down: all
// members have ended all the same when Group returns.
func TestCancelWhileGroupIsTornDown(t *testing.T) {
	for _, how := range []string{"cancel", "timeout", "shutdown"} {
		inKernel(t, func(ctx context.Context, f *fixture) {
			var left atomic.Int32
			member := func(ctx context.Context) (int, error) {
				left.Add(1)
				defer left.Add(-1)
				err := sleeper(ctx)
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
							return errBoom // the teardown begins
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
			f.elapsed(start, 3*time.Second)
			if err := owner.Err(); err != errBoom {
				f.Errorf("%s: %v", how, err)
			}
			wg.Wait()
			_ = kernel.Shutdown(f.Context())
		})
	}
}

// G34, W-G5: a member that fails while the body waits for something else ends that.
func TestMemberFailureInterruptsTheBody(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(after(time.Second, 0, errBoom))
			err := sleeper(ctx)
			because(f, "body", err, errBoom, scopeCancelled...)
			if e := ctx.Err(); e != context.Canceled {
				f.Errorf("Err: %v", e)
			}
			return err
		})
		f.elapsed(start, time.Second)
		checkGroupError(f, err, errBoom)
		var group *curio.TaskGroupError
		if errors.As(err, &group) && group.Body != nil {
			f.Errorf("that the body was cut is taken for an error of its own: %v", group.Body)
		}
		is(f, "group", err, errBoom)

		// But not code outside of the group.
		if err := curio.Sleep(ctx, time.Second); err != nil {
			f.Error(err)
		}
	})
}
