//go:build !(linux && (amd64 || arm64)) || race || msan || asan

package poll

import "sync/atomic"

// untold is so small that every call tells the scheduler.
const untold = -1

// lastSent is what the race detector sees of a message: what a goroutine did before it
// sent one comes before what another does after it has received one. Package syscall
// does the same for read(2) and write(2), but not for messages.
var lastSent atomic.Uint32

func ordered(send bool) {
	if send {
		lastSent.Add(1)
	} else {
		lastSent.Load()
	}
}
