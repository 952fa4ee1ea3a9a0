// Package curio runs tasks: goroutines that have a name, a parent, a result, and
// one switch that stops them wherever they are.
//
// Every call in this module that can block takes a context.Context. Underneath, they are all the
// same thing: a wait that ends when the thing waited for happens, when a deadline passes, or when
// the task is cancelled. Join, Sleep, locks and sockets all block in this way, and in no other.
//
//	err := curio.Run(ctx, func(ctx context.Context) error {
//		t := curio.Spawn(ctx, fetch)         // a goroutine with a handle
//		return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
//			page, err := t.Join(ctx)         // waits for a second at most
//			…
//		})
//	})
//
// # Contexts
//
// A context that this package gives to a task or a block is an ordinary context.Context, which can
// be passed to net/http, database/sql and everything else in Go. Contexts derived from it by the
// standard library work here too. So does context.Background(), in any goroutine: tasks are not a
// world apart.
//
// # Cancellation
//
// Cancellation is level-triggered: once a task, group or timeout is cancelled, every blocking call
// under it fails at once, even if it could have completed. DisableCancellation is for clean-up that
// has to block nevertheless.
//
// The errors tell what was cancelled, and by what: see ErrTaskCancelled, ErrTaskTimeout,
// ErrTimeoutCancellation and WhoCancelled.
//
// # Coming from Python's Curio
//
// Names are the same where the thing is the same. Tasks run in parallel on all processors, so data
// that they share needs a lock. A task that was cancelled or timed out stays cancelled: the error is
// not thrown once, but returned by each blocking call. A child is cancelled with the context that it
// was spawned with, unless it is a daemon. A member of a group that fails cancels the group at once.
package curio
