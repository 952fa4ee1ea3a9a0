package socket

import "github.com/curio-go/curio"

// Snapshot returns the tasks that are waiting in operations on the socket. Tasks that receive or
// accept come before those that send or connect. A socket does one operation at a time in each
// direction: the task that waits for the system comes first, for example in state READ_WAIT, also
// in a Select; after it come those that wait for another task's operation to end, in state
// READ_TURN or WRITE_TURN, the longest waiting first. There are no holders. Snapshot does not wait.
// A nil, zero or closed Socket has no waiters.
func (s *Socket) Snapshot() curio.Snapshot {
	var found curio.Snapshot
	if s.usable() != nil {
		return found
	}
	for _, w := range s.fd.Waiting() {
		waiter := curio.Waiter{Op: w.Op}
		if w.Owner != nil {
			waiter.Task = curio.CurrentTask(&w.Owner.Scope)
		}
		found.Waiters = append(found.Waiters, waiter)
	}
	return found
}
