package file

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// What events do to a tree. The kernel tells of a rename in two halves with the same number, MOVED_FROM
// and MOVED_TO. Both directories are locked meanwhile, so nothing else happens to either name between
// them; but what happens elsewhere may be told in between, and the second half may come with the next
// read. If it is not among the events at hand, the first half is held.

// A heldMove is the first half of a rename. Its entry is in no directory, and is one that is renamed
// when the second half comes, or removed when no event has come for settleAfter.
type heldMove struct {
	watchMove

	cookie uint32
	entry  watchEntry
	since  int64        // a reading of wait.Now
	over   bool         // it is not held any more
	later  []watchEvent // of what is below entry.node: they have no path as long as that has none
}

// heldMoves are all that are held, by what they are looked for, and in order.
type heldMoves struct {
	byName   map[watchName]*heldMove
	byCookie map[uint32]*heldMove
	order    []*heldMove // with some that are not held any more
}

func (m *heldMoves) add(h *heldMove) {
	if m.byName == nil {
		m.byName, m.byCookie = map[watchName]*heldMove{}, map[uint32]*heldMove{}
	}
	m.byName[h.from], m.byCookie[h.cookie] = h, h
	m.order = append(m.order, h)
}

func (m *heldMoves) remove(h *heldMove) {
	if m.byName[h.from] == h {
		delete(m.byName, h.from)
	}
	if m.byCookie[h.cookie] == h {
		delete(m.byCookie, h.cookie)
	}
	h.over = true
	if len(m.byName) == 0 {
		m.order = nil
	}
}

// oldest returns the one that is held longest, nil if there is none.
func (m *heldMoves) oldest() *heldMove {
	for len(m.order) > 0 && m.order[0].over {
		m.order = m.order[1:]
	}
	if len(m.order) == 0 {
		return nil
	}
	return m.order[0]
}

// A watchMove is a rename, or its first half, without to.
type watchMove struct{ from, to watchName }

// A watchName is where an entry is.
type watchName struct {
	n    *watchNode
	name string
}

const (
	moveAhead   = 64      // how far ahead the second half is looked for
	maxLater    = 1 << 12 // of one heldMove
	heldAtMost  = 10      // times settleAfter, even if other events keep coming
	selfRemoved = wasSelfDelete | wasSelfMove
)

func (t *watchTree) unsettled() bool { return len(t.held.byName) > 0 }

