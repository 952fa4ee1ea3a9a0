package wait

// This file is for timeouts whose cancel function nobody calls, as happens with package
// context's too. A timeout that has ended, and has nothing below it, leaves the tree:
//
//	in the tree ──► gone   by forget, when it has ended or its last child has left
//	gone ──► in the tree   by remember, when somebody opens a scope in it
//	gone ──► closed        by Close, or by remember if its task has ended meanwhile
//
// Its parent stays the same, so code inside it sees no difference.
//
// A timeout in which nothing waits has no alarm, and nobody notices when it expires. If it is
// forgotten, it stays until its parent is closed. To keep those from piling up, link sets the
// alarm of a timeout that is not its parent's only child. So a scope has at most one child that
// is a timeout without an alarm.

// forget takes a timeout that has ended out of the tree while there is nothing below it,
// and lets go of its timer and of the context that it follows: its cancel function may
// never be called, and the code inside may run for a long time.
func (s *Scope) forget() {
	for s != nil {
		p := s.lockParent()
		if p == nil {
			return // not in the tree yet
		}
		var b Batch
		s.mu.Lock()
		s.forgetLocked(p, &b)
		s.mu.Unlock()
		above := p
		if !p.isIdle() {
			above = nil
		}
		p.mu.Unlock()
		b.wakeForScope()
		s = above
	}
}

// isIdle reports whether s is a timeout that has ended, with nothing below it. s is locked.
func (s *Scope) isIdle() bool {
	return s.kind == Timeout && s.children == nil && !s.closed && !s.loose && !s.gone && s.cause.Load() != nil
}

// forgetLocked is forget for a child of p; both are locked.
func (s *Scope) forgetLocked(p *Scope, b *Batch) {
	if !s.isIdle() {
		return
	}
	p.unlinkLocked(s)
	s.gone = true
	emptied := p.emptiedLocked()
	emptied.each(b.Add)
	if s.alarm != nil || s.rare != nil && s.rare.unhook != nil {
		b.addGone(s)
	}
}

// release does what remains to be done for timeouts that have been forgotten.
func (b *Batch) release() {
	if b.aside == nil {
		return
	}
	for _, s := range b.aside.gone {
		s.mu.Lock()
		a, unhook := s.takeTiesLocked()
		s.mu.Unlock()
		s.untie(a, unhook)
	}
	b.aside = nil
}

// takeTiesLocked takes off s, and returns, what can still call it: its alarm and its hooks.
func (s *Scope) takeTiesLocked() (a *alarm, unhook func()) {
	a, s.alarm = s.alarm, nil
	if s.rare != nil {
		unhook, s.rare.unhook = s.rare.unhook, nil
	}
	return a, unhook
}

func (s *Scope) untie(a *alarm, unhook func()) {
	if unhook != nil {
		unhook()
	}
	if a != nil && a.clear() {
		s.owner.keepAlarm(a)
	}
}

// lockInTree locks s, which is about to get a child. If s was forgotten, it puts s back
// into the tree if that is possible.
func (s *Scope) lockInTree() {
	s.mu.Lock()
	for s.gone && !s.closed {
		s.mu.Unlock()
		if !s.remember() {
			s.mu.Lock()
			return
		}
		s.mu.Lock()
	}
}

// remember puts s, and the forgotten scopes above it, back into the tree. It returns false
// if there is no tree above any more.
func (s *Scope) remember() bool {
	gone := []*Scope{s} // upwards
	for p := s.parent.Load(); ; p = p.parent.Load() {
		p.mu.Lock()
		switch {
		case p.closed && p.kind == Kernel || p.loose:
			p.mu.Unlock()
			return false
		case p.closed && (p.kind == Task || p.lost): // it would have closed s
			s.mu.Lock()
			s.closed, s.lost = true, true
			s.mu.Unlock()
			p.mu.Unlock()
			return true
		case p.closed: // it would have passed what is below on to its parent
			gone[len(gone)-1].parent.CompareAndSwap(p, p.parent.Load())
		case p.gone:
			gone = append(gone, p)
		default:
			p.putBackLocked(gone)
			return true // lockInTree checks whether that worked
		}
		p.mu.Unlock()
	}
}

// putBackLocked puts the last of gone below s, the one before it below that, and so on. It
// stops at the first that is no longer where it was. It unlocks s.
func (s *Scope) putBackLocked(gone []*Scope) {
	for i := len(gone) - 1; i >= 0; i-- {
		c := gone[i]
		c.mu.Lock()
		if !c.gone || c.closed || c.parent.Load() != s {
			c.mu.Unlock()
			break
		}
		s.adoptLocked(c)
		c.gone = false
		s.mu.Unlock()
		s = c // locked, so nobody forgets it before it has a child
	}
	s.mu.Unlock()
}
