package wait

import "sync"

// A lock stores the number of the task that holds it, not a pointer, as swapping a pointer
// costs three times as much. This file finds the task by its number. It lists only tasks
// that take such locks, from the first time until they end:
//
//	unlisted ──► listed   by Hold, in the task's name
//	unlisted, listed ──► struck   when the task has ended; nothing lists it after that

const (
	unlisted = iota
	listed
	struck
)

// holders is split into as many parts as there may be processors that use it at once.
var holders [64]struct {
	mu    sync.Mutex
	tasks map[uint64]*Owner
}

// Hold makes o, which is about to take a lock, known to Holder. It does nothing if o is
// nil.
func (o *Owner) Hold() {
	if o != nil && o.held.Load() == unlisted {
		o.list()
	}
}

func (o *Owner) list() {
	part := &holders[o.ID%uint64(len(holders))]
	part.mu.Lock()
	defer part.mu.Unlock()
	if !o.held.CompareAndSwap(unlisted, listed) {
		return
	}
	if part.tasks == nil {
		part.tasks = make(map[uint64]*Owner)
	}
	part.tasks[o.ID] = o
}

// strike takes a task that has ended off the list, and keeps it off.
func (o *Owner) strike() {
	if o.held.Swap(struck) != listed {
		return
	}
	part := &holders[o.ID%uint64(len(holders))]
	part.mu.Lock()
	defer part.mu.Unlock()
	delete(part.tasks, o.ID)
	if len(part.tasks) == 0 {
		part.tasks = nil // a map does not shrink
	}
}

// Holder returns the task whose number is id, which must have called Hold; nil if it has
// ended.
func Holder(id uint64) *Owner {
	part := &holders[id%uint64(len(holders))]
	part.mu.Lock()
	defer part.mu.Unlock()
	return part.tasks[id]
}
