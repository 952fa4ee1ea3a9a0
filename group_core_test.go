package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

var policies = []struct {
	what string
	opt  curio.GroupOption
}{
	{"all", curio.WaitAll}, {"any", curio.WaitAny}, {"object", curio.WaitObject}, {"none", curio.WaitNone},
}

// Each policy × each end of a member × each end of the body × KeepGoing or not:
// the group returns, no task is left behind, and no failure gets lost.
func TestGroupLeavesNobodyBehind(t *testing.T) {
	for _, policy := range policies {
		for _, member := range fixture.Endings {
			for _, body := range fixture.Endings {
				for _, keepGoing := range []bool{false, true} {
					name := fmt.Sprintf("wait=%s/member=%s/body=%s/keep=%v", policy.what, member.What, body.What, keepGoing)
					t.Run(name, func(t *testing.T) {
						opts := []curio.GroupOption{policy.opt}
						if keepGoing {
							opts = append(opts, curio.KeepGoing)
						}
						fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { oneGroup(ctx, f, member, body, opts) })
					})
				}
			}
		}
	}
}

func oneGroup(ctx context.Context, f *fixture.Fixture, member, body fixture.Ending, opts []curio.GroupOption) {
	var members []*curio.Task[int]
	owner := curio.Go(ctx, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			members = append(members, g.Spawn(fixture.Sleeping), g.Spawn(member.Call), g.Spawn(fixture.Sleeping, curio.Daemon()))
			curio.Go(ctx, fixture.Sleeper) // is no member, and ends with the group's context
			time.Sleep(time.Millisecond)   // all of them have started, or ended
			if member.Cancelled {
				members[1].CancelNow()
			}
			_, err := body.Call(ctx)
			return err
		}, opts...)
	}, curio.ReportCrash(false))
	start := time.Now()
	time.Sleep(2 * time.Millisecond)
	if body.Cancelled {
		owner.CancelNow()
	}
	// Nothing but the sleeping member holds the group up, if the policy lets it.
	err := curio.TimeoutAfter(ctx, 2*time.Hour, owner.Wait)
	if err != nil {
		f.Errorf("the group does not end: %v", err)
	}
	if d := time.Since(start); d > time.Hour+time.Second {
		f.Errorf("the group took %v", d)
	}
	f.OnlyMain()
	for i, task := range members {
		if !task.Terminated() {
			f.Errorf("member %d is left", i)
		}
	}
	if body.Failure && owner.Err() == nil {
		f.Error("the failure of the body has got lost")
	}
	f.Journal.Take(fixture.MsgPanic)
	f.Journal.Take(fixture.MsgGroup)
}

// A group without members ends at once, whatever it waits for.
func TestEmptyGroup(t *testing.T) { // G19
	for _, policy := range policies {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				if task, err := g.NextDone(ctx); task != nil || err != curio.ErrNoTask {
					f.Errorf("NextDone: %v, %v", task, err)
				}
				_, err := g.NextResult(ctx)
				fixture.Is(f, "NextResult", err, curio.ErrNoTask)
				for task, err := range g.Done(ctx) {
					f.Errorf("Done yields %v, %v", task, err)
				}
				if err := g.CancelRemaining(ctx); err != nil { // G14
					f.Error(err)
				}
				if r, err := g.Results(); len(r) > 0 || err != nil {
					f.Errorf("Results: %v, %v", r, err)
				}
				if g.Completed() != nil || len(g.Tasks()) > 0 {
					f.Error("it has completed")
				}
				return nil
			}, policy.opt)
			if err != nil {
				f.Errorf("%s: %v", policy.what, err)
			}
		})
	}
}

