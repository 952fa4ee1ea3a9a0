package signals

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Signal is the system's type.
type Signal = syscall.Signal

// Stopping are the signals that ask a program to end.
var Stopping = []os.Signal{syscall.SIGINT, syscall.SIGTERM}

// last has what Die does before the process ends.
var last struct {
	mu    sync.Mutex
	calls map[*func()]bool
}

// BeforeDeath has fn called by Die, until remove is called. fn must not block.
func BeforeDeath(fn func()) (remove func()) {
	last.mu.Lock()
	defer last.mu.Unlock()
	if last.calls == nil {
		last.calls = make(map[*func()]bool)
	}
	last.calls[&fn] = true
	return func() {
		last.mu.Lock()
		defer last.mu.Unlock()
		delete(last.calls, &fn)
	}
}

// Die ends the process by sig, as if nobody had ever handled that. It does not return.
func Die(sig Signal) {
	last.mu.Lock() // for good
	for fn := range last.calls {
		(*fn)()
	}
	if os.Getpid() != 1 && !IgnoredAtStart(sig) { // neither would die of it
		signal.Reset(sig)
		if syscall.Kill(os.Getpid(), sig) == nil {
			time.Sleep(time.Second) // it is delivered to some thread, a moment later
		}
	}
	os.Exit(128 + int(sig))
}
