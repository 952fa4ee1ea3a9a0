package curio

import (
	"context"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// Most groups wait for all their members and never ask which has ended first. So a member that
// ends only gets a number, and the group makes the list of those that have ended, done, in the
// first call of NextDone, NextResult or Done.

// collect makes failures the body's own business, and done available.
func (g *group) collect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keepGoing = true
	if g.collected {
		return
	}
	g.collected = true
	for _, m := range g.members {
		if m != nil && m.common().settled {
			g.done = append(g.done, m.common())
		}
	}
	slices.SortFunc(g.done, func(a, b *AnyTask) int { return int(a.order - b.order) }) // numbers wrap around
}

// next takes the next member that has ended; nil if there is none.
func (g *group) next(ctx context.Context) (member, error) {
	g.collect()
	p, err := wait.At(ctx)
	if err != nil {
		return nil, err
	}
	return g.nextAt(p)
}

func (g *group) nextAt(p wait.Place) (m member, err error) {
	g.mu.Lock()
	m = g.firstDoneLocked()
	if m != nil || g.running == 0 {
		if m != nil {
			g.takeLocked(m.common())
		}
		g.mu.Unlock()
		return m, nil
	}
	if p.Untrusted() {
		g.mu.Unlock()
		return wait.FollowFor(p, g.nextAt)
	}
	w := p.Waiter("TASKGROUP_NEXT", g)
	ok := w.WaitIn(&g.collectors, &g.mu)
	if ok {
		m, _ = w.Slot.(member)
		w.Slot = nil
	}
	w.Free()
	if !ok {
		return nil, p.Failure()
	}
	return m, nil
}

// firstDoneLocked returns the first member that has ended and has not been taken, nil for
// none.
func (g *group) firstDoneLocked() member {
	for len(g.done) > 0 {
		if t := g.done[0]; !t.taken {
			return g.members[t.index]
		}
		g.done[0], g.done = nil, g.done[1:]
	}
	return nil
}