// G3, G20, W-G7: any takes the first that ends, and cancels the others.
func TestWaitAny(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		var slow, fast *curio.Task[string]
		var completed *curio.Task[string]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[string]) error {
			slow = g.Spawn(fixture.After(time.Minute, "slow", nil))
			fast = g.Spawn(fixture.After(time.Second, "fast", nil))
			err := g.Join(ctx)
			completed = g.Completed()
			return err
		}, curio.WaitAny)
		if err != nil || completed != fast {
			f.Errorf("completed is %v, %v", completed, err)
		}
		if v, err := fast.Result(); v != "fast" || err != nil {
			f.Errorf("result %q, %v", v, err)
		}
		if fast.Cancelled() || !slow.Cancelled() {
			f.Errorf("cancelled: fast %v, slow %v", fast.Cancelled(), slow.Cancelled())
		}
		fixture.Is(f, "slow", slow.Err(), fixture.TaskCancelled...)
		f.Elapsed(start, time.Second)
	})
}

// G4: any with a failure first: the others are cancelled, the error lists exactly it.
func TestWaitAnyFailsFirst(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var g *curio.TaskGroup[int]
		var other *curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[int]) error {
			g = group
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			other = g.Spawn(fixture.After(2*time.Second, 1, nil))
			return nil
		}, curio.WaitAny)
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		fixture.Because(f, "other", other.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
	})
	// With KeepGoing it waits for the first success, and failures do not matter then.
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var g *curio.TaskGroup[int]
		var good *curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[int]) error {
			g = group
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom))
			good = g.Spawn(fixture.After(2*time.Second, 1, nil))
			g.Spawn(fixture.After(time.Hour, 2, nil))
			return nil
		}, curio.WaitAny, curio.KeepGoing)
		if err != nil || g.Completed() != good {
			f.Errorf("completed %v, %v", g.Completed(), err)
		}
	})
	// If none succeeds, they do.
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		other := errors.New("other")
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(2*time.Second, 0, fixture.ErrBoom))
			g.Spawn(fixture.After(time.Second, 0, other))
			return nil
		}, curio.WaitAny, curio.KeepGoing)
		fixture.CheckGroupError(f, err, other, fixture.ErrBoom)
	})
}

// G30: object ignores what is nil, and only that.
func TestWaitObject(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		zero := 0
		for what, first := range map[string]any{"0": 0, "empty": "", "false": false, "pointer": &zero} {
			var g *curio.TaskGroup[any]
			var none, some *curio.Task[any]
			err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[any]) error {
				g = group
				none = g.Spawn(fixture.After[any](time.Second, nil, nil))
				some = g.Spawn(fixture.After(2*time.Second, first, nil))
				g.Spawn(fixture.After[any](time.Hour, 3, nil))
				return nil
			}, curio.WaitObject)
			if err != nil || g.Completed() != some || none.Cancelled() {
				f.Errorf("%s: completed %v, %v", what, g.Completed(), err)
			}
		}
		var g *curio.TaskGroup[[]int]
		start := time.Now()
		err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[[]int]) error {
			g = group
			g.Spawn(fixture.After[[]int](time.Second, nil, nil))
			g.Spawn(fixture.After[[]int](2*time.Second, nil, nil))
			return nil
		}, curio.WaitObject)
		if err != nil || g.Completed() != nil {
			f.Errorf("all nil: completed %v, %v", g.Completed(), err)
		}
		f.Elapsed(start, 2*time.Second)
	})
}

// G15: none waits for nobody.
func TestWaitNone(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		var a *curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			a = g.Spawn(fixture.Sleeping)
			return nil
		}, curio.WaitNone)
		if err != nil || !a.Cancelled() {
			f.Error(a, err)
		}
		f.Elapsed(start, 0)
	})
}

