package curio

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// NoLimit removes the limit if it is given to Limit or SetLimit: all tasks run at the same time.
const NoLimit = math.MaxInt

// SetLimit sets how many of the group's tasks run at the same time. If the limit grows, waiting
// tasks begin, in order. If it shrinks, no running task is stopped: the next task begins when fewer
// than n are left. The group need not have had a limit. SetLimit panics if n is not positive.
func (g *TaskGroup[T]) SetLimit(n int) {
	mustBeLimit(n)
	g.group.setLimit(n)
}

func mustBeLimit(n int) {
	if n <= 0 {
		panic(fmt.Sprintf("curio: a group's limit of %d, with which no task would ever run; use NoLimit for no limit", n))
	}
}

// TrySpawn starts fn as a task of the group if it can begin at once: if the group has no limit, or
// has not reached it. Otherwise it returns nil, and fn is not called.
func (g *TaskGroup[T]) TrySpawn(fn func(context.Context) (T, error), opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: TaskGroup.TrySpawn of a nil function")
	}
	if len(opts) == 0 && g.group.isFull() { // a daemon needs no place
		return nil
	}
	t := newTask(g.group.inner, fn, reflect.ValueOf(fn).Pointer(), opts)
	return g.trySpawn(t, t)
}

// TryGo is like TrySpawn, for a function that returns only an error.
func (g *TaskGroup[T]) TryGo(fn func(context.Context) error, opts ...SpawnOption) *Task[T] {
	if fn == nil {
		panic("curio: TaskGroup.TryGo with a nil function")
	}
	if len(opts) == 0 && g.group.isFull() { // a daemon needs no place
		return nil
	}
	return g.trySpawn(newTask[T](g.group.inner, nil, reflect.ValueOf(fn).Pointer(), opts), plain(fn))
}

func (g *TaskGroup[T]) trySpawn(t *Task[T], fn runner) *Task[T] {
	if !g.group.tryAdd(t) {
		return nil
	}
	t.start(g.group.inner, g.group, fn)
	return t
}

// SpawnWait is like Spawn, but waits until the task can begin. A loop that spawns a task for each of
// many items then never has more tasks than the group's limit, plus one that waits. If ctx is done
// first, the error is ctx's error, and fn is not called: it is as if the task had not been spawned.
// A caller that waits is in the state GROUP_LIMIT.
func (g *TaskGroup[T]) SpawnWait(ctx context.Context, fn func(context.Context) (T, error), opts ...SpawnOption) (*Task[T], error) {
	if fn == nil {
		panic("curio: TaskGroup.SpawnWait of a nil function")
	}
	t := newTask(g.group.inner, fn, reflect.ValueOf(fn).Pointer(), opts)
	return g.spawnWait(ctx, t, t)
}

// GoWait is like SpawnWait, for a function that returns only an error.
func (g *TaskGroup[T]) GoWait(ctx context.Context, fn func(context.Context) error, opts ...SpawnOption) (*Task[T], error) {
	if fn == nil {
		panic("curio: TaskGroup.GoWait with a nil function")
	}
	return g.spawnWait(ctx, newTask[T](g.group.inner, nil, reflect.ValueOf(fn).Pointer(), opts), plain(fn))
}

