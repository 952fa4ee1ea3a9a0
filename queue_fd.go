package curio

import "github.com/curio-go/curio/internal/poll"

// This file is for event loops of somebody else's that wait for a queue too: another poller, a C
// library's loop through cgo, a child process that has inherited the descriptor.

// FD returns a descriptor that poll(2) and its kind find readable as long as a Get would
// not block: while there is an item, and for good when the queue has been closed. Wait
// for it, then call TryGet, until that finds nothing; somebody else may have been faster.
// The error is the system's, if it has no descriptor left.
//
// It is the same descriptor each time: on Linux an eventfd(2), elsewhere a pipe. It
// belongs to the queue: it is not to be read from, closed or made blocking, and open until
// CloseFD, or until the queue is garbage. A child process is given a copy, by dup(2). From the first
// call on, a Put that leaves an item in the queue costs a system call, as does the Get
// that empties it. It is the withfd option of Curio's UniversalQueue.
func (q *Queue[T]) FD() (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.flag == nil {
		flag, err := poll.NewFlag()
		if err != nil {
			return -1, err
		}
		q.flag = flag
		if q.items.len() > 0 || q.closed {
			flag.Raise()
		}
	}
	return q.flag.FD(), nil
}

// CloseFD closes the descriptor that FD has returned. Who waits for it must have stopped
// before. The queue itself stays as it is, and FD can be asked again, for another one.
func (q *Queue[T]) CloseFD() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flag.Close()
	q.flag = nil
}