// settle gives up what is held.
func (t *watchTree) settle(ctx context.Context) error {
	for h := t.held.oldest(); h != nil; h = t.held.oldest() {
		if err := t.release(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

func (t *watchTree) events(ctx context.Context, batch []watchEvent) error {
	for h := t.held.oldest(); h != nil && wait.Now()-h.since > heldAtMost*int64(settleAfter); h = t.held.oldest() {
		if err := t.release(ctx, h); err != nil {
			return err
		}
	}
	for i := range batch {
		if batch[i].spot == nil { // the second half of a rename, which has been dealt with
			continue
		}
		if err := t.event(ctx, &batch[i], batch[i+1:]); err != nil {
			return err
		}
	}
	return nil
}

// event deals with an event. rest are the ones after it.
func (t *watchTree) event(ctx context.Context, ev *watchEvent, rest []watchEvent) error {
	n := ev.spot.node
	switch {
	case n == nil:
		return t.onTrail(ctx, ev)
	case n.gone, ev.wd != n.heard: // it was about another directory, for which n was taken
		return nil
	}
	if h := t.heldAbove(n); h != nil {
		if len(h.later) < maxLater {
			h.later = append(h.later, *ev)
			return nil
		}
		return t.release(ctx, h)
	}
	switch {
	case ev.mask&wasLost != 0:
		return t.unwatched(ctx, n, ev)
	case ev.name == "":
		return t.onSelf(ctx, n, ev)
	case ev.mask&wasMovedFrom != 0:
		return t.movedFrom(ctx, n, ev, rest)
	case ev.mask&wasMovedTo != 0:
		if h := t.held.byCookie[ev.cookie]; h != nil {
			t.held.remove(h)
			return t.rename(ctx, h, watchName{n, ev.name})
		}
		return t.appeared(ctx, n, ev)
	case ev.mask&wasCreated != 0:
		return t.appeared(ctx, n, ev)
	case ev.mask&wasDeleted != 0:
		return t.vanished(ctx, n, ev.name)
	}
	return t.touched(ctx, n, ev)
}

// onTrail is for events on the way to the root.
func (t *watchTree) onTrail(ctx context.Context, ev *watchEvent) error {
	if !t.trail.concerns(ev) {
		return nil
	}
	if err := t.checkRoot(ctx); err != nil {
		return t.endOf(ctx, err)
	}
	return nil
}

// onSelf is for events of a directory itself. Except for the root, the directory above reports them
// too.
func (t *watchTree) onSelf(ctx context.Context, n *watchNode, ev *watchEvent) error {
	switch {
	case n.parent != nil:
		return nil
	case ev.mask&wasSelfDelete != 0:
		return t.endOf(ctx, errRemovedRoot)
	case ev.mask&wasSelfMove != 0:
		if err := t.checkRoot(ctx); err != nil {
			return t.endOf(ctx, err)
		}
	case ev.mask&wasAttributed != 0:
		return t.report(ctx, Attributes, n, "")
	}
	return nil
}

// unwatched is for a directory that the kernel does not watch any more: it was removed, or its file
// system unmounted. An event in the directory above may come before this one or after it.
func (t *watchTree) unwatched(ctx context.Context, n *watchNode, ev *watchEvent) error {
	switch {
	case ev.mask&wasUnmounted != 0 && n.parent == nil:
		return t.endOf(ctx, errUnmounted)
	case ev.mask&wasUnmounted != 0, !n.lost(ev.wd): // there is another watch by now
		return nil
	case n.parent == nil:
		return t.endOf(ctx, errRemovedRoot)
	}
	return t.scan(ctx, n, false)
}

// touched is for something that happens to an entry which stays.
func (t *watchTree) touched(ctx context.Context, n *watchNode, ev *watchEvent) error {
	e, ok := n.entries[ev.name]
	if !ok {
		return nil // the user believes that it is not there, and will hear if it is
	}
	if !e.stale {
		e.stale = true
		n.entries[ev.name] = e
	}
	switch {
	case ev.mask&wasModified != 0:
		return t.report(ctx, Changed, n, ev.name)
	case ev.mask&wasClosed != 0:
		return t.report(ctx, Closed, n, ev.name)
	case ev.mask&wasAttributed != 0:
		return t.report(ctx, Attributes, n, ev.name)
	}
	return nil
}

// appeared is for an entry that was created, or moved here from nowhere.
func (t *watchTree) appeared(ctx context.Context, n *watchNode, ev *watchEvent) error {
	if err := t.releaseAt(ctx, watchName{n, ev.name}); err != nil {
		return err
	}
	isDir := ev.mask&isDirectory != 0
	known, ok := n.entries[ev.name]
	kind := Created
	if ok {
		if ev.mask&wasCreated != 0 && known.dir == isDir { // it was in a listing
			if known.node == nil || known.node.seen {
				return nil
			}
			if err := t.report(ctx, Created, n, ev.name); err != nil { // as the user has not found it either
				return err
			}
			return t.scan(ctx, known.node, false)
		}
		kind = Replaced
	}
	e := watchEntry{stale: true, dir: isDir}
	if isDir && t.w.recursive {
		e.node = t.newNode(n, ev.name)
	}
	if known.node != nil {
		if err := t.drop(ctx, known.node); err != nil {
			return err
		}
	}
	if n.gone { // dropping has reported something, and waited: nothing else changes the tree meanwhile
		return nil
	}
	n.set(ev.name, e)
	if err := t.report(ctx, kind, n, ev.name); err != nil || e.node == nil {
		return err
	}
	return t.scan(ctx, e.node, false)
}

func (n *watchNode) set(name string, e watchEntry) {
	if n.entries == nil {
		n.entries = make(map[string]watchEntry)
	}
	n.entries[name] = e
}

// vanished is for an entry that was removed.
func (t *watchTree) vanished(ctx context.Context, n *watchNode, name string) error {
	if _, ok := n.entries[name]; !ok {
		return nil
	}
	return t.remove(ctx, n, name)
}

// movedFrom is for the first half of a rename.
func (t *watchTree) movedFrom(ctx context.Context, n *watchNode, ev *watchEvent, rest []watchEvent) error {
	e, ok := n.entries[ev.name]
	switch {
	case !ok:
		return nil // the second half is about something new then
	case e.dir != (ev.mask&isDirectory != 0):
		// A listing has seen something newer, or this is a half of an exchange.
		if err := t.remove(ctx, n, ev.name); err != nil {
			return err
		}
		return t.scan(ctx, n, false)
	}
	delete(n.entries, ev.name)
	h := &heldMove{watchMove: watchMove{from: watchName{n, ev.name}}, cookie: ev.cookie, entry: e, since: wait.Now()}
	if e.node != nil {
		e.node.held = h
	}
	for i := range rest[:min(len(rest), moveAhead)] {
		to := &rest[i]
		if to.spot == nil || to.cookie != ev.cookie || to.mask&wasMovedTo == 0 {
			continue
		}
		if m := to.spot.node; m != nil && !m.gone && t.heldAbove(m) == nil {
			name := to.name
			to.spot = nil
			return t.rename(ctx, h, watchName{m, name})
		}
	}
	t.held.add(h)
	return nil
}

// rename is for both halves of a rename. h is not in t.held.
func (t *watchTree) rename(ctx context.Context, h *heldMove, to watchName) error {
	if err := t.releaseAt(ctx, to); err != nil {
		return err
	}
	if h.entry.node != nil && to.n.isBelow(h.entry.node) { // it cannot be, and would be a loop
		return t.release(ctx, h)
	}
	if before := to.n.entries[to.name]; before.node != nil {
		if err := t.drop(ctx, before.node); err != nil {
			return err
		}
	}
	old := t.path(h.from.n, h.from.name)
	if h.entry.node != nil {
		h.entry.node.held = nil
		h.entry.node.parent, h.entry.node.name = to.n, to.name
	}
	to.n.set(to.name, h.entry)
	if err := t.w.report(ctx, Change{Kind: Renamed, Path: t.path(to.n, to.name), Old: old}); err != nil {
		return err
	}
	for i := range h.later {
		if err := t.event(ctx, &h.later[i], h.later[i+1:]); err != nil {
			return err
		}
	}
	if h.entry.node != nil {
		if err := t.confirm(ctx, h.entry.node); err != nil {
			return err
		}
		if err := t.seeAgain(ctx, h.entry.node); err != nil {
			return err
		}
	}
	return t.checkExchange(ctx, watchMove{h.from, to})
}

// checkExchange is for two renames in a row of which the second seems to undo the first. So it looks
// if two files have exchanged their names, too: then both are there.
func (t *watchTree) checkExchange(ctx context.Context, m watchMove) error {
	before := t.last
	if t.last = m; before.from != m.to || before.to != m.from {
		return nil
	}
	t.last = watchMove{}
	for _, n := range []*watchNode{m.from.n, m.to.n} {
		if !n.gone {
			if err := t.scan(ctx, n, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// heldAbove returns what n is below of and is held.
func (t *watchTree) heldAbove(n *watchNode) *heldMove {
	if len(t.held.byName) == 0 {
		return nil
	}
	for ; n != nil; n = n.parent {
		if n.held != nil {
			return n.held
		}
	}
	return nil
}

// release gives up a second half: what was moved is removed.
func (t *watchTree) release(ctx context.Context, h *heldMove) error {
	t.held.remove(h)
	if h.entry.node != nil {
		if err := t.drop(ctx, h.entry.node); err != nil {
			return err
		}
	}
	if h.from.n.gone {
		return nil
	}
	return t.report(ctx, Removed, h.from.n, h.from.name)
}

// releaseAt releases what was moved from a name, which something else has now.
func (t *watchTree) releaseAt(ctx context.Context, at watchName) error {
	if h := t.held.byName[at]; h != nil {
		return t.release(ctx, h)
	}
	return nil
}

// releaseBelow releases what was moved from directories below n, which is about to be dropped.
func (t *watchTree) releaseBelow(ctx context.Context, n *watchNode) error {
	for _, h := range t.held.order {
		if !h.over && h.from.n.isBelow(n) {
			if err := t.release(ctx, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// isBelow reports whether n is top, or below it.
func (n *watchNode) isBelow(top *watchNode) bool {
	for ; n != nil; n = n.parent {
		if n == top {
			return true
		}
	}
	return false
}
