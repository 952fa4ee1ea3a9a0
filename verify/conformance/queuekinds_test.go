package conformance

import (
	"cmp"
	"math/rand/v2"
	"testing"

	"github.com/curio-go/curio"
)

// bound is that of a queue: none in one of four, and otherwise so little that producers
// have to wait.
func bound(rnd *rand.Rand) int { return rnd.IntN(4) }

func startQueue(rnd *rand.Rand) *trial {
	n := bound(rnd)
	return queueTrial(curio.NewQueue[int64](n), n, firstIn, rnd)
}

func startPriority(rnd *rand.Rand) *trial {
	n := bound(rnd)
	return queueTrial(curio.NewPriorityQueue(n, byRank), n, smallest, rnd)
}

func startLIFO(rnd *rand.Rand) *trial {
	n := bound(rnd)
	return queueTrial(curio.NewLIFOQueue[int64](n), n, lastIn, rnd)
}

func TestQueue(t *testing.T)         { check(t, startQueue) }
func TestPriorityQueue(t *testing.T) { check(t, startPriority) }
func TestLIFOQueue(t *testing.T)     { check(t, startLIFO) }

func TestBrokenQueue(t *testing.T) { findQueueFaults(t, startQueue) }

func TestBrokenPriorityQueue(t *testing.T) {
	findQueueFaults(t, startPriority)
	find(t, "equal ones come in another order", func(rnd *rand.Rand) *trial {
		n := bound(rnd)
		lastFirst := func(a, b int64) int { return cmp.Or(byRank(a, b), cmp.Compare(b, a)) }
		return queueTrial(curio.NewPriorityQueue(n, lastFirst), n, smallest, rnd)
	})
	find(t, "knows no priority", func(rnd *rand.Rand) *trial {
		n := bound(rnd)
		return queueTrial(curio.NewQueue[int64](n), n, smallest, rnd)
	})
}

func TestBrokenLIFOQueue(t *testing.T) {
	findQueueFaults(t, startLIFO)
	find(t, "is first in first out", func(rnd *rand.Rand) *trial {
		n := bound(rnd)
		return queueTrial(curio.NewQueue[int64](n), n, lastIn, rnd)
	})
}
