package wait

// A List holds the waiters of one object in order of arrival. Its zero value is
// empty. It is guarded by the object's mutex.
type List struct {
	head, tail *Waiter
	len        int
}

// Len returns how many waiters are listed, those included that have been
// cancelled and have not yet taken themselves off.
func (l *List) Len() int { return l.len }

// Push appends w.
func (l *List) Push(w *Waiter) {
	w.list, w.prev, w.next = l, l.tail, nil
	if l.tail != nil {
		l.tail.next = w
	} else {
		l.head = w
	}
	l.tail = w
	l.len++
}

// Remove takes w off, if it is still listed here. A waiter that was cancelled
// must be removed before it is freed.
func (l *List) Remove(w *Waiter) {
	if w.list != l {
		return
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.tail = w.prev
	}
	w.list, w.prev, w.next = nil, nil, nil
	l.len--
}

// Pop takes off the longest waiting of those that can still be had, claims it
// for the object and returns it; nil if there is none. The caller does for the
// waiter what it waited for, releases the object's mutex and calls Wake.
func (l *List) Pop() *Waiter {
	for w := l.head; w != nil; w = l.head {
		l.Remove(w)
		if w.claim(granted) {
			return w
		}
	}
	return nil
}

// PopAll does what Pop does for every waiter, and returns them chained for
// WakeAll.
func (l *List) PopAll() Batch {
	var b Batch
	for w := l.Pop(); w != nil; w = l.Pop() {
		b.add(w)
	}
	return b
}

// A Batch is a set of claimed waiters, to be woken when all locks are released.
type Batch struct{ head, tail *Waiter }

func (b *Batch) add(w *Waiter) {
	w.batch = nil
	if b.tail != nil {
		b.tail.batch = w
	} else {
		b.head = w
	}
	b.tail = w
}

// Wake wakes them all, in order.
func (b *Batch) Wake() {
	for w := b.head; w != nil; {
		next := w.batch // w is somebody else's once it is woken
		w.Wake()
		w = next
	}
	*b = Batch{}
}
