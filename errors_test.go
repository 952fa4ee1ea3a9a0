package curio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// The design's table: what each of the errors is, and what it is not.
func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		err     error
		is      []error
		timeout bool
	}{
		{curio.ErrCancelled, []error{curio.ErrCancelled}, false},
		{curio.ErrTaskCancelled, fixture.TaskCancelled, false},
		{curio.ErrTaskTimeout, fixture.TaskTimeout, true},
		{curio.ErrTimeoutCancellation, fixture.OuterTimeout, false},
		{curio.ErrUncaughtTimeout, fixture.Uncaught, false},
		{curio.ErrNotTerminated, []error{curio.ErrNotTerminated}, false},
		{curio.ErrNoTask, []error{curio.ErrNoTask}, false},
		{curio.ErrKernelShutdown, []error{curio.ErrKernelShutdown}, false},
		{curio.ErrNotShielded, []error{curio.ErrNotShielded}, false},
		{curio.ErrGoexit, []error{curio.ErrGoexit}, false},
	} {
		fixture.Is(t, "sentinel", c.err, c.is...)
		if isTimeout(c.err) != c.timeout || os.IsTimeout(c.err) != c.timeout {
			t.Errorf("%v: Timeout is %v", c.err, isTimeout(c.err))
		}
		if !strings.HasPrefix(c.err.Error(), "curio: ") {
			t.Errorf("%v does not say whose it is", c.err)
		}
	}
}

func isTimeout(err error) bool {
	var e interface{ Timeout() bool }
	return errors.As(err, &e) && e.Timeout()
}

// The errors as they are met: what the operation returns, what the context says, by
// ==, and what its cause is.
func TestErrorsAsTheyAreMet(t *testing.T) {
	type meeting struct {
		op, err, cause error
	}
	meet := func(ctx context.Context) meeting {
		op := fixture.Sleeper(ctx)
		return meeting{op, ctx.Err(), context.Cause(ctx)}
	}
	cancelled, deadline := context.Canceled, context.DeadlineExceeded
	for _, c := range []struct {
		what    string
		make    func(ctx context.Context, f *fixture.Fixture) meeting
		is      []error
		err     error // of the context
		timeout bool
	}{
		{"cancelled task", func(ctx context.Context, _ *fixture.Fixture) (m meeting) {
			task := curio.Go(ctx, func(ctx context.Context) error { m = meet(ctx); return nil })
			synctest.Wait()
			_, _ = task.Cancel(ctx)
			return m
		}, fixture.TaskCancelled, cancelled, false},
		{"own timeout", func(ctx context.Context, _ *fixture.Fixture) (m meeting) {
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error { m = meet(ctx); return m.op })
			return m
		}, fixture.TaskTimeout, deadline, true},
		{"outer timeout", func(ctx context.Context, _ *fixture.Fixture) (m meeting) {
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { m = meet(ctx); return m.op })
			})
			return m
		}, fixture.OuterTimeout, deadline, false},
		{"group in a timeout", func(ctx context.Context, _ *fixture.Fixture) (m meeting) {
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, _ *curio.TaskGroup[int]) error { m = meet(ctx); return m.op })
			})
			return m
		}, fixture.TaskTimeout, deadline, true},
		{"task in a timeout", func(ctx context.Context, _ *fixture.Fixture) (m meeting) {
			_ = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				child := curio.Go(ctx, func(ctx context.Context) error { m = meet(ctx); return nil })
				return curio.DisableCancellation(ctx, child.Wait)
			})
			return m
		}, fixture.TaskCancelled, cancelled, false},
		{"group with a failed member", func(ctx context.Context, _ *fixture.Fixture) (m meeting) {
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(fixture.Fails)
				m = meet(ctx)
				return m.op
			})
			return m
		}, fixture.ScopeCancelled, cancelled, false},
		{"context that has ended", func(ctx context.Context, _ *fixture.Fixture) meeting {
			inner, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			return meet(inner)
		}, fixture.ScopeCancelled, cancelled, false},
		{"timeout inside a standard one", func(ctx context.Context, _ *fixture.Fixture) meeting {
			ctx, stop := context.WithTimeout(ctx, time.Second)
			defer stop()
			inner, cancel := curio.WithTimeout(ctx, time.Hour)
			defer cancel()
			return meet(inner)
		}, fixture.ForeignTimeout, deadline, true},
		{"timeout inside a standard cancel", func(ctx context.Context, _ *fixture.Fixture) meeting {
			ctx, stop := context.WithCancel(ctx)
			time.AfterFunc(time.Second, stop)
			inner, cancel := curio.WithTimeout(ctx, time.Hour)
			defer cancel()
			return meet(inner)
		}, fixture.ScopeCancelled, cancelled, false},
		{"shutdown", func(_ context.Context, f *fixture.Fixture) (m meeting) {
			_ = curio.Run(f.Context(), func(ctx context.Context) error {
				curio.Go(ctx, func(ctx context.Context) error { m = meet(ctx); return nil })
				synctest.Wait()
				return nil
			})
			return m
		}, fixture.TaskCancelled, cancelled, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				m := c.make(ctx, f)
				f.Journal.Take(fixture.MsgLate) // of a timeout whose function has looked, and succeeded
				fixture.Is(f, "operation", m.op, c.is...)
				fixture.Is(f, "Cause", m.cause, c.is...)
				if m.err != c.err {
					f.Errorf("Err is %v, want %v", m.err, c.err)
				}
				if isTimeout(m.op) != c.timeout {
					f.Errorf("Timeout is %v", isTimeout(m.op))
				}
				var netError net.Error
				if errors.As(m.op, &netError) && netError.Timeout() != c.timeout {
					f.Errorf("as a net.Error, Timeout is %v", netError.Timeout())
				}
				if _, ok := curio.WhoCancelled(m.cause); !ok {
					f.Errorf("nobody cancelled: %v", m.cause)
				}
				if !strings.HasPrefix(m.op.Error(), "curio: ") {
					f.Errorf("text: %v", m.op)
				}
			})
		})
	}
}

