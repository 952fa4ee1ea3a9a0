package curio_test

import (
	"context"
	"math"
	"testing"

	"github.com/curio-go/curio"
)

// The numbers of the members that have ended wrap around.
func TestNextDoneAfterVeryManyMembers(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			curio.SetEnded(g, math.MaxInt32-2)
			for i := range 5 {
				task := g.Spawn(func(context.Context) (int, error) { return i, nil })
				if err := task.Wait(ctx); err != nil {
					return err
				}
			}
			for i := range 5 {
				if got, err := g.NextResult(ctx); got != i || err != nil {
					f.Errorf("%d, %v, want %d", got, err, i)
				}
			}
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
}
