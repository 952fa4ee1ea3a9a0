package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// stepOnce is the model of a value that is made once: 0 is none. A Do with a positive number
// has a function that makes it, one with a negative number has a function that fails.
func stepOnce(v int64, c call, a answer) (int64, bool) {
	switch {
	case c.verb == look:
		return v, a.n == v
	case c.dead: // the value is there for everybody, but nobody tries to make it
		return v, a.end == done && v != 0 && a.n == v
	case a.end == refused:
		return v, v == 0 && c.n < 0
	case a.end == done && v == 0:
		return c.n, c.n > 0 && a.n == c.n
	}
	return v, a.end == done && a.n == v
}

// A once is a Once, or what people take for one.
type once interface {
	Do(context.Context, func(context.Context) (int64, error)) (int64, error)
	Get() (int64, bool)
}

var errNotMade = errors.New("not made")

func onceTrial(o once) *trial {
	var values, running atomic.Int64
	return &trial{
		model: modelOfAll(int64(0), stepOnce),
		do: func(ctx context.Context, c call) answer {
			if c.verb == look {
				v, _ := o.Get()
				return number(v)
			}
			alone := true
			v, err := o.Do(ctx, func(ctx context.Context) (int64, error) {
				alone = running.Add(1) == 1
				defer running.Add(-1)
				return making(ctx, c.n)
			})
			switch {
			case !alone:
				return answer{end: wrong, err: errors.New("another function runs")}
			case errors.Is(err, errNotMade):
				return answer{end: refused}
			}
			return item(v, err)
		},
		choose: func(c *client) call {
			switch c.rnd.IntN(10) {
			case 0:
				return call{verb: look}
			case 1:
				return call{verb: produce, n: values.Add(1)}
			}
			return call{verb: produce, n: -1}
		},
		undo:  func(call, answer) []call { return nil },
		audit: func(try func(call) answer) { try(call{verb: look}) },
		left: func() string {
			if o, ok := o.(interface{ Snapshot() curio.Snapshot }); ok {
				return remains(o.Snapshot())
			}
			return ""
		},
	}
}

// making takes some time, in which it may be cancelled.
func making(ctx context.Context, n int64) (int64, error) {
	switch rand.IntN(3) {
	case 0:
		if err := curio.Sleep(ctx, time.Duration(rand.IntN(100))*time.Microsecond); err != nil {
			return 0, err
		}
	case 1:
		for range rand.IntN(20) {
			runtime.Gosched()
		}
	}
	if n < 0 {
		return 0, errNotMade
	}
	return n, nil
}

func startOnce(*rand.Rand) *trial { return onceTrial(new(curio.Once[int64])) }

func TestOnce(t *testing.T) { check(t, startOnce) }

func TestBrokenOnce(t *testing.T) {
	find(t, "looks first and stores later", func(*rand.Rand) *trial { return onceTrial(new(eager)) })
	find(t, "keeps the value of who was cancelled", late(produce, startOnce))
	find(t, "tries for a dead context", deaf(produce, startOnce))
	find(t, "keeps a failure", func(rnd *rand.Rand) *trial {
		var failed atomic.Bool
		return broken(startOnce, func(real *trial, ctx context.Context, c call) answer {
			if c.verb == produce && failed.Load() && ctx.Err() == nil {
				return answer{end: refused}
			}
			a := real.do(ctx, c)
			if a.end == refused {
				failed.Store(true)
			}
			return a
		})(rnd)
	})
}

// An eager looks whether there is a value, and makes one if not: so may another meanwhile.
type eager struct{ value atomic.Int64 }

func (o *eager) Get() (int64, bool) {
	v := o.value.Load()
	return v, v != 0
}

func (o *eager) Do(ctx context.Context, fn func(context.Context) (int64, error)) (int64, error) {
	if v, ok := o.Get(); ok {
		return v, nil
	}
	if ctx.Err() != nil {
		return 0, curio.ErrCancelled
	}
	v, err := fn(ctx)
	if err == nil {
		o.value.Store(v)
	}
	return v, err
}
