package wait

import (
	"maps"
	"sync/atomic"
)

// locals are a task's own values by the address of their variable. A map is never
// changed once it is there, so a task and those it has spawned share one.
type locals map[any]any

// localsInUse is set for good with the first value: most programs have none, and a
// spawn does not look for them.
var localsInUse atomic.Bool

// Local is o's value for key, nil for none.
func (o *Owner) Local(key any) any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rare == nil {
		return nil
	}
	return o.rare.locals[key]
}

// SetLocal sets o's value for key.
func (o *Owner) SetLocal(key, value any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.rareLocked()
	changed := maps.Clone(r.locals)
	if changed == nil {
		changed = make(locals)
	}
	changed[key] = value
	localsInUse.Store(true)
	r.locals = changed
}

// InheritLocals gives o, which has not started, what from has; from may be nil.
func (o *Owner) InheritLocals(from *Owner) {
	if from == nil || !localsInUse.Load() {
		return
	}
	from.mu.Lock()
	var has locals
	if from.rare != nil {
		has = from.rare.locals
	}
	from.mu.Unlock()
	if has == nil {
		return
	}
	o.mu.Lock()
	o.rareLocked().locals = has
	o.mu.Unlock()
}
