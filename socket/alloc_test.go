package socket_test

import (
	"context"
	"testing"
)

// What succeeds allocates nothing, in a task and outside of one.
func TestNothingAllocated(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	a, b := tcpPair(t)
	buf := make([]byte, 64)
	for name, ctx := range map[string]context.Context{"task": &newTask(t).Scope, "none": context.Background()} {
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := a.SendAll(ctx, buf); err != nil {
				t.Error(err)
			}
			if err := b.WaitRead(ctx); err != nil {
				t.Error(err)
			}
			if _, err := b.Recv(ctx, buf); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
