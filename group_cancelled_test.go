package curio_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio"
)

// A group that has been woken by the end of one member is cancelled before it has looked,
// and the cancellation ends the other member. The group has not done what it was for, so
// it must not return nil. (Found by TestEverywhereCondition under the race detector.)
func TestGroupWokenAndCancelled(t *testing.T) {
	for name, opts := range map[string][]curio.GroupOption{
		"WaitAll": nil, "KeepGoing": {curio.KeepGoing}, "WaitObject": {curio.WaitObject}, "Limit": {curio.Limit(2)},
	} {
		t.Run(name, func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) {
				var e curio.Event
				var other *curio.Task[any]
				host, letGo := heldUp(ctx, f, "TASKGROUP_JOIN", func(ctx context.Context) error {
					return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[any]) error {
						g.Go(e.Wait)
						other = g.Go(sleeper)
						return nil
					}, opts...)
				})
				e.Set()
				synctest.Wait() // the first member has ended, and woken the group
				host.CancelNow()
				synctest.Wait() // the other has ended too
				letGo()
				is(f, "the other member", other.Err(), taskCancelled...)
				is(f, "the group", host.Err(), taskCancelled...)
			})
		})
	}
}
