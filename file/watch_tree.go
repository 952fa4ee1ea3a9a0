package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A watchTree is a directory that is watched, with all below it or without. It is the worker's.
//
// It has a node for each directory that is watched, and an entry for each file. A node knows its parent
// and its name, and not its path: that is worked out when something is reported. So when a directory is
// renamed, nothing below it has to change.
//
// The tree is what the user has been told: each change of an entry is reported when it is made, in the
// same order. So after events have been lost, the differences between the tree and the file system are
// what is to be reported, and a user who applies each change has the same picture.
//
// Events come late. By the time that one is looked at, the path of its node may lead elsewhere. A
// directory that cannot be found therefore remains unseen, and is tried again when something above it
// has been renamed. And what an event tells may have been seen in a listing already: a Created of what
// is known, and a Removed of what is not, say nothing.
type watchTree struct {
	w      *Watcher
	root   *watchNode
	trail  watchTrail
	quiet  bool // nothing is reported: this is how things are at the beginning
	unseen int  // nodes that are not seen
	held   heldMoves
	last   watchMove // the last rename
}

// A watchNode is a directory of a tree.
type watchNode struct {
	watchSpot

	parent  *watchNode // nil for the root
	name    string
	id      watchID
	entries map[string]watchEntry
	held    *heldMove // if it is somewhere between two names
	seen    bool      // it is watched, and entries is what there is
	told    bool      // the user knows that it cannot be watched
	gone    bool      // it is not in the tree any more
}

func newWatchTree(w *Watcher) *watchTree {
	t := &watchTree{w: w, trail: watchTrail{w: w, mask: wasHere | wasSelfDelete | wasSelfMove}}
	t.root = t.newNode(nil, "")
	return t
}

func (t *watchTree) newNode(parent *watchNode, name string) *watchNode {
	n := &watchNode{watchSpot: watchSpot{w: t.w, mask: wasAny}, parent: parent, name: name}
	n.node = n
	t.unseen++
	return n
}

func (t *watchTree) start(ctx context.Context) error {
	if err := t.checkRoot(ctx); err != nil {
		return err
	}
	t.quiet = true
	defer func() { t.quiet = false }()
	return t.scan(ctx, t.root, false)
}

func (t *watchTree) rescan(ctx context.Context) error {
	if err := t.settle(ctx); err != nil {
		return err
	}
	if err := t.checkRoot(ctx); err != nil {
		return t.endOf(ctx, err)
	}
	return t.scan(ctx, t.root, true)
}

// checkRoot follows the path to the root, and fails if that is not there any more.
func (t *watchTree) checkRoot(ctx context.Context) error {
	sight, err := t.trail.follow(ctx)
	switch {
	case err != nil:
		return err
	case sight.err != nil:
		return sight.err
	case t.root.seen && sight.id != t.root.id:
		return errReplacedRoot
	}
	return nil
}

var (
	errReplacedRoot = fmt.Errorf("the directory was moved or removed, and there is another one in its place: %w", fs.ErrNotExist)
	errRemovedRoot  = fmt.Errorf("the directory was removed: %w", fs.ErrNotExist)
	errUnmounted    = errors.New("the file system was unmounted")
)

// endOf ends the stream with err, unless it is only that the Watcher has been closed.
func (t *watchTree) endOf(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		t.w.end(err)
	}
	return errWatchEnded
}

// path returns what n, or an entry of it, is called in reports.
func (t *watchTree) path(n *watchNode, name string) string { return n.path(t.w.path, name) }

// path returns the path of n, or of an entry of it, that begins with root.
func (n *watchNode) path(root, name string) string {
	var names []string
	if name != "" {
		names = append(names, name)
	}
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	if len(names) == 0 {
		return root
	}
	slices.Reverse(names)
	return joinPath(root, strings.Join(names, "/"))
}

func (t *watchTree) report(ctx context.Context, kind ChangeKind, n *watchNode, name string) error {
	if t.quiet {
		return nil
	}
	return t.w.report(ctx, Change{Kind: kind, Path: t.path(n, name)})
}

