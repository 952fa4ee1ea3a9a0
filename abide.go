package curio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// Abide takes a lock that is not of this package, as a *sync.Mutex, and returns the
// function that unlocks it, which is to be called once. If ctx ends first, the error is
// that of ctx; the lock is unlocked as soon as it is got. However many tasks wait for one
// lock, a single goroutine does so in the background, and hands it to them in order of
// arrival. A lock that has a method TryLock is first tried with that.
//
// It is Curio's abide. A task that waits is in the state THREAD_TURN, and then ABIDE.
func Abide(ctx context.Context, mu sync.Locker) (release func(), err error) {
	if mu == nil {
		panic("curio: Abide without a lock")
	}
	if _, err := wait.At(ctx); err != nil {
		return nil, err
	}
	if try, ok := mu.(interface{ TryLock() bool }); !ok || !try.TryLock() {
		if _, err := blockInThread(ctx, abided{mu}, "ABIDE", newCall(ctx, "Abide", lock(mu), []func(struct{}, error){unlock(mu)})); err != nil {
			return nil, err
		}
	}
	wait.Held(ctx, mu, 1)
	var released atomic.Bool
	return func() {
		if released.Swap(true) {
			panic("curio: a lock taken with Abide is released a second time")
		}
		wait.Held(ctx, mu, -1)
		mu.Unlock()
	}, nil
}

// abided is the key of a lock for BlockInThread, so that the user's keys are none.
type abided struct{ sync.Locker }

func lock(mu sync.Locker) func() (struct{}, error) {
	return func() (struct{}, error) {
		mu.Lock()
		return struct{}{}, nil
	}
}

// unlock undoes lock if it comes too late.
func unlock(mu sync.Locker) func(struct{}, error) {
	return func(_ struct{}, err error) {
		if err == nil {
			mu.Unlock()
		}
	}
}
