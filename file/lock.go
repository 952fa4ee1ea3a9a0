package file

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/curio-go/curio"
)

// A Lock is an advisory lock on a file between processes and tasks: flock(2). One task holds it for
// writing, or any number hold it for reading. Within a process it also excludes other Locks of the
// same file, whatever its name. It does not prevent anything from reading or writing the file: it
// affects only tasks and processes that use the lock. It is a [curio.RWLock] between processes.
//
// If the file does not exist, it is created empty, with mode 0666, before umask; usually it exists
// only for the lock. It is never removed, and must not be removed while it is in use. If it is
// removed anyway, or another file is renamed to its name, a task that acquires the lock notices
// that and locks the new file; a task that holds the old file does not notice.
//
// Tasks of one process get the lock in order of arrival; adjacent readers get it together. Between
// processes there is no order: a process may wait forever while others take turns. No event reports
// that another process has released the lock, so the first waiting task of each process tries again
// after a pause, which grows from 1 to 20 milliseconds.
//
// On NFS, flock(2) also excludes other machines, on Linux since 2.6.12, unless the file system is
// mounted with local_lock=flock. On other network file systems it may exclude only processes of the
// same machine. Each task that holds the lock has a descriptor of its own. A child process that was
// forked meanwhile does not keep the lock.
//
// A reader cannot become a writer while it holds the lock: call ReleaseRead and then Acquire, and
// expect the file to have changed in between. A task that holds the lock and asks for it again may
// wait for itself, until its context is done.
//
// [NewLock] makes a Lock; the zero value has no file, and its methods panic. A Lock must not be
// copied. It is safe for concurrent use. A task that waits is in the state FILE_LOCK, or briefly
// FILE_CALL; during a release, EVENT_WAIT.
type Lock struct {
	path string

	mu    sync.Mutex
	holds []hold
	last  fileID // the file as it was when it was last locked or looked at; the zero value before that
}

// A hold is one task's part of a lock.
type hold struct {
	inode *inode
	file  *lockedFile
	task  *curio.AnyTask // nil for a goroutine of no task
	write bool
}

// NewLock returns a lock on the file at path, which need not exist. It does nothing until the lock
// is acquired. A relative path is resolved each time. NewLock panics if path is "".
func NewLock(path string) *Lock {
	if path == "" {
		panic(`file: NewLock(""); a lock needs the path of a file`)
	}
	return &Lock{path: path}
}

// String returns "file lock" and the path.
func (l *Lock) String() string { return "file lock " + l.path }

// Acquire waits for the lock and takes it for writing. If ctx is done first, it returns an error
// that wraps ctx's error and does not hold the lock. Other errors concern the file, for example one
// that cannot be opened for reading and writing, or a file system without locks. All errors are of
// type [*fs.PathError].
func (l *Lock) Acquire(ctx context.Context) error {
	_, err := l.acquire(ctx, true, true)
	return err
}

// AcquireRead waits for the lock and takes it for reading. Cancellation and errors are as for
// Acquire; the file is opened for reading and writing here too.
func (l *Lock) AcquireRead(ctx context.Context) error {
	_, err := l.acquire(ctx, false, true)
	return err
}

// TryAcquire takes the lock for writing if that is possible at once. ok is false if another task or
// process holds it. TryAcquire opens the file, so it takes a context, and can fail or be cancelled
// like Acquire.
func (l *Lock) TryAcquire(ctx context.Context) (ok bool, err error) {
	return l.acquire(ctx, true, false)
}

// TryAcquireRead takes the lock for reading if that is possible at once. ok is false if another
// task or process holds it for writing. Cancellation and errors are as for TryAcquire.
func (l *Lock) TryAcquireRead(ctx context.Context) (ok bool, err error) {
	return l.acquire(ctx, false, false)
}

// Release releases the lock that the task of ctx holds for writing. It unlocks and closes the file,
// and passes the lock to the task of this process that has waited longest. It works even if ctx is
// done. If the file system does not answer, Release waits for one or two seconds after ctx is done;
// the error then matches ErrOutcomeUnknown, and the lock is released in the background. Release
// panics if the task does not hold the lock for writing.
func (l *Lock) Release(ctx context.Context) error { return l.release(ctx, true) }

// ReleaseRead releases the lock that the task of ctx holds for reading, once. It panics if the task
// does not hold the lock for reading. Everything else is as for Release.
func (l *Lock) ReleaseRead(ctx context.Context) error { return l.release(ctx, false) }

