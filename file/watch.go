package file

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
)

// A WatchOption changes what [Watch] watches, or how.
type WatchOption interface{ apply(w *Watcher) }

type watchOption func(w *Watcher)

func (o watchOption) apply(w *Watcher) { o(w) }

// Recursive makes [Watch] watch everything below a directory, including what is created or moved
// there later. Symbolic links below the directory are not followed; file systems that are mounted
// there are included. Each file takes about 100 bytes of memory, and each directory another 250
// bytes and about a kilobyte in the kernel. For a file, Recursive has no effect.
func Recursive() WatchOption { return watchOption(func(w *Watcher) { w.recursive = true }) }

// Poll makes [Watch] examine the files at each interval instead of asking the kernel for changes.
// Use it for file systems whose changes the kernel does not see: network file systems that other
// machines write to, and /proc and /sys. Each examination costs one system call for each file. A
// change that affects neither the size nor the inode nor the times of a file is not noticed, and
// neither is a file that appears and vanishes within an interval. A file that is renamed is
// reported as removed and created. Poll panics if interval is not positive.
func Poll(interval time.Duration) WatchOption {
	if interval <= 0 {
		panic(fmt.Sprintf("file: Poll(%v): the interval must be positive", interval))
	}
	return watchOption(func(w *Watcher) { w.interval = interval })
}

// A ChangeKind tells what has happened to a path.
type ChangeKind int

const (
	// Created means that the path exists now. It was created, or moved there from outside the
	// watched tree. For each entry of a new directory there is a separate Created.
	Created ChangeKind = iota + 1

	// Changed means that data was written to the file, or that it was truncated.
	Changed

	// Closed means that a program that had the file open for writing has closed it. It is not
	// reported for a file that was closed before it was watched, such as one in a new directory,
	// and never with Poll.
	Closed

	// Attributes means that the mode, the owner, the times or the number of links may have changed.
	Attributes

	// Replaced means that the path now refers to another file, for example because an editor has
	// written a new file and renamed it. If there are symbolic links in the path, they may have
	// changed. For a directory, everything that was below it is gone, and a Created for each entry
	// of the new directory follows.
	Replaced

	// Renamed means that the file or directory Old, with everything below it, was moved to Path. It
	// has replaced anything that existed at Path.
	Renamed

	// Removed means that the path, with everything below it, no longer exists. It was removed, or
	// moved out of the watched tree.
	Removed

	// Rescanned means that changes came faster than they could be stored. The Watcher has compared
	// the whole tree with its earlier state and has reported each difference as one of the other
	// kinds. Path is the path that was passed to Watch. Files that appeared and vanished in between
	// were not seen. A path that the program did not find when it was reported, because a directory
	// above it had been moved, may exist again: examine it again.
	Rescanned
)

var changeKinds = [...]string{
	Created: "created", Changed: "changed", Closed: "closed", Attributes: "attributes",
	Replaced: "replaced", Renamed: "renamed", Removed: "removed", Rescanned: "rescanned",
}

// String returns the name of the kind in lower case.
func (k ChangeKind) String() string {
	if k <= 0 || int(k) >= len(changeKinds) {
		return fmt.Sprintf("ChangeKind(%d)", int(k))
	}
	return changeKinds[k]
}

// A Change describes what has happened to a file or a directory.
type Change struct {
	Kind ChangeKind // what happened
	Path string     // begins with the path that was passed to Watch
	Old  string     // for Renamed, the previous path; otherwise ""
}

// String returns the kind and the paths, for logs.
func (c Change) String() string {
	if c.Kind == Renamed {
		return fmt.Sprintf("renamed %q to %q", c.Old, c.Path)
	}
	return fmt.Sprintf("%v %q", c.Kind, c.Path)
}

// A Watcher is a stream of the changes to a file or a directory. [Watch] makes a Watcher, and Close
// must be called when it is no longer needed. The zero value cannot be used. A Watcher must not be
// copied. It is safe for concurrent use. If several tasks call Next, each change goes to one of
// them. A task that waits is in the state FILE_WATCH.
type Watcher struct {
	path      string // as given
	root      string // absolute
	recursive bool
	interval  time.Duration // of Poll, 0 without

	scope    curio.CancelScope // of the worker
	raw      rawEvents         // from the kernel to the worker
	spots    []*watchSpot      // where the kernel watches for this Watcher; guarded by kernelWatch.mu
	instance *poll.FD          // of inotify, nil with Poll; guarded by kernelWatch.mu
	done     bool              // no more spots; guarded by kernelWatch.mu
	target   watchTarget       // belongs to Watch, and then to the worker

	mu     sync.Mutex
	queue  []delivery // what Next has not taken
	failed error      // how the stream ends when the queue is empty
	closed bool
	takers curio.WaitList[delivery]
	room   curio.WaitList[struct{}] // the worker, when the queue is full
}

