package conformance

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/curio-go/curio"
)

// An rwState is who holds an RWLock. Who the readers are is left out: each client gives
// back what it has, and nothing else.
type rwState struct {
	writer  int64 // 0 for none
	readers int
	taken   callSet // the calls that got it, see contender
}

func stepRWLock(s rwState, c call, a answer) (rwState, bool) {
	open := s.writer == 0
	free := open && s.readers == 0
	switch {
	case c.verb == acquire && a.end == done:
		return rwState{c.who, 0, s.taken.with(c.id)}, free
	case c.verb == acquireRead && a.end == done:
		return rwState{0, s.readers + 1, s.taken.with(c.id)}, open
	case c.verb == tryAcquire && a.end == done:
		return rwState{c.who, 0, s.taken}, free
	case c.verb == tryAcquireRead && a.end == done:
		return rwState{0, s.readers + 1, s.taken}, open
	case c.verb == tryAcquire && a.end == refused:
		return s, !free || s.somebodyWaits(c)
	case c.verb == tryAcquireRead && a.end == refused:
		return s, !open || s.somebodyWaits(c)
	case c.verb == release && a.end == done:
		return rwState{0, 0, s.taken}, s.writer == c.who
	case c.verb == releaseRead && a.end == done:
		return rwState{s.writer, s.readers - 1, s.taken}, s.readers > 0
	}
	return s, false
}

func (s rwState) somebodyWaits(c call) bool {
	for _, other := range c.contenders {
		if other.waits(s.taken) {
			return true
		}
	}
	return false
}

func startRWLock(*rand.Rand) *trial {
	l := new(curio.RWLock)
	return &trial{
		model:  model(rwState{}, stepRWLock),
		do:     func(ctx context.Context, c call) answer { return doRWLock(ctx, l, c) },
		choose: chooseRWLock,
		undo: func(c call, a answer) []call {
			switch {
			case a.end != done:
			case c.verb == acquire || c.verb == tryAcquire:
				return []call{{verb: release}}
			case c.verb == acquireRead || c.verb == tryAcquireRead:
				return []call{{verb: releaseRead}}
			}
			return nil
		},
		audit: func(try func(call) answer) {
			if try(call{verb: tryAcquire}).end == done {
				try(call{verb: release})
			}
		},
		left: func() string { return remains(l.Snapshot()) },
	}
}

func doRWLock(ctx context.Context, l *curio.RWLock, c call) answer {
	switch c.verb {
	case acquire:
		return ended(l.Acquire(ctx))
	case acquireRead:
		return ended(l.AcquireRead(ctx))
	case tryAcquire:
		return tried(l.TryAcquire(ctx))
	case tryAcquireRead:
		return tried(l.TryAcquireRead(ctx))
	case release:
		l.Release(ctx)
	case releaseRead:
		l.ReleaseRead(ctx)
	}
	return answer{end: done}
}

func chooseRWLock(c *client) call {
	next := call{hasty: len(c.owes) > 0}
	switch c.rnd.IntN(8) {
	case 0:
		next.verb = tryAcquire
	case 1, 2:
		next.verb = tryAcquireRead
	case 3, 4:
		next.verb = acquire
	default:
		next.verb = acquireRead
	}
	return next
}

func TestRWLock(t *testing.T) { check(t, startRWLock) }

func TestBrokenRWLock(t *testing.T) {
	find(t, "a writer comes in as a reader", broken(startRWLock, writerReads))
	find(t, "written by who was cancelled", late(acquire, startRWLock))
	find(t, "read by who was cancelled", late(acquireRead, startRWLock))
	find(t, "refuses without reason", refusing(tryAcquireRead, startRWLock))
	find(t, "given to a dead context", deaf(acquireRead, startRWLock))
}

func writerReads(real *trial, ctx context.Context, c call) answer {
	switch c.verb {
	case acquire:
		c.verb = acquireRead
	case release:
		c.verb = releaseRead
	case tryAcquire:
		c.verb = tryAcquireRead
	}
	return real.do(ctx, c)
}