// scan looks at start and compares it with what is known, then at the directories below it that are
// new, or at all of them.
func (t *watchTree) scan(ctx context.Context, start *watchNode, all bool) error {
	todo := []*watchNode{start}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.gone {
			continue
		}
		l, err := t.list(ctx, n, watchID{})
		if err != nil {
			if all {
				t.unseeBelow(n)
			}
			err = t.cannotSee(ctx, n, err)
		} else {
			todo, err = t.compare(ctx, n, l, all, todo)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// confirm makes sure that n, whose name has changed, is the directory of that name. When the event came
// that n was created, there may have been another directory under its first name already.
func (t *watchTree) confirm(ctx context.Context, n *watchNode) error {
	if !n.seen {
		return t.scan(ctx, n, false)
	}
	l, err := t.list(ctx, n, n.id)
	if err != nil {
		return t.cannotSee(ctx, n, err)
	}
	if l.entries == nil {
		return nil
	}
	todo, err := t.compare(ctx, n, l, false, nil)
	for i := 0; err == nil && i < len(todo); i++ {
		err = t.scan(ctx, todo[i], false)
	}
	return err
}

// list has the kernel watch n, and returns what there is in it, unless that is what is known.
func (t *watchTree) list(ctx context.Context, n *watchNode, known watchID) (*watchListing, error) {
	p := watchPlace{parent: t.w.root}
	if n.parent != nil {
		p = watchPlace{n.parent.path(t.w.root, ""), n.parent.id, n.name}
	}
	var s *watchSpot
	if t.w.interval == 0 {
		s = &n.watchSpot
	}
	l, err := inThread(ctx, p.parent, func() (*watchListing, error) { return p.list(s, known) })
	if err == nil && n.parent == nil && n.seen && l.id != n.id {
		return nil, errReplacedRoot
	}
	return l, err
}

// cannotSee is for a directory that could not be listed.
func (t *watchTree) cannotSee(ctx context.Context, n *watchNode, err error) error {
	switch {
	case ctx.Err() != nil:
		return err
	case n.parent == nil && t.quiet:
		return err
	case n.parent == nil && (comesLater(err) || err == errReplacedRoot):
		return t.endOf(ctx, err)
	case t.quiet && isWatchLimit(err):
		return err
	}
	t.unsee(n)
	if n.told || comesLater(err) {
		return nil
	}
	n.told = true
	if t.quiet { // nobody takes anything yet
		t.w.keepPart(t.path(n, ""), err)
		return nil
	}
	return t.w.reportPart(ctx, t.path(n, ""), err)
}

func (t *watchTree) unsee(n *watchNode) {
	if n.seen {
		n.seen = false
		t.unseen++
	}
}

// unseeBelow is for n, which could not be found when all had to be looked at: of what is below it, events
// may have been lost, so all of it is to be looked at when n is found again.
func (t *watchTree) unseeBelow(n *watchNode) {
	todo := []*watchNode{n}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		t.unsee(n)
		for _, e := range n.entries {
			if e.node != nil {
				todo = append(todo, e.node)
			}
		}
	}
}

// compare makes what is known of n what l says, and reports the differences. It appends to todo the
// directories that are to be looked at next.
func (t *watchTree) compare(ctx context.Context, n *watchNode, l *watchListing, all bool, todo []*watchNode) ([]*watchNode, error) {
	t.saw(n, l)
	for name := range n.entries {
		if _, ok := l.entries[name]; !ok {
			if err := t.remove(ctx, n, name); err != nil {
				return todo, err
			}
		}
	}
	if n.entries == nil {
		n.entries = make(map[string]watchEntry, len(l.entries))
	}
	var names []string // of those that are different
	for name, now := range l.entries {
		known, ok := n.entries[name]
		switch {
		case !ok || known.difference(now, t.w.interval == 0) != 0:
			names = append(names, name)
			continue
		case known.node != nil && (all || !known.node.seen):
			todo = append(todo, known.node)
		}
		now.node = known.node
		n.entries[name] = now
	}
	if !t.quiet {
		slices.Sort(names)
	}
	for _, name := range names {
		node, err := t.renew(ctx, n, name, l.entries[name])
		if err != nil {
			return todo, err
		}
		if node != nil && (all || !node.seen) {
			todo = append(todo, node)
		}
	}
	return todo, nil
}

// renew makes an entry what a listing says of it, and reports that. It returns the entry's node, if there
// is one.
func (t *watchTree) renew(ctx context.Context, n *watchNode, name string, now watchEntry) (*watchNode, error) {
	if err := t.releaseAt(ctx, watchName{n, name}); err != nil {
		return nil, err
	}
	known, ok := n.entries[name]
	kind := Created
	if ok {
		kind = known.difference(now, t.w.interval == 0)
	}
	switch {
	case ok && kind != Replaced:
		now.node = known.node
	case now.dir && t.w.recursive:
		now.node = t.newNode(n, name)
	}
	if kind == Replaced && known.node != nil {
		if err := t.drop(ctx, known.node); err != nil {
			return nil, err
		}
	}
	n.entries[name] = now
	return now.node, t.report(ctx, kind, n, name)
}

// saw notes that n has been listed.
func (t *watchTree) saw(n *watchNode, l *watchListing) {
	if !n.seen {
		n.seen = true
		t.unseen--
	}
	n.id, n.heard, n.told = l.id, l.wd, false
	if n.parent == nil {
		return
	}
	if e, ok := n.parent.entries[n.name]; ok && e.node == n {
		e.ino = l.id.ino
		n.parent.entries[n.name] = e
	}
}

// remove takes an entry out of n and reports that.
func (t *watchTree) remove(ctx context.Context, n *watchNode, name string) error {
	e := n.entries[name]
	delete(n.entries, name)
	if e.node != nil {
		if err := t.drop(ctx, e.node); err != nil {
			return err
		}
	}
	return t.report(ctx, Removed, n, name)
}

// drop takes a node that is no entry any more out of the tree, with all below it.
func (t *watchTree) drop(ctx context.Context, n *watchNode) error {
	if err := t.releaseBelow(ctx, n); err != nil {
		return err
	}
	todo := []*watchNode{n}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range n.entries {
			if e.node != nil {
				todo = append(todo, e.node)
			}
		}
		n.gone, n.entries = true, nil
		if !n.seen {
			t.unseen--
		}
		if t.w.interval == 0 {
			n.forget()
		}
	}
	return nil
}

// seeAgain tries the unseen directories from n down.
func (t *watchTree) seeAgain(ctx context.Context, n *watchNode) error {
	todo := []*watchNode{n}
	for len(todo) > 0 && t.unseen > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !n.seen && !n.gone {
			if err := t.scan(ctx, n, false); err != nil {
				return err
			}
		}
		for _, e := range n.entries {
			if e.node != nil {
				todo = append(todo, e.node)
			}
		}
	}
	return nil
}
