package network

import (
	"testing"
	"time"
)

// Impatient is what a connection of a server with an IdleTimeout is wrapped in.
func Impatient(conn Conn, patience time.Duration) Conn {
	return &impatient{Conn: conn, patience: patience}
}

// LockFor makes d, up to the end of the test, how long ListenUnix waits for others.
func LockFor(t *testing.T, d time.Duration) {
	before := lockFor
	t.Cleanup(func() { lockFor = before })
	lockFor = d
}

// LastWords makes Close of a TLSConn wait at most d for room, until the end of the test.
func LastWords(t *testing.T, d time.Duration) {
	before := lastWords
	t.Cleanup(func() { lastWords = before })
	lastWords = d
}

// Split takes a "host:port" apart.
var Split = split

// WaitsForSlot reports whether somebody waits for one of l's slots.
func WaitsForSlot(l *Listener) bool {
	l.slots.mu.Lock()
	defer l.slots.mu.Unlock()
	return !l.slots.queue.Empty()
}
