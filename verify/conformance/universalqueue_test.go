package conformance

import (
	"context"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/curio-go/curio"
)

// universalTrial asks for the descriptor of some queues at once, and of some in the
// middle of the history, when the first client looks at it.
func universalTrial(bound int, rnd *rand.Rand) *trial {
	q := curio.NewUniversalQueue[int64](bound)
	if rnd.IntN(2) == 0 {
		_ = poll(q)
	}
	t := queueTrial(q, bound, firstIn, rnd)
	inOrder := t.left
	t.left = func() string {
		q.CloseFD()
		return inOrder()
	}
	return t
}

func startUniversal(rnd *rand.Rand) *trial { return universalTrial(1+rnd.IntN(3), rnd) }

func startUnbounded(rnd *rand.Rand) *trial { return universalTrial(0, rnd) }

// A described queue has a descriptor.
type described interface{ FD() (int, error) }

// poll reports whether the descriptor of a queue is readable.
func poll(q described) answer {
	fd, err := q.FD()
	if err != nil {
		return answer{end: wrong, err: err}
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		switch n, err := unix.Poll(fds, 0); err {
		case nil:
			return truth(n > 0)
		case unix.EINTR:
		default:
			return answer{end: wrong, err: err}
		}
	}
}

func TestUniversalQueue(t *testing.T) {
	t.Run("bounded", func(t *testing.T) { check(t, startUniversal) })
	t.Run("unbounded", func(t *testing.T) { check(t, startUnbounded) })
}

func TestBrokenUniversalQueue(t *testing.T) {
	findQueueFaults(t, startUniversal)
	find(t, "cannot be polled when closed", broken(startUnbounded, func(real *trial, ctx context.Context, c call) answer {
		if c.verb == readable {
			return truth(real.do(ctx, call{verb: length}).n > 0)
		}
		return real.do(ctx, c)
	}))
	find(t, "stays readable", broken(startUnbounded, func(real *trial, ctx context.Context, c call) answer {
		a := real.do(ctx, c)
		if c.verb == readable && rarely() {
			return truth(true)
		}
		return a
	}))
}
