package curio

import (
	"fmt"
	"maps"
	"strings"

	"github.com/curio-go/curio/internal/wait"
)

// A Snapshot is the state of a lock, a queue or a similar object at one moment. It is for monitoring
// and for tests: it may be out of date when it is read.
type Snapshot struct {
	Holders []Holder // the tasks that hold it, in no particular order; none for objects such as an Event
	Waiters []Waiter // the tasks that wait, the longest waiting first; of a queue, getters before putters
}

// A Holder is a task that holds something, such as a lock.
type Holder struct {
	Task *AnyTask // nil for goroutines of no task, and for one that has ended without releasing a Lock
	ID   uint64   // of the task, 0 for goroutines of no task
	N    int64    // how much: how often it holds a lock, how many units of a semaphore
}

// holder is a Holder of n in the name of o, which is nil for goroutines of no task.
func holder(o *wait.Owner, n int64) Holder {
	if o == nil {
		return Holder{N: n}
	}
	return Holder{taskOf(o), o.ID, n}
}

// HolderOf returns a Holder that says that t holds n units. t is nil for goroutines of no task. It
// is for the Snapshot of a type that is built on a [WaitList].
func HolderOf(t *AnyTask, n int64) Holder {
	if t == nil {
		return Holder{N: n}
	}
	return Holder{t, t.ID(), n}
}

// who is h in words.
func (h Holder) who() string {
	if h.Task == nil && h.ID != 0 {
		return fmt.Sprintf("task %d (ended)", h.ID)
	}
	name := taskName(h.Task)
	if h.Task != nil && h.Task.Terminated() {
		name += " (ended)"
	}
	return name
}

// A Waiter is a task that waits for something.
type Waiter struct {
	Task *AnyTask // nil for a goroutine of no task
	Op   string   // what it wants, as State shows it: LOCK_ACQUIRE, QUEUE_GET and so on
}

// taskName is how a task, or a goroutine that belongs to none, is called in texts.
func taskName(t *AnyTask) string {
	if t == nil {
		return "a goroutine of no task"
	}
	return "task " + t.trail()
}

// mostNamed is how many holders are named in a text.
const mostNamed = 16

// text says in words what s shows, of an object called kind, with details.
func (s Snapshot) text(kind, details string) string {
	var parts []string
	if details != "" {
		parts = append(parts, details)
	}
	for i, h := range s.Holders {
		if i == mostNamed {
			parts = append(parts, fmt.Sprintf("and by %d more", len(s.Holders)-i))
			break
		}
		part := "held by " + h.who()
		if h.N > 1 {
			part += fmt.Sprintf(" (%d)", h.N)
		}
		parts = append(parts, part)
	}
	if n := len(s.Waiters); n > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting", n))
	}
	return kind + "(" + strings.Join(parts, ", ") + ")"
}

// Text describes s in words, for an object of the given kind: "Gate(1 of 3 free, held by task
// main/worker, 2 waiting)". details, such as "1 of 3 free", may be empty. Text is for the String
// methods of types that are built on a [WaitList]: their results then read like the ones of this
// package's types.
func (s Snapshot) Text(kind, details string) string { return s.text(kind, details) }

// users are the two tasks that have used something last, by their IDs, which keep nothing in memory. It is guarded by the
// mutex of what it is part of.
type users [2]uint64

// note notes that o uses it, which is nil for goroutines of no task.
func (u *users) note(o *wait.Owner) {
	if o != nil && u[0] != o.ID {
		u[0], u[1] = o.ID, u[0]
	}
}

// appendWaiters appends those who are listed in l to what. The object's mutex is held.
func appendWaiters(what []Waiter, l *wait.List) []Waiter {
	for w := l.First(); w != nil; w = l.Next(w) {
		what = append(what, Waiter{taskOf(w.Owner()), w.Op()})
	}
	return what
}

// holds is how much of something each task holds. The zero value is nothing. One
// holder, the usual case, needs no map. It is guarded by the mutex of what it is part
// of.
type holds struct {
	total int64

	one  *wait.Owner // holds n; its entry in more counts too
	n    int64
	more map[*wait.Owner]int64
	most int // the most entries that more has had
}

// add notes that o, which is nil for goroutines of no task, holds n more.
func (h *holds) add(o *wait.Owner, n int64) {
	h.total += n
	switch {
	case h.n == 0:
		h.one, h.n = o, n
	case h.one == o:
		h.n += n
	default:
		if h.more == nil {
			h.more = make(map[*wait.Owner]int64)
		}
		h.more[o] += n
		h.most = max(h.most, len(h.more))
	}
}

// forget takes o out of more. A map does not shrink, and finding any entry in one that was
// large takes long. So the map is made anew when a quarter is left.
func (h *holds) forget(o *wait.Owner) {
	delete(h.more, o)
	switch n := len(h.more); {
	case n == 0 && h.most > smallest:
		h.more, h.most = nil, 0
	case 4*n <= h.most && h.most > 8*smallest:
		h.more, h.most = maps.Collect(maps.All(h.more)), n
	}
}

// remove notes that o holds n less. It returns what is left of n: o held only the
// rest.
func (h *holds) remove(o *wait.Owner, n int64) (left int64) {
	if h.n > 0 && h.one == o {
		took := min(n, h.n)
		h.n -= took
		h.total -= took
		n -= took
		if h.n == 0 {
			h.one = nil
		}
	}
	if n == 0 || len(h.more) == 0 {
		return n
	}
	has := h.more[o]
	took := min(n, has)
	h.total -= took
	if took < has {
		h.more[o] = has - took
	} else {
		h.forget(o)
	}
	return n - took
}

// removeAny is remove from any holder. n is at most the total.
func (h *holds) removeAny(n int64) {
	n = h.remove(h.one, n)
	for n > 0 {
		for o := range h.more {
			n = h.remove(o, n)
			break // remove may have made more anew
		}
	}
}

// each calls f for each holder.
func (h *holds) each(f func(o *wait.Owner, n int64)) {
	if h.n > 0 {
		f(h.one, h.n+h.more[h.one])
	}
	for o, n := range h.more {
		if h.n == 0 || o != h.one {
			f(o, n)
		}
	}
}

// appendTo appends the holders to what.
func (h *holds) appendTo(what []Holder) []Holder {
	h.each(func(o *wait.Owner, n int64) { what = append(what, holder(o, n)) })
	return what
}
