package curio

import (
	"context"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// SetStubborn sets after what time Shutdown complains, and returns how to undo it.
func SetStubborn(d time.Duration) (restore func()) {
	old := stubborn
	stubborn = d
	return func() { stubborn = old }
}

// Root is the scope of a kernel; that of the process's default kernel if k is nil.
func Root(k *Kernel) *wait.Scope {
	if k == nil {
		k = defaultKernel
	}
	return k.root
}

// ScopeOf is the scope that ctx is.
func ScopeOf(ctx context.Context) *wait.Scope { return ctx.(*wait.Scope) }

// SetEnded makes n the order of the member that has ended last.
func SetEnded[T any](g *TaskGroup[T], n int32) { g.group.ended = n }

// ParkedOf is what t waits for.
func ParkedOf(t *AnyTask) (wait.Snapshot, bool) { return t.owner.Parked() }

// SetBeforePending sets what is called before a pending shared call starts, and returns how to
// undo it.
func SetBeforePending(f func()) (restore func()) {
	old := beforePending
	beforePending = f
	return func() { beforePending = old }
}

// TakeLate takes a tick of t that became due the given time ago, and returns how long it is until
// the next one. waited says whether the caller was waiting for the tick.
func TakeLate(t *Ticker, late time.Duration, waited bool) (next time.Duration) {
	now := wait.Now()
	t.next = now - int64(late)
	t.take(waited)
	return time.Duration(t.next - now)
}
