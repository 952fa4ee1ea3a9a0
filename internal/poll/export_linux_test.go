package poll

import (
	"syscall"
	"testing"
	"time"
)

// OnOurs puts all FDs from now on on our poller, the first few as well.
func OnOurs() { mostFew = 0 }

// OnTheRuntimes puts FDs on the runtime's poller, until the test has ended.
func OnTheRuntimes(t testing.TB) {
	before := mostFew
	t.Cleanup(func() { mostFew = before })
	mostFew = 1 << 30
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

// OnSplice replaces splice(2) by f until the test has ended.
func OnSplice(t testing.TB, f func(from, to, most int) (int, syscall.Errno)) {
	before := splice
	t.Cleanup(func() { splice = before })
	splice = f
}

// ForgetPipes closes the pipes in the pool.
func ForgetPipes() {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	for _, p := range pipes.idle {
		p.close()
	}
	pipes.idle = nil
}

// PipesLinger sets, until the test has ended, how long unused pipes stay in the pool.
func PipesLinger(t testing.TB, d time.Duration) {
	set := func(d time.Duration) (before time.Duration) {
		pipes.mu.Lock()
		defer pipes.mu.Unlock()
		before, pipes.lingers = pipes.lingers, d
		return before
	}
	before := set(d)
	t.Cleanup(func() { set(before) })
}

// Pipes returns how many pipes are in the pool.
func Pipes() int {
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	return len(pipes.idle)
}

// ReadableFD reports whether a read of f would not wait.
func ReadableFD(f *FD) (there bool) {
	_ = f.Control(func(fd int) error { there = Readable(fd); return nil })
	return there
}
