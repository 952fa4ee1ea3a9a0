// Package curio runs tasks: goroutines that have a name, a parent, a result, and
// one switch that stops them wherever they are.
//
// Every call in this module that can block takes a context.Context and is one and
// the same thing underneath: a wait that ends when the thing waited for happens,
// when a deadline passes, or when the task is cancelled. Join, Sleep, locks,
// sockets: all of them, in the same way, and nothing blocks in any other.
//
//	err := curio.Run(ctx, func(ctx context.Context) error {
//		t := curio.Spawn(ctx, fetch)         // a goroutine with a handle
//		return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
//			page, err := t.Join(ctx)         // ends after a second at the latest
//			…
//		})
//	})
//
// # Contexts
//
// A context given to a task or a block by this package is an ordinary
// context.Context: net/http, database/sql and everything else in Go can be handed
// it. Contexts derived from it by the standard library work here too, and so does
// context.Background(), from any goroutine: tasks are not a world apart.
//
// # Cancellation
//
// Cancellation is level-triggered: once a task, group or timeout is cancelled,
// every blocking call under it fails at once, also if it could have completed.
// DisableCancellation is for clean-up that has to block all the same.
//
// The errors say who: see ErrTaskCancelled, ErrTaskTimeout, ErrTimeoutCancellation
// and WhoCancelled.
//
// # Coming from Python's Curio
//
// Names are the same where the thing is the same. Tasks run in parallel on all
// processors, so data that they share needs a lock. A cancelled or timed out task
// stays so: the error is not thrown once but returned by each blocking call. A
// child is cancelled with the context that it was spawned with, unless it is a
// daemon. A member of a group that fails cancels the group at once.
package curio
