package wait

import "sync"

// A lock has room for the number of the task that holds it, and not for a pointer, of
// which a swap costs three times as much. This file finds the task by the number. Only
// tasks that take such locks are in here, from the first time up to their end:
//
//	unlisted ──► listed   by Hold, in the task's name
//	unlisted, listed ──► struck   when the task has ended; nothing lists it after that

const (
	unlisted = iota
	listed
	struck
)

// holders are in as many parts as there may be processors that meet here at a time.
var holders [64]struct {
	mu    sync.Mutex
	tasks map[uint64]*Owner
}

// Hold makes o, which is about to take a lock, known to Holder. nil is no task.
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

// strike is for a task that has ended.
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

// Holder is the task with that number, of those that have called Hold; nil if it has ended.
func Holder(id uint64) *Owner {
	part := &holders[id%uint64(len(holders))]
	part.mu.Lock()
	defer part.mu.Unlock()
	return part.tasks[id]
}
