package poll_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// Neither what completes at once nor what sleeps allocates.
func TestNothingAllocated(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	a, b := pair(t)
	task := newTask(t)
	ctx := context.Context(&task.Scope)
	echo, join := in(t, func(ctx context.Context) error {
		buf := make([]byte, 64)
		for {
			b.Sleepy()
			n, err := b.Read(ctx, buf)
			if err != nil {
				return err
			}
			if _, err := b.WriteAll(ctx, buf[:n]); err != nil {
				return err
			}
		}
	})
	buf := make([]byte, 64)
	before := task.Cycles()
	rounds := 0
	sleeping := testing.AllocsPerRun(1000, func() {
		rounds++
		a.Sleepy()
		if _, err := a.WriteAll(ctx, buf); err != nil {
			t.Error(err)
		}
		if _, err := a.Read(ctx, buf); err != nil {
			t.Error(err)
		}
	})
	if slept := task.Cycles() - before; slept < uint64(rounds)/2 {
		t.Errorf("slept %d times in %d rounds", slept, rounds)
	}
	cancel(echo)
	if err := join(); err == nil {
		t.Error("the echo was not cancelled")
	}
	atOnce := testing.AllocsPerRun(1000, func() {
		if _, err := b.Write(ctx, buf); err != nil {
			t.Error(err)
		}
		if err := a.WaitRead(ctx); err != nil {
			t.Error(err)
		}
		if _, err := a.Read(ctx, buf); err != nil {
			t.Error(err)
		}
	})
	if sleeping != 0 || atOnce != 0 {
		t.Errorf("%v allocations when it sleeps, %v at once", sleeping, atOnce)
	}
}
