package poll

import (
	"syscall"
	"testing"
	"time"
)

// OnOurs puts all FDs from now on on our poller, the first few as well.
func OnOurs() { mostFew = func() int32 { return 0 } }

// OnTheRuntimes puts FDs on the runtime's poller, until the test has ended.
func OnTheRuntimes(t testing.TB) {
	before := mostFew
	t.Cleanup(func() { mostFew = before })
	mostFew = func() int32 { return 1 << 30 }
}

// LingersFor makes d, until the test has ended, how long the poller goes on without a
// descriptor.
func LingersFor(t testing.TB, d time.Duration) {
	before := lingersFor
	t.Cleanup(func() { lingersFor = before })
	lingersFor = d
}

// Polling reports whether there is a poller.
func Polling() bool { return theEpoll.current() != nil }

// EpollPasses makes the trial anew. wrong, if it is not nil, changes what the look number
// round finds.
func EpollPasses(wrong func(round, n int) (int, syscall.Errno)) bool {
	round := -1
	return tryEpoll(func(epoll int, events []syscall.EpollEvent) (int, syscall.Errno) {
		n, errno := epollNow(epoll, events)
		if round++; wrong != nil {
			n, errno = wrong(round, n)
		}
		return n, errno
	}) == goodEnough
}

// MostFewByDefault is mostFew before any test replaces it.
var MostFewByDefault = mostFew
