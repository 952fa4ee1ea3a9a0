package subprocess

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// Start is Cmd.start.
func Start(ctx context.Context, c *Cmd, std ...*os.File) (*Process, error) {
	var three [3]*os.File
	copy(three[:], std)
	return c.start(ctx, three)
}

// SetTerminal gives p the master of its terminal.
func (p *Process) SetTerminal(master *os.File) { p.terminal = master }

var OpenTerminal = openTerminal

// Inject has f called at each step until the test ends.
func Inject(t testing.TB, f func(step string) error) {
	injected.Store(&f)
	t.Cleanup(func() { injected.Store(nil) })
}

// InjectNone undoes Inject.
func InjectNone() { injected.Store(nil) }

// A Way is one of those in which children are waited for and groups are signalled.
type Way struct {
	Name string
	Use  func(t testing.TB)
}

// Ways are those that this system has.
func Ways() []Way {
	no := func(of *func() bool) func(t testing.TB) {
		return func(t testing.TB) {
			before := *of
			*of = func() bool { return false }
			t.Cleanup(func() { *of = before })
		}
	}
	ways := []Way{{"by number", no(&usePidfds)}}
	if usePidfds() {
		ways = append(ways, Way{"by pidfd, groups by number", no(&groupsByPidfd)})
	}
	if groupsByPidfd() {
		ways = append(ways, Way{"by pidfd", func(testing.TB) {}})
	}
	return ways
}

// SetKillBound sets how long Stop waits for what it has killed.
func SetKillBound(t testing.TB, d time.Duration) {
	before := killBound
	killBound = d
	t.Cleanup(func() { killBound = before })
}

// Listed is how many children would be killed if this process died.
func Listed() int {
	living.mu.Lock()
	defer living.mu.Unlock()
	return len(living.children)
}

// Dying reports whether this process is being ended by a signal.
func Dying() bool {
	living.mu.Lock()
	defer living.mu.Unlock()
	return living.dying
}

// HasDescriptor reports whether p's pidfd is open.
func (p *Process) HasDescriptor() bool { return p.child.fd != nil && p.child.fd.Fd() >= 0 }

// BusyTries is how often a busy program is tried.
const BusyTries = busyTries

// Steps are those of a start at which something can be injected.
var Steps = []string{"fork", "pidfd", "started"}

// A Counter counts.
type Counter = atomic.Int64

// Waiting is how many wait for p's end.
func (p *Process) Waiting() int {
	p.child.mu.Lock()
	defer p.child.mu.Unlock()
	return p.child.exit.Len()
}

// CollectNow has p's owner look at it.
func (p *Process) CollectNow() bool { return p.child.collect() }
