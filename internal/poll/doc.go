// Package poll makes system calls on descriptors wait in a way that a scope can
// end: on the runtime's own poller, with our own cancellation.
//
// # An operation
//
// Each FD has two directions, reading and writing, and each direction does one
// operation at a time:
//
//  0. ask the context whether it is still alive (wait.At): a cancelled context
//     ends an operation although it could complete. A context that is not ours is
//     followed now (wait.Place.FollowNow), as its methods may do anything;
//  1. take the direction's turn, in order of arrival (wait.Turn). The runtime has a
//     lock of its own for this, in which a goroutine cannot be cancelled: who
//     holds the turn finds that one free, so nobody ever waits there;
//  2. inside RawConn.Read or Write, make the system call. If it completes, no
//     scope has been touched and nothing allocated;
//  3. on EAGAIN take a waiter and register it with the scope, once, and sleep in
//     the runtime's poller; on waking make the call again;
//  4. leave: settle with the scope who ended the wait, put the deadline back, pass
//     the turn on, and only then work out the error.
//
// # Cancelling a sleeper
//
// What wakes a goroutine in the runtime's poller is a deadline in the past, and
// a deadline is the descriptor's, not the operation's. So the waiter decides whose
// it is:
//
//	scope                          operation
//	claims the waiter              wakes, for whatever reason
//	sets the deadline to the past  tries to claim the waiter (Waiter.End)
//	wakes the waiter                 won:  no deadline was set, none will be
//	                                 lost: sleeps until the waiter is woken,
//	                                       then clears the deadline
//	                               passes the turn on
//
// A deadline is only ever set between a claim and its wake, and the operation that
// it is meant for holds the turn all that time. So no other operation meets it, and
// as the runtime looks at the deadline before it puts anybody to sleep, none comes
// too late. If the call completed although the scope claimed the waiter, the
// operation has succeeded: what was read is not lost.
//
// # Closing
//
//	open ──► closed   once, by Close
//
// Close evicts who sleeps in the runtime's poller. Those who queue for a turn get
// it one after the other, as nobody can sleep any more, and find the descriptor
// closed. The runtime counts who is inside and returns the number to the system
// when the last has left; Close returns after that.
//
// # Lending
//
// Who takes both turns has the descriptor for himself (exclusive.go), and may switch it
// to blocking mode. He makes his calls on a duplicate, so Close does not wait for him.
//
// # Order of locks
//
//	the turn to read < the turn to write   only Lend has both
//	a direction's turn < the runtime's lock of that direction < Turn.mu
//	a direction's turn < Scope.mu
//
// A turn is passed on, and Interrupt is called, with no mutex held.
package poll
