package curio

import (
	"reflect"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// This file finds the tasks that a wait depends on. An object whose providers are known has the method reliance, which
// takes the object's mutex for a moment and calls nothing of the user's.
//
// Anybody may set an event, fill a queue or release an unbounded semaphore: a goroutine of no task, or a task that has
// not been spawned yet. So a wait for one of these may end at any time.

// A reliance says what has to happen before any wait for an object can end.
type reliance struct {
	on   []*AnyTask
	all  bool     // all of on have to act, so that one that never will is enough; otherwise any of them may
	lost bool     // nobody can do it any more: the tasks that could have ended
	line []inLine // the waiters, if each of them also needs the one before it to be through

	stuck   int          // how many of on are stuck
	waiting []*stuckTask // the tasks that depend on it

	two []*AnyTask        // see oldest
	set map[*AnyTask]bool // see includes
}

// An inLine is a waiter in a line.
type inLine struct {
	task  *AnyTask // nil for a goroutine of no task
	fits  bool     // there is room, so it only waits for the ones in front: they may give up
	aside bool     // holds up nobody
}

// A relying is an object whose providers are known.
type relying interface {
	// reliance is for waits in the state op. The result is nil if the providers are not known, or not at the
	// moment.
	reliance(op string) *reliance
}

// relyingOf returns object as a relying. The result is nil if object is not one of this package's: a type of the
// user's that embeds a lock also has the lock's methods, and is something else to wait for.
func relyingOf(object any) relying {
	if r, ok := object.(relying); ok && isOurs(object) {
		return r
	}
	return nil
}

// isOurs reports whether object points to something of a type of this package.
func isOurs(object any) bool {
	v := reflect.ValueOf(object)
	return v.Kind() == reflect.Pointer && !v.IsNil() && v.Type().Elem().PkgPath() == module
}

// A lock is only lost if its holder ended while it held it. A holder that was looked up earlier may have released the lock
// before it ended. So both are asked under the object's mutex, or the holder is looked up once more afterwards.

func (l *Lock) reliance(op string) *reliance {
	if op != "LOCK_ACQUIRE" {
		return nil
	}
	h := holderIn(l.turn.State())
	switch {
	case h.ID == 0: // a goroutine of no task, or it is just being given back
		return nil
	case h.Task != nil && !h.Task.Terminated():
		return &reliance{on: []*AnyTask{h.Task}}
	case l.turn.State().Holder() == h.ID:
		return &reliance{lost: true}
	}
	return nil
}

// onHolder is the reliance on the one task that holds something and alone can give it back.
func onHolder(o *wait.Owner) *reliance {
	switch t := taskOf(o); {
	case t == nil:
		return nil
	case t.Terminated():
		return &reliance{lost: true}
	default:
		return &reliance{on: []*AnyTask{t}}
	}
}

func (l *RLock) reliance(op string) *reliance {
	if op != "RLOCK_ACQUIRE" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return onHolder(l.holder)
}

func (o *Once[T]) reliance(op string) *reliance {
	if op != "ONCE_WAIT" {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return onHolder(o.holder)
}

// reliance: all holders have to give the lock back first, and the waits in front have to end. While it is held for
// reading, readers only wait for the ones in front.
func (l *RWLock) reliance(op string) *reliance {
	if op != opRead && op != opWrite {
		return nil
	}
	l.mu.Lock()
	s, writing := l.snapshotLocked(), l.writing
	l.mu.Unlock()
	r := &reliance{all: true}
	ended := make(map[*AnyTask]bool)
	for _, h := range s.Holders {
		switch {
		case h.Task == nil: // a goroutine of no task
		case h.Task.Terminated():
			ended[h.Task] = true
		default:
			r.on = append(r.on, h.Task)
		}
	}
	if len(ended) > 0 {
		r.lost = slices.ContainsFunc(l.Snapshot().Holders, func(h Holder) bool { return ended[h.Task] })
	}
	for _, w := range s.Waiters {
		r.line = append(r.line, inLine{task: w.Task, fits: !writing && w.Op == opRead && op == opRead})
	}
	return r
}

// reliance: the units of a bounded semaphore are given back by their holders. Anybody may add units to another one. The
// units of a BlockInThread are given back by its thread.
func (s *Semaphore) reliance(op string) *reliance {
	if op != "SEMA_ACQUIRE" && op != "THREAD_SLOT" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.bounded || s.held.total == 0 {
		return nil
	}
	r := new(reliance)
	for _, h := range s.held.appendTo(nil) {
		if h.Task == nil || h.Task.Terminated() { // another task may give its units back
			return nil
		}
		r.on = append(r.on, h.Task)
	}
	for w := s.waiters.list.First(); w != nil; w = s.waiters.list.Next(w) {
		n := wanted(w)
		r.line = append(r.line, inLine{taskOf(w.Owner()), n <= s.size-s.held.total, n > s.size})
	}
	return r
}

// reliance is for tasks that join t.
func (t *AnyTask) reliance(op string) *reliance {
	if op != opJoin && op != opWait && op != opCancel || t.Terminated() {
		return nil
	}
	return &reliance{on: []*AnyTask{t}}
}

// reliance: the end of a group takes the end of all its members, except with the policies where one is enough: then
// somebody may still add another member.
func (g *group) reliance(op string) *reliance {
	if op != opGroupJoin {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.policy != WaitAll && !g.stopping {
		return nil
	}
	r := &reliance{all: true}
	for _, m := range g.members {
		if m != nil && !m.common().Terminated() {
			r.on = append(r.on, m.common())
		}
	}
	return r
}

// usedLately: a getter waits for the tasks that put, and a putter for the tasks that get.
func (q *Queue[T]) usedLately(op string) []uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch op {
	case "QUEUE_GET":
		return slices.Clone(q.putBy[:])
	case "QUEUE_PUT", "QUEUE_JOIN":
		return slices.Clone(q.gotBy[:])
	}
	return nil
}

// usedLately: anybody may release a semaphore that is not bounded, and its holders most likely will.
func (s *Semaphore) usedLately(op string) (ids []uint64) {
	if op != "SEMA_ACQUIRE" {
		return nil
	}
	for _, h := range s.Snapshot().Holders {
		ids = append(ids, h.ID)
	}
	return ids
}
