package curio

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Watch is a value whose changes any number of tasks can wait for. Each Set gives it the next
// version, so a task that names the version it has seen misses no change between two calls. It may
// miss values in between, if they are set faster than it looks, but never the last one. Setting a
// value that is equal to the one before makes a new version, too.
//
// The zero value is ready for use: it has the zero value of T, in version 0. A Watch must not be
// copied after first use. All methods are safe for concurrent use, by tasks and by any goroutine.
//
// It is Tokio's sync::watch, or Kotlin's StateFlow without its comparisons. Curio and Trio have
// nothing like it. To receive every value, use a Broadcast. A task that waits is in the state
// WATCH_WAIT.
type Watch[T any] struct {
	now atomic.Pointer[watched[T]] // nil for version 0; changes under mu

	mu      sync.Mutex
	waiters wait.List // all are woken by each Set, to look
}

// watched is a value and its version. It does not change.
type watched[T any] struct {
	value   T
	version uint64
}

// Set makes v the value, wakes all tasks that wait for a newer one, and returns v's version: 1 for
// the first Set, then 2, and so on. It never blocks.
func (w *Watch[T]) Set(v T) (version uint64) {
	next := &watched[T]{v, 1}
	w.mu.Lock()
	if last := w.now.Load(); last != nil {
		next.version = last.version + 1
	}
	w.now.Store(next)
	w.waiters.WakeAll(&w.mu)
	return next.version
}

// Get returns the value and its version. It never blocks, and takes no lock.
func (w *Watch[T]) Get() (v T, version uint64) {
	if now := w.now.Load(); now != nil {
		return now.value, now.version
	}
	return v, 0
}

// Wait waits until there is a version newer than after, and returns the newest value with its
// version. If there is one already, Wait returns at once, unless ctx is done. Pass 0 to begin with,
// and then the version that the last call has returned. If ctx is done first, the error is ctx's
// error, v is the zero value and version is after, so that the next call can be made with it in any
// case.
func (w *Watch[T]) Wait(ctx context.Context, after uint64) (v T, version uint64, err error) {
	p, err := wait.At(ctx)
	if err == nil {
		err = w.wait(p, after)
	}
	if err != nil {
		return v, after, err
	}
	v, version = w.Get()
	return v, version, nil
}

// wait waits until there is a version newer than after.
func (w *Watch[T]) wait(p wait.Place, after uint64) error {
	for {
		switch {
		case w.isNewer(after):
			return nil
		case p.Untrusted():
			return p.Follow(func(p wait.Place) error { return w.wait(p, after) })
		}
		w.mu.Lock()
		if w.isNewer(after) {
			w.mu.Unlock()
			return nil
		}
		if err := p.Block("WATCH_WAIT", w, &w.waiters, &w.mu); err != nil {
			return err
		}
	}
}

// isNewer reports whether there is a version newer than after.
func (w *Watch[T]) isNewer(after uint64) bool {
	_, version := w.Get()
	return version > after
}

// WaitCase returns the case of a [Select] that waits for a version newer than after. When it takes
// effect, the value is stored in *v and its version in *version; either may be nil.
func (w *Watch[T]) WaitCase(after uint64, v *T, version *uint64) Case {
	return Case{&watchCase[T]{w, after, v, version}}
}

type watchCase[T any] struct {
	of      *Watch[T]
	after   uint64
	v       *T
	version *uint64
}

func (c *watchCase[T]) try(*wait.Owner, int64) (done bool, err error) {
	v, version := c.of.Get()
	if version <= c.after {
		return false, nil
	}
	if c.v != nil {
		*c.v = v
	}
	if c.version != nil {
		*c.version = version
	}
	return true, nil
}

func (c *watchCase[T]) list(w *wait.Waiter, _ int64) (ok bool) {
	w.For("WATCH_WAIT", c.of)
	w.Harmless()
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.of.isNewer(c.after) {
		return false
	}
	c.of.waiters.Push(w)
	return true
}

func (c *watchCase[T]) leave(w *wait.Waiter) { c.of.waiters.Leave(w, &c.of.mu) }

func (c *watchCase[T]) take(w *wait.Waiter) (done bool, err error) { return c.try(nil, 0) }

// Changes returns an iterator over the value, unless nothing has been set yet, and then each newer
// one. If ctx is done, the loop gets ctx's error once, and ends.
//
//	for settings, err := range watch.Changes(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// A loop that is slower than the changes sees only the newest value each time.
func (w *Watch[T]) Changes(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var after uint64
		for {
			v, version, err := w.Wait(ctx, after)
			if !yield(v, err) || err != nil {
				return
			}
			after = version
		}
	}
}

// Snapshot returns the tasks that wait. A watch has no holders.
func (w *Watch[T]) Snapshot() Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Snapshot{Waiters: appendWaiters(nil, &w.waiters)}
}

// String returns the version of the value and how many tasks wait. It does not show the value.
func (w *Watch[T]) String() string {
	_, version := w.Get()
	return w.Snapshot().text("Watch", fmt.Sprintf("version %d", version))
}
