package curio

import (
	"math"

	"github.com/curio-go/curio/internal/wait"
)

// A line holds the waiters of a semaphore, in order of arrival. The zero value is empty. It
// is guarded by the semaphore's mutex.
//
// The next to be served is the first waiter whose request is for no more than the size. As
// long as that is the first of all, the line is just a list. When a waiter that asks for
// more is found in front, the line gets an index, which finds the first request for no more
// than a given size in logarithmic time. The index stays until nobody waits.
type line struct {
	list  wait.List // all of them; snapshots use it too
	index *index
}

// A request is what a waiter of a semaphore has in its Slot: how many units it asks for,
// and where it is in the index.
type request struct {
	n  int64
	at int
}

// push appends w, which asks for n of size units. A request for more than size makes the
// index at once, so that no other caller has to go through all waiters.
func (l *line) push(w *wait.Waiter, n, size int64) {
	r, ok := w.Slot.(*request)
	switch {
	case ok: // of an earlier wait
		*r = request{n: n}
	case n == 1 && l.index == nil:
		w.Slot = nil // which stands for 1
	default:
		w.Slot = &request{n: n}
	}
	l.list.Push(w)
	switch {
	case l.index != nil:
		l.index.push(w)
	case n > size:
		l.index = indexOf(&l.list)
	}
}

// empty reports whether nobody waits.
func (l *line) empty() bool { return l.list.Empty() }

// remove takes w off, if it is still there.
func (l *line) remove(w *wait.Waiter) {
	if !l.list.Listed(w) {
		return
	}
	l.list.Remove(w)
	l.forget(w)
}

// take takes w off and claims it. claimed is false if w's scope was faster.
func (l *line) take(w *wait.Waiter) (claimed bool) {
	claimed = l.list.Take(w)
	l.forget(w)
	return claimed
}

// forget takes w, which is off the list, out of the index.
func (l *line) forget(w *wait.Waiter) {
	switch {
	case l.list.Empty():
		l.index = nil
	case l.index != nil:
		l.index.remove(w)
	}
}

// next returns the first waiter that asks for at most size units, nil for none.
func (l *line) next(size int64) *wait.Waiter {
	first := l.list.First()
	switch {
	case first == nil:
		return nil
	case wanted(first) <= size:
		return first
	case l.index == nil:
		l.index = indexOf(&l.list)
	}
	return l.index.first(size)
}

// wanted returns how many units w waits for.
func wanted(w *wait.Waiter) int64 {
	if r, ok := w.Slot.(*request); ok {
		return r.n
	}
	return 1
}

// An index is a binary tree over the places of a line: each node has the smallest request
// below it. tree[1] is the root, the children of tree[i] are tree[2i] and tree[2i+1], and
// the places are the last half. Each place is used once. When they run out, the waiters
// that are left move up into a new tree. So each change costs the depth of the tree, and
// moving costs a constant for each waiter.
type index struct {
	tree []uint64
	who  []*wait.Waiter // by place, nil for one that has left
	next int            // the first place that has not been used
	n    int            // how many are in use
}

// left is the request at the place of a waiter that has left: more than any semaphore has.
const left = math.MaxUint64

// fewest is the least number of places in an index.
const fewest = 16

func indexOf(l *wait.List) *index {
	x := new(index)
	x.make(l.Len())
	for w := l.First(); w != nil; w = l.Next(w) {
		if w.Slot == nil {
			w.Slot = &request{n: 1}
		}
		x.add(w)
	}
	x.order()
	return x
}

// make makes room for twice n waiters.
func (x *index) make(n int) {
	places := fewest
	for places < 2*n {
		places *= 2
	}
	*x = index{tree: make([]uint64, 2*places), who: make([]*wait.Waiter, places)}
	for i := range x.tree {
		x.tree[i] = left
	}
}

// add gives w the next place. It does not update the nodes above that.
func (x *index) add(w *wait.Waiter) {
	r := w.Slot.(*request)
	r.at = x.next
	x.who[r.at] = w
	x.tree[len(x.who)+r.at] = uint64(r.n)
	x.next++
	x.n++
}

// order recomputes all nodes.
func (x *index) order() {
	for i := len(x.who) - 1; i > 0; i-- {
		x.tree[i] = min(x.tree[2*i], x.tree[2*i+1])
	}
}

// update recomputes the nodes above the place at.
func (x *index) update(at int) {
	for i := (len(x.who) + at) / 2; i > 0; i /= 2 {
		least := min(x.tree[2*i], x.tree[2*i+1])
		if x.tree[i] == least {
			break
		}
		x.tree[i] = least
	}
}

func (x *index) push(w *wait.Waiter) {
	if x.next == len(x.who) {
		x.renew()
	}
	x.add(w)
	x.update(x.next - 1)
}

// renew moves all waiters into a new tree.
func (x *index) renew() {
	old := x.who
	x.make(x.n)
	for _, w := range old {
		if w != nil {
			x.add(w)
		}
	}
	x.order()
}

func (x *index) remove(w *wait.Waiter) {
	at := w.Slot.(*request).at
	x.who[at] = nil
	x.tree[len(x.who)+at] = left
	x.n--
	x.update(at)
}

// first returns the first waiter that asks for at most size, nil for none.
func (x *index) first(size int64) *wait.Waiter {
	if x.tree[1] > uint64(size) {
		return nil
	}
	i := 1
	for i < len(x.who) {
		if i *= 2; x.tree[i] > uint64(size) {
			i++
		}
	}
	return x.who[i-len(x.who)]
}
