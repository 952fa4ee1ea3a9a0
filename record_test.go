package curio_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/testutil"
)

// The end of a task is the last that is recorded of it, even if it polls and ends in the moment in which it is cancelled.
func TestEndIsRecordedLast(t *testing.T) {
	defer events.Ask(events.Tasks | events.Order)()
	cursor := events.NewCursor()
	last := make(map[uint64]events.Kind)
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for range testutil.Times(50_000) {
			polls := make(chan struct{})
			task := curio.Go(ctx, func(ctx context.Context) error {
				close(polls)
				for ctx.Err() == nil {
					runtime.Gosched()
				}
				return ctx.Err()
			})
			<-polls
			task.CancelNow()
			if _, err := task.Cancel(ctx); err != nil {
				return err
			}
			happened, _ := cursor.Next()
			for _, e := range happened {
				if last[e.Task] == events.Ended {
					t.Errorf("kind %d is recorded after the end of task %d", e.Kind, e.Task)
				}
				last[e.Task] = e.Kind
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	ended := 0
	for _, kind := range last {
		if kind == events.Ended {
			ended++
		}
	}
	if ended == 0 {
		t.Error("no end was recorded")
	}
}
