package curio

// NewPriorityQueue makes a queue out of which the smallest item comes first; equal ones come in
// order of arrival. It is for at most max items, or for any number if max is 0. compare is
// negative if a comes before b, positive if b does, and 0 if they are equal, as cmp.Compare. It is
// called with the queue locked, so it must not use the queue. If it panics, or calls
// runtime.Goexit, the Put or Get that called it does, and the queue is as it was. If it was called
// for a Put that has waited, that Put does. NewPriorityQueue panics if max is negative or compare
// is nil.
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

// NewLIFOQueue makes a queue out of which the item comes first that was put last: a stack. It is
// for at most max items, or for any number if max is 0. It panics if max is negative.
//
// It is Curio's LifoQueue.
func NewLIFOQueue[T any](max int) *Queue[T] {
	mustNotBeNegative("NewLIFOQueue", int64(max))
	q := &Queue[T]{max: max}
	q.items.lifo = true
	return q
}

// A UniversalQueue is a Queue. In Curio it is one that tasks, threads and the event loops of other
// libraries use together, which every Queue is here; see [Queue.FD].
type UniversalQueue[T any] = Queue[T]

// NewUniversalQueue is NewQueue.
func NewUniversalQueue[T any](max int) *Queue[T] {
	mustNotBeNegative("NewUniversalQueue", int64(max))
	return &Queue[T]{max: max}
}
