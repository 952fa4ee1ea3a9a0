package curio

// NewPriorityQueue returns a queue that yields the smallest item first, and equal items in order of
// arrival. It is for at most max items, or for any number if max is 0. compare returns a negative
// number if a comes before b, a positive number if b comes before a, and 0 if they are equal, like
// cmp.Compare. It is called with the queue locked, so it must not use the queue. If compare panics
// or calls runtime.Goexit, so does the Put or Get that called it, and the queue is unchanged. If
// compare was called for a Put that has waited, that is the Put that panics. NewPriorityQueue panics
// if max is negative or compare is nil.
//
// It is Curio's PriorityQueue.
func NewPriorityQueue[T any](max int, compare func(a, b T) int) *Queue[T] {
	mustNotBeNegative("NewPriorityQueue", int64(max))
	if compare == nil {
		panic("curio: NewPriorityQueue without a comparison; cmp.Compare will do for numbers and strings")
	}
	q := &Queue[T]{max: max}
	q.items.compare = compare
	return q
}

// NewLIFOQueue returns a queue that yields the item that was put last first: a stack. It is for at
// most max items, or for any number if max is 0. It panics if max is negative.
//
// It is Curio's LifoQueue.
func NewLIFOQueue[T any](max int) *Queue[T] {
	mustNotBeNegative("NewLIFOQueue", int64(max))
	q := &Queue[T]{max: max}
	q.items.lifo = true
	return q
}

// A UniversalQueue is a Queue. In Curio it is a queue that tasks, threads and the event loops of
// other libraries can use together, which is true of every Queue here; see [Queue.FD].
type UniversalQueue[T any] = Queue[T]

// NewUniversalQueue is NewQueue.
func NewUniversalQueue[T any](max int) *Queue[T] {
	mustNotBeNegative("NewUniversalQueue", int64(max))
	return &Queue[T]{max: max}
}
