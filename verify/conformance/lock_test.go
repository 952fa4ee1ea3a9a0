package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/curio-go/curio"
)

// A mutex is the state of a lock: who holds it, how often.
type mutex struct {
	holder int64
	depth  int
}

func stepLock(m mutex, c call, a answer) (mutex, bool) {
	free := m.depth == 0
	switch {
	case (c.verb == acquire || c.verb == tryAcquire) && a.end == done:
		return mutex{c.who, 1}, free
	case c.verb == tryAcquire && a.end == refused:
		return m, !free // a lock with waiters is handed over: it is never left free
	case c.verb == release && a.end == done:
		return mutex{}, !free && m.holder == c.who
	case c.verb == locked:
		return m, a.n == truth(!free).n
	}
	return m, false
}

// A plainLock is a Lock or an RLock.
type plainLock interface {
	curio.Locker
	Locked() bool
}

func startLock(*rand.Rand) *trial {
	return lockTrial(new(curio.Lock), stepLock)
}

func lockTrial(l plainLock, step func(mutex, call, answer) (mutex, bool)) *trial {
	return &trial{
		model:  model(mutex{}, step),
		do:     func(ctx context.Context, c call) answer { return doLock(ctx, l, c) },
		choose: chooseLock,
		undo: func(c call, a answer) []call {
			if (c.verb == acquire || c.verb == tryAcquire) && a.end == done {
				return []call{{verb: release}}
			}
			return nil
		},
		audit: func(try func(call) answer) { try(call{verb: locked}) },
		left:  func() string { return remains(l.Snapshot()) },
	}
}

func doLock(ctx context.Context, l plainLock, c call) answer {
	switch c.verb {
	case acquire:
		return ended(l.Acquire(ctx))
	case tryAcquire:
		return tried(l.TryAcquire(ctx))
	case release:
		l.Release(ctx)
		return answer{end: done}
	}
	return truth(l.Locked())
}

// chooseLock has who holds the lock ask for it again, which makes it wait for itself.
func chooseLock(c *client) call {
	switch c.rnd.IntN(10) {
	case 0:
		return call{verb: locked}
	case 1, 2:
		return call{verb: tryAcquire}
	}
	return call{verb: acquire, hasty: len(c.owes) > 0}
}

// remains is what is wrong with an object that nobody uses any more.
func remains(s curio.Snapshot) string {
	if len(s.Holders)+len(s.Waiters) > 0 {
		return fmt.Sprintf("at the end there are holders %v and waiters %v", s.Holders, s.Waiters)
	}
	return ""
}

func TestLock(t *testing.T) { check(t, startLock) }

func TestBrokenLock(t *testing.T) {
	find(t, "two get it", func(*rand.Rand) *trial { return lockTrial(newPair(), stepLock) })
	find(t, "held by who was cancelled", late(acquire, startLock))
	find(t, "refuses without reason", refusing(tryAcquire, startLock))
	find(t, "given to a dead context", deaf(acquire, startLock))
}

// A pair is a lock that two get.
type pair struct {
	curio.Locker
	two *curio.Semaphore
}

func newPair() pair { return pair{new(curio.Lock), curio.NewSemaphore(2)} }

func (p pair) Acquire(ctx context.Context) error   { return p.two.Acquire(ctx) }
func (p pair) TryAcquire(ctx context.Context) bool { return p.two.TryAcquire(ctx) }
func (p pair) Release(ctx context.Context)         { p.two.Release(ctx) }
func (p pair) Locked() bool                        { return p.two.Value() < 2 }
