package curio

import (
	"context"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/signals"
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

// FakeSignals makes StopOnSignals wait for what deliver is called with, in place of the system's
// signals. died is called in place of the process's end. restore undoes that.
func FakeSignals(died func(sig os.Signal)) (deliver func(sig syscall.Signal), restore func()) {
	var mu sync.Mutex
	var to signals.Subscriber
	set := func(s signals.Subscriber) {
		mu.Lock()
		to = s
		mu.Unlock()
	}
	oldSubscribe, oldUnsubscribe, oldDie := subscribe, unsubscribe, die
	subscribe = func(s signals.Subscriber, _ ...syscall.Signal) { set(s) }
	unsubscribe = func(signals.Subscriber) { set(nil) }
	die = func(sig syscall.Signal) { died(sig) }
	deliver = func(sig syscall.Signal) {
		mu.Lock()
		defer mu.Unlock()
		if to != nil {
			to.Deliver(sig)
		}
	}
	return deliver, func() { subscribe, unsubscribe, die = oldSubscribe, oldUnsubscribe, oldDie }
}

// ClassOf is the class of a state in Stats.ByState.
func ClassOf(state string) string { return classOf(state).String() }

// KnownStates are the states that have a class.
func KnownStates() []string { return slices.Collect(maps.Keys(classes)) }
