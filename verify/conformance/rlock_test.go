package conformance

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/curio-go/curio"
)

// stepRLock is stepLock for a lock that its holder may take again. The plain goroutines
// of such a history share the context of one task, so they are one holder.
func stepRLock(m mutex, c call, a answer) (mutex, bool) {
	mine := m.depth > 0 && m.holder == c.who
	switch {
	case (c.verb == acquire || c.verb == tryAcquire) && a.end == done:
		return mutex{c.who, m.depth + 1}, mine || m.depth == 0
	case c.verb == tryAcquire && a.end == refused:
		return m, !mine && m.depth > 0
	case c.verb == release && a.end == done:
		if m.depth == 1 {
			return mutex{}, mine
		}
		return mutex{m.holder, m.depth - 1}, mine
	case c.verb == locked:
		return m, a.n == truth(m.depth > 0).n
	}
	return m, false
}

func startRLock(*rand.Rand) *trial {
	t := lockTrial(new(curio.RLock), stepRLock)
	t.tasksOnly = true
	return t
}

func TestRLock(t *testing.T) { check(t, startRLock) }

func TestBrokenRLock(t *testing.T) {
	find(t, "forgets its depth", func(rnd *rand.Rand) *trial {
		depth := shallow{depth: map[int64]int{}}
		return broken(startRLock, depth.fault)(rnd)
	})
	find(t, "held by who was cancelled", late(acquire, startRLock))
	find(t, "refuses without reason", refusing(tryAcquire, startRLock))
	find(t, "given to a dead context", deaf(acquire, startRLock))
}

// A shallow lock is released by the first of several releases.
type shallow struct {
	mu    sync.Mutex
	depth map[int64]int
}

func (s *shallow) fault(real *trial, ctx context.Context, c call) answer {
	if c.verb == release {
		for range s.clear(c.who) {
			real.do(ctx, c)
		}
		return answer{end: done}
	}
	a := real.do(ctx, c)
	if c.verb != locked && a.end == done {
		s.mu.Lock()
		s.depth[c.who]++
		s.mu.Unlock()
	}
	return a
}

func (s *shallow) clear(who int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	depth := s.depth[who]
	s.depth[who] = 0
	return depth
}