// G31, W-G3: what the body takes with NextResult satisfies any and object too.
func TestPolicySatisfiedInTheBody(t *testing.T) {
	for _, policy := range policies[1:3] {
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			start := time.Now()
			var fast *curio.Task[int]
			var group *curio.TaskGroup[int]
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(fixture.After(time.Hour, 2, nil))
				fast = g.Spawn(fixture.After(time.Second, 1, nil))
				if v, err := g.NextResult(ctx); v != 1 || err != nil {
					f.Errorf("NextResult: %d, %v", v, err)
				}
				return nil
			}, policy.opt)
			if err != nil || group.Completed() != fast {
				f.Errorf("%s: completed %v, %v", policy.what, group.Completed(), err)
			}
			f.Elapsed(start, time.Second)
		})
	}
}

// slowSibling takes a minute of clean-up.
func slowSibling(ctx context.Context) (int, error) {
	err := fixture.Sleeper(ctx)
	_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
	return 0, err
}

// A panic in a member is in the log in that moment, with its own stack and path;
// the siblings are cancelled at once; the group's error has it.
func TestPanicInMember(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var sibling *curio.Task[int]
		start := time.Now()
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				sibling = g.Spawn(slowSibling)
				g.Spawn(func(ctx context.Context) (int, error) {
					_ = curio.Sleep(ctx, time.Second)
					return fixture.Explode(ctx)
				}, curio.Name("bomb"))
				return fixture.Sleeper(ctx)
			})
		}, curio.Name("owner"))

		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		logged := f.Journal.Take(fixture.MsgPanic)
		if len(logged) != 1 {
			f.Fatalf("%d lines in the log at once, want 1", len(logged))
		}
		if sibling.Terminated() || !sibling.Cancelled() {
			f.Errorf("the sibling: %v, cancelled %v", sibling, sibling.Cancelled())
		}
		if path, _ := logged[0].Attrs["task"].(string); !strings.HasSuffix(path, "/owner/bomb") {
			f.Errorf("logged as that of %q", path)
		}
		if stack, _ := logged[0].Attrs["stack"].(string); !strings.Contains(stack, "fixture.Explode") {
			f.Errorf("the stack does not show the panic:\n%s", stack)
		}
		if logged[0].Attrs["panic"] != fixture.ErrBoom {
			f.Errorf("panicked with %v", logged[0].Attrs["panic"])
		}

		_, err := owner.Join(ctx)
		f.Elapsed(start, time.Second+time.Minute)
		var p *curio.PanicError
		if !errors.As(err, &p) || p.Value != fixture.ErrBoom || !strings.HasSuffix(p.Task, "/owner/bomb") || !strings.Contains(string(p.Stack), "fixture.Explode") {
			f.Errorf("the joiner got %v", err)
		}
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || len(group.Failed) != 1 || group.Body != nil {
			f.Errorf("the group returned %v", err)
		}
		fixture.Is(f, "panic", err, fixture.ErrBoom) // the value is an error
	})
}

// A panic in the body is in the log at once, while members still clean up, and goes
// on when they have.
func TestPanicInBody(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var member *curio.Task[int]
		start := time.Now()
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(slowSibling)
				_ = curio.Sleep(ctx, time.Second)
				_, err := fixture.Explode(ctx)
				return err
			})
		}, curio.Name("owner"))
		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		logged := f.Journal.Take(fixture.MsgGroup)
		if len(logged) != 1 || !strings.HasSuffix(logged[0].Attrs["task"].(string), "/owner") ||
			!strings.Contains(logged[0].Attrs["stack"].(string), "fixture.Explode") {
			f.Fatalf("logged at once: %v", logged)
		}
		if member.Terminated() || !member.Cancelled() {
			f.Errorf("the member: %v, cancelled %v", member, member.Cancelled())
		}
		_, err := owner.Join(ctx)
		f.Elapsed(start, time.Second+time.Minute)
		var p *curio.PanicError
		if !errors.As(err, &p) || p.Value != fixture.ErrBoom {
			f.Errorf("the joiner got %v", err)
		}
		if !member.Terminated() {
			f.Error("the member is left")
		}
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("the end of the owner was logged %d times", n)
		}
	})
}

