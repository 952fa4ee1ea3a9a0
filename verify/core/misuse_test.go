package core_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// K5 and its kind: wrong use panics with a sentence that says what was wrong, in
// the caller and not in another goroutine, and leaves the kernel usable.
func TestMisusePanics(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var nilContext context.Context
		var noSpawn func(context.Context) (int, error)
		var noGo func(context.Context) error
		var noBody func(context.Context, *curio.TaskGroup[int]) error
		block := func(context.Context) error { return nil }
		cases := []struct {
			want string
			call func()
		}{
			{"nil function", func() { curio.Spawn(ctx, noSpawn) }},
			{"nil function", func() { curio.Go(ctx, noGo) }},
			{"nil function", func() { _ = curio.Group(ctx, noBody) }},
			{"nil function", func() { _ = curio.Run(ctx, nil) }},
			{"nil function", func() { _ = curio.NewKernel().Run(ctx, nil) }},
			{"use NoLimit", func() { curio.Limit(0) }},
			{"use NoLimit", func() { curio.Limit(-1) }},
			{"nil context", func() { curio.Spawn(nilContext, fixture.Fails) }},
			{"nil context", func() { curio.Spawn(nilContext, fixture.Fails, curio.Daemon()) }},
			{"nil context", func() { curio.Go(nilContext, fixture.Sleeper) }},
			{"nil context", func() { _ = curio.Run(nilContext, block) }},
			{"nil context", func() {
				_ = curio.Group(nilContext, func(context.Context, *curio.TaskGroup[int]) error { return nil })
			}},
			{"nil context", func() { _ = curio.TimeoutAfter(nilContext, 1, block) }},
			{"nil context", func() { curio.WithTimeout(nilContext, 1) }},
			{"nil context", func() { _ = curio.DisableCancellation(nilContext, block) }},
			{"nil context", func() { _ = curio.EnableCancellation(nilContext, block) }},
			{"nil context", func() { _ = curio.CheckCancellation(nilContext) }},
			{"nil context", func() { _ = curio.Sleep(nilContext, 1) }},
			{"nil context", func() { curio.CurrentTask(nilContext) }},
			{"nil context", func() { _, _ = curio.Spawn(ctx, fixture.Returns(1)).Join(nilContext) }},
			{"nil context", func() { _, _ = curio.Spawn(ctx, fixture.Returns(1)).Cancel(nilContext) }},
			{"nil context", func() { _ = f.Kernel.Shutdown(nilContext) }},
		}
		for i, c := range cases {
			func() {
				defer func() {
					if f.Failed() {
						f.Logf("that was case %d", i)
					}
				}()
				fixture.Panics(f, c.want, c.call)
			}()
		}
		f.OnlyMain()
	})
}

// A nil function is refused before the group has counted a member that never ends.
func TestGroupSpawnOfNil(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			fixture.Panics(f, "nil function", func() { g.Spawn(nil) })
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}

// Whoever would wait for himself panics instead.
func TestWaitingForOneself(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		handle := make(chan *curio.Task[int], 1)
		self := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			self := <-handle
			fixture.Panics(f, "on itself", func() { _, _ = self.Join(ctx) })
			fixture.Panics(f, "on itself", func() { _ = self.Wait(ctx) })
			return 1, nil
		}, curio.Name("narcissus"))
		handle <- self
		if v, err := self.Join(ctx); v != 1 || err != nil {
			f.Errorf("got %d, %v", v, err)
		}
	})
}

func TestMemberJoinsItsGroup(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(ctx context.Context) (int, error) {
				fixture.Panics(f, "joins its own group", func() { _ = g.Join(ctx) })
				return 1, nil
			})
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}

func TestGroupAfterItsEnd(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var group *curio.TaskGroup[int]
		task := curio.Spawn(ctx, fixture.Returns(1))
		check := func() {
			fixture.Panics(f, "after its end", func() { group.Spawn(fixture.Fails) })
			fixture.Panics(f, "after its end", func() { _ = group.AddTask(task) })
		}
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			group = g
			if err := g.Join(ctx); err != nil {
				f.Error(err)
			}
			check()
			return nil
		})
		if err != nil {
			f.Error(err)
		}
		check()
		if v, err := task.Join(ctx); v != 1 || err != nil {
			f.Errorf("the task that was not adopted: %d, %v", v, err)
		}
	})
}
