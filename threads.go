package curio

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// threads are a kernel's calls in threads.
type threads struct {
	slots *Semaphore // of RunInThread

	mu        sync.Mutex
	calls     map[*ThreadCall]struct{} // that have not returned
	turns     map[any]*turn            // of BlockInThread, by key
	abandoned int                      // of calls
	warned    int                      // how many abandoned calls there were when the log last reported them
}

// A turn is what those with the same key wait for.
type turn struct {
	Semaphore
	users int // who wait for it or have it; guarded by threads.mu
}

// maxThreads is the number of RunInThread's places if MaxThreads does not say otherwise.
const maxThreads = 64

// MaxThreads sets how many functions RunInThread runs at the same time. The default is 64. It panics
// if n is less than 1.
func MaxThreads(n int) KernelOption {
	if n < 1 {
		panic(fmt.Sprintf("curio: MaxThreads(%d): RunInThread needs at least one place", n))
	}
	return kernelOption(func(k *Kernel) { k.threads.slots.Resize(int64(n)) })
}

// ThreadCalls returns the calls of RunInThread, RunInThreadLimited, BlockInThread, RunInExecutor and
// Abide whose functions have not returned, the oldest first. Abandoned calls are included.
func (k *Kernel) ThreadCalls() []ThreadCall {
	k.threads.mu.Lock()
	calls := make([]ThreadCall, 0, len(k.threads.calls))
	for c := range k.threads.calls {
		calls = append(calls, *c)
	}
	k.threads.mu.Unlock()
	slices.SortFunc(calls, func(a, b ThreadCall) int { return a.Since.Compare(b.Since) })
	return calls
}

func (t *threads) add(c *ThreadCall) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls == nil {
		t.calls = make(map[*ThreadCall]struct{})
	}
	t.calls[c] = struct{}{}
}

func (t *threads) remove(c *ThreadCall) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.calls[c]; ok && c.Abandoned {
		t.abandoned--
		if t.abandoned <= t.warned/2 {
			t.warned = 0
		}
	}
	delete(t.calls, c)
}

// abandoned notes that nobody waits for c any more. Functions that hang pile up, and each may
// keep an OS thread: the log reports them when they are as many as RunInThread may run, and each
// time that they have doubled; anew when half of them have returned.
func (k *Kernel) abandoned(c *ThreadCall) {
	t := &k.threads
	most := int(t.slots.Size())
	t.mu.Lock()
	if _, running := t.calls[c]; running {
		c.Abandoned = true
		t.abandoned++
	}
	n, warn := t.abandoned, t.abandoned >= max(most, 2*t.warned)
	if warn {
		t.warned = n
	}
	t.mu.Unlock()
	if warn {
		k.say(slog.LevelWarn, "curio: functions in threads whose calls were abandoned still run", "count", n, "last", c.Name)
	}
}

// join returns the turn of key for one more user.
func (t *threads) join(key any) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.turns[key]
	if u == nil {
		if t.turns == nil {
			t.turns = make(map[any]*turn)
		}
		u = &turn{Semaphore: Semaphore{size: 1, bounded: true}}
		t.turns[key] = u
	}
	u.users++
	return u
}

// leave forgets key with its last user.
func (t *threads) leave(key any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.turns[key]
	if u.users--; u.users == 0 {
		delete(t.turns, key)
	}
}
