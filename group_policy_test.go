package curio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// An ending is how a member's or a body's function can end.
type ending struct {
	what      string
	call      func(context.Context) (int, error)
	failure   bool // of its own, not just a cancellation
	cancelled bool // somebody has to cancel it
}

var endings = []ending{
	{what: "success", call: returns(1)},
	{what: "error", call: fails, failure: true},
	{what: "panic", call: func(context.Context) (int, error) { panic(errBoom) }, failure: true},
	{what: "Goexit", call: func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }, failure: true},
	{what: "cancel", call: sleeping, cancelled: true},
	{what: "timeout", call: func(ctx context.Context) (int, error) {
		return 0, curio.TimeoutAfter(ctx, time.Second, sleeper)
	}, failure: true},
}

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
		for _, member := range endings {
			for _, body := range endings {
				for _, keepGoing := range []bool{false, true} {
					name := fmt.Sprintf("wait=%s/member=%s/body=%s/keep=%v", policy.what, member.what, body.what, keepGoing)
					t.Run(name, func(t *testing.T) {
						opts := []curio.GroupOption{policy.opt}
						if keepGoing {
							opts = append(opts, curio.KeepGoing)
						}
						inKernel(t, func(ctx context.Context, f *fixture) { oneGroup(ctx, f, member, body, opts) })
					})
				}
			}
		}
	}
}

func oneGroup(ctx context.Context, f *fixture, member, body ending, opts []curio.GroupOption) {
	var members []*curio.Task[int]
	owner := curio.Go(ctx, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			members = append(members, g.Spawn(sleeping), g.Spawn(member.call), g.Spawn(sleeping, curio.Daemon()))
			curio.Go(ctx, sleeper)       // is no member, and ends with the group's context
			time.Sleep(time.Millisecond) // all of them have started, or ended
			if member.cancelled {
				members[1].CancelNow()
			}
			_, err := body.call(ctx)
			return err
		}, opts...)
	}, curio.ReportCrash(false))
	start := time.Now()
	time.Sleep(2 * time.Millisecond)
	if body.cancelled {
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
	f.onlyMain()
	for i, task := range members {
		if !task.Terminated() {
			f.Errorf("member %d is left", i)
		}
	}
	if body.failure && owner.Err() == nil {
		f.Error("the failure of the body has got lost")
	}
	f.Journal.take(msgPanic)
	f.Journal.take(msgGroup)
}

// A group without members ends at once, whatever it waits for.
func TestEmptyGroup(t *testing.T) { // G19
	for _, policy := range policies {
		inKernel(t, func(ctx context.Context, f *fixture) {
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				if task, err := g.NextDone(ctx); task != nil || err != curio.ErrNoTask {
					f.Errorf("NextDone: %v, %v", task, err)
				}
				_, err := g.NextResult(ctx)
				is(f, "NextResult", err, curio.ErrNoTask)
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		var slow, fast *curio.Task[string]
		var completed *curio.Task[string]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[string]) error {
			slow = g.Spawn(after(time.Minute, "slow", nil))
			fast = g.Spawn(after(time.Second, "fast", nil))
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
		is(f, "slow", slow.Err(), taskCancelled...)
		f.elapsed(start, time.Second)
	})
}

// G4: any with a failure first: the others are cancelled, the error lists exactly it.
func TestWaitAnyFailsFirst(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var g *curio.TaskGroup[int]
		var other *curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[int]) error {
			g = group
			g.Spawn(after(time.Second, 0, errBoom))
			other = g.Spawn(after(2*time.Second, 1, nil))
			return nil
		}, curio.WaitAny)
		checkGroupError(f, err, errBoom)
		because(f, "other", other.Err(), errBoom, taskCancelled...)
	})
	// With KeepGoing it waits for the first success, and failures do not matter then.
	inKernel(t, func(ctx context.Context, f *fixture) {
		var g *curio.TaskGroup[int]
		var good *curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[int]) error {
			g = group
			g.Spawn(after(time.Second, 0, errBoom))
			good = g.Spawn(after(2*time.Second, 1, nil))
			g.Spawn(after(time.Hour, 2, nil))
			return nil
		}, curio.WaitAny, curio.KeepGoing)
		if err != nil || g.Completed() != good {
			f.Errorf("completed %v, %v", g.Completed(), err)
		}
	})
	// If none succeeds, they do.
	inKernel(t, func(ctx context.Context, f *fixture) {
		other := errors.New("other")
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(after(2*time.Second, 0, errBoom))
			g.Spawn(after(time.Second, 0, other))
			return nil
		}, curio.WaitAny, curio.KeepGoing)
		checkGroupError(f, err, other, errBoom)
	})
}

// G30: object ignores what is nil, and only that.
func TestWaitObject(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		zero := 0
		for what, first := range map[string]any{"0": 0, "empty": "", "false": false, "pointer": &zero} {
			var g *curio.TaskGroup[any]
			var none, some *curio.Task[any]
			err := curio.Group(ctx, func(_ context.Context, group *curio.TaskGroup[any]) error {
				g = group
				none = g.Spawn(after[any](time.Second, nil, nil))
				some = g.Spawn(after(2*time.Second, first, nil))
				g.Spawn(after[any](time.Hour, 3, nil))
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
			g.Spawn(after[[]int](time.Second, nil, nil))
			g.Spawn(after[[]int](2*time.Second, nil, nil))
			return nil
		}, curio.WaitObject)
		if err != nil || g.Completed() != nil {
			f.Errorf("all nil: completed %v, %v", g.Completed(), err)
		}
		f.elapsed(start, 2*time.Second)
	})
}

// G15: none waits for nobody.
func TestWaitNone(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		var a *curio.Task[int]
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			a = g.Spawn(sleeping)
			return nil
		}, curio.WaitNone)
		if err != nil || !a.Cancelled() {
			f.Error(a, err)
		}
		f.elapsed(start, 0)
	})
}

// G31, W-G3: what the body takes with NextResult satisfies any and object too.
func TestPolicySatisfiedInTheBody(t *testing.T) {
	for _, policy := range policies[1:3] {
		inKernel(t, func(ctx context.Context, f *fixture) {
			start := time.Now()
			var fast *curio.Task[int]
			var group *curio.TaskGroup[int]
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(after(time.Hour, 2, nil))
				fast = g.Spawn(after(time.Second, 1, nil))
				if v, err := g.NextResult(ctx); v != 1 || err != nil {
					f.Errorf("NextResult: %d, %v", v, err)
				}
				return nil
			}, policy.opt)
			if err != nil || group.Completed() != fast {
				f.Errorf("%s: completed %v, %v", policy.what, group.Completed(), err)
			}
			f.elapsed(start, time.Second)
		})
	}
}
