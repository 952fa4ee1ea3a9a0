package file

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"syscall"
)

// This file opens the directories of a walk, in workers: each from the one above it, by its name there. So
// no path is too long, and nobody can put a link in its place.
//
// A directory stays open as long as there are directories in it that have not been walked. If more than
// mostOpen are open, some are closed, and opened again on the way back; then they must be the same ones,
// by device and inode. Those that stay open lie the closer to each other the closer they are to the
// innermost one, so that the way from one that is open to one that is needed is short, however deep the
// tree is.
//
// A tree belongs to one goroutine at a time: to the loop, or to the worker for which the loop waits.

// mostOpen is how many directories of a walk are open at a time.
const mostOpen = 32

// A fileID says which file it is, whatever its name.
type fileID struct{ dev, ino uint64 }

func idOf(st *syscall.Stat_t) fileID { return fileID{uint64(st.Dev), uint64(st.Ino)} }

// A listed is an entry of a directory as the system lists it.
type listed struct {
	name string
	typ  fs.FileMode
}

// A level is a directory on the way from the root to where the walk is.
type level struct {
	directory *directory
	id        fileID
	link      bool     // the directory was found by a link
	dir       *openDir // nil while it is closed
	list      []listed // its entries, sorted
	next      int      // the first that has not been yielded
	last      int      // the last that may have to be opened, -1 for none
}

// needed reports whether something in the directory may still have to be opened.
func (l *level) needed() bool { return l.next <= l.last }

type tree struct {
	levels []level
	open   int // how many of them are open
}

func (t *tree) innermost() *level { return &t.levels[len(t.levels)-1] }

func (t *tree) close() {
	for i := range t.levels {
		t.shut(i)
	}
}

func (t *tree) shut(i int) {
	if l := &t.levels[i]; l.dir != nil {
		l.dir.close()
		l.dir = nil
		t.open--
	}
}

// leave goes back to the directory above.
func (t *tree) leave() {
	t.shut(len(t.levels) - 1)
	t.levels[len(t.levels)-1] = level{}
	t.levels = t.levels[:len(t.levels)-1]
}

// enter opens and lists the directory e, which is the root or in the innermost directory, and makes it the
// innermost. entered is false if it could not be opened. There may be an error and entries, too.
func (t *tree) enter(e *Entry, follow bool) (entered bool, err error) {
	l := level{directory: &directory{e.up, e.name}, link: !e.dir || e.up == nil && follow, last: -1}
	l.dir, err = t.openEntry(e, l.link)
	if err != nil {
		return false, err
	}
	if l.id, err = l.dir.id(); err == nil && follow && t.contains(l.id) {
		err = syscall.ELOOP
	}
	if err != nil {
		l.dir.close()
		return false, err
	}
	l.list, err = l.dir.list()
	slices.SortFunc(l.list, func(a, b listed) int { return cmp.Compare(a.name, b.name) })
	for i, d := range l.list {
		if d.typ == fs.ModeDir || follow && d.typ == fs.ModeSymlink {
			l.last = i
		}
	}
	t.levels = append(t.levels, l)
	t.open++
	if !l.needed() {
		t.shut(len(t.levels) - 1)
	}
	t.thin()
	return true, err
}

// openEntry opens e, and closes the directory above it if that was the last of its directories.
func (t *tree) openEntry(e *Entry, follow bool) (*openDir, error) {
	if err := step("opendir", e.name); err != nil {
		return nil, err
	}
	if e.up == nil {
		return openTop(e.name, follow)
	}
	at := len(t.levels) - 1
	above, err := t.reopen(at)
	if err != nil {
		return nil, err
	}
	dir, err := above.open(e.name, follow)
	if !t.levels[at].needed() {
		t.shut(at)
	}
	return dir, err
}

func (t *tree) contains(id fileID) bool {
	return slices.ContainsFunc(t.levels, func(l level) bool { return l.id == id })
}

var errReplaced = errors.New("another directory replaced it during the walk")

// reopen returns the directory of a level, and opens it if it was closed, from the nearest above it that is
// open.
func (t *tree) reopen(to int) (*openDir, error) {
	at := to
	for at >= 0 && t.levels[at].dir == nil {
		at--
	}
	for at++; at <= to; at++ {
		if err := t.reopenBelow(at); err != nil {
			return nil, err
		}
		if at > 0 && !t.levels[at-1].needed() {
			t.shut(at - 1) // it was only on the way
		}
		t.thinAbove(at)
	}
	return t.levels[to].dir, nil
}

// reopenBelow opens the directory of a level again. The one above it is open.
func (t *tree) reopenBelow(at int) error {
	l := &t.levels[at]
	var dir *openDir
	var err error
	if at == 0 {
		dir, err = openTop(l.directory.name, l.link)
	} else {
		dir, err = t.levels[at-1].dir.open(l.directory.name, l.link)
	}
	if err != nil {
		return err
	}
	id, err := dir.id()
	if err == nil && id != l.id {
		err = errReplaced
	}
	if err != nil {
		dir.close()
		return err
	}
	l.dir = dir
	t.open++
	return nil
}

// thin closes a directory if there are too many open.
func (t *tree) thin() { t.thinAbove(len(t.levels) - 1) }

// thinAbove closes one of the open directories above the level at if there are too many: the one without
// which the longest way, in relation to its distance from at, is shortest.
func (t *tree) thinAbove(at int) {
	if t.open <= mostOpen {
		return
	}
	victim, least := -1, 0.0
	before, candidate := -1, -1 // the levels of the last two that were open
	for i := 0; i <= at; i++ {
		if t.levels[i].dir == nil {
			continue
		}
		if before >= 0 {
			if cost := float64(i-before) / float64(at-before+1); victim < 0 || cost < least {
				victim, least = candidate, cost
			}
		}
		before, candidate = candidate, i
	}
	if victim >= 0 {
		t.shut(victim)
	}
}