// Do calls fn while it holds the lock for writing, and releases the lock even if fn panics. It
// returns the error of Acquire, which may be ctx's error, or the errors of fn and Release, joined.
// Do panics if fn is nil.
func (l *Lock) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return l.do(ctx, true, fn)
}

// DoRead calls fn while it holds the lock for reading. Cancellation and everything else is as for
// Do.
func (l *Lock) DoRead(ctx context.Context, fn func(ctx context.Context) error) error {
	return l.do(ctx, false, fn)
}

func (l *Lock) do(ctx context.Context, write bool, fn func(ctx context.Context) error) (err error) {
	if fn == nil {
		panic("file: Do of a nil function")
	}
	if _, err := l.acquire(ctx, write, true); err != nil {
		return err
	}
	defer func() { err = joined(err, l.release(ctx, write)) }()
	return fn(ctx)
}

// Snapshot returns the tasks of this process that hold the file's lock, by any Lock, and those that
// wait for it. It does not know about other processes.
func (l *Lock) Snapshot() curio.Snapshot {
	n := inodes.find(l.seen())
	if n == nil {
		return curio.Snapshot{}
	}
	return n.snapshot()
}

// acquire takes the lock in three steps, each of which can be undone: the place in this process, the
// file's lock among processes, and the note that the task has it.
func (l *Lock) acquire(ctx context.Context, write, wait bool) (ok bool, err error) {
	if l.path == "" {
		panic("file: a Lock without a file; make it with NewLock")
	}
	task := curio.CurrentTask(ctx)
	for {
		id := l.seen()
		if id == (fileID{}) {
			if id, err = l.look(ctx); err != nil {
				return false, err
			}
		}
		ok, found, err := l.acquireFile(ctx, id, task, write, wait)
		if ok || err != nil || found == id {
			return ok, failed("flock", l.path, err, false)
		}
		l.see(found) // the path leads to another file than we thought
	}
}

// acquireFile is acquire for the file id. If it has neither the lock nor an error, found is id if somebody
// else has it.
func (l *Lock) acquireFile(ctx context.Context, id fileID, task *curio.AnyTask, write, wait bool) (ok bool, found fileID, err error) {
	n := inodes.join(id, l.path)
	entered := false
	defer func() { // even if a method of ctx panics
		if ok {
			return
		}
		if entered {
			n.exit(task, write)
		}
		inodes.leave(n)
	}()
	if entered, err = n.enter(ctx, write, wait); !entered {
		return false, id, err
	}
	f, found, err := n.lockFile(ctx, l.path, write, wait)
	if f == nil {
		return false, found, err
	}
	l.note(hold{n, f, task, write})
	ok = true
	curio.NoteHeld(ctx, l, 1)
	return true, id, nil
}

// look finds out which file it is, and creates it if there is none.
func (l *Lock) look(ctx context.Context) (fileID, error) {
	id, err := work(ctx, new(job), "open", l.path, func() (fileID, error) {
		f, err := openLockFile(l.path)
		if err != nil {
			return fileID{}, err
		}
		defer f.close()
		return f.id, nil
	}, nil)
	if err == nil {
		l.see(id)
	}
	return id, failed("open", l.path, err, false)
}

func (l *Lock) seen() fileID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *Lock) see(id fileID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = id
}

func (l *Lock) note(h hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holds = append(l.holds, h)
}

func (l *Lock) release(ctx context.Context, write bool) error {
	h := l.take(curio.CurrentTask(ctx), write)
	defer func() { // even if a method of ctx panics
		// If the unlocking hangs, the system still keeps others out. Those who wait here will ask it, and
		// are not held up by us.
		h.inode.exit(h.task, write)
		inodes.leave(h.inode)
	}()
	err := cleanUp(ctx, "flock", l.path, h.file.unlock)
	curio.NoteReleased(ctx, l, 1)
	return err
}

// take removes the task's hold.
func (l *Lock) take(task *curio.AnyTask, write bool) hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.holds, func(h hold) bool { return h.task == task && h.write == write })
	if i < 0 {
		method, verb := "Release", "writing"
		if !write {
			method, verb = "ReleaseRead", "reading"
		}
		panic(fmt.Sprintf("file: %s of the %v, which the task does not hold for %s", method, l, verb))
	}
	h := l.holds[i]
	l.holds = slices.Delete(l.holds, i, i+1)
	return h
}
