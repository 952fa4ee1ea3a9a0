// Package curiotest helps to test programs that use Curio.
//
// # Cancellation at every point
//
// A function that is correct as long as nothing cancels it is only half tested: most leaks, hangs
// and locks left locked come from a call that ended in the middle of the function. CancelEverywhere
// runs a function again and again, and cancels it at its first wait, at its second, and so on, by
// cancelling its task and by letting a timeout expire. It finds the semaphore that is released on
// the happy path only, the task that is never stopped, the descriptor that stays open, and the error
// that is dropped.
//
//	func TestTransfer(t *testing.T) {
//		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
//			return transfer(ctx, from, to)
//		})
//	}
//
// It works in a bubble of testing/synctest, where sleeps and timeouts cost no time, and outside of
// one, where there are sockets.
//
// # Leaks
//
// NoLeaks gives a test a kernel of its own, and checks at the end of the test what is left: tasks,
// locks, goroutines, descriptors, child processes.
//
// # Deadlocks
//
// NoDeadlock fails a test whose tasks wait for each other in a circle. It reports which tasks these
// are and where they wait, and cancels them, so that the test does not hang.
//
// # How leaks are told apart
//
// Tests may run in parallel. Tasks and locks are known by their kernel. Goroutines are known by a
// label of runtime/pprof, which every goroutine inherits from the one that starts it, so the
// goroutines of other tests are never mistaken for the test's own. Descriptors and child processes
// belong to the whole process: they are compared only if no other test was using this package at the
// same time. A test that runs in parallel, opens files and does not use this package can still
// disturb the comparison. Where there is no /proc, descriptors and child processes are not checked.
// Child processes are not checked either where the system's kernel has been built without its list
// of them.
//
// # Order
//
// A Sequencer makes tasks do things in a given order. Serve starts a server on loopback, and Dial
// connects a client, both for as long as the test lasts.
package curiotest
