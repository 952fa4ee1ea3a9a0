package conformance

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio"
)

// A watched is the state of a Watch.
type watched struct{ version, value int64 }

// both is a version and a value in one number.
func both(value int64, version uint64) answer { return number(int64(version)<<32 | value) }

func stepWatch(w watched, c call, a answer) (watched, bool) {
	switch {
	case a.end != done:
		return w, false
	case c.verb == set:
		next := watched{w.version + 1, c.n}
		return next, a.n == next.version
	case c.verb == waitForIt && w.version <= c.n:
		return w, false
	}
	return w, a == both(w.value, uint64(w.version))
}

// A watch is a Watch, or what people take for one.
type watch interface {
	Set(int64) uint64
	Get() (int64, uint64)
	Wait(ctx context.Context, after uint64) (int64, uint64, error)
}

type selectWatch struct{ *curio.Watch[int64] }

func (w selectWatch) Wait(ctx context.Context, after uint64) (v int64, version uint64, err error) {
	version = after
	err = chosen(ctx, w.WaitCase(after, &v, &version))
	return v, version, err
}

func watchTrial(w watch) *trial {
	var values, seen atomic.Int64
	return &trial{
		model: model(watched{}, stepWatch),
		do: func(ctx context.Context, c call) answer {
			switch c.verb {
			case set:
				version := w.Set(c.n)
				seen.Store(int64(version))
				return number(int64(version))
			case look:
				return both(w.Get())
			}
			v, version, err := w.Wait(ctx, uint64(c.n))
			switch {
			case err == nil:
				return both(v, version)
			case v != 0 || int64(version) != c.n:
				return answer{end: wrong, n: v, err: err}
			}
			return ended(err)
		},
		choose: func(c *client) call {
			switch c.rnd.IntN(8) {
			case 0, 1:
				return call{verb: set, n: values.Add(1)}
			case 2:
				return call{verb: look}
			}
			return call{verb: waitForIt, n: max(0, seen.Load()+c.rnd.Int64N(4)-2)}
		},
		undo:  func(call, answer) []call { return nil },
		nudge: func(int) call { return call{verb: set, n: values.Add(1)} },
		audit: func(try func(call) answer) { try(call{verb: look}) },
		left: func() string {
			if w, ok := w.(interface{ Snapshot() curio.Snapshot }); ok {
				return remains(w.Snapshot())
			}
			return ""
		},
	}
}

func startWatch(*rand.Rand) *trial { return watchTrial(new(curio.Watch[int64])) }

func TestWatch(t *testing.T) { check(t, startWatch) }

func TestSelectOfAWatch(t *testing.T) {
	check(t, func(*rand.Rand) *trial { return watchTrial(selectWatch{new(curio.Watch[int64])}) })
}

func TestBrokenWatch(t *testing.T) {
	find(t, "is two variables", func(*rand.Rand) *trial { return watchTrial(new(variables)) })
	find(t, "does not see a dead context", deaf(waitForIt, startWatch))
	find(t, "returns what was", broken(startWatch, func(real *trial, ctx context.Context, c call) answer {
		a := real.do(ctx, call{verb: look})
		if c.verb != waitForIt || real.do(ctx, c).end != done {
			return real.do(ctx, c)
		}
		return a
	}))
	find(t, "waits for a change that has been", broken(startWatch, func(real *trial, ctx context.Context, c call) answer {
		if c.verb == waitForIt && c.n > 0 {
			c.n--
		}
		return real.do(ctx, c)
	}))
}

// A variables is a Watch that does not keep its value and its version together.
type variables struct{ value, version atomic.Int64 }

func (w *variables) Set(v int64) uint64 {
	w.value.Store(v)
	runtime.Gosched()
	return uint64(w.version.Add(1))
}

func (w *variables) Get() (int64, uint64) { return w.value.Load(), uint64(w.version.Load()) }

func (w *variables) Wait(ctx context.Context, after uint64) (int64, uint64, error) {
	for uint64(w.version.Load()) <= after {
		if err := curio.CheckCancellation(ctx); err != nil {
			return 0, after, err
		}
		if err := ctx.Err(); err != nil {
			return 0, after, curio.ErrCancelled
		}
		runtime.Gosched()
	}
	v, version := w.Get()
	return v, version, curio.CheckCancellation(ctx)
}
