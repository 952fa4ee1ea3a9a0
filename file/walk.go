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

// Walk returns an iterator over the files, directories and links below root. It yields root first,
// each directory before its entries, and the entries sorted by name. It does not follow symbolic
// links; a [Walker] can.
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
// Walk reads each directory as a whole, in a worker, when the loop goes on after the directory's
// entry. Later changes in the directory have no effect; only a directory that has vanished
// meanwhile is skipped. If a directory cannot be read completely, Walk yields it once more, with
// the error, and goes on with the entries that it has read. If root does not exist or cannot be
// examined, Walk yields only that error. The entry is never nil. Errors are of type
// [*fs.PathError].
//
// If ctx is done, the walk yields an error that wraps ctx's error and ends, at the next directory
// at the latest. A task that waits is in the state FILE_CALL.
//
// A tree may be of any depth, even if its paths are longer than the system accepts: Walk opens each
// directory relative to its parent, and only a few at a time. It needs memory only for the entries
// of the directories between root and the current entry. The iterator may be used again; each loop
// has a state of its own.
//
// Walk is filepath.WalkDir as a loop that can be cancelled.
func Walk(ctx context.Context, root string) iter.Seq2[*Entry, error] { return Walker{}.Walk(ctx, root) }

// A Walker holds the settings of a walk. Its zero value is what [Walk] uses.
type Walker struct {
	// FollowLinks makes the walk enter directories that symbolic links refer to, including root. If
	// a link refers to a directory that the walk is already in, by device and inode, it is yielded
	// a second time with an error that wraps syscall.ELOOP. A directory that can be reached in
	// several ways is walked several times.
	FollowLinks bool
}

// Walk returns an iterator over root and everything below it, with w's settings. Everything else,
// also cancellation, is as for the function [Walk].
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

// An Entry is a file, directory, link or other object that a walk has found. It stays valid after
// the walk has gone on or ended. All methods except Skip are safe for concurrent use. An Entry
// keeps only the names of the directories above it in memory.
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

// Path returns the entry's path, which begins with the root that was passed to Walk. Most systems
// accept paths of up to 4096 bytes; for longer ones other functions fail, but e.Info works.
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

// IsDir reports whether the entry is a directory. It returns false for a symbolic link to a
// directory.
func (e *Entry) IsDir() bool { return e.dir }

// Type returns the type bits of the entry's mode: zero for a regular file. It makes no system call.
func (e *Entry) Type() fs.FileMode { return e.typ }

// Skip tells the walk not to enter the entry, if that is a directory or a link to one. Call it in
// the loop body that received the entry.
func (e *Entry) Skip() { e.skip = true }

// Info returns information about the entry as it is now; for a link, about the link itself:
// lstat(2). If the entry has been removed since it was found, the error wraps fs.ErrNotExist. If
// ctx is done first, the error wraps ctx's error.
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
