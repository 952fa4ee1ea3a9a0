package curio

import (
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// queueLocked gives t a slot, or a place in the line for one.
func (g *group) queueLocked(t *AnyTask) {
	if g.slots < g.limit {
		g.slots++
		t.slot = true
		return
	}
	t.queued = true
	g.line = append(g.line, t)
	if t.spawned == 0 {
		t.spawned = caller(5) // while t waits, there is no user code on its stack
	}
}

// admit waits for t's slot. t itself calls it. It returns false if t was cancelled
// meanwhile, and then it has set t's error.
func (g *group) admit(t *AnyTask) bool {
	if g.limit == 0 || t.daemon || t.adopted {
		return true
	}
	p, err := wait.At(&t.owner.Scope)
	if err != nil {
		t.err = err
		return false
	}
	g.mu.Lock()
	if t.slot {
		g.mu.Unlock()
		return true
	}
	if g.parked == nil {
		g.parked = make(map[*AnyTask]*wait.Waiter)
	}
	w := p.Waiter("GROUP_LIMIT", nil)
	g.parked[t] = w
	g.mu.Unlock()

	ok := w.Wait()
	g.mu.Lock()
	delete(g.parked, t)
	g.mu.Unlock()
	w.Free()
	if !ok {
		t.err = p.Failure()
	}
	return ok
}

// passSlotLocked is called when t has ended. It takes t out of the line, or gives t's slot
// to the first in line that can use it. The caller must wake the waiter that it returns, if
// any.
func (g *group) passSlotLocked(t *AnyTask) *wait.Waiter {
	if t.queued {
		t.queued = false
		if g.stale++; g.stale > len(g.line)/2 {
			g.stale = 0
			g.line = slices.DeleteFunc(g.line, func(t *AnyTask) bool { return !t.queued })
		}
	}
	if !t.slot {
		return nil
	}
	t.slot = false
	for len(g.line) > 0 {
		heir := g.line[0]
		g.line[0], g.line = nil, g.line[1:]
		if !heir.queued {
			g.stale--
			continue
		}
		heir.queued = false
		w := g.parked[heir]
		if w != nil && !w.Grant() {
			continue // it has been cancelled, and is about to end
		}
		heir.slot = true
		return w
	}
	g.slots--
	return nil
}
