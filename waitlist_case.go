package curio

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// Case returns the case of a [Select] that waits as Wait does. If Select chooses it, Select calls
// taken with what was given, once it no longer waits for anything, and returns taken's error. taken
// may store the value, call [NoteHeld], or fail because the object has been closed. A nil taken does
// nothing. If Select returns another case, or -1, this case has been given nothing.
//
// The Case must not be used for two Selects at once. If there is a Go channel among the cases, Hand,
// HandAll and Grant skip the waiter as if it had given up, and the waiter calls Serve itself to
// look; if Serve is nil, the case never takes effect.
func (l *WaitList[T]) Case(ask T, taken func(ctx context.Context, got T) error) Case {
	l.mustBeSet()
	return Case{&waitCase[T]{l: l, ask: ask, taken: taken}}
}

type waitCase[T any] struct {
	l     *WaitList[T]
	ask   T
	taken func(context.Context, T) error
	got   T // from try or take until finish
}

func (c *waitCase[T]) try(me *wait.Owner, _ int64) (done bool, err error) {
	c.got, done = c.l.try(me, c.ask)
	return done, nil
}

func (c *waitCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For(c.l.State, c.l.Object)
	return !c.l.enter(w, waitCellOf[T](w), c.ask, true)
}

func (c *waitCase[T]) leave(w *wait.Waiter) {
	cell := waitCellOf[T](w)
	defer cell.clear(w)
	c.l.leave(w, cell)
}

func (c *waitCase[T]) take(w *wait.Waiter) (done bool, err error) {
	cell := waitCellOf[T](w)
	c.got = cell.value
	cell.clear(w)
	return true, nil
}

func (c *waitCase[T]) finish(ctx context.Context) (own bool, err error) {
	var none T
	got := c.got
	c.got = none
	if c.taken == nil {
		return true, nil
	}
	return true, c.taken(ctx, got)
}
