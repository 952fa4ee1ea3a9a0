package curio

// This file says whom a wait depends on. An object of which that is known has the method reliance, which
// takes the object's mutex for a moment and calls nothing of the user's.
//
// What is not known proves nothing. An event may be set, a queue filled and an unbounded semaphore released by
// anybody: by a goroutine of no task, by a task that has not been spawned yet. So a wait for one of them counts as
// one that may end at any time.

// A reliance says what has to happen before any wait for an object can end.
type reliance struct {
	on   []*AnyTask
	all  bool       // all of them have to act, so that one that never will is enough; otherwise any of them may
	lost bool       // nobody can do it any more, as who could has ended
	line []*AnyTask // who waits, if each of them needs the one before it to be through, too

	stuck   int          // how many of on are stuck
	waiting []*stuckTask // who depends on it
}

// A relying is an object of which it is known who can end a wait for it.
type relying interface {
	// reliance is for waits in the state op. It is nil if that is not known, or not at the moment.
	reliance(op string) *reliance
}

// onHolder is the reliance on the one task that holds something, and that alone can give it back.
func onHolder(h Holder) *reliance {
	switch {
	case h.Task == nil && h.ID == 0: // a goroutine of no task, or it is just being given back
		return nil
	case h.Task == nil || h.Task.Terminated():
		return &reliance{lost: true}
	}
	return &reliance{on: []*AnyTask{h.Task}}
}

func (l *Lock) reliance(string) *reliance { return onHolder(holderIn(l.turn.State())) }

func (l *RLock) reliance(string) *reliance {
	l.mu.Lock()
	h := holder(l.holder, 1)
	l.mu.Unlock()
	return onHolder(h)
}

func (o *Once[T]) reliance(string) *reliance {
	o.mu.Lock()
	h := holder(o.holder, 1)
	o.mu.Unlock()
	return onHolder(h)
}

// reliance: all that hold the lock have to give it back first, and so have those that wait in front.
func (l *RWLock) reliance(string) *reliance {
	s := l.Snapshot()
	r := &reliance{all: true}
	for _, h := range s.Holders {
		switch {
		case h.Task == nil: // a goroutine of no task
		case h.Task.Terminated():
			r.lost = true
		default:
			r.on = append(r.on, h.Task)
		}
	}
	for _, w := range s.Waiters {
		r.line = append(r.line, w.Task) // nil for a goroutine of no task
	}
	return r
}

// reliance: the units of a bounded semaphore are given back by those that hold them. With others anybody may add some.
func (s *Semaphore) reliance(string) *reliance {
	s.mu.Lock()
	holders := s.held.appendTo(nil)
	bounded := s.bounded
	s.mu.Unlock()
	if !bounded || len(holders) == 0 {
		return nil
	}
	r := new(reliance)
	for _, h := range holders {
		if h.Task == nil || h.Task.Terminated() { // another task may give its units back
			return nil
		}
		r.on = append(r.on, h.Task)
	}
	return r
}

// reliance is for those that join t.
func (t *AnyTask) reliance(string) *reliance {
	if t.Terminated() {
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
