package curio

import "github.com/curio-go/curio/internal/poll"

// This file is for event loops of somebody else's that wait for a queue too: another poller, a C
// library's loop through cgo, a child process that has inherited the descriptor.

// FD returns a descriptor that poll(2), select(2) and epoll(7) report as readable while a Get would
// not block: while there is an item, and for good once the queue has been closed. Wait for it, and
// then call TryGet until it finds nothing, because another consumer may have been faster. The error
// is the system's, if it has no descriptor left.
//
// Each call returns the same descriptor: an eventfd(2) on Linux, a pipe elsewhere. It belongs to the
// queue and stays open until CloseFD, or until the queue is garbage. Do not read from it, close it
// or make it blocking. To pass it to a child process, pass a copy made by dup(2). From the first
// call on, a Put that leaves an item in the queue costs a system call, and so does the Get that
// empties it. FD is the withfd option of Curio's UniversalQueue.
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

// CloseFD closes the descriptor that FD has returned. Nothing may wait for the descriptor any more.
// The queue itself does not change, and FD may be called again, which makes another descriptor.
func (q *Queue[T]) CloseFD() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flag.Close()
	q.flag = nil
}
