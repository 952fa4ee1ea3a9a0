package curio

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A Semaphore lets tasks use at most a given number of units at once. A caller that asks for more
// units than are free waits, in order of arrival: a large request is not overtaken by small ones, as
// long as it does not exceed the size. The cost of an operation does not depend on how many tasks
// wait. The zero value is a semaphore without units; NewSemaphore makes one with units. A Semaphore
// must not be copied after first use. All methods are safe for concurrent use.
//
// A Semaphore records which task holds how many units. A task may also release what another task has
// acquired, or what no task has: then there is one unit more than before. That is how a semaphore
// counts events. A semaphore made by NewBoundedSemaphore treats this as a mistake.
//
// It is Curio's Semaphore and BoundedSemaphore. A task that waits for it is in the state
// SEMA_ACQUIRE.
type Semaphore struct {
	bounded bool // set at birth

	mu      sync.Mutex
	size    int64 // how many units there are, free or held
	held    holds
	waiters line
}

// NewSemaphore returns a semaphore of n units. It panics if n is negative.
func NewSemaphore(n int64) *Semaphore {
	mustNotBeNegative("NewSemaphore", n)
	return &Semaphore{size: n}
}

// NewBoundedSemaphore returns a semaphore that never has more units than its size, which is n until
// Resize changes it: releasing more than is held panics. NewBoundedSemaphore panics if n is
// negative.
func NewBoundedSemaphore(n int64) *Semaphore {
	mustNotBeNegative("NewBoundedSemaphore", n)
	return &Semaphore{size: n, bounded: true}
}

func mustNotBeNegative(call string, n int64) {
	if n < 0 {
		panic(fmt.Sprintf("curio: %s(%d): the number is negative", call, n))
	}
}

// Acquire takes one unit. If none is free, it waits, in order of arrival. If ctx is done first, the
// error is ctx's error and nothing is taken.
func (s *Semaphore) Acquire(ctx context.Context) error { return s.AcquireN(ctx, 1) }

// AcquireN takes n units at once. If fewer are free, it waits, in order of arrival. A request for
// more than the size waits for the size to grow, and does not hold up the requests behind it. When
// the size has grown, it still comes before all later requests. If ctx is done first, the error is
// ctx's error and nothing is taken. AcquireN panics if n is negative; with 0 it only checks whether
// ctx is done.
func (s *Semaphore) AcquireN(ctx context.Context, n int64) error {
	mustNotBeNegative("AcquireN", n)
	p, err := wait.At(ctx)
	if err != nil || n == 0 {
		return err
	}
	if err = s.acquire(p, n, "SEMA_ACQUIRE"); err == nil {
		wait.Held(ctx, s, n)
	}
	return err
}

// acquire is AcquireN in the state op. n is not 0.
func (s *Semaphore) acquire(p wait.Place, n int64, op string) error {
	s.mu.Lock()
	if s.takeLocked(p.Owner(), n) {
		s.mu.Unlock()
		return nil
	}
	if p.Untrusted() {
		s.mu.Unlock()
		return p.Follow(func(p wait.Place) error { return s.acquire(p, n, op) })
	}
	w := p.Waiter(op, s)
	s.waiters.push(w, n, s.size)
	s.mu.Unlock()
	ok := w.Wait()
	if !ok {
		s.giveUp(w)
	}
	w.Free()
	if !ok {
		return p.Failure()
	}
	return nil
}

// giveUp takes w, which has been cancelled, out of the line. w may have been all that held
// up those behind it.
func (s *Semaphore) giveUp(w *wait.Waiter) {
	s.mu.Lock()
	s.waiters.remove(w)
	woken := s.passLocked()
	s.mu.Unlock()
	woken.Wake()
}

// takeLocked takes n units if vacantLocked.
func (s *Semaphore) takeLocked(me *wait.Owner, n int64) bool {
	ok := s.vacantLocked(n)
	if ok {
		s.held.add(me, n)
	}
	return ok
}

// vacantLocked reports whether there are n units and nobody is in the way.
func (s *Semaphore) vacantLocked(n int64) bool {
	return n <= s.size-s.held.total && (s.waiters.empty() || s.waiters.next(s.size) == nil)
}

// passLocked serves the waiters in the line for which there are enough units.
func (s *Semaphore) passLocked() (woken wait.Batch) {
	for w := s.waiters.next(s.size); w != nil && wanted(w) <= s.size-s.held.total; w = s.waiters.next(s.size) {
		n := wanted(w)
		if s.waiters.take(w) {
			s.held.add(w.Owner(), n)
			woken.Add(w)
		}
	}
	return woken
}

