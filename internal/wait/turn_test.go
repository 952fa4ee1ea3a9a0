package wait_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio/internal/wait"
)

// Close sends away the callers that queue, and those that would have to. The holder keeps
// the turn, and after that a caller that finds the turn free can take it.
func TestTurnCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn wait.Turn
		take := func(ctx context.Context) error {
			p, err := wait.At(ctx)
			if err != nil {
				return err
			}
			return turn.Take(p, "TURN", nil)
		}
		if err := take(context.Background()); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 3)
		cancelled := newTask(t)
		for _, ctx := range []context.Context{newTask(t), cancelled, context.Background()} {
			go func() { errs <- take(ctx) }()
			synctest.Wait()
		}
		cancel(&cancelled.Scope)
		synctest.Wait()
		if err := <-errs; !errors.Is(err, wait.ErrTaskCancelled) {
			t.Error(err)
		}
		turn.Close()
		for range 2 {
			if err := <-errs; err != wait.ErrTurnClosed {
				t.Error(err)
			}
		}
		if err := take(newTask(t)); err != wait.ErrTurnClosed {
			t.Errorf("behind a holder: %v", err)
		}
		if n := turn.Queued(); n != 0 {
			t.Errorf("%d queue", n)
		}
		turn.Pass()
		if err := take(newTask(t)); err != nil {
			t.Errorf("when it is free: %v", err)
		}
		turn.Pass()
	})
}

// A waiter that was sent away is used again for other waits, which put other things into
// its slot.
func TestTurnClosesAndTheWaiterGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed, open wait.Turn
		o := newTask(t)
		p, err := wait.At(o)
		if err != nil {
			t.Fatal(err)
		}
		closed.Try()
		open.Try()
		errs := make(chan error, 1)
		for range 2 {
			go func() { errs <- closed.Take(p, "TURN", nil) }()
			synctest.Wait()
			closed.Close()
			if err := <-errs; err != wait.ErrTurnClosed {
				t.Error(err)
			}
			go func() { errs <- open.Take(p, "TURN", nil) }()
			synctest.Wait()
			open.Pass()
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}
