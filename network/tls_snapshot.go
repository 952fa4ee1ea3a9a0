package network

import "github.com/curio-go/curio"

// Snapshot returns the tasks that are waiting in operations on c: first those that wait for the
// socket underneath, if there is one, as its Snapshot lists them, and then those that wait for
// another task's receive or send to end, in state LOCK_ACQUIRE. There are no holders. Snapshot does
// not wait.
func (c *TLSConn) Snapshot() curio.Snapshot {
	var found curio.Snapshot
	if s := SocketOf(c); s != nil {
		found = s.Snapshot()
	}
	for _, lock := range []*curio.Lock{&c.receivers, &c.senders} {
		found.Waiters = append(found.Waiters, lock.Snapshot().Waiters...)
	}
	return found
}
