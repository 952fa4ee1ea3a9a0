package subprocess

import (
	"errors"
	"sync"

	"github.com/curio-go/curio/internal/signals"
)

// living are the children that are killed when this process dies by a signal (curio.Exit, or the third
// signal of curio.StopOnSignals), as no deferred function runs then. One that shares our process group
// and has no cgroup is left alone: it gets what the group gets.
var living = &registry{children: make(map[*child]struct{})}

// Between the fork and add a child is known to nobody. births is held for reading meanwhile, and killAll waits for
// those who hold it; a start that comes later sees dying, and does not fork.
type registry struct {
	births sync.RWMutex

	mu       sync.Mutex
	children map[*child]struct{}
	dying    bool // a child that comes now is killed at once
}

func init() { signals.BeforeDeath(living.killAll) }

// bear begins a birth, which born ends. It fails if the process is dying.
func (r *registry) bear() error {
	r.births.RLock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dying {
		r.births.RUnlock()
		return errDying
	}
	return nil
}

func (r *registry) born() { r.births.RUnlock() }

var errDying = errors.New("this process is being ended by a signal")

// add lists c.
func (r *registry) add(c *child) {
	if c.containment() == ContainedNone {
		return
	}
	r.mu.Lock()
	r.children[c] = struct{}{}
	dying := r.dying
	r.mu.Unlock()
	if dying {
		_ = c.kill()
	}
}

func (r *registry) remove(c *child) {
	r.mu.Lock()
	delete(r.children, c)
	r.mu.Unlock()
}

// killAll kills all, and waits for none of their ends.
func (r *registry) killAll() {
	r.mu.Lock()
	r.dying = true
	all := make([]*child, 0, len(r.children))
	for c := range r.children {
		all = append(all, c)
	}
	r.mu.Unlock()
	for _, c := range all {
		_ = c.kill()
	}
	r.births.Lock() // those who are just being born are killed by add
	defer r.births.Unlock()
}
