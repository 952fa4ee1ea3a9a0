package conformance

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/curio-go/curio"
)

// Units of the semaphores. There are never fewer than least, so that a request for no
// more than these is served in the end, whatever others do. Larger ones may have to wait
// for ever, as nobody may ever resize the semaphore to that.
const (
	least = 2
	most  = 5
)

// A semaState is the state of a semaphore. Who holds how much is left out: a release
// gives back what anybody holds, or makes a unit.
type semaState struct {
	size, held int64
	taken      callSet // the calls that got units, see contender
}

func stepSemaphore(s semaState, c call, a answer) (semaState, bool) {
	switch {
	case c.verb == acquire && a.end == done:
		return semaState{s.size, s.held + c.n, s.taken.with(c.id)}, c.n <= s.size-s.held
	case c.verb == tryAcquire && a.end == done:
		return semaState{s.size, s.held + c.n, s.taken}, c.n <= s.size-s.held
	case c.verb == tryAcquire && a.end == refused:
		return s, c.n > s.size-s.held || s.somebodyWaits(c)
	case c.verb == release && a.end == done:
		made := max(0, c.n-s.held) // beyond what is held
		return semaState{s.size + made, s.held - c.n + made, s.taken}, true
	case c.verb == resize && a.end == done:
		return semaState{c.n, s.held, s.taken}, true
	case c.verb == value:
		return s, a.n == s.size-s.held
	case c.verb == size:
		return s, a.n == s.size
	}
	return s, false
}

// somebodyWaits: a request for more than the size is in nobody's way.
func (s semaState) somebodyWaits(c call) bool {
	for _, other := range c.contenders {
		if other.n <= s.size && other.waits(s.taken) {
			return true
		}
	}
	return false
}

// stepBounded is stepSemaphore for one that refuses to be given what nobody holds.
func stepBounded(s semaState, c call, a answer) (semaState, bool) {
	if c.verb == release {
		if a.end == panicked {
			return s, c.n > s.held
		}
		if c.n > s.held {
			return s, false
		}
	}
	return stepSemaphore(s, c, a)
}

// A weighted is a Semaphore or a BoundedSemaphore.
type weighted interface {
	AcquireN(context.Context, int64) error
	TryAcquireN(context.Context, int64) bool
	ReleaseN(context.Context, int64)
	Resize(int64)
	Value() int64
	Size() int64
	Snapshot() curio.Snapshot
}

func startSemaphore(rnd *rand.Rand) *trial {
	n := least + rnd.Int64N(most-least)
	return semaTrial(curio.NewSemaphore(n), n, stepSemaphore)
}

func startBounded(rnd *rand.Rand) *trial {
	n := least + rnd.Int64N(most-least)
	return semaTrial(curio.NewBoundedSemaphore(n), n, stepBounded)
}

func semaTrial(s weighted, n int64, step func(semaState, call, answer) (semaState, bool)) *trial {
	return &trial{
		model:  model(semaState{size: n}, step),
		do:     func(ctx context.Context, c call) answer { return doSemaphore(ctx, s, c) },
		choose: chooseSemaphore,
		undo:   undoSemaphore,
		audit: func(try func(call) answer) {
			all := try(call{verb: size}).n
			try(call{verb: value})
			if try(call{verb: tryAcquire, n: all}).end == done {
				try(call{verb: release, n: all})
			}
		},
		left: func() string { return remains(s.Snapshot()) },
	}
}

func doSemaphore(ctx context.Context, s weighted, c call) answer {
	switch c.verb {
	case acquire:
		return ended(s.AcquireN(ctx, c.n))
	case tryAcquire:
		return tried(s.TryAcquireN(ctx, c.n))
	case release:
		s.ReleaseN(ctx, c.n)
	case resize:
		s.Resize(c.n)
	case value:
		return number(s.Value())
	case size:
		return number(s.Size())
	}
	return answer{end: done}
}

// undoSemaphore releases in single units what could not be released at once, because
// others have released a part of it.
func undoSemaphore(c call, a answer) []call {
	switch {
	case (c.verb == acquire || c.verb == tryAcquire) && a.end == done:
		return []call{{verb: release, n: c.n}}
	case c.verb == release && a.end == panicked && c.n > 1:
		return slices.Repeat([]call{{verb: release, n: 1}}, int(c.n))
	}
	return nil
}

func chooseSemaphore(c *client) call {
	switch c.rnd.IntN(20) {
	case 0:
		return call{verb: value}
	case 1:
		return call{verb: size}
	case 2, 3:
		return call{verb: resize, n: least + c.rnd.Int64N(most-least)}
	case 4:
		return call{verb: release, n: 1 + c.rnd.Int64N(2)} // of what another holds, or nobody
	case 5, 6, 7:
		return call{verb: tryAcquire, n: 1 + c.rnd.Int64N(least)}
	}
	n := 1 + c.rnd.Int64N(most+1)
	if c.rnd.IntN(2) == 0 {
		n = 1 + c.rnd.Int64N(least)
	}
	return call{verb: acquire, n: n, hasty: n > least || len(c.owes) > 0}
}

func TestSemaphore(t *testing.T)        { check(t, startSemaphore) }
func TestBoundedSemaphore(t *testing.T) { check(t, startBounded) }

func TestBrokenSemaphore(t *testing.T) {
	find(t, "a cancelled call takes its units", late(acquire, startSemaphore))
	find(t, "a cancelled call leaks a unit", broken(startSemaphore, leakOne))
	find(t, "every call takes one unit", broken(startSemaphore, takeOne))
	find(t, "does not grow", broken(startSemaphore, onlyShrink))
	find(t, "refuses without reason", refusing(tryAcquire, startSemaphore))
	find(t, "given to a dead context", deaf(acquire, startSemaphore))
}

func TestBrokenBoundedSemaphore(t *testing.T) {
	find(t, "a cancelled call takes its units", late(acquire, startBounded))
	find(t, "a cancelled call leaks a unit", broken(startBounded, leakOne))
	find(t, "is not bounded", func(rnd *rand.Rand) *trial {
		n := least + rnd.Int64N(most-least)
		return semaTrial(curio.NewSemaphore(n), n, stepBounded)
	})
}

func leakOne(real *trial, ctx context.Context, c call) answer {
	a := real.do(ctx, c)
	if a.end == cancelled {
		real.do(ctx, call{verb: tryAcquire, n: 1})
	}
	return a
}

// takeOne is the mistake of one who counts calls, and not units.
func takeOne(real *trial, ctx context.Context, c call) answer {
	if c.verb == acquire || c.verb == tryAcquire {
		c.n = 1
	}
	return real.do(ctx, c)
}

func onlyShrink(real *trial, ctx context.Context, c call) answer {
	if c.verb == resize && c.n > real.do(ctx, call{verb: size}).n {
		return answer{end: done}
	}
	return real.do(ctx, c)
}