// A watchTarget is what a Watcher is about: a directory (watch_tree.go) or a file (watch_trail.go). Its
// methods belong to one goroutine at a time, and wait.
type watchTarget interface {
	// start begins to watch, and notes how things are without reporting anything.
	start(ctx context.Context) error

	// events reports what a batch of events means.
	events(ctx context.Context, batch []watchEvent) error

	// unsettled reports whether settle is to be called if no event comes for a while.
	unsettled() bool

	// settle reports what is no longer to be waited for.
	settle(ctx context.Context) error

	// rescan reports how things differ from what is known.
	rescan(ctx context.Context) error
}

// Watch starts to watch a file, or a directory and its entries, and returns the stream of changes.
// Everything that happens after Watch has returned is reported, so call Watch first and then read
// the files. ctx applies only to the call of Watch: if it is done first, the error wraps ctx's
// error. The Watcher works until Close.
//
//	w, err := file.Watch(ctx, "/etc/app", file.Recursive())
//	if err != nil {
//		return err
//	}
//	defer w.Close()
//	for change, err := range w.All(ctx) {
//		…
//	}
//
// A file is watched by name. If an editor renames a new file to that name, the change is
// [Replaced]; if the file is removed, the Watcher waits for the next file of that name. All
// symbolic links in the path are watched too: a new version of a ConfigMap in Kubernetes is
// reported as Replaced. A directory is watched by identity. When it or a directory above it is
// removed or moved, the stream ends with an error.
//
// A Change means that something is different now, but not how often it has changed: the kernel
// merges equal events, and a Watcher merges changes that have not been received. Writes through
// mmap or through a hard link elsewhere are not reported. There may be an unnecessary Change, but
// none is missing: a program that reads a file again after each Change, and reads the new path
// after a Renamed, ends with the file's latest contents. If changes come faster than the program
// receives them, the Watcher compares the current state with what it has reported, and goes on from
// there; see [Rescanned].
//
// Errors are of type [*fs.PathError]. The error wraps fs.ErrNotExist if path does not exist. If the
// user's limit of watches in the kernel is reached, it names the system setting. For /proc, /sys
// and similar file systems it wraps errors.ErrUnsupported. On network file systems and FUSE the
// kernel sees only the changes that this machine makes. Use [Poll] for both. A directory below path
// that cannot be watched, for example because of its permissions, is not an error of Watch: see
// [Watcher.Next].
//
// On Linux, all Watchers of a process share one inotify(7) instance. On other systems a Watcher
// always polls, by default each second, as kqueue(2) needs an open descriptor for each file and
// does not report names. In a synctest bubble, Watch needs Poll.
//
// Curio has no counterpart. While Watch reads directories, the task's state is FILE_CALL.
func Watch(ctx context.Context, path string, opts ...WatchOption) (*Watcher, error) {
	w := &Watcher{path: path}
	if !slices.Contains(strings.Split(path, "/"), "..") { // which a symbolic link may come before
		w.path = filepath.Clean(path)
	}
	if path == "" {
		return nil, w.wrap(path, fs.ErrNotExist)
	}
	for _, o := range opts {
		o.apply(w)
	}
	w.init()
	begun := false
	defer func() { // even if a method of ctx panics
		if !begun {
			w.leaveKernel()
		}
	}()
	if err := w.begin(ctx); err != nil {
		return nil, w.wrap(path, err)
	}
	begun = true
	go func() { _ = w.scope.Run(context.Background(), w.work) }()
	return w, nil
}

func (w *Watcher) init() {
	w.takers.Mutex, w.takers.State, w.takers.Object, w.takers.Serve = &w.mu, "FILE_WATCH", w, w.serve
	w.room.Mutex, w.room.State, w.room.Object, w.room.Serve = &w.mu, "FILE_WATCH_ROOM", w, w.serveRoom
	w.raw.init(w)
	if w.interval == 0 && !kernelWatches {
		w.interval = pollInterval
	}
}

// pollInterval is for systems on which Watch always polls.
const pollInterval = time.Second

func (w *Watcher) begin(ctx context.Context) error {
	w.root = w.path
	if !filepath.IsAbs(w.path) {
		here, err := syscall.Getwd() // os.Getwd would ask a server, which may hang
		if err != nil {
			return err
		}
		w.root = joinPath(here, w.path)
	}
	isDir, err := w.inspect(ctx)
	if err != nil {
		return err
	}
	if w.interval == 0 {
		if err := w.joinKernel(); err != nil {
			return err
		}
	}
	if isDir {
		w.target = newWatchTree(w)
	} else {
		w.target = newWatchedFile(w)
	}
	return w.target.start(ctx)
}
