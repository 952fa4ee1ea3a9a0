// Package trouble is how the kernel tells package blackbox that something has gone wrong: a task has panicked, or a kernel
// does not shut down.
//
// The listener is called by the goroutine that is in trouble, without any lock of this module's. It is not the user's: it
// returns, even if what it does hangs, and does not panic. Nobody listens as long as package blackbox is not used.
package trouble

import "sync/atomic"

// A Trouble is what has gone wrong.
type Trouble struct {
	Kind  Kind
	Task  string   // path of the task, "" if there is none
	Value any      // of a panic
	Stack []byte   // of a panic
	Lines []string // of a shutdown: what has not ended
	Last  bool     // the process may end when the listener has returned, so that takes its time
}

// A Kind is what kind of trouble there is.
type Kind string

// The kinds of trouble.
const (
	Panic    Kind = "panic"
	Shutdown Kind = "shutdown"
)

var listener atomic.Pointer[func(Trouble)]

// Listen makes f the listener, in place of the one that there was. nil is for none.
func Listen(f func(Trouble)) {
	if f == nil {
		listener.Store(nil)
	} else {
		listener.Store(&f)
	}
}

// Tell tells the listener, if there is one.
func Tell(t Trouble) {
	if f := listener.Load(); f != nil {
		(*f)(t)
	}
}
