package curio_test

import (
	"context"
	"errors"
	"testing"

	"github.com/curio-go/curio"
)

// Go in a group is Spawn for functions without a result.
func TestGroupGo(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(func(context.Context) (int, error) { return 7, nil })
			task := g.Go(nothing, curio.Name("second"))
			if v, err := task.Join(ctx); v != 0 || err != nil || task.Name() != "second" {
				f.Errorf("%d, %v, %s", v, err, task.Name())
			}
			g.Go(func(context.Context) error { return errBoom })
			return nil
		}, curio.WaitAll)
		if !errors.Is(err, errBoom) {
			f.Errorf("the group returned %v", err)
		}
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			panics(t, "nil function", func() { g.Go(nil) })
			return nil
		}, curio.WaitAll)
	})
}