// The stack of a panic in a body is the original one in the PanicError, too.
func TestPanicInBodyKeepsItsStack(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				_, err := fixture.Explode(ctx)
				return err
			})
		})
		_, err := owner.Join(ctx)
		var p *curio.PanicError
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "fixture.Explode") {
			f.Errorf("the stack does not show where it was:\n%s", p.Stack)
		}
		f.Journal.Take(fixture.MsgPanic)
	})
}

// Goexit in a member ends it with ErrGoexit, which is a failure.
func TestGoexitInMember(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var sibling *curio.Task[int]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			sibling = g.Spawn(fixture.Sleeping)
			g.Spawn(fixture.Vanish)
			return nil
		})
		fixture.CheckGroupError(f, err, curio.ErrGoexit)
		fixture.Is(f, "group", err, curio.ErrGoexit)
		fixture.Because(f, "sibling", sibling.Err(), curio.ErrGoexit, fixture.TaskCancelled...)
	})
}

// Goexit in the body stops the members before it goes on.
func TestGoexitInBody(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var member *curio.Task[int]
		start := time.Now()
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(slowSibling)
				synctest.Wait()
				_, err := fixture.Vanish(ctx)
				return err
			})
		})
		_, err := owner.Join(ctx)
		f.Elapsed(start, time.Minute)
		fixture.Is(f, "owner", err, curio.ErrGoexit)
		if !member.Terminated() {
			f.Error("the member is left")
		}
	})
}

// A panic is not lost to a joiner who never comes, nor to KeepGoing; the process
// lives.
func TestPanicOfATaskThatNobodyJoins(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		curio.Spawn(ctx, fixture.Explode)
		synctest.Wait()
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
		// Shutdown does not log it again: see the fixture.
	})
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Explode)
			synctest.Wait()
			return ctx.Err() // the body is not cut
		}, curio.KeepGoing)
		fixture.CheckGroupError(f, err, fixture.ErrBoom)
		if n := len(f.Journal.Take(fixture.MsgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
	})
}

// A panic outside of tasks, in the body of a group of a plain goroutine, goes its
// way when the members have ended.
func TestPanicInBodyOutsideOfTasks(t *testing.T) {
	log := new(testutil.Journal)
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(log))
	synctest.Test(t, func(t *testing.T) {
		for _, members := range []int{0, 1} {
			var member *curio.Task[int]
			start := time.Now()
			func() {
				defer func() {
					if v := recover(); v != fixture.ErrBoom {
						t.Errorf("recovered %v", v)
					}
				}()
				_ = curio.Group(t.Context(), func(_ context.Context, g *curio.TaskGroup[int]) error {
					for range members {
						member = g.Spawn(slowSibling)
					}
					synctest.Wait()
					panic(fixture.ErrBoom)
				})
			}()
			if d := time.Since(start); d != time.Duration(members)*time.Minute {
				t.Errorf("took %v", d)
			}
			if member != nil && !member.Terminated() {
				t.Error("the member is left")
			}
			// With nobody to wait for, the panic is on its way, and need not be reported.
			if n := len(log.Take(fixture.MsgGroup)); n != members || len(log.Lines()) > 0 {
				t.Errorf("logged %d times, and %q", n, log.Lines())
			}
		}
	})
}

// A task whose group is cleaning up after a panic is shown where its user's code is.
func TestWhereIsATaskWhoseBodyPanicked(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var want string
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(slowSibling)
				_ = curio.Sleep(ctx, time.Second)
				want = fixture.Here(1)
				panic(fixture.ErrBoom)
			})
		})
		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		if file, line := owner.Where(); fmt.Sprintf("%s:%d", file, line) != want {
			f.Errorf("at %s:%d, want %s", file, line, want)
		}
		_ = owner.Wait(ctx)
		f.Journal.Take(fixture.MsgGroup)
		f.Journal.Take(fixture.MsgPanic)
	})
}
