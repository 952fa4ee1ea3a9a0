package curio

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// NoteHeld tells package curiotest that ctx's task has taken n of object, which may be any pointer:
// a lock of your own, a connection of a pool. A test that uses curiotest fails if that is still
// held at its end. Call it when the object has been taken, with no mutex held. Without such a test
// it does next to nothing. It panics if n is negative.
func NoteHeld(ctx context.Context, object any, n int64) {
	mustNotBeNegative("NoteHeld", n)
	wait.Held(ctx, object, n)
}

// NoteReleased tells package curiotest that n of object have been given back, which any task may
// do; ctx says which. See [NoteHeld]. It panics if n is negative.
func NoteReleased(ctx context.Context, object any, n int64) {
	mustNotBeNegative("NoteReleased", n)
	wait.Returned(wait.CurrentTask(ctx), object, n)
}
