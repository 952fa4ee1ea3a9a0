package network

import "github.com/curio-go/curio"

// Snapshot returns which tasks wait for the connection at this moment: those that wait for the
// socket that carries it, if there is one, as its Snapshot has them, and then those that wait for
// another task to be done with receiving, and with sending, in the state LOCK_ACQUIRE. There are no
// holders.
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
