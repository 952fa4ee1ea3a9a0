package curio

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A Barrier makes tasks wait for each other: each waits until as many have come as the
// barrier is for. Then all go on, and it can be used again. NewBarrier makes one. It
// must not be copied after first use. All methods are safe for concurrent use.
//
// A task that waits for it is in the state BARRIER_WAIT.
type Barrier struct {
	n int

	mu      sync.Mutex
	round   int // how often it has opened
	arrived int // in this round
	waiters wait.List
}

// NewBarrier makes a barrier for n tasks. It panics if n is less than 1.
func NewBarrier(n int) *Barrier {
	if n < 1 {
		panic(fmt.Sprintf("curio: NewBarrier(%d): a barrier is for at least one task", n))
	}
	return &Barrier{n: n}
}

// Wait waits until so many are waiting that the barrier opens. last is true for one of
// them: the one that came last. If ctx ends first, the error is that of ctx, and the
// others go on waiting for somebody else in its place.
func (b *Barrier) Wait(ctx context.Context) (last bool, err error) {
	if b.n == 0 {
		panic("curio: Wait at a Barrier for no tasks; make it with NewBarrier")
	}
	p, err := wait.At(ctx)
	if err != nil {
		return false, err
	}
	if p.Untrusted() {
		return wait.FollowFor(p, b.wait)
	}
	return b.wait(p)
}

func (b *Barrier) wait(p wait.Place) (last bool, err error) {
	b.mu.Lock()
	round := b.round
	if b.arrived++; b.arrived == b.n {
		b.round++
		b.arrived = 0
		b.waiters.WakeAll(&b.mu)
		return true, nil
	}
	w := p.Waiter("BARRIER_WAIT", b)
	ok := w.WaitIn(&b.waiters, &b.mu)
	w.Free()
	switch {
	case ok:
		return false, nil
	case b.withdraw(round):
		p.Survived()
		return false, nil
	}
	return false, p.Failure()
}

// withdraw takes one that was cancelled out of its round. It reports whether that is too
// late: the barrier has opened, and counted on it.
func (b *Barrier) withdraw(round int) (open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.round != round {
		return true
	}
	b.arrived--
	return false
}

// Size is how many tasks the barrier is for.
func (b *Barrier) Size() int { return b.n }

// Waiting is how many have come and wait.
func (b *Barrier) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.arrived
}

// Snapshot returns who waits. Nobody holds a barrier.
func (b *Barrier) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &b.waiters)}
}

// String says how many have come, of how many.
func (b *Barrier) String() string {
	return Snapshot{}.text("Barrier", fmt.Sprintf("%d of %d", b.Waiting(), b.n))
}
