package curio

// A PriorityQueue is a Queue out of which the smallest item comes first, by a comparison
// function; equal ones come in order of arrival. Make one with NewPriorityQueue: in the
// zero value all items are equal. As a *Queue it can be had by &q.Queue.
type PriorityQueue[T any] struct{ Queue[T] }

// NewPriorityQueue makes a priority queue for at most max items, or for any number if max
// is 0. compare is negative if a comes before b, positive if b does, and 0 if they are
// equal, as cmp.Compare. It is called with the queue locked, so it must not use the queue.
// If it panics, or calls runtime.Goexit, the Put or Get that called it does, and the queue
// is as it was. If it was called for a Put that has waited, that Put does. NewPriorityQueue
// panics if max is negative or compare is nil.
func NewPriorityQueue[T any](max int, compare func(a, b T) int) *PriorityQueue[T] {
	mustNotBeNegative("NewPriorityQueue", int64(max))
	if compare == nil {
		panic("curio: NewPriorityQueue without a comparison; cmp.Compare will do for numbers and strings")
	}
	q := &PriorityQueue[T]{Queue[T]{max: max}}
	q.items.compare = compare
	return q
}

// String says how many items there are, whether the queue is closed, and how many wait.
func (q *PriorityQueue[T]) String() string { return q.text("PriorityQueue") }

// A LIFOQueue is a Queue out of which the item comes first that was put last: a stack.
// Make one with NewLIFOQueue: the zero value is in order of arrival. As a *Queue it can
// be had by &q.Queue.
type LIFOQueue[T any] struct{ Queue[T] }

// NewLIFOQueue makes a stack for at most max items, or for any number if max is 0. It
// panics if max is negative.
func NewLIFOQueue[T any](max int) *LIFOQueue[T] {
	mustNotBeNegative("NewLIFOQueue", int64(max))
	q := &LIFOQueue[T]{Queue[T]{max: max}}
	q.items.lifo = true
	return q
}

// String says how many items there are, whether the queue is closed, and how many wait.
func (q *LIFOQueue[T]) String() string { return q.text("LIFOQueue") }
