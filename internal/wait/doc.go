// Package wait holds the one way in which anything in this module blocks.
//
// Three types, one file each:
//
//	Scope   a node of the cancellation tree; it implements context.Context
//	Waiter  one goroutine that is blocked, and what it waits for
//	List    the waiters of an object, first come first served
//
// # A wait
//
// A blocking operation asks its context whether it is still alive (At), takes
// its object's mutex and completes if it can. Otherwise it takes a Waiter from
// its Place, pushes it on the object's List, releases the mutex and calls Wait.
// Block does all of that.
//
// A foreign context, one that is not ours, is called only when the operation holds nothing
// and is on no list: see follow.go. Before it waits under one, an operation releases its
// mutex and calls Follow, and then looks again. It asks for its error at the very end, with
// Place.Failure.
//
// Two parties may end a wait, and one compare-and-swap on the waiter decides
// between them:
//
//	idle ──► waiting       by who takes the waiter: Place.Waiter
//	waiting ──► granted    by the object: List.Pop, under the object's mutex,
//	                       or by the waiting goroutine itself (End)
//	waiting ──► cancelled  by the scope: Scope.Cancel, under the scope's mutex
//	granted, cancelled ──► idle  by Free
//	idle ◄──► deputy       a node of a choice, as long as that lasts
//
// The winner of the swap wakes the waiter, after its mutex is released. The loser never touches
// the waiter again. A woken waiter that was cancelled takes itself off its object's list, under
// the object's mutex; when both lists have let go of it, Free gives it back. So what was granted
// is never lost, and what was cancelled was granted nothing.
//
// # A choice
//
// A Choice is a wait for one of several objects. For each it has a node, a Waiter in the
// state deputy, whose claims and wake-ups go to the goroutine's one waiter: see choice.go.
//
// # Scopes
//
//	live ──► cancelled   once, by Cancel, from itself or pushed from its parent;
//	                     cause is set, everybody waiting under it is woken
//	open ──► closed      once, by Close; it has left the tree, and its
//	                     children are its parent's
//	     ──► sealed      a task's, once, by Seal, before it is closed: its cause,
//	                     or that it has none, stays until Close gives it one
//	closed ──► lost      with Close, a timeout's whose task has ended without closing
//	                     it: its timeouts that are gone are closed with it
//	detached             from birth, a kernel's, a main task's, and that of a scope
//	                     below a foreign context
//	loose                from birth, below what was closed already: cancelled, and
//	                     in no tree
//	in the tree ◄──► gone   a timeout that has been cancelled, while nothing is below
//	                     it: by forget and remember
//
// What a scope does with a cancellation, by the state in which it is. "Takes it" means that it
// is cancelled, "passes it on" that the scopes below hear of it. A scope that is in several
// states refuses what one of them refuses.
//
//	state       pushed from its parent   its own Cancel   the kernel's shutdown   opened in it
//	live        takes it, passes it on   the same         the same                is below it
//	a shield    refuses                  as live          refuses                 is below it
//	detached    refuses                  as live          as live                 is below it
//	cancelled   refuses                  refuses          passes it on            is below it, cancelled
//	sealed      passes it on             refuses          passes it on            is below it
//	gone        is not reached           refuses          is not reached          is below it, cancelled: it comes back
//	closed      is not reached           refuses          is not reached          a task goes below the next ancestor
//	                                                                              that is open, anything else is loose
//	loose, lost   as closed
//
// A shutdown is the only cancellation that detached scopes hear, and the only one that goes on
// below what has been cancelled before. TestStates has this table; FuzzTree has it as rules.
//
// What is closed has been cancelled, but not the other way round: a task may go on
// for long after it was cancelled. A scope's cause is never replaced, so that Err and
// context.Cause answer the same for ever. Which error an operation reports is worked
// out anew each time (Scope.failure), because an outer scope that ended later counts
// more.
//
// A cancellation is pushed down to every descendant, except through a shield
// and to detached tasks. That is why asking whether a scope is alive is one
// atomic load, however deep the tree.
//
// # Order of locks
//
//	object's mutex < nothing   no object's mutex is held while a scope's is taken
//	parent Scope.mu < child Scope.mu
//	Scope.mu < alarm.mu
//
// While any of them is held, nobody is woken and no user code runs, contexts included:
// Cancel collects the waiters that it claimed, unlocks, and then wakes them.
package wait
