package conformance

import (
	"context"
	"math/rand/v2"
	"testing"
)

// findQueueFaults looks for the faults that any kind of queue may have.
func findQueueFaults(t *testing.T, start func(*rand.Rand) *trial) {
	find(t, "loses the item of a cancelled getter", late(get, start))
	find(t, "puts the item of a cancelled putter", late(put, start))
	find(t, "gets for a dead context", deaf(get, start))
	find(t, "loses an item", broken(start, lose))
	find(t, "doubles an item", broken(start, double))
	find(t, "swaps two items", broken(start, swap))
	find(t, "takes items when closed", broken(start, swallow))
	find(t, "drops what is left when closed", broken(start, drop))
	find(t, "joins too early", broken(start, joinEarly))
}

// rarely has a fault occur in some calls only, as faults do.
func rarely() bool { return rand.IntN(4) == 0 }

func lose(real *trial, ctx context.Context, c call) answer {
	if c.verb == tryPut && rarely() {
		return answer{end: done}
	}
	return real.do(ctx, c)
}

func double(real *trial, ctx context.Context, c call) answer {
	a := real.do(ctx, c)
	if c.verb == put && a.end == done && rarely() {
		real.do(ctx, call{verb: tryPut, n: c.n})
	}
	return a
}

// swap gets the second item before the first, which it puts back at another place.
func swap(real *trial, ctx context.Context, c call) answer {
	a := real.do(ctx, c)
	if (c.verb != get && c.verb != tryGet) || a.end != done {
		return a
	}
	second := real.do(ctx, call{verb: tryGet})
	if second.end != done {
		return a
	}
	if real.do(ctx, call{verb: tryPut, n: a.n}).end != done {
		return a // the queue was closed, and a second item is lost as well
	}
	return second
}

func swallow(real *trial, ctx context.Context, c call) answer {
	a := real.do(ctx, c)
	if a.end == closed && (c.verb == put || c.verb == tryPut) {
		return answer{end: done}
	}
	return a
}

func drop(real *trial, ctx context.Context, c call) answer {
	a := real.do(ctx, c)
	if c.verb == shut {
		for real.do(ctx, call{verb: tryGet}).end == done {
		}
	}
	return a
}

func joinEarly(real *trial, ctx context.Context, c call) answer {
	a := real.do(ctx, c)
	if c.verb == join && a.end == cancelled {
		return answer{end: done}
	}
	return a
}
