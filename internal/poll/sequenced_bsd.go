//go:build darwin || freebsd

package poll

// hungUp returns true, as not every system can tell: then it depends on what follows.
func hungUp(int) bool { return true }

// queued returns 0: at least the size of the first message could be known, but follows sees
// that message.
func queued(int) int { return 0 }
