package wait

import "sync"

// A List holds the waiters of one object in order of arrival. Its zero value is
// empty. It is guarded by the object's mutex.
//
// It is a ring: the first waiter's prev is the last. So it is one word, which every
// task has.
type List struct{ first *Waiter }

// Empty reports whether nobody is listed. A waiter that has been cancelled is listed
// until it has taken itself off.
func (l *List) Empty() bool { return l.first == nil }

// Len counts the waiters.
func (l *List) Len() (n int) {
	for w := l.first; w != nil; w = w.next {
		if n++; w.next == l.first {
			break
		}
	}
	return n
}

// Push appends w.
func (l *List) Push(w *Waiter) {
	w.list = l
	if l.first == nil {
		l.first, w.prev, w.next = w, w, w
		return
	}
	last := l.first.prev
	w.prev, w.next = last, l.first
	last.next, l.first.prev = w, w
}

// Remove takes w off, if it is still listed here. A waiter that was cancelled
// must be removed before it is freed.
func (l *List) Remove(w *Waiter) {
	if w.list != l {
		return
	}
	w.prev.next, w.next.prev = w.next, w.prev
	if l.first == w {
		l.first = w.next
	}
	if w.next == w {
		l.first = nil
	}
	w.list, w.prev, w.next = nil, nil, nil
}

// Leave is Remove for a caller that does not hold the object's mutex, mu.
func (l *List) Leave(w *Waiter, mu *sync.Mutex) {
	mu.Lock()
	l.Remove(w)
	mu.Unlock()
}

// Listed reports whether w is listed here.
func (l *List) Listed(w *Waiter) bool { return w.list == l }

// Pop takes off the longest waiting of those that can still be had, claims it
// for the object and returns it; nil if there is none. The caller does for the
// waiter what it waited for, releases the object's mutex and calls Wake.
func (l *List) Pop() *Waiter {
	for w := l.first; w != nil; w = l.first {
		if l.Take(w) {
			return w
		}
	}
	return nil
}

// Take takes w off and claims it for the object; it is false if the scope was
// faster. For lists whose waiters ask for different things.
func (l *List) Take(w *Waiter) bool {
	l.Remove(w)
	return w.claim(granted)
}

// First is the longest waiting, nil for none. It may have been cancelled.
func (l *List) First() *Waiter { return l.first }

// Next is the one after w, nil for none.
func (l *List) Next(w *Waiter) *Waiter {
	if w.next == l.first {
		return nil
	}
	return w.next
}

// PopAll does what Pop does for every waiter, and adds them to b.
func (l *List) PopAll(b *Batch) {
	for w := l.Pop(); w != nil; w = l.Pop() {
		b.Add(w)
	}
}

// WakeAll claims all waiters and wakes them: what they waited for has come. The caller holds l's
// mutex mu, which WakeAll releases in between.
func (l *List) WakeAll(mu *sync.Mutex) {
	var b Batch
	l.PopAll(&b)
	mu.Unlock()
	b.Wake()
}

// A Batch is a set of claimed waiters, to be woken when all locks are released. It is small
// because it lies on the stacks of new tasks.
type Batch struct {
	head, tail *Waiter
	aside      *aside // what else a cancellation leaves to do, nil for nothing
}

// aside is what a cancellation leaves to do in addition to waking waiters.
type aside struct {
	twins []*twin  // of scopes that have ended, to be told
	gone  []*Scope // timeouts that have been forgotten
}

func (b *Batch) addTwin(t *twin) {
	if b.aside == nil {
		b.aside = new(aside)
	}
	b.aside.twins = append(b.aside.twins, t)
}

func (b *Batch) addGone(s *Scope) {
	if b.aside == nil {
		b.aside = new(aside)
	}
	b.aside.gone = append(b.aside.gone, s)
}

// Has reports whether one of them is in the state op.
func (b *Batch) Has(op string) bool {
	for w := b.head; w != nil; w = w.batch {
		if w.op == op {
			return true
		}
	}
	return false
}

// Add appends w, which the caller has claimed.
func (b *Batch) Add(w *Waiter) {
	w.batch = nil
	if b.tail != nil {
		b.tail.batch = w
	} else {
		b.head = w
	}
	b.tail = w
}

// Wake wakes them all, in order.
func (b *Batch) Wake() { b.each((*Waiter).Wake) }

// each takes the waiters out of b, in order, and calls f for each. Once f is called, the
// waiter is somebody else's.
func (b *Batch) each(f func(w *Waiter)) {
	for w := b.head; w != nil; {
		next := w.batch
		w.batch = nil
		f(w)
		w = next
	}
	b.head, b.tail = nil, nil
}
