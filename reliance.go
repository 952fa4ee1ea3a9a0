package curio

import (
	"reflect"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// This file says whom a wait depends on. An object of which that is known has the method reliance, which
// takes the object's mutex for a moment and calls nothing of the user's.
//
// What is not known proves nothing. An event may be set, a queue filled and an unbounded semaphore released by
// anybody: by a goroutine of no task, by a task that has not been spawned yet. So a wait for one of them counts as
// one that may end at any time.

// A reliance says what has to happen before any wait for an object can end.
type reliance struct {
	on   []*AnyTask
	all  bool     // all of them have to act, so that one that never will is enough; otherwise any of them may
	lost bool     // nobody can do it any more, as who could has ended
	line []inLine // who waits, if each of them needs the one before it to be through, too

	stuck   int          // how many of on are stuck
	waiting []*stuckTask // who depends on it

	two []*AnyTask        // see oldest
	set map[*AnyTask]bool // see includes
}

// An inLine is one that waits in a line.
type inLine struct {
	task  *AnyTask // nil for a goroutine of no task
	fits  bool     // there is room, so that it only waits for those in front: they may give up
	aside bool     // holds up nobody
}

// A relying is an object of which it is known who can end a wait for it.
type relying interface {
	// reliance is for waits in the state op. It is nil if that is not known, or not at the moment.
	reliance(op string) *reliance
}

// relyingOf returns object as a relying. It is nil if object is not one of this package's: a type of the user's that has a
// lock embedded has its methods, too, and is something else to wait for.
func relyingOf(object any) relying {
	r, ok := object.(relying)
	if !ok {
		return nil
	}
	v := reflect.ValueOf(object)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem().PkgPath() != module {
		return nil
	}
	return r
}

// A lock is only lost if its holder had ended while it still held it: what one has looked up may have been released since.
// So that is asked under the object's mutex, or after it the holder is looked up again.

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

// onHolder is the reliance on the one task that holds something, and that alone can give it back.
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

// reliance: all that hold the lock have to give it back first, and so have those that wait in front. While it is held for
// reading, readers only wait for those in front.
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

// reliance: the units of a bounded semaphore are given back by those that hold them. With others anybody may add some. Those
// of a BlockInThread are given back by its thread.
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

// reliance is for those that join t.
func (t *AnyTask) reliance(op string) *reliance {
	if op != opJoin && op != opWait && op != opCancel || t.Terminated() {
		return nil
	}
	return &reliance{on: []*AnyTask{t}}
}

// reliance: the end of a group takes the end of all its members, except where one is enough. Then somebody might still
// add another one.
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
