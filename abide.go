package curio

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// Abide locks mu, a lock from another package such as a *sync.Mutex, and returns the function that
// unlocks it. release must be called exactly once, by any goroutine; a second call panics. If ctx is
// done first, the error is ctx's error; if the background wait for mu succeeds later, mu is unlocked
// at once.
//
// However many tasks wait for mu, a single goroutine of their kernel waits for it in the background
// and hands it to them in order of arrival. If mu has a TryLock method, Abide tries that first, so a
// late caller may be lucky. Abide panics if mu is nil or cannot be compared.
//
// It is Curio's abide. A task that waits is in the state THREAD_TURN, and then ABIDE.
func Abide(ctx context.Context, mu sync.Locker) (release func(), err error) {
	if mu == nil {
		panic("curio: Abide without a lock")
	}
	if !isKey(mu) {
		panic(fmt.Sprintf("curio: Abide of a lock of type %T, which cannot be compared; use a pointer to it", mu))
	}
	p, err := wait.At(ctx)
	if err != nil {
		return nil, err
	}
	if try, ok := mu.(interface{ TryLock() bool }); !ok || !try.TryLock() {
		c := newCall(ctx, "Abide", lock(mu), []func(struct{}, error){unlock(mu)})
		c.Name = fmt.Sprintf("%T", mu)
		_, err := c.at(ctx, func(c *call[struct{}], p wait.Place) (struct{}, error) {
			return blockInThread(p, abided{mu}, "ABIDE", c)
		})
		if err != nil {
			return nil, err
		}
	}
	owner := p.Owner()
	wait.Held(ctx, mu, 1)
	var released atomic.Bool
	return func() {
		if released.Swap(true) {
			panic("curio: a lock taken with Abide is released a second time")
		}
		wait.Returned(owner, mu, 1)
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
