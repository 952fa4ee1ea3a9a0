package socket

import "github.com/curio-go/curio"

// Snapshot returns which tasks wait for the socket at this moment, and in which operations: those that
// receive or accept before those that send or connect. A socket does one operation at a time in each
// direction. First come those that wait for the system, such as in READ_WAIT, also in a Select; then those
// that wait for their turn, in READ_TURN or WRITE_TURN, the longest waiting first. There are no holders.
// It waits for nothing, and a nil, a zero or a closed Socket has no waiters.
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
