package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// errgroup took its handling of panics back, for three reasons: it delayed the
// report, it turned the stack into a value, and it could dead-lock before the panic
// ever showed. These tests are our answers.

//go:noinline
func explode(context.Context) (int, error) { panic(errBoom) }

//go:noinline
func vanish(context.Context) (int, error) { runtime.Goexit(); return 0, nil }

// slowSibling takes a minute of clean-up.
func slowSibling(ctx context.Context) (int, error) {
	err := sleeper(ctx)
	_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Minute) })
	return 0, err
}

// A panic in a member is in the log in that moment, with its own stack and path;
// the siblings are cancelled at once; the group's error has it.
func TestPanicInMember(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var sibling *curio.Task[int]
		start := time.Now()
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				sibling = g.Spawn(slowSibling)
				g.Spawn(func(ctx context.Context) (int, error) {
					_ = curio.Sleep(ctx, time.Second)
					return explode(ctx)
				}, curio.Name("bomb"))
				return sleeper(ctx)
			})
		}, curio.Name("owner"))

		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		logged := f.Journal.take(msgPanic)
		if len(logged) != 1 {
			f.Fatalf("%d lines in the log at once, want 1", len(logged))
		}
		if sibling.Terminated() || !sibling.Cancelled() {
			f.Errorf("the sibling: %v, cancelled %v", sibling, sibling.Cancelled())
		}
		if path, _ := logged[0].attrs["task"].(string); !strings.HasSuffix(path, "/owner/bomb") {
			f.Errorf("logged as that of %q", path)
		}
		if stack, _ := logged[0].attrs["stack"].(string); !strings.Contains(stack, "curio_test.explode") {
			f.Errorf("the stack does not show the panic:\n%s", stack)
		}
		if logged[0].attrs["panic"] != errBoom {
			f.Errorf("panicked with %v", logged[0].attrs["panic"])
		}

		_, err := owner.Join(ctx)
		f.elapsed(start, time.Second+time.Minute)
		var p *curio.PanicError
		if !errors.As(err, &p) || p.Value != errBoom || !strings.HasSuffix(p.Task, "/owner/bomb") || !strings.Contains(string(p.Stack), "curio_test.explode") {
			f.Errorf("the joiner got %v", err)
		}
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || len(group.Failed) != 1 || group.Body != nil {
			f.Errorf("the group returned %v", err)
		}
		is(f, "panic", err, errBoom) // the value is an error
	})
}

// A panic in the body is in the log at once, while members still clean up, and goes
// on when they have.
func TestPanicInBody(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var member *curio.Task[int]
		start := time.Now()
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(slowSibling)
				_ = curio.Sleep(ctx, time.Second)
				_, err := explode(ctx)
				return err
			})
		}, curio.Name("owner"))
		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		logged := f.Journal.take(msgGroup)
		if len(logged) != 1 || !strings.HasSuffix(logged[0].attrs["task"].(string), "/owner") ||
			!strings.Contains(logged[0].attrs["stack"].(string), "curio_test.explode") {
			f.Fatalf("logged at once: %v", logged)
		}
		if member.Terminated() || !member.Cancelled() {
			f.Errorf("the member: %v, cancelled %v", member, member.Cancelled())
		}
		_, err := owner.Join(ctx)
		f.elapsed(start, time.Second+time.Minute)
		var p *curio.PanicError
		if !errors.As(err, &p) || p.Value != errBoom {
			f.Errorf("the joiner got %v", err)
		}
		if !member.Terminated() {
			f.Error("the member is left")
		}
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("the end of the owner was logged %d times", n)
		}
	})
}

// The stack of a panic in a body is the original one in the PanicError, too.
func TestPanicInBodyKeepsItsStack(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				_, err := explode(ctx)
				return err
			})
		})
		_, err := owner.Join(ctx)
		var p *curio.PanicError
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "curio_test.explode") {
			f.Errorf("the stack does not show where it was:\n%s", p.Stack)
		}
		f.Journal.take(msgPanic)
	})
}

// Goexit in a member ends it with ErrGoexit, which is a failure.
func TestGoexitInMember(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var sibling *curio.Task[int]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			sibling = g.Spawn(sleeping)
			g.Spawn(vanish)
			return nil
		})
		checkGroupError(f, err, curio.ErrGoexit)
		is(f, "group", err, curio.ErrGoexit)
		because(f, "sibling", sibling.Err(), curio.ErrGoexit, taskCancelled...)
	})
}

// Goexit in the body stops the members before it goes on.
func TestGoexitInBody(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var member *curio.Task[int]
		start := time.Now()
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				member = g.Spawn(slowSibling)
				synctest.Wait()
				_, err := vanish(ctx)
				return err
			})
		})
		_, err := owner.Join(ctx)
		f.elapsed(start, time.Minute)
		is(f, "owner", err, curio.ErrGoexit)
		if !member.Terminated() {
			f.Error("the member is left")
		}
	})
}

// A panic is not lost to a joiner who never comes, nor to KeepGoing; the process
// lives.
func TestPanicOfATaskThatNobodyJoins(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		curio.Spawn(ctx, explode)
		synctest.Wait()
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
		// Shutdown does not log it again: see the fixture.
	})
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(explode)
			synctest.Wait()
			return ctx.Err() // the body is not cut
		}, curio.KeepGoing)
		checkGroupError(f, err, errBoom)
		if n := len(f.Journal.take(msgPanic)); n != 1 {
			f.Errorf("logged %d times", n)
		}
	})
}

// A panic outside of tasks, in the body of a group of a plain goroutine, goes its
// way when the members have ended.
func TestPanicInBodyOutsideOfTasks(t *testing.T) {
	log := new(journal)
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(log))
	synctest.Test(t, func(t *testing.T) {
		for _, members := range []int{0, 1} {
			var member *curio.Task[int]
			start := time.Now()
			func() {
				defer func() {
					if v := recover(); v != errBoom {
						t.Errorf("recovered %v", v)
					}
				}()
				_ = curio.Group(t.Context(), func(_ context.Context, g *curio.TaskGroup[int]) error {
					for range members {
						member = g.Spawn(slowSibling)
					}
					synctest.Wait()
					panic(errBoom)
				})
			}()
			if d := time.Since(start); d != time.Duration(members)*time.Minute {
				t.Errorf("took %v", d)
			}
			if member != nil && !member.Terminated() {
				t.Error("the member is left")
			}
			// With nobody to wait for, the panic is on its way, and need not be reported.
			if n := len(log.take(msgGroup)); n != members || len(log.lines()) > 0 {
				t.Errorf("logged %d times, and %q", n, log.lines())
			}
		}
	})
}

// A task whose group is cleaning up after a panic is shown where its user's code is.
func TestWhereIsATaskWhoseBodyPanicked(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var want string
		owner := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(slowSibling)
				_ = curio.Sleep(ctx, time.Second)
				want = here(1)
				panic(errBoom)
			})
		})
		_ = curio.Sleep(ctx, time.Second)
		synctest.Wait()
		if file, line := owner.Where(); fmt.Sprintf("%s:%d", file, line) != want {
			f.Errorf("at %s:%d, want %s", file, line, want)
		}
		_ = owner.Wait(ctx)
		f.Journal.take(msgGroup)
		f.Journal.take(msgPanic)
	})
}
