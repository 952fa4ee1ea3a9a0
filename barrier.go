package curio

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A Barrier makes a fixed number of tasks wait for each other. When the last of them has arrived,
// all go on, and the barrier can be used again. NewBarrier makes one; Wait panics on a zero Barrier.
// It must not be copied after first use. All methods are safe for concurrent use.
//
// A task that waits for it is in the state BARRIER_WAIT.
type Barrier struct {
	n int

	mu      sync.Mutex
	round   int // how often it has opened
	arrived int // in this round
	waiters wait.List
}

// NewBarrier returns a barrier for n tasks. It panics if n is less than 1.
func NewBarrier(n int) *Barrier {
	if n < 1 {
		panic(fmt.Sprintf("curio: NewBarrier(%d): a barrier is for at least one task", n))
	}
	return &Barrier{n: n}
}

// Wait waits until as many tasks are waiting as the barrier is for. It then returns nil in all of
// them, and last is true in the one that arrived last. If ctx is done first, the error is ctx's
// error, and the other tasks go on waiting for another task to take its place.
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

// Size returns the number of tasks that the barrier is for.
func (b *Barrier) Size() int { return b.n }

// Waiting returns the number of tasks that have arrived and wait.
func (b *Barrier) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.arrived
}

// Snapshot returns the tasks that wait. A barrier has no holders.
func (b *Barrier) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &b.waiters)}
}

// String returns how many tasks have arrived, and how many the barrier is for.
func (b *Barrier) String() string {
	return Snapshot{}.text("Barrier", fmt.Sprintf("%d of %d", b.Waiting(), b.n))
}
