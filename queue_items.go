package curio

import "reflect"

// items are what is in a queue, in one of three orders. The zero value is empty, first
// in first out. It is guarded by the queue's mutex.
type items[T any] struct {
	lifo    bool             // the last comes out first
	compare func(a, b T) int // the smallest comes out first
	ring    []T              // if compare is nil; of a length that is 0 or a power of two
	first   int              // where in the ring the oldest is
	n       int              // how many there are in the ring
	heap    []prioritised[T] // if compare is not nil
	arrival uint64           // of the next in the heap

	// In items, set by the first push: the least size of the ring, and the size up to which
	// the ring or the heap is kept when there is little in it.
	least, keep int
}

// A prioritised item knows when it came, as equals come out in order of arrival.
type prioritised[T any] struct {
	item    T
	arrival uint64
}

// smallest is a ring's least size. It shrinks to half when no more than a quarter is in
// use, so that a queue does not keep for ever what it needed once.
const smallest = 8

// keptMemory is the most memory, in bytes, that an empty queue keeps.
const keptMemory = 64 << 10

// measure sets least and keep by the size of an item, which may be large.
func (s *items[T]) measure() {
	each := max(int(reflect.TypeFor[T]().Size()), 1)
	s.keep = 8 * smallest
	for s.keep > 0 && s.keep*each > keptMemory {
		s.keep /= 2
	}
	s.least = min(max(s.keep, 1), smallest)
}

func (s *items[T]) len() int { return s.n + len(s.heap) }

// push adds v.
func (s *items[T]) push(v T) {
	if s.least == 0 {
		s.measure()
	}
	if s.compare != nil {
		s.pushHeap(v)
		return
	}
	if s.n == len(s.ring) {
		s.resize(max(2*s.n, s.least))
	}
	s.ring[(s.first+s.n)&(len(s.ring)-1)] = v
	s.n++
}

// pop removes the item whose turn it is. There is one.
func (s *items[T]) pop() T {
	if s.compare != nil {
		return s.popHeap()
	}
	at := s.first
	if s.lifo {
		at += s.n - 1
	} else {
		s.first = (s.first + 1) & (len(s.ring) - 1)
	}
	at &= len(s.ring) - 1
	var none T
	v := s.ring[at]
	s.ring[at] = none
	s.n--
	if len(s.ring) > s.keep && 4*s.n <= len(s.ring) {
		s.resize(len(s.ring) / 2)
	}
	return v
}

func (s *items[T]) resize(size int) {
	if s.n == 0 && size > 0 && size < len(s.ring) {
		size = 0 // the items are large, or it would have shrunk before
	}
	ring := make([]T, size)
	for i := range s.n {
		ring[i] = s.ring[(s.first+i)&(len(s.ring)-1)]
	}
	s.ring, s.first = ring, 0
}

// The heap is a binary one. compare is the user's and may panic: so each change first
// looks where things have to go, and moves them after that.

func (s *items[T]) before(a, b *prioritised[T]) bool {
	c := s.compare(a.item, b.item)
	return c < 0 || c == 0 && a.arrival < b.arrival
}

func (s *items[T]) pushHeap(v T) {
	added := prioritised[T]{v, s.arrival}
	to := len(s.heap)
	for to > 0 && s.before(&added, &s.heap[(to-1)/2]) {
		to = (to - 1) / 2
	}
	s.heap = append(s.heap, added)
	for at := len(s.heap) - 1; at > to; at = (at - 1) / 2 {
		s.heap[at] = s.heap[(at-1)/2]
	}
	s.heap[to] = added
	s.arrival++
}

func (s *items[T]) popHeap() T {
	last := len(s.heap) - 1
	moved := s.heap[last]
	to := 0
	for {
		child := 2*to + 1
		if child >= last {
			break
		}
		if child+1 < last && s.before(&s.heap[child+1], &s.heap[child]) {
			child++
		}
		if !s.before(&s.heap[child], &moved) {
			break
		}
		to = child
	}
	if last > 0 {
		for { // moved goes to its place, and what was there goes up, and so on
			s.heap[to], moved = moved, s.heap[to]
			if to == 0 {
				break
			}
			to = (to - 1) / 2
		}
	}
	s.heap[last] = prioritised[T]{}
	s.heap = s.heap[:last]
	if c := cap(s.heap); c > s.keep && 4*len(s.heap) <= c {
		if len(s.heap) == 0 {
			c = 0
		}
		s.heap = append(make([]prioritised[T], 0, c/2), s.heap...)
	}
	return moved.item
}
