package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

func ignoreTimeout(err error) error {
	if errors.Is(err, curio.ErrTaskTimeout) {
		return nil
	}
	return err
}

// A gate under every cancellation: its waits, its Select and its timeouts leave no unit taken and
// nobody on the list. curiotest knows what is held by what NoteHeld says.
func TestEverywhereWaitList(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		g := fixture.NewGate(2)
		var never curio.Event
		err := fixture.Team(ctx, func(ctx context.Context) error {
			return g.Do(ctx, 2, pause)
		}, func(ctx context.Context) error {
			return g.Do(ctx, 1, pause)
		}, func(ctx context.Context) error {
			if _, err := curio.Select(ctx, never.WaitCase(), g.EnterCase(2)); err != nil {
				return err
			}
			defer g.Leave(ctx, 2)
			return pause(ctx)
		}, func(ctx context.Context) error {
			return ignoreTimeout(curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { return g.Do(ctx, 2, pause) }))
		})
		if s := g.Snapshot(); len(s.Holders)+len(s.Waiters) > 0 || g.Free() != 2 {
			return errors.New("left is " + g.String())
		}
		return err
	})
}
