package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/curio-go/curio"
)

// How a Watcher looks at the file system. All that may have to wait for a disk is in functions which
// run in threads, and which nobody else's state is changed by but the kernel's watches: when the
// Watcher is closed meanwhile, they run on for nobody.

// A watchID tells files apart, for as long as they exist.
type watchID struct{ dev, ino uint64 }

// A watchEntry is what is known of an entry of a directory: enough to see whether it has changed. There
// may be a hundred thousand of them, so it has nothing that is not needed.
type watchEntry struct {
	ino      uint64     // 0 if it is not known
	ctime    int64      // when anything about it has last changed, in nanoseconds
	contents uint64     // when its contents have last changed; of a file, mixed with its size
	node     *watchNode // of a directory that is watched itself
	dir      bool       // a directory, and not a symbolic link to one
	stale    bool       // has changed, or may have, since this was noted
}

// A watchListing is what there is in a directory.
type watchListing struct {
	id      watchID
	wd      int32 // the number of the kernel's watch
	entries map[string]watchEntry
}

// errMovedAway is for a path that leads to another directory than was meant. Something above it has
// been renamed, of which the event is still to come.
var errMovedAway = errors.New("it has just been moved")

// comesLater reports whether err says only that a directory is not, or no longer, where it was. There
// is an event to come then.
func comesLater(err error) bool {
	return err == errMovedAway || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// inThread calls fn in a thread, and returns its error without the path, which the caller knows better.
func inThread[T any](ctx context.Context, path string, fn func() (T, error)) (T, error) {
	v, err := blocking(ctx, "watch", path, fn, func(T, error) {})
	if path, ok := err.(*fs.PathError); ok {
		err = path.Err
	}
	return v, err
}

// inspect finds out what there is under the Watcher's path, and whether the kernel hears of changes there.
func (w *Watcher) inspect(ctx context.Context) (isDir bool, err error) {
	type found struct {
		isDir bool
		kind  string
		blind bool
	}
	f, err := inThread(ctx, w.root, func() (found, error) {
		info, err := os.Stat(w.root)
		if err != nil {
			return found{}, err
		}
		kind, blind := fileSystemOf(w.root)
		return found{info.IsDir(), kind, blind}, nil
	})
	switch {
	case err != nil || w.interval > 0:
	case f.blind:
		err = fmt.Errorf("the kernel does not report changes in %s; use file.Poll: %w", f.kind, errors.ErrUnsupported)
	case f.kind != "":
		curio.LoggerOf(ctx).WarnContext(ctx, "file: on this file system, Watch does not see what other machines change; file.Poll does",
			"path", w.path, "filesystem", f.kind)
	}
	return f.isDir, err
}

// A watchPlace says where a directory is: under name in the directory at parent, which is above; or, for
// the root of a tree, at parent itself, with an empty name.
type watchPlace struct {
	parent string
	above  watchID
	name   string
}

// list has the kernel watch a directory for s, if s is not nil, and then reads its entries. So nothing
// that happens is missed: what is not in the list will come as an event. If the directory is the one
// that is known, list does nothing, and there are no entries.
func (p watchPlace) list(s *watchSpot, known watchID) (*watchListing, error) {
	f, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	id := watchIDOf(info)
	if id == known {
		return &watchListing{id: id}, nil
	}
	base, follow := descriptorPath(f), true
	if base == "" {
		base, follow = p.path(), p.name == ""
	}
	l := &watchListing{id: id}
	if s != nil {
		if l.wd, err = s.add(base, follow); err != nil {
			return nil, err
		}
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	l.entries = make(map[string]watchEntry, len(names))
	for _, name := range names {
		switch info, err := os.Lstat(base + "/" + name); {
		case err == nil:
			l.entries[name] = watchEntryOf(info)
		case errors.Is(err, fs.ErrNotExist): // it has just been removed
		default:
			l.entries[name] = watchEntry{} // there is something, more cannot be known
		}
	}
	return l, nil
}

func (p watchPlace) path() string {
	if p.name == "" {
		return p.parent
	}
	return joinPath(p.parent, p.name)
}

// open opens the directory. The one above is opened first, and has to be the right one: its path may
// have come to lead elsewhere.
func (p watchPlace) open() (*os.File, error) {
	parent, err := openDirectory(p.parent, 0)
	if err != nil || p.name == "" {
		return parent, err
	}
	defer parent.Close()
	info, err := parent.Stat()
	if err != nil {
		return nil, err
	}
	if watchIDOf(info) != p.above {
		return nil, errMovedAway
	}
	base := descriptorPath(parent)
	if base == "" {
		base = p.parent
	}
	return openDirectory(joinPath(base, p.name), syscall.O_NOFOLLOW)
}

// longPath is how long a path may be that the system takes in one piece.
const longPath = 4000

// openDirectory opens a directory for reading, a piece of its path after the other if that is long.
func openDirectory(path string, flags int) (*os.File, error) {
	flags |= os.O_RDONLY | syscall.O_DIRECTORY | syscall.O_NONBLOCK
	for len(path) > longPath {
		cut := strings.LastIndexByte(path[:longPath], '/')
		if cut <= 0 {
			return nil, syscall.ENAMETOOLONG
		}
		f, err := openUnpolled(path[:cut], flags, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		base := descriptorPath(f)
		if base == "" {
			return nil, syscall.ENAMETOOLONG
		}
		path = base + path[cut:]
	}
	return openUnpolled(path, flags, 0)
}

func watchIDOf(info fs.FileInfo) watchID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return watchID{uint64(st.Dev), uint64(st.Ino)}
	}
	return watchID{}
}

func watchEntryOf(info fs.FileInfo) watchEntry {
	e := watchEntry{contents: uint64(info.ModTime().UnixNano()), dir: info.IsDir()}
	if !e.dir {
		e.contents ^= uint64(info.Size()) * 0x9e3779b97f4a7c15
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.ino, e.ctime = uint64(st.Ino), changeTime(st)
	}
	return e
}

// difference says in what an entry differs from what was known of it, 0 if in nothing that matters. If
// events have been lost, it may have been elsewhere meanwhile, where the user has not found it; then all
// that is left of that is its ctime.
func (e watchEntry) difference(now watchEntry, lost bool) ChangeKind {
	switch {
	case e.dir != now.dir, e.ino != 0 && e.ino != now.ino:
		return Replaced
	case e.dir && e.ino == 0: // when it was reported, it could not be found any more
		return Created
	case !e.dir && (e.stale || e.contents != now.contents):
		return Changed
	case e.ctime == now.ctime:
		return 0
	case e.dir && !lost && uint64(now.ctime) == now.contents: // only its entries have changed
		return 0
	}
	return Attributes
}

// joinPath returns the path of what is at rel in prefix.
func joinPath(prefix, rel string) string {
	switch {
	case prefix == ".":
		return rel
	case strings.HasSuffix(prefix, "/"):
		return prefix + rel
	}
	return prefix + "/" + rel
}
