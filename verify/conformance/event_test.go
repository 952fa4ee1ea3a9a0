package conformance

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/curio-go/curio"
)

// stepEvent is the model of a flag. Who waited when it was set is through at that point,
// between Set and whatever comes after it.
func stepEvent(flag bool, c call, a answer) (bool, bool) {
	switch {
	case a.end != done:
		return flag, false
	case c.verb == set:
		return true, true
	case c.verb == unset:
		return false, true
	case c.verb == waitForIt:
		return flag, flag
	}
	return flag, a.n == truth(flag).n
}

func startEvent(*rand.Rand) *trial {
	e := new(curio.Event)
	return &trial{
		model:  model(false, stepEvent),
		do:     func(ctx context.Context, c call) answer { return doEvent(ctx, e, c) },
		choose: chooseEvent,
		undo:   func(call, answer) []call { return nil },
		nudge:  func(int) call { return call{verb: set} },
		audit:  func(try func(call) answer) { try(call{verb: isSet}) },
		left:   func() string { return remains(e.Snapshot()) },
	}
}

func doEvent(ctx context.Context, e *curio.Event, c call) answer {
	switch c.verb {
	case set:
		e.Set()
	case unset:
		e.Clear()
	case waitForIt:
		return ended(e.Wait(ctx))
	case isSet:
		return truth(e.IsSet())
	}
	return answer{end: done}
}

func chooseEvent(c *client) call {
	switch c.rnd.IntN(8) {
	case 0:
		return call{verb: set}
	case 1, 2, 3:
		return call{verb: unset}
	case 4:
		return call{verb: isSet}
	}
	return call{verb: waitForIt}
}

func TestEvent(t *testing.T) { check(t, startEvent) }

func TestBrokenEvent(t *testing.T) {
	find(t, "a cancelled wait succeeds", broken(startEvent, func(real *trial, ctx context.Context, c call) answer {
		if a := real.do(ctx, c); a.end != cancelled {
			return a
		}
		return answer{end: done}
	}))
	find(t, "is set for a moment only", broken(startEvent, func(real *trial, ctx context.Context, c call) answer {
		a := real.do(ctx, c)
		if c.verb == set {
			runtime.Gosched()
			real.do(ctx, call{verb: unset})
		}
		return a
	}))
	find(t, "cannot be cleared", broken(startEvent, func(real *trial, ctx context.Context, c call) answer {
		if c.verb == unset {
			return answer{end: done}
		}
		return real.do(ctx, c)
	}))
	find(t, "does not see a dead context", deaf(waitForIt, startEvent))
}
