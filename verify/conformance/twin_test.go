package conformance

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/curio-go/curio"
)

// broken makes a twin of an object: fault answers calls in its place, and may pass them on.
func broken(start func(*rand.Rand) *trial, fault func(real *trial, ctx context.Context, c call) answer) func(*rand.Rand) *trial {
	return func(rnd *rand.Rand) *trial {
		real := start(rnd)
		twin := *real
		twin.do = func(ctx context.Context, c call) answer { return fault(real, ctx, c) }
		return &twin
	}
}

// late makes a twin that does what v asks for although the call was cancelled: what
// happens if a wake-up and a cancellation come at the same moment and both win. A lock
// is then held by nobody, an item that was got is lost, one that was not put is there.
func late(v verb, start func(*rand.Rand) *trial) func(*rand.Rand) *trial {
	return broken(start, func(real *trial, ctx context.Context, c call) answer {
		if c.verb != v {
			return real.do(ctx, c)
		}
		var a answer
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
				a = real.do(ctx, c)
				return a.err
			})
		})
		switch {
		case ended(err).end == cancelled: // it waits for what the fault has made impossible
			return real.do(ctx, c)
		case ctx.Err() != nil:
			return answer{end: cancelled, err: curio.ErrCancelled}
		}
		return a
	})
}

// deaf makes a twin that pays no attention to a context that had ended before the call.
func deaf(v verb, start func(*rand.Rand) *trial) func(*rand.Rand) *trial {
	return broken(start, func(real *trial, ctx context.Context, c call) answer {
		if c.verb != v || ctx.Err() == nil {
			return real.do(ctx, c)
		}
		var a answer
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, 100*time.Microsecond, func(ctx context.Context) error {
				a = real.do(ctx, c)
				return a.err
			})
		})
		if ended(err).end == cancelled { // it could not be done at once
			return real.do(ctx, c)
		}
		return a
	})
}

// refusing makes a twin that refuses a Try now and then for no reason.
func refusing(v verb, start func(*rand.Rand) *trial) func(*rand.Rand) *trial {
	return broken(start, func(real *trial, ctx context.Context, c call) answer {
		if c.verb == v && rand.IntN(4) == 0 {
			return tried(false)
		}
		return real.do(ctx, c)
	})
}
