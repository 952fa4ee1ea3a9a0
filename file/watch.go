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

// Recursive makes [Watch] watch everything below a directory. What is created later is part of it,
// and what is moved out is not any more. Symbolic links below the directory are not followed; other file
// systems that are mounted there are part of it. Each file takes some 100 bytes of memory, and each
// directory another 250, and about a kilobyte in the kernel. It has no effect on a file.
func Recursive() WatchOption { return watchOption(func(w *Watcher) { w.recursive = true }) }

// Poll makes [Watch] look by itself, interval after interval, and ask the kernel for nothing. It is for
// file systems of whose changes the kernel does not hear: network file systems, on which other machines
// write, and /proc and /sys. Each look costs a system call for each file. A change that does not show in
// the size, the inode or the times of a file is not seen, and neither is what has come and gone between
// two looks. A file that is renamed is one that is removed and another that is created. Poll panics if
// interval is not positive.
func Poll(interval time.Duration) WatchOption {
	if interval <= 0 {
		panic(fmt.Sprintf("file: Poll(%v): the interval must be positive", interval))
	}
	return watchOption(func(w *Watcher) { w.interval = interval })
}

// A ChangeKind says what has happened to a path.
type ChangeKind int

const (
	// Created means that there is something under the path now. It was made, or moved there from
	// where nobody watches. For each entry of a new directory there is a Created of its own.
	Created ChangeKind = iota + 1

	// Changed means that something was written to the file, or that it was truncated.
	Changed

	// Closed means that a program that had the file open for writing has closed it. There is none for a
	// file that was closed before it could be watched, as one in a directory that is new, and none with
	// Poll.
	Closed

	// Attributes means that something other than the contents may have changed: the mode, the owner,
	// the times, the number of links.
	Attributes

	// Replaced means that the path now stands for another file, for example one that an editor
	// has written elsewhere and renamed. For a path with symbolic links, the links may lead elsewhere now.
	// Of a directory, what was below it is gone, and a Created for each entry of the new one follows.
	Replaced

	// Renamed means that what was under Old, with all that was below it, is under Path now. If there
	// was something under Path before, it is gone.
	Renamed

	// Removed means that there is nothing under the path any more, nor below it. It was removed, or
	// moved to where nobody watches.
	Removed

	// Rescanned means that changes had come faster than they could be kept. The Watcher has compared
	// everything with what it knew before, and has reported each difference as one of the other kinds.
	// The Path is the one that was given to Watch. What had come and gone in between was not seen. What
	// you did not find when it was reported, as something above it had been moved, may be back: look again.
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

// A Change is something that has happened to a file or a directory.
type Change struct {
	Kind ChangeKind
	Path string // begins with the path that was given to Watch
	Old  string // of Renamed, the path before; otherwise ""
}

// String returns the kind and the paths, for logs.
func (c Change) String() string {
	if c.Kind == Renamed {
		return fmt.Sprintf("renamed %q to %q", c.Old, c.Path)
	}
	return fmt.Sprintf("%v %q", c.Kind, c.Path)
}

// A Watcher is a stream of the changes to a file or to a directory. [Watch] makes one, and Close must
// be called when it is no longer needed. The zero value does not work, and a Watcher must not be copied.
// All methods are safe for concurrent use. If several tasks call Next, each change goes to one of them. A
// task that waits is in the state FILE_WATCH.
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

// Watch begins to watch a file, or a directory and its entries, and returns the stream of changes. What
// happens after Watch has returned is reported, so a program calls Watch first and reads what there is
// after that. ctx bounds the call of Watch alone; the Watcher lives until Close.
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
// A file is watched by its name. If an editor renames a new file over it, that is a [Replaced], and if
// it is removed, the Watcher waits for the next one of that name. All symbolic links on the way to it
// are watched too: in a volume that Kubernetes makes from a ConfigMap, a new version is a Replaced.
// A directory is watched itself. When it is removed or moved, or a directory above it, the stream ends
// with an error.
//
// A change means that something is different now, and not how often that happened: the kernel merges
// equal events, and a Watcher those that nobody has taken yet. What a program writes through mmap, or
// through a hard link elsewhere, is not reported. There may be a change too many, but none too few: a
// program that reads a file again after each change has its last contents at the end. After a Renamed
// it reads the new path. If changes come faster than they are taken, the Watcher compares what there
// is with what it has reported, and goes on from there; see [Rescanned].
//
// The error is an *fs.PathError. It is fs.ErrNotExist if there is nothing under path, and names the
// system's setting if the kernel watches as much for this user as it may. For /proc, /sys and similar
// it is errors.ErrUnsupported. On network file systems and FUSE the kernel sees only what this machine
// does. Use [Poll] there. A directory below path that cannot be watched, for lack of permission, say,
// is no error of Watch: see [Watcher.Next].
//
// On Linux, all Watchers of a process share one inotify(7) instance. On other systems a Watcher always
// polls, each second unless Poll says otherwise, as kqueue(2) needs an open descriptor for each file and
// does not tell names. In a synctest bubble, Watch needs Poll.
//
// Curio has nothing like it. While Watch reads the directories, its task is in the state of the calls that
// wait for a disk: FILE_CALL.
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
	defer func() { // also if a method of ctx panics
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
