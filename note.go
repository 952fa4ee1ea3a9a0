package curio

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// NoteHeld tells package curiotest that ctx's task has taken n units of object. object may be any
// pointer, such as a lock of your own or a connection of a pool. A test that uses curiotest fails if
// they are still held at its end. Call NoteHeld when the object has been taken, with no mutex held.
// Outside of such a test it does next to nothing. It panics if n is negative.
func NoteHeld(ctx context.Context, object any, n int64) {
	mustNotBeNegative("NoteHeld", n)
	wait.Held(ctx, object, n)
}

// NoteReleased tells package curiotest that ctx's task has given back n units of object. It need not
// be the task that took them. See [NoteHeld]. It panics if n is negative.
func NoteReleased(ctx context.Context, object any, n int64) {
	mustNotBeNegative("NoteReleased", n)
	wait.Returned(wait.CurrentTask(ctx), object, n)
}
