package curio_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// Every cancellation has an author: who, where, when and why.

// victim is a task that sleeps until it is cancelled.
func victim(ctx context.Context) *curio.Task[int] { return curio.Spawn(ctx, sleeping) }

// checkAuthor checks whom err names, and that its text does.
func checkAuthor(f *fixture, what string, err error, want curio.Cancellation) {
	f.Helper()
	got, ok := curio.WhoCancelled(err)
	if !ok || got.By != want.By || got.Where != want.Where || !got.When.Equal(want.When) || got.Reason != want.Reason || got.Expired != want.Expired {
		f.Errorf("%s: %v\n got %+v\nwant %+v", what, err, got, want)
	}
	if err == nil {
		return
	}
	for _, text := range []string{want.By, want.Where} {
		if !strings.Contains(err.Error(), text) {
			f.Errorf("%s: %q is missing in %q", what, text, err)
		}
	}
}

func TestAuthorOfCancel(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		by := curio.CurrentTask(ctx).Path()
		task := victim(ctx)
		_ = curio.Sleep(ctx, time.Second)
		where := here(1)
		_, _ = task.Cancel(ctx, errBoom)
		checkAuthor(f, "Cancel", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now(), Reason: errBoom})

		task = victim(ctx)
		synctest.Wait()
		where = here(1)
		task.CancelNow(errBoom)
		_ = task.Wait(ctx)
		checkAuthor(f, "CancelNow", task.Err(), curio.Cancellation{Where: where, When: time.Now(), Reason: errBoom})

		// A second Cancel changes nothing of that.
		stubborn := curio.Go(ctx, func(ctx context.Context) error {
			_ = sleeper(ctx)
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
			return curio.Sleep(ctx, 0)
		})
		synctest.Wait()
		first := curio.Cancellation{Where: here(1), When: time.Now()}
		stubborn.CancelNow()
		_, _ = stubborn.Cancel(ctx, errBoom)
		checkAuthor(f, "the first of two", stubborn.Err(), first)

		// By a task with a name, two levels deep, of the interface type too.
		task = victim(ctx)
		canceller := curio.Go(ctx, func(ctx context.Context) error {
			where = here(1)
			_, err := task.AnyTask.Cancel(ctx)
			return err
		}, curio.Name("killer"))
		_ = canceller.Wait(ctx)
		checkAuthor(f, "by another", task.Err(), curio.Cancellation{By: by + "/killer", Where: where, When: time.Now()})
	})
}

func TestAuthorIsSeenByDescendantsAndCause(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var child *curio.Task[int]
		var cause, derived error
		var where string
		parent := curio.Go(ctx, func(ctx context.Context) error {
			child = victim(ctx)
			standard, cancel := context.WithCancel(ctx)
			defer cancel()
			err := sleeper(standard)
			cause, derived = context.Cause(ctx), context.Cause(standard)
			checkAuthor(f, "operation under a standard context", err, curio.Cancellation{
				By: "curio_test.withKernel.func1", Where: where, When: time.Now(), Reason: errBoom,
			})
			return err
		})
		synctest.Wait()
		where = here(1)
		_, _ = parent.Cancel(ctx, errBoom)
		_ = child.Wait(ctx)
		want := curio.Cancellation{By: curio.CurrentTask(ctx).Path(), Where: where, When: time.Now(), Reason: errBoom}
		checkAuthor(f, "child", child.Err(), want)
		checkAuthor(f, "Cause", cause, want)
		checkAuthor(f, "Cause of a standard context", derived, want)
	})
}

func TestAuthorOfGroup(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		by := curio.CurrentTask(ctx).Path()
		var task *curio.Task[int]
		var where string
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(sleeping)
			synctest.Wait()
			where = here(1)
			return g.CancelRemaining(ctx)
		})
		checkAuthor(f, "CancelRemaining", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now()})

		where = here(1)
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(sleeping)
			synctest.Wait()
			return nil
		}, curio.WaitNone)
		checkAuthor(f, "end of the group", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now()})

		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(sleeping)
			synctest.Wait()
			where = here(1)
			return g.Join(ctx)
		}, curio.WaitNone)
		checkAuthor(f, "Join of the group", task.Err(), curio.Cancellation{By: by, Where: where, When: time.Now()})

		var body error
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			task = g.Spawn(sleeping)
			g.Spawn(after(time.Second, 0, errBoom), curio.Name("bad"))
			body = sleeper(ctx)
			return body
		})
		for what, err := range map[string]error{"sibling": task.Err(), "body": body} {
			who, ok := curio.WhoCancelled(err)
			if !ok || who.By != by+"/bad" || who.Where != "" || !who.When.Equal(time.Now()) || !errors.Is(who.Reason, errBoom) || who.Expired {
				f.Errorf("failure of a member, seen by the %s: %+v", what, who)
			}
		}
	})
}

func TestAuthorOfTimeout(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, sleeper)
		want := curio.Cancellation{When: start.Add(time.Second), Expired: true}
		checkAuthor(f, "timeout", err, want)

		start = time.Now()
		var inner error
		_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, sleeper)
			child := victim(ctx)
			_ = curio.DisableCancellation(ctx, child.Wait)
			checkAuthor(f, "child", child.Err(), curio.Cancellation{When: start.Add(time.Second), Expired: true})
			return inner
		})
		checkAuthor(f, "inner", inner, curio.Cancellation{When: start.Add(time.Second), Expired: true})
	})
}

func TestAuthorOfForeignContext(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		inner, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Second, func() { cancel(errBoom) })
		err := sleeper(inner)
		because(f, "operation", err, errBoom, scopeCancelled...)
		checkAuthor(f, "cause", err, curio.Cancellation{When: time.Now(), Reason: errBoom})

		inner, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		err = sleeper(inner)
		is(f, "operation", err, foreignTimeout...)
		checkAuthor(f, "deadline", err, curio.Cancellation{When: time.Now(), Reason: context.DeadlineExceeded})

		task := victim(inner)
		_ = task.Wait(ctx)
		because(f, "task", task.Err(), context.DeadlineExceeded, append(taskCancelled, context.DeadlineExceeded)...)
	})
}

func TestNoAuthor(t *testing.T) {
	for _, err := range []error{nil, errBoom, context.Canceled, curio.ErrTaskCancelled, curio.ErrUncaughtTimeout} {
		if who, ok := curio.WhoCancelled(err); ok || who != (curio.Cancellation{}) {
			t.Errorf("%v: %+v", err, who)
		}
	}
}