// TryAcquire takes one unit if one is free and no task waits, and reports whether it did. It does
// not check whether ctx is done.
func (s *Semaphore) TryAcquire(ctx context.Context) bool { return s.TryAcquireN(ctx, 1) }

// TryAcquireN takes n units if that many are free and no task waits, and reports whether it did. It
// does not check whether ctx is done. It panics if n is negative.
func (s *Semaphore) TryAcquireN(ctx context.Context, n int64) bool {
	mustNotBeNegative("TryAcquireN", n)
	me := wait.CurrentTask(ctx)
	if n == 0 {
		return true
	}
	s.mu.Lock()
	took := s.takeLocked(me, n)
	s.mu.Unlock()
	if took {
		wait.Held(ctx, s, n)
	}
	return took
}

// Release gives back one unit that the task of ctx holds. If that task holds none, it gives back a
// unit of another task. If no task holds any, there is one unit more from now on, or, if the
// semaphore is bounded, Release panics. It never blocks and does not check whether ctx is done.
func (s *Semaphore) Release(ctx context.Context) { s.ReleaseN(ctx, 1) }

// ReleaseN gives back n units. See Release. It panics if n is negative.
func (s *Semaphore) ReleaseN(ctx context.Context, n int64) {
	mustNotBeNegative("ReleaseN", n)
	me := wait.CurrentTask(ctx)
	s.release(me, n)
	wait.Returned(me, s, n)
}

// release is ReleaseN in the name of me.
func (s *Semaphore) release(me *wait.Owner, n int64) {
	s.mu.Lock()
	if held := s.held.total; s.bounded && n > held {
		s.mu.Unlock()
		panic(fmt.Sprintf("curio: %s releases %d units of a bounded semaphore of which %d are held; each Release needs an Acquire before it",
			taskName(taskOf(me)), n, held))
	}
	if more := n - s.held.total; more > 0 && s.size > math.MaxInt64-more {
		s.mu.Unlock()
		panic(fmt.Sprintf("curio: ReleaseN(%d): the Semaphore would have more units than can be counted", n))
	}
	left := s.held.remove(me, n)
	if others := min(left, s.held.total); others > 0 {
		s.held.removeAny(others)
		left -= others
	}
	s.size += left
	if s.waiters.empty() {
		s.mu.Unlock()
		return
	}
	woken := s.passLocked()
	s.mu.Unlock()
	woken.Wake()
}

// Resize changes the size to n units. If more than n are held, no task gets any before enough have
// been released. Resize never blocks. It panics if n is negative.
func (s *Semaphore) Resize(n int64) {
	mustNotBeNegative("Resize", n)
	s.mu.Lock()
	s.size = n
	woken := s.passLocked()
	s.mu.Unlock()
	woken.Wake()
}

// Do calls fn with one unit held, and releases it when fn returns or panics. The error is fn's
// error, or the error of Acquire. Do panics if fn is nil.
func (s *Semaphore) Do(ctx context.Context, fn func(context.Context) error) error {
	return s.DoN(ctx, 1, fn)
}

// DoN is like Do, but holds n units. See AcquireN.
func (s *Semaphore) DoN(ctx context.Context, n int64, fn func(context.Context) error) error {
	if fn == nil {
		panic("curio: Do with a nil function")
	}
	mustNotBeNegative("AcquireN", n)
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		return fn(ctx)
	}
	me := p.Owner()
	if err := s.acquire(p, n, "SEMA_ACQUIRE"); err != nil {
		return err
	}
	defer func() {
		s.release(me, n)
		wait.Returned(me, s, n)
	}()
	wait.Held(ctx, s, n)
	return fn(ctx)
}

// Value returns the number of free units. It is negative if Resize has left fewer units than are
// held.
func (s *Semaphore) Value() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size - s.held.total
}

// Size returns the number of units, free or held.
func (s *Semaphore) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Snapshot returns the tasks that hold units, with how many each holds, and the tasks that wait.
func (s *Semaphore) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshotLocked()
}

func (s *Semaphore) snapshotLocked() Snapshot {
	return Snapshot{s.held.appendTo(nil), appendWaiters(nil, &s.waiters.list)}
}

// String returns how many units are free, which tasks hold the others, and how many tasks wait.
func (s *Semaphore) String() string {
	kind := "Semaphore"
	if s.bounded {
		kind = "BoundedSemaphore"
	}
	s.mu.Lock()
	snapshot, free, size := s.snapshotLocked(), s.size-s.held.total, s.size
	s.mu.Unlock()
	return snapshot.text(kind, fmt.Sprintf("%d of %d free", free, size))
}
