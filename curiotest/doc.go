// Package curiotest helps to test programs that use Curio.
//
// # Cancellation at every point
//
// A function that is correct as long as nobody cancels it is half tested: most of what
// leaks, hangs or is left locked is left by a call that ended in the middle of it.
// CancelEverywhere runs a function again and again, and cancels it at its first wait,
// at its second, and so on, by cancelling its task and by letting a timeout expire. It
// finds the semaphore that is given back on the happy path only, the task that nobody
// stops, the descriptor that stays open, the error that is dropped.
//
//	func TestTransfer(t *testing.T) {
//		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
//			return transfer(ctx, from, to)
//		})
//	}
//
// It works in a bubble of testing/synctest, where sleeps and timeouts cost no time, and
// outside, where there are sockets.
//
// # Leaks
//
// NoLeaks gives a test a kernel of its own, and looks at the end of the test for what
// is left: tasks, locks, goroutines, descriptors, child processes.
//
// # Deadlocks
//
// NoDeadlock fails a test whose tasks wait for each other in a circle, says which and in which lines, and
// cancels them, so that the test does not hang.
//
// # How leaks are told apart
//
// Tests may run in parallel. Tasks and locks are known by their kernel, and goroutines
// by a label of runtime/pprof, which whatever they start inherits, so those of other
// tests are never taken for one's own. Descriptors and child processes belong to the
// whole process: they are compared only if no other test was using this package at the
// same time. A test that does not use it, runs in parallel and opens files can still
// disturb the comparison. Where there is no /proc, descriptors and child processes are
// not looked for; nor are child processes where the kernel of the system has been built
// without their list.
//
// # Order
//
// A Sequencer makes tasks do things in a given order. Serve and Dial are a server on
// loopback, and a client, that last as long as the test.
package curiotest
