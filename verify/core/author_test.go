package core_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// Every cancellation has an author: who, where, when and why.

// victim is a task that sleeps until it is cancelled.
func victim(ctx context.Context) *curio.Task[int] { return curio.Spawn(ctx, fixture.Sleeping) }

func TestAuthorOfCancel(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		by := curio.CurrentTask(ctx).Path()
		task := victim(ctx)
		_ = curio.Sleep(ctx, time.Second)
		where := fixture.Here(1)
		_, _ = task.Cancel(ctx, fixture.ErrBoom)
		fixture.CheckAuthor(f, "Cancel", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now(), Reason: fixture.ErrBoom})

		task = victim(ctx)
		synctest.Wait()
		where = fixture.Here(1)
		task.CancelNow(fixture.ErrBoom)
		_ = task.Wait(ctx)
		fixture.CheckAuthor(f, "CancelNow", task.Err(), curio.Cancellation{Where: where, When: time.Now(), Reason: fixture.ErrBoom})

		// A second Cancel changes nothing of that.
		stubborn := curio.Go(ctx, func(ctx context.Context) error {
			_ = fixture.Sleeper(ctx)
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			return curio.Sleep(ctx, 0)
		})
		synctest.Wait()
		first := curio.Cancellation{Where: fixture.Here(1), When: time.Now()}
		stubborn.CancelNow()
		_, _ = stubborn.Cancel(ctx, fixture.ErrBoom)
		fixture.CheckAuthor(f, "the first of two", stubborn.Err(), first)

		// By a task with a name, two levels deep, of the interface type too.
		task = victim(ctx)
		canceller := curio.Go(ctx, func(ctx context.Context) error {
			where = fixture.Here(1)
			_, err := task.AnyTask.Cancel(ctx)
			return err
		}, curio.Name("killer"))
		_ = canceller.Wait(ctx)
		fixture.CheckAuthor(f, "by another", task.Err(), curio.Cancellation{By: by + "/killer", Where: where, When: time.Now()})
	})
}

func TestAuthorIsSeenByDescendantsAndCause(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var child *curio.Task[int]
		var cause, derived error
		var where string
		parent := curio.Go(ctx, func(ctx context.Context) error {
			child = victim(ctx)
			standard, cancel := context.WithCancel(ctx)
			defer cancel()
			err := fixture.Sleeper(standard)
			cause, derived = context.Cause(ctx), context.Cause(standard)
			fixture.CheckAuthor(f, "operation under a standard context", err, curio.Cancellation{
				By: "fixture.WithKernel.func1", Where: where, When: time.Now(), Reason: fixture.ErrBoom,
			})
			return err
		})
		synctest.Wait()
		where = fixture.Here(1)
		_, _ = parent.Cancel(ctx, fixture.ErrBoom)
		_ = child.Wait(ctx)
		want := curio.Cancellation{By: curio.CurrentTask(ctx).Path(), Where: where, When: time.Now(), Reason: fixture.ErrBoom}
		fixture.CheckAuthor(f, "child", child.Err(), want)
		fixture.CheckAuthor(f, "Cause", cause, want)
		fixture.CheckAuthor(f, "Cause of a standard context", derived, want)
	})
}

func TestAuthorOfGroup(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		by := curio.CurrentTask(ctx).Path()
		var task *curio.Task[int]
		var where string
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(fixture.Sleeping)
			synctest.Wait()
			where = fixture.Here(1)
			return g.CancelRemaining(ctx)
		})
		fixture.CheckAuthor(f, "CancelRemaining", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now()})

		where = fixture.Here(1)
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(fixture.Sleeping)
			synctest.Wait()
			return nil
		}, curio.WaitNone)
		fixture.CheckAuthor(f, "end of the group", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now()})

		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(fixture.Sleeping)
			synctest.Wait()
			where = fixture.Here(1)
			return g.Join(ctx)
		}, curio.WaitNone)
		fixture.CheckAuthor(f, "Join of the group", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now()})

		var body error
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(fixture.Sleeping)
			g.Spawn(fixture.After(time.Second, 0, fixture.ErrBoom), curio.Name("bad"))
			body = fixture.Sleeper(ctx)
			return body
		})
		for what, err := range map[string]error{"sibling": task.Err(), "body": body} {
			who, ok := curio.WhoCancelled(err)
			if !ok || who.By != by+"/bad" || who.Where != "" || !who.When.Equal(time.Now()) || !errors.Is(who.Reason, fixture.ErrBoom) || who.Expired {
				f.Errorf("failure of a member, seen by the %s: %+v", what, who)
			}
		}
	})
}

func TestAuthorOfTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
		want := curio.Cancellation{When: start.Add(time.Second), Expired: true}
		fixture.CheckAuthor(f, "timeout", err, want)

		start = time.Now()
		var inner error
		_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper)
			child := victim(ctx)
			_ = curio.DisableCancellation(ctx, child.Wait)
			fixture.CheckAuthor(f, "child", child.Err(), curio.Cancellation{When: start.Add(time.Second), Expired: true})
			return inner
		})
		fixture.CheckAuthor(f, "inner", inner, curio.Cancellation{When: start.Add(time.Second), Expired: true})
	})
}

func TestAuthorOfForeignContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		inner, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cancel(fixture.ErrBoom) })
		err := fixture.Sleeper(inner)
		fixture.Because(f, "operation", err, fixture.ErrBoom, fixture.ScopeCancelled...)
		fixture.CheckAuthor(f, "cause", err, curio.Cancellation{When: time.Now(), Reason: fixture.ErrBoom})

		inner, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		err = fixture.Sleeper(inner)
		fixture.Is(f, "operation", err, fixture.ForeignTimeout...)
		fixture.CheckAuthor(f, "deadline", err, curio.Cancellation{When: time.Now(), Reason: context.DeadlineExceeded})

		task := victim(inner)
		_ = task.Wait(ctx)
		fixture.Because(f, "task", task.Err(), context.DeadlineExceeded, append(fixture.TaskCancelled, context.DeadlineExceeded)...)
	})
}

func TestNoAuthor(t *testing.T) {
	for _, err := range []error{nil, fixture.ErrBoom, context.Canceled, curio.ErrTaskCancelled, curio.ErrUncaughtTimeout} {
		if who, ok := curio.WhoCancelled(err); ok || who != (curio.Cancellation{}) {
			t.Errorf("%v: %+v", err, who)
		}
	}
}
