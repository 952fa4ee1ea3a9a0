package poll

import (
	"os"

	"github.com/curio-go/curio/internal/wait"
)

// IsReady reports whether a read, or a write, of f would not wait: there is something to read, room,
// the end, or an error. It takes no turn.
func (f *FD) IsReady(write bool) (is bool, err error) {
	err = f.Control(func(fd int) error {
		ready, errno := ready(fd, write)
		if is = ready; errno != 0 {
			return os.NewSyscallError("poll", errno)
		}
		return nil
	})
	return is, err
}

// Watch makes w, a node of a choice, be claimed and woken when a read, or a write, of f might not wait
// any more, or when f is closed. ok is false if that is so already. It takes no turn, so IsReady has
// the last word. Unwatch ends it, whatever has come of it; after that f does not refer to w.
func (f *FD) Watch(w *wait.Waiter, write bool) (ok bool) { return f.poller.watch(w, write) }

// Unwatch ends what Watch has begun. If the system could not watch, for lack of descriptors, w was woken
// too early, and Unwatch returns that error.
func (f *FD) Unwatch(w *wait.Waiter, write bool) error { return f.poller.unwatch(w, write) }

// A Watchable is one direction of something that has an FD, for a case of a Select.
type Watchable interface {
	// Ready reports whether an operation would not wait. err is why it could not be asked.
	Ready() (is bool, err error)

	// For says what w waits for.
	For(w *wait.Waiter)

	// Watch and Unwatch are the same as an FD's.
	Watch(w *wait.Waiter) (ok bool)
	Unwatch(w *wait.Waiter) error
}

// CaseOf makes a case of a Select of a Watchable. The root package, to which cases belong, sets it,
// and the type of the result is its. Other packages of this module have no other way to make cases.
var CaseOf func(x Watchable) any

// A Waiting is a task that waits for an FD.
type Waiting struct {
	Owner *wait.Owner // nil for a goroutine of no task
	Op    string
}

// Waiting returns who waits for f, readers before writers. In each direction, those come first that
// have the turn or watch, and then the queue.
func (f *FD) Waiting() (all []Waiting) {
	note := func(w *wait.Waiter) { all = append(all, Waiting{w.Owner(), w.Op()}) }
	for _, d := range [...]*direction{&f.reader, &f.writer} {
		f.poller.waiting(d.writing(), note)
		d.turn.EachQueued(note)
	}
	return all
}

// eachOf calls fn for each waiter in l. The mutex of l is held.
func eachOf(l *wait.List, fn func(w *wait.Waiter)) {
	for w := l.First(); w != nil; w = l.Next(w) {
		fn(w)
	}
}
