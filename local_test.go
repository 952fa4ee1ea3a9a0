package curio_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// request and user are locals as programs have them: two of one type.
var request, user curio.Local[string]

// has checks what l is for the task of ctx; want "" is for nothing.
func has(ctx context.Context, f *fixture.Fixture, l *curio.Local[string], want string) {
	f.Helper()
	if v, ok := l.Get(ctx); v != want || ok != (want != "") {
		f.Errorf("%v has %q, %v, want %q", curio.CurrentTask(ctx), v, ok, want)
	}
}

// A task starts with a copy of what the one has that spawns it; what either sets later,
// the other does not see.
func TestLocal(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		has(ctx, f, &request, "")
		before := curio.Go(ctx, func(ctx context.Context) error {
			err := curio.Sleep(ctx, time.Second)
			has(ctx, f, &request, "")
			return err
		})
		request.Set(ctx, "one")
		has(ctx, f, &request, "one")
		has(ctx, f, &user, "")
		child := curio.Go(ctx, func(ctx context.Context) error {
			_ = curio.Sleep(ctx, time.Second)
			has(ctx, f, &request, "one")
			request.Set(ctx, "child's")
			user.Set(ctx, "somebody")
			grandchild := curio.Go(ctx, func(ctx context.Context) error {
				has(ctx, f, &request, "child's")
				has(ctx, f, &user, "somebody")
				user.Set(ctx, "grandchild's")
				return nil
			})
			_, err := grandchild.Join(ctx)
			has(ctx, f, &user, "somebody")
			return err
		})
		request.Set(ctx, "two")
		for _, task := range []*curio.Task[struct{}]{before, child} {
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		has(ctx, f, &request, "two")
		has(ctx, f, &user, "")
	})
}

// Every way to make a task inherits: daemons, groups, other kernels; so do contexts that
// were derived, for they are the same task.
func TestLocalInheritance(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		request.Set(ctx, "mine")
		check := func(ctx context.Context) error {
			has(ctx, f, &request, "mine")
			request.Set(ctx, "changed")
			return nil
		}
		foreign, cancel := context.WithCancel(ctx)
		defer cancel()
		for _, task := range []*curio.Task[struct{}]{
			curio.Go(ctx, check),
			curio.Go(ctx, check, curio.Daemon()),
			curio.Go(foreign, check),
		} {
			_, _ = task.Join(ctx)
		}
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			has(ctx, f, &request, "mine") // no task of its own
			g.Spawn(func(ctx context.Context) (struct{}, error) { return struct{}{}, check(ctx) })
			g.Spawn(func(ctx context.Context) (struct{}, error) { return struct{}{}, check(ctx) }, curio.Daemon())
			return nil
		})
		err = errors.Join(err, curio.Run(ctx, check))
		err = errors.Join(err, curio.TimeoutAfter(foreign, time.Second, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				has(ctx, f, &request, "mine")
				return nil
			})
		}))
		if err != nil {
			f.Error(err)
		}
		orphan := curio.Go(context.Background(), func(ctx context.Context) error {
			has(ctx, f, &request, "")
			return nil
		})
		_, _ = orphan.Join(ctx)
		has(ctx, f, &request, "mine")
		synctest.Wait() // for the end of the other kernel's main task
	})
}

// A value that is zero, or a nil interface, is set all the same.
func TestLocalZeroValues(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var number curio.Local[int]
		var fault curio.Local[error]
		var pointer curio.Local[*int]
		number.Set(ctx, 0)
		fault.Set(ctx, nil)
		pointer.Set(ctx, nil)
		task := curio.Go(ctx, func(ctx context.Context) error {
			if v, ok := number.Get(ctx); v != 0 || !ok {
				f.Errorf("number: %v, %v", v, ok)
			}
			if v, ok := fault.Get(ctx); v != nil || !ok {
				f.Errorf("error: %v, %v", v, ok)
			}
			if v, ok := pointer.Get(ctx); v != nil || !ok {
				f.Errorf("pointer: %v, %v", v, ok)
			}
			return nil
		})
		_, _ = task.Join(ctx)
	})
}

// Locals next to each other in memory, of a type without size, are different ones.
func TestLocalsOfNoSize(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var locals [2]curio.Local[struct{}]
		locals[0].Set(ctx, struct{}{})
		if _, ok := locals[1].Get(ctx); ok {
			f.Error("the other one is set")
		}
	})
}

// Whoever is no task has no locals; what has ended keeps its own.
func TestLocalWithoutTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		has(context.Background(), f, &request, "")
		has(f.Context(), f, &request, "")
		var kept context.Context
		task := curio.Go(ctx, func(ctx context.Context) error {
			kept = ctx
			request.Set(ctx, "kept")
			return nil
		})
		_, _ = task.Join(ctx)
		has(kept, f, &request, "kept")
		has(ctx, f, &request, "")
	})
}

// Goroutines that share a task's context share its locals, safely.
func TestLocalSharedContext(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var counts [8]curio.Local[int]
		for i := range counts {
			go func() {
				for n := range 100 {
					counts[i].Set(ctx, n)
					curio.Go(ctx, func(ctx context.Context) error {
						if v, ok := counts[i].Get(ctx); !ok || v < n {
							f.Errorf("inherited %d, %v, want %d", v, ok, n)
						}
						return nil
					})
				}
			}()
		}
		synctest.Wait()
		for i := range counts {
			if v, _ := counts[i].Get(ctx); v != 99 {
				f.Errorf("variable %d is %d: an update was lost", i, v)
			}
		}
		f.OnlyMain()
	})
}