func (g *TaskGroup[T]) spawnWait(ctx context.Context, t *Task[T], fn runner) (*Task[T], error) {
	p, err := wait.At(ctx)
	if err != nil {
		return nil, err
	}
	spawn := func(p wait.Place) error {
		g.group.add(t, false)
		t.start(g.group.inner, g.group, fn)
		return g.group.awaitSlot(p, t.AnyTask)
	}
	if p.Untrusted() {
		err = p.Follow(spawn)
	} else {
		err = spawn(p)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (g *group) isFull() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slots >= g.limit
}

// setLimit changes the limit, and lets those begin for whom there is room now.
func (g *group) setLimit(n int) {
	var woken wait.Batch
	g.mu.Lock()
	g.limit = n
	g.fillLocked(&woken)
	g.mu.Unlock()
	woken.Wake()
}

// queueLocked gives t a slot, or a place in the line for one.
func (g *group) queueLocked(t *AnyTask) {
	t.limited = g.limit != NoLimit
	if g.slots < g.limit {
		g.slots++
		t.slot = true
		return
	}
	t.queued = true
	g.line = append(g.line, t)
	if t.spawn() == 0 {
		t.setSpawn(usersCall()) // while t waits, there is no user code on its stack
	}
}

// admit waits for t's slot. t itself calls it. It returns false if t was cancelled
// meanwhile, and then it has set t's error.
func (g *group) admit(t *AnyTask) bool {
	if !t.limited {
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
	ok := g.waitLocked(p, &g.parked, t)
	if !ok {
		t.err = p.Failure()
	}
	return ok
}

// waitLocked waits at p until the group has granted the waiter that is in the map under t. ok is
// false if the scope of p has ended the wait. It unlocks mu.
func (g *group) waitLocked(p wait.Place, in *map[*AnyTask]*wait.Waiter, t *AnyTask) (ok bool) {
	if *in == nil {
		*in = make(map[*AnyTask]*wait.Waiter)
	}
	w := p.Waiter("GROUP_LIMIT", g)
	(*in)[t] = w
	g.mu.Unlock()

	ok = w.Wait()
	g.mu.Lock()
	delete(*in, t)
	g.mu.Unlock()
	w.Free()
	return ok
}

// awaitSlot waits until t, which has been added just now, is no longer in line: until it has a
// slot, or has ended. If the scope of p ends before that, t is withdrawn.
func (g *group) awaitSlot(p wait.Place, t *AnyTask) error {
	g.mu.Lock()
	if !t.queued {
		g.mu.Unlock()
		return nil
	}
	if g.waitLocked(p, &g.awaited, t) {
		return nil
	}
	g.mu.Lock()
	withdrawn := t.queued
	if withdrawn {
		t.withdrawn = true
		g.leaveLineLocked(t)
	}
	g.mu.Unlock()
	err := p.Failure()
	if !withdrawn { // it was its turn just then
		p.Saved(err)
		return nil
	}
	t.owner.Scope.Cancel(wait.NewCause(&t.owner.Scope, wait.Cancelled, nil))
	return err
}

// leaveLineLocked takes t, which will never have a slot, out of the line.
func (g *group) leaveLineLocked(t *AnyTask) {
	t.queued = false
	if g.stale++; g.stale > len(g.line)/2 {
		g.stale = 0
		g.line = slices.DeleteFunc(g.line, func(t *AnyTask) bool { return !t.queued })
	}
}

// passSlotLocked is called when t has ended. It takes t out of the line, or gives t's slot
// to the first in line that can use it. The caller must wake the waiters in woken.
func (g *group) passSlotLocked(t *AnyTask, woken *wait.Batch) {
	if t.queued {
		g.leaveLineLocked(t)
		g.outOfLineLocked(t, woken)
	}
	if t.slot {
		t.slot = false
		g.slots--
		g.fillLocked(woken)
	}
}

// fillLocked gives the slots that are free to the first in line.
func (g *group) fillLocked(woken *wait.Batch) {
	for g.slots < g.limit && len(g.line) > 0 {
		heir := g.line[0]
		g.line[0], g.line = nil, g.line[1:]
		if !heir.queued {
			g.stale--
			continue
		}
		heir.queued = false
		g.outOfLineLocked(heir, woken)
		w := g.parked[heir]
		if w != nil && !w.Grant() {
			continue // it has been cancelled, and is about to end
		}
		heir.slot = true
		g.slots++
		if w != nil {
			woken.Add(w)
		}
	}
}

// outOfLineLocked wakes the caller of SpawnWait that waits for t to be out of the line, if there
// is one.
func (g *group) outOfLineLocked(t *AnyTask, woken *wait.Batch) {
	if w := g.awaited[t]; w != nil && w.Grant() {
		woken.Add(w)
	}
}
