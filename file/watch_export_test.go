package file

import "time"

// For tests alone.

// WatchQueue is how many changes a Watcher keeps.
const WatchQueue = watchQueue

// MaxRawEvents is how many events a Watcher keeps.
const MaxRawEvents = maxRawEvents

// On a busy machine the reader may be held up between the halves of a rename for longer than programs are
// to wait.
func init() { settleAfter = 100 * time.Millisecond }

// SetSettleAfter replaces how long the second half of a rename is waited for.
func SetSettleAfter(d time.Duration) (restore func()) {
	before := settleAfter
	settleAfter = d
	return func() { settleAfter = before }
}

// Lose makes w behave as after an overflow.
func (w *Watcher) Lose() { w.raw.lose() }
