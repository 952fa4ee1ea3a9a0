package signals

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Signal is the system's type.
type Signal = syscall.Signal

// Stopping are the signals that ask a program to end.
var Stopping = []os.Signal{syscall.SIGINT, syscall.SIGTERM}

// Die ends the process by sig, as if nobody had ever handled that. It does not return.
func Die(sig Signal) {
	if os.Getpid() != 1 && !IgnoredAtStart(sig) { // neither would die of it
		signal.Reset(sig)
		if syscall.Kill(os.Getpid(), sig) == nil {
			time.Sleep(time.Second) // it is delivered to some thread, a moment later
		}
	}
	os.Exit(128 + int(sig))
}