// Err and Cause are the same for ever, whatever ends further out later.
func TestErrAndCauseNeverChange(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		outer, cancelOuter := curio.WithTimeout(ctx, 2*time.Second)
		defer cancelOuter()
		inner, cancel := curio.WithTimeout(outer, time.Second)
		defer cancel()
		fixture.Is(f, "first", fixture.Sleeper(inner), fixture.TaskTimeout...)
		err, cause := inner.Err(), context.Cause(inner)
		fixture.Is(f, "cause", cause, fixture.TaskTimeout...)
		fixture.Is(f, "outer", fixture.Sleeper(outer), fixture.TaskTimeout...)
		fixture.Is(f, "second", fixture.Sleeper(inner), fixture.OuterTimeout...)
		if inner.Err() != err || context.Cause(inner) != cause {
			f.Errorf("Err %v, then %v; Cause %v, then %v", err, inner.Err(), cause, context.Cause(inner))
		}
	})
}

// The texts name the task and the cause.
func TestTextsOfErrors(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		bad := curio.Spawn(ctx, fixture.Fails, curio.Name("bad"))
		_, joined := bad.Join(ctx)
		bomb := curio.Spawn(ctx, fixture.Explode, curio.Name("bomb"), curio.ReportCrash(false))
		_, panicked := bomb.Join(ctx)
		cancelled := curio.Go(ctx, fixture.Sleeper, curio.Name("victim"))
		synctest.Wait()
		_, _ = cancelled.Cancel(ctx, errors.New("no reason"))
		group := curio.Group(ctx, func(context.Context, *curio.TaskGroup[int]) error { return nil })
		if group != nil {
			f.Error(group)
		}
		group = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Fails, curio.Name("one"))
			g.Spawn(fixture.Fails, curio.Name("two"))
			synctest.Wait()
			return errors.New("body's own")
		}, curio.KeepGoing)
		shutdown := &curio.ShutdownError{Tasks: []string{"a/b: RUNNING at x.go:1", "c: TIME_SLEEP at y.go:2"}, Err: fixture.ErrBoom}
		main := curio.CurrentTask(ctx).Path()
		for _, c := range []struct {
			err   error
			words []string
		}{
			{joined, []string{"curio: ", "task bad", "boom"}},
			{panicked, []string{"task bomb", "panic", main + "/bomb", "boom"}},
			{group, []string{"curio: 2 of", "one: boom", "two: boom", "body's own"}},
			{shutdown, []string{"2 tasks", "a/b: RUNNING at x.go:1", "c: TIME_SLEEP at y.go:2", "boom"}},
			{cancelled.Err(), []string{"curio: task cancelled", "by " + main, "errors_test.go:", "no reason"}},
		} {
			for _, word := range c.words {
				if !strings.Contains(c.err.Error(), word) {
					f.Errorf("%q is missing in %q", word, c.err)
				}
			}
		}
		fixture.Is(f, "TaskError", joined, fixture.ErrBoom)
		fixture.Is(f, "PanicError", panicked, fixture.ErrBoom)
		fixture.Is(f, "ShutdownError", shutdown, fixture.ErrBoom)
		fixture.Is(f, "TaskGroupError", group, fixture.ErrBoom)
		var p *curio.PanicError
		if !errors.As(panicked, &p) || !strings.Contains(string(p.Stack), "fixture.Explode") {
			f.Errorf("stack: %s", p.Stack)
		}
		if err := (&curio.PanicError{Task: "x", Value: 7}); errors.Unwrap(err) != nil || !strings.Contains(fmt.Sprint(err), "7") {
			f.Errorf("%v", err)
		}
	})
}
