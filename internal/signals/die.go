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

// beforeDeath has what Die calls.
var beforeDeath struct {
	mu    sync.Mutex
	calls []func()
}

// farewell is how long Die waits for all that BeforeDeath was given.
const farewell = time.Second

// BeforeDeath has call called when the process dies by Die. It is for what must not outlive the process:
// no deferred function runs then. It should return soon.
func BeforeDeath(call func()) {
	beforeDeath.mu.Lock()
	defer beforeDeath.mu.Unlock()
	beforeDeath.calls = append(beforeDeath.calls, call)
}

// bidFarewell calls what BeforeDeath was given, and waits no longer than farewell for it.
func bidFarewell() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		beforeDeath.mu.Lock()
		calls := beforeDeath.calls
		beforeDeath.mu.Unlock()
		for _, call := range calls {
			call()
		}
	}()
	select {
	case <-done:
	case <-time.After(farewell):
	}
}

// Die ends the process by sig, as if nobody had ever handled that, or with the status that a shell shows
// for it. It does not return.
func Die(sig Signal) {
	bidFarewell()
	if isDeadly(sig) && os.Getpid() != 1 && !IgnoredAtStart(sig) { // neither would die of it
		signal.Reset(sig)
		if syscall.Kill(os.Getpid(), sig) == nil {
			time.Sleep(time.Second) // it is delivered to some thread, a moment later
		}
	}
	os.Exit(128 + int(sig))
}

// isDeadly reports whether a Go program that does not handle sig dies by it, as any other program. Of
// SIGQUIT and SIGABRT it dies with the stacks of all goroutines and status 2, and it ignores the rest.
func isDeadly(sig Signal) bool {
	return sig == syscall.SIGHUP || sig == syscall.SIGINT || sig == syscall.SIGTERM
}
