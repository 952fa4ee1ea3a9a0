// Package events is the ring of what has happened to the tasks of the process: the black box, and where all traces come
// from.
//
// A task writes a record of fixed size and goes on. It calls nothing, wakes nobody and waits for nothing; others read.
// The ring has a fixed size, so a reader that is too slow loses the oldest records, and is told how many.
//
// # The ring
//
// It is in shards, and the number of a task says which is the task's, so that tasks on several processors seldom meet.
// A record goes into its shard under the shard's mutex, which is only tried: if it is taken, the record goes into the
// next shard, and if all are, it is counted and dropped. The reader of a shard holds its mutex for as long as a copy
// takes. So nobody ever waits to write, a reader sees whole records, and the fields are plain memory: each of the eight
// words of a record as an atomic would cost more than the mutex.
//
// Records have no pointers, so they keep nothing alive, and lie in memory that can be a mapped file (Move), in which
// they are still there when the process has been killed. A record that was being written at that moment does not match
// its check sum.
//
// # Order
//
// A shard has the order in which it was written. Between shards the time decides, and for the black box that is
// enough. A trace asks for Order: then each record takes the next number of one counter, under its shard's mutex. So a
// Cursor that has looked at all shards has all the numbers that had been given out before it began.
package events

import (
	"sync"
	"sync/atomic"
)

// A Kind is what happened.
type Kind uint8

// What happens to tasks. No event has the kind zero.
const (
	Created   Kind = iota + 1 // Arg is the task with whose context it was spawned, 0 for none; Text its name, "" for none
	Running                   // its goroutine has begun
	Waits                     // Text is the operation, and after a space the object's type; Arg the object's address
	Sleeps                    // Waits for a wait without an object that ends by itself: Arg says when, as Time
	Joins                     // Waits for the end of a task: Arg is that task
	Resumed                   // a wait is over; Arg is 1 if the task's context has ended it
	Ended                     // it has ended and has not failed; Arg is 1 if it had been cancelled
	Failed                    // it has ended with an error of its own: Text is the error's type; Arg as for Ended
	Panicked                  // it has ended with a panic: Text is the type of the value; Arg as for Ended
	Cancelled                 // a scope of it was cancelled, or expired: Text says which and why; Arg is the task that did it, 0 for none

	more Kind = 255 // the text goes on: Arg counts these records
)

// String returns the name of k in lower case.
func (k Kind) String() string {
	names := [...]string{"", "created", "running", "waits", "sleeps", "joins", "resumed", "ended", "failed", "panicked", "cancelled"}
	if int(k) < len(names) {
		return names[k]
	}
	return ""
}

// A Set says which events are recorded, and how.
type Set uint32

const (
	Tasks  Set = 1 << iota // Created, Ended, Failed, Panicked, Cancelled; recorded unless somebody has switched them off
	Pauses                 // Waits, Sleeps and Joins
	Steps                  // Running, and Resumed for each wait that was recorded
	Order                  // each record has a number
	Errors                 // the errors of tasks are handed over: see Failures
)

// wanted is what is recorded now. Everybody loads it. It is written only when a trace begins or ends.
var wanted atomic.Uint32

func init() { wanted.Store(uint32(Tasks)) }

// Wants reports whether somebody wants an event of set.
func Wants(set Set) bool { return wanted.Load()&uint32(set) != 0 }

// asked is what traces and the black box want.
var asked = struct {
	sync.Mutex
	base    Set              // what is recorded even if nobody asks
	traces  map[*Set]bool    // what traces ask for
	settles map[*func()]bool // see OnSettle
}{base: Tasks, traces: make(map[*Set]bool), settles: make(map[*func()]bool)}

// Base sets what is recorded even if nobody asks, and returns what that was before.
func Base(set Set) (before Set) {
	asked.Lock()
	defer asked.Unlock()
	before, asked.base = asked.base, set
	askedHaveChangedLocked()
	return before
}

// Ask has the events of set recorded until release is called, which may be more than once.
func Ask(set Set) (release func()) {
	if set&Order != 0 {
		enlarge()
	}
	asked.Lock()
	defer asked.Unlock()
	asked.traces[&set] = true
	askedHaveChangedLocked()
	return func() {
		asked.Lock()
		defer asked.Unlock()
		delete(asked.traces, &set)
		askedHaveChangedLocked()
	}
}

func askedHaveChangedLocked() {
	all := asked.base
	for set := range asked.traces {
		all |= *set
	}
	wanted.Store(uint32(all))
}

// OnSettle has Settle call f until remove is called. f is not the user's: it returns, even if what it calls hangs.
func OnSettle(f func()) (remove func()) {
	asked.Lock()
	defer asked.Unlock()
	asked.settles[&f] = true
	settling.Store(int32(len(asked.settles)))
	return func() {
		asked.Lock()
		defer asked.Unlock()
		delete(asked.settles, &f)
		settling.Store(int32(len(asked.settles)))
	}
}

var settling atomic.Int32 // how many functions Settle calls

// Settle waits until traces have told what has happened so far, as the program may end now.
func Settle() {
	if settling.Load() == 0 {
		return
	}
	asked.Lock()
	var all []func()
	for f := range asked.settles {
		all = append(all, *f)
	}
	asked.Unlock()
	for _, f := range all {
		f()
	}
}
