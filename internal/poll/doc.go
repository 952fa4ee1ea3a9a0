// Package poll makes system calls on descriptors wait in a way that a scope can
// end.
//
// # An operation
//
// Each FD has two directions, reading and writing, and each direction does one
// operation at a time:
//
//  0. ask the context whether it is still alive (wait.At): a cancelled context
//     ends an operation although it could complete. A context that is not ours is
//     followed now (wait.Place.FollowNow), as its methods may do anything;
//  1. take the direction's turn, in order of arrival (wait.Turn);
//  2. make the system call. If it completes, no scope has been touched and nothing
//     allocated;
//  3. on EAGAIN take a waiter, register it with the scope, once, and sleep; on waking
//     make the call again;
//  4. leave: settle who ended the wait, pass the turn on, and only then work out the
//     error.
//
// Steps 2 and 3 are a poller's. There are two, and an FD stays with one for life (FD.watch):
//
//   - One of our own, on Linux (epoll_linux.go, readiness_linux.go, ours_linux.go). It
//     remembers what is ready, so that a read that has taken all there is need not be
//     followed by one that finds nothing. A wait is like any other one: the task parks on
//     its waiter, and a cancellation claims that and wakes it. An operation that has a turn
//     keeps the descriptor open.
//   - The runtime's (poller_runtime.go): on other systems, for the first few descriptors if
//     there are several processors, in testing/synctest bubbles, where epoll is not good
//     enough, and with the build tag runtimepoller, for tests.
//
// # In the runtime's poller
//
// The runtime has a lock of its own for each direction, in which a goroutine cannot be
// cancelled. The operation that holds the turn finds that one free, so nobody ever waits
// there.
//
// What wakes a goroutine in the runtime's poller is a deadline in the past. It is the
// descriptor's, not the operation's: see deadline.go in internal/wait for how it meets no
// other operation. As the runtime looks at the deadline before it puts anybody to sleep,
// none comes too late. If the call completed although the scope claimed the waiter, the
// operation has succeeded: what was read is not lost.
//
// # Closing
//
//	open ──► closed   once, by Close
//
// Close wakes the operations that sleep. Those that queue for a turn get it one after the
// other, as nobody can sleep any more, and find the descriptor closed. The number goes back
// to the system when the last operation has left; Close returns after that.
//
// # Lending
//
// A task that takes both turns has the descriptor for itself (exclusive.go), and may switch
// it to blocking mode. It makes its calls on a duplicate, so Close does not wait for it.
//
// # Order of locks
//
//	the turn to read < the turn to write   only Lend and Close have both
//	a direction's turn < the runtime's lock of that direction < Turn.mu
//	a direction's turn < readiness.mu, Scope.mu
//	epoll.mu, ownClosing.mu, watchers.mu, sleeper.mu: nothing is taken under them
//
// A turn is passed on, and Interrupt is called, with no mutex held.
package poll
