package debug

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// A log handler that is slow, but makes progress, keeps nothing from ending. Only stop waits for all.
func TestSettleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		calls := 0
		trace := start(Config{Tasks: []string{"slow"}, Activation: Activation{Created: func(TaskEvent) {
			time.Sleep(patience * 9 / 10)
			calls++
		}}})
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			for range n {
				if err := curio.Go(ctx, func(context.Context) error { return nil }, curio.Name("slow")).Wait(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		began := time.Now()
		trace.settle(false)
		if took := time.Since(began); took > 2*rounds*patience || calls == 0 {
			t.Errorf("it took %v, in which there were %d calls", took, calls)
		}
		trace.stop()
		if calls != n {
			t.Errorf("after stop %d of %d calls have been made", calls, n)
		}
	})
}
