package file

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Walk goes through all that is below root: the files, directories and links. It yields root first, and each
// directory before what is in it, which it yields sorted by name. It does not follow links; for that see
// [Walker].
//
//	for e, err := range file.Walk(ctx, "src") {
//		switch {
//		case err != nil:
//			log.Print(err) // it names the path; the rest of the tree comes all the same
//		case e.IsDir() && e.Name() == ".git":
//			e.Skip()
//		case e.Type().IsRegular():
//			…
//		}
//	}
//
// A directory is read whole, and in a worker, when the loop goes on after its entry. What is created or
// removed in it after that makes no difference; only a directory that has vanished meanwhile is
// passed over. If a directory cannot be read, it is yielded once more, with the error, after which the walk
// goes on; what had been read of it until then comes next. If root cannot be looked at, that is all that
// is yielded. The entry is never nil. Errors are of type *fs.PathError.
//
// If ctx is done, the walk ends with ctx's error, at the next directory at the latest. A task that waits is
// in the state FILE_CALL.
//
// A tree may be of any depth, also such that its paths are longer than the system accepts: directories are
// opened from the one above them, and few are open at a time. Memory is needed for the entries of the
// directories on the way down to the entry, and for nothing else. A walk may be repeated; each has a state of
// its own.
//
// It is filepath.WalkDir, as a loop that can be cancelled.
func Walk(ctx context.Context, root string) iter.Seq2[*Entry, error] { return Walker{}.Walk(ctx, root) }

// A Walker has the settings of a walk. Its zero value is what [Walk] uses.
type Walker struct {
	// FollowLinks makes the walk go into the directories that symbolic links lead to, including root. A link
	// that leads to a directory in which the walk is already, as seen by device and inode, is yielded a
	// second time with an error that is syscall.ELOOP. A directory to which there are several ways is
	// walked several times.
	FollowLinks bool
}

// Walk is the function Walk with the walker's settings.
func (w Walker) Walk(ctx context.Context, root string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		top := &Entry{name: root}
		info, err := ask(ctx, "lstat", root, func() (fs.FileInfo, error) { return w.stat(root) })
		if err != nil {
			yield(top, err)
			return
		}
		top.typ, top.dir = info.Mode().Type(), info.IsDir()
		if !yield(top, nil) || !top.dir || top.skip {
			return
		}
		v := &walk{Walker: w, ctx: ctx, tree: new(tree), yield: yield}
		defer v.close()
		v.enter(top)
		for !v.over && len(v.tree.levels) > 0 {
			v.next()
		}
	}
}

func (w Walker) stat(root string) (fs.FileInfo, error) {
	if w.FollowLinks {
		return os.Stat(root)
	}
	return os.Lstat(root)
}

// A walk is one loop over a tree.
type walk struct {
	Walker
	ctx   context.Context
	tree  *tree
	yield func(*Entry, error) bool
	over  bool // the loop has ended, or ctx is done
	gone  bool // a worker that was abandoned has the tree, and closes it
}

func (v *walk) close() {
	if !v.gone {
		v.tree.close()
	}
}

// next yields the next entry of the innermost directory, or leaves that.
func (v *walk) next() {
	l := v.tree.innermost()
	if l.next == len(l.list) {
		v.tree.leave()
		return
	}
	d := l.list[l.next]
	l.next++
	e := &Entry{up: l.directory, name: d.name, typ: d.typ, dir: d.typ == fs.ModeDir}
	if v.over = !v.yield(e, nil); v.over || e.skip {
		return
	}
	if e.dir || v.FollowLinks && e.typ == fs.ModeSymlink {
		v.enter(e)
	}
}

// enter opens and reads a directory, and makes it the innermost.
func (v *walk) enter(e *Entry) {
	j, t := new(job), v.tree
	path := e.Path()
	entered, err := work(v.ctx, j, "readdir", path, func() (entered bool, err error) {
		entered, err = t.enter(e, v.FollowLinks)
		return entered, err
	}, func(bool) { t.close() })
	if v.gone = j.orphaned(); v.gone || j.phase.Load() == jobDropped {
		v.over = true
	}
	switch {
	case err == nil:
	case !v.over && e.up != nil && !entered && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		// It has vanished (trap 41), or is a link that leads nowhere or to a file.
	default:
		if !v.yield(e, &fs.PathError{Op: "readdir", Path: path, Err: cause(err)}) {
			v.over = true
		}
	}
}

// An Entry is what a walk has found: a file, a directory, a link or something else. It stays valid when the
// walk has gone on or ended, and all but Skip may be used by several goroutines. It keeps the names of
// the directories above it in memory, and nothing else of the walk.
type Entry struct {
	up   *directory // nil for the root
	name string     // for the root, its path as the caller gave it
	typ  fs.FileMode
	dir  bool
	skip bool
}

// A directory is the path of a directory that a walk is in or was in.
type directory struct {
	up   *directory
	name string
}

// Path returns the entry's path, which begins with the root as it was given to Walk. A path of more than
// 4096 bytes, the limit of most systems, is of no use to other functions that take paths; the method Info
// works all the same.
func (e *Entry) Path() string { return join(e.up, e.name, nil) }

// join returns the path of name in the directory up, from below the directory that is above.
func join(up *directory, name string, above *directory) string {
	if up == above {
		return name
	}
	size := len(name)
	for f := up; f != above; f = f.up {
		size += len(f.name) + 1
	}
	var path strings.Builder
	path.Grow(size)
	up.writeTo(&path, above)
	path.WriteString(name)
	return path.String()
}

// writeTo writes the path of f, with a slash at its end.
func (f *directory) writeTo(path *strings.Builder, above *directory) {
	if f.up != above {
		f.up.writeTo(path, above)
	}
	path.WriteString(f.name)
	if !strings.HasSuffix(f.name, "/") { // as the root may
		path.WriteByte('/')
	}
}

// Name returns the last element of the path.
func (e *Entry) Name() string {
	if e.up == nil {
		return filepath.Base(e.name)
	}
	return e.name
}

// IsDir reports whether the entry is a directory. A symbolic link to a directory is none.
func (e *Entry) IsDir() bool { return e.dir }

// Type returns the type bits of the entry's mode: zero for a regular file. That costs no system call.
func (e *Entry) Type() fs.FileMode { return e.typ }

// Skip makes the walk not go into the entry, if that is a directory or a link to one. It is called in the
// body of the loop that was given the entry.
func (e *Entry) Skip() { e.skip = true }

// Info returns what the system knows of the entry by now; of a link, of the link itself. If the entry has
// been removed since it was found, the error is fs.ErrNotExist. If ctx is done first, it is ctx's error.
// The system call is lstat(2).
func (e *Entry) Info(ctx context.Context) (fs.FileInfo, error) {
	path := e.Path()
	return ask(ctx, "lstat", path, func() (fs.FileInfo, error) {
		info, err := os.Lstat(path)
		if e.up == nil || !errors.Is(err, syscall.ENAMETOOLONG) {
			return info, err
		}
		return e.infoStepwise()
	})
}

// infoStepwise is for a path that is too long for the system.
func (e *Entry) infoStepwise() (fs.FileInfo, error) {
	top := e.up
	for top.up != nil {
		top = top.up
	}
	root, err := os.OpenRoot(top.name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Lstat(join(e.up, e.name, top))
}
