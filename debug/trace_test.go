package debug

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// A log handler that is slow, but makes progress, keeps nothing from ending. Only stop waits for all.
func TestSettleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		var calls atomic.Int32
		trace := start(Config{Tasks: []string{"slow"}, Activation: Activation{Created: func(TaskEvent) {
			time.Sleep(patience * 9 / 10)
			calls.Add(1)
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
		if took := time.Since(began); took > 2*rounds*patience || calls.Load() == 0 {
			t.Errorf("it took %v, in which there were %d calls", took, calls.Load())
		}
		trace.stop()
		if calls.Load() != n {
			t.Errorf("after stop %d of %d calls have been made", calls.Load(), n)
		}
	})
}

// While a handler hangs, what is to be logged takes a bounded memory, and what there was no room for is counted.
func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log locked
		trace := start(Config{LogCrash: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		free := make(chan struct{})
		trace.call(func() { <-free })
		synctest.Wait() // until it hangs
		calls := 0
		for range mostExtra + 11 {
			trace.call(func() { calls++ })
		}
		synctest.Wait()
		trace.mu.Lock()
		if n := len(trace.extra); n != mostExtra {
			t.Errorf("%d calls are kept, want %d", n, mostExtra)
		}
		trace.mu.Unlock()
		close(free)
		trace.stop()
		if lines := log.lines("are missing"); calls != mostExtra || len(lines) != 1 || !strings.Contains(lines[0], "tasks=11") {
			t.Errorf("%d calls, the log says %q", calls, lines)
		}
	})
}
