package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/curio-go/curio"
)

// A keyLock has a lock for each key, so that work on one account does not wait for work on another. Tasks
// that wait for a key get it in order of arrival. A key that no task holds or waits for takes no
// memory. The zero value is ready for use, and must not be copied after first use.
//
// A task that waits is in the state KEY_ACQUIRE.
type keyLock struct {
	mu   sync.Mutex
	keys map[string]*keyState
}

// A keyState is the lock of one key. It is in the table as long as somebody uses it, and all of
// it is guarded by the table's mutex.
type keyState struct {
	of     *keyLock
	key    string
	users  int // how many hold it, wait for it, or are about to
	held   bool
	holder *curio.AnyTask // nil for a goroutine of no task
	line   curio.WaitList[struct{}]
}

// serve gives the lock to the task that has waited longest.
func (s *keyState) serve() {
	for w := range s.line.All() {
		if s.held {
			return
		}
		if w.Grant(struct{}{}) { // else it has given up
			s.held, s.holder = true, w.Task()
		}
	}
}

// Acquire takes the lock of a key, and waits while another task has it. If ctx is done first, the
// error is ctx's error, and nothing was taken. A task that acquires a key twice waits for itself.
func (k *keyLock) Acquire(ctx context.Context, key string) error {
	s := k.use(key)
	acquired := false
	defer func() { // even if a caller's context panics
		if !acquired {
			k.mu.Lock()
			k.leaveLocked(s)
			k.mu.Unlock()
		}
	}()
	if _, err := s.line.Wait(ctx, struct{}{}); err != nil {
		return err
	}
	acquired = true
	curio.NoteHeld(ctx, s, 1)
	return nil
}

// use returns the state of a key, which stays in the table until leaveLocked.
func (k *keyLock) use(key string) *keyState {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.keys[key]
	if s == nil {
		s = &keyState{of: k, key: key}
		s.line.Mutex, s.line.State, s.line.Object, s.line.Serve = &k.mu, "KEY_ACQUIRE", s, s.serve
		if k.keys == nil {
			k.keys = make(map[string]*keyState)
		}
		k.keys[key] = s
	}
	s.users++
	return s
}

func (k *keyLock) leaveLocked(s *keyState) {
	if s.users--; s.users > 0 {
		return
	}
	delete(k.keys, s.key)
	if len(k.keys) == 0 {
		k.keys = nil // a map does not shrink
	}
}

// Release gives the lock of a key to the next in line. It never waits, and does not ask whether ctx
// is done. It panics if ctx's task does not hold the lock.
func (k *keyLock) Release(ctx context.Context, key string) {
	k.mu.Lock()
	s := k.keys[key]
	if s == nil || !s.held || s.holder != curio.CurrentTask(ctx) {
		k.mu.Unlock()
		panic(fmt.Sprintf("keylock: release of %q by a task that does not hold it", key))
	}
	s.held, s.holder = false, nil
	s.serve()
	k.leaveLocked(s)
	k.mu.Unlock()
	curio.NoteReleased(ctx, s, 1)
}

// Do calls fn with the lock of a key held, and releases it however fn ends.
func (k *keyLock) Do(ctx context.Context, key string, fn func(ctx context.Context) error) error {
	if err := k.Acquire(ctx, key); err != nil {
		return err
	}
	defer k.Release(ctx, key)
	return fn(ctx)
}

// Snapshot returns the task that holds a key and those that wait for it.
func (k *keyLock) Snapshot(key string) curio.Snapshot {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[key].snapshotLocked()
}

// Keys returns the keys that are held or waited for.
func (k *keyLock) Keys() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.keys))
}

func (s *keyState) snapshotLocked() (what curio.Snapshot) {
	if s == nil {
		return what
	}
	if s.held {
		what.Holders = []curio.Holder{curio.HolderOf(s.holder, 1)}
	}
	what.Waiters = s.line.Waiters()
	return what
}

// String describes the lock, for tests and for those who look at a waiting task.
func (s *keyState) String() string {
	s.of.mu.Lock()
	what := s.snapshotLocked()
	s.of.mu.Unlock() // Text asks tasks for their names
	return what.Text("KeyLock", fmt.Sprintf("%q", s.key))
}
