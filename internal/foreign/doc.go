// Package foreign makes a net.Conn, of package net or anybody's, into a connection whose
// every call takes a context.
//
// All that a net.Conn has to be interrupted by is a deadline, and a deadline is the
// connection's, not the operation's. So it is done as package poll does it with a
// descriptor, by moving the deadline into the past: see deadline.go in internal/wait for
// how it meets no other operation. The handshake is a direction too, which goes before the
// others and sets the deadline of both.
//
// This is how it works for the sockets of package net, which set a deadline at once. Any
// other net.Conn may hang in that, or panic, and the scope has other waiters to end as
// well. For these, an interruption makes the calls in goroutines of its own, apart from the
// scope and the operation.
//
// # Order of locks
//
//	the handshake's turn < nothing    it is passed on before a direction's is taken
//	a direction's turn < the net.Conn's own locks
//	a direction's turn < Scope.mu
//	a direction's mu < nothing
//
// The net.Conn is called, and deadlines are set, with no mutex held.
package foreign
