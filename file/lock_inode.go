package file

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
)

// This file has what a lock is for one file, whatever its names are.
//
// Within the process an inode has holders and a line of those who wait. Only those whom it has let in ask
// the system, and of these one at a time: it is the only one that asks again and again. Each of them has
// opened the file anew. The system's lock belongs to that open file, and not to the process or the
// descriptor, so one task's lock is never taken for another's, and nothing is ever converted. It is the
// system's lock on which correctness rests; what is in here is for the order, and so that one sees it.
//
// Lock order: inodeTable.mu, inode.mu; no other lock is taken under them.

// An inode is a file of which somebody holds or wants the lock.
type inode struct {
	id    fileID
	path  string // by which it was first asked for
	users int    // guarded by inodeTable.mu

	mu      sync.Mutex
	line    curio.WaitList[bool] // what is asked for: whether it is for writing
	writing bool
	holders []curio.Holder // one for each hold

	asking bool                     // one of those who were let in asks the system again and again
	turns  curio.WaitList[struct{}] // the others of them

	pmu   sync.Mutex               // of pause
	pause curio.WaitList[struct{}] // of the one that asks, between two questions; nobody ends it early
}

// An inodeTable finds the inode of a file.
type inodeTable struct {
	mu sync.Mutex
	m  map[fileID]*inode
}

var inodes inodeTable

// join returns the inode of a file for one more user, who knows it as path.
func (t *inodeTable) join(id fileID, path string) *inode {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.m[id]
	if n == nil {
		n = &inode{id: id, path: path}
		n.line.Mutex, n.line.State, n.line.Object, n.line.Serve = &n.mu, "FILE_LOCK", n, n.serve
		n.turns.Mutex, n.turns.State, n.turns.Object, n.turns.Serve = &n.mu, "FILE_LOCK", n, n.serveTurns
		n.pause.Mutex, n.pause.State, n.pause.Object = &n.pmu, "FILE_LOCK", n
		if t.m == nil {
			t.m = make(map[fileID]*inode)
		}
		t.m[id] = n
	}
	n.users++
	return n
}

// leave forgets the inode with its last user.
func (t *inodeTable) leave(n *inode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(t.m, n.id)
	}
}

func (t *inodeTable) find(id fileID) *inode {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[id]
}

// String describes the lock to monitoring.
func (n *inode) String() string { return "file lock " + n.path }

// serve lets in those at the head of the line for whom there is room.
func (n *inode) serve() {
	for w := range n.line.All() {
		write := w.Ask()
		if n.writing || write && len(n.holders) > 0 {
			return
		}
		if w.Grant(write) {
			n.writing = write
			n.holders = append(n.holders, curio.HolderOf(w.Task(), 1))
		}
	}
}

// serveTurns lets one task ask.
func (n *inode) serveTurns() {
	n.asking = n.asking || n.turns.Hand(struct{}{})
}

// passTurn lets the next one ask.
func (n *inode) passTurn() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asking = false
	n.serveTurns()
}

// enter takes the lock within the process.
func (n *inode) enter(ctx context.Context, write, wait bool) (ok bool, err error) {
	if !wait {
		_, ok = n.line.TryWait(ctx, write)
		return ok, nil
	}
	_, err = n.line.Wait(ctx, write)
	return err == nil, err
}

// exit gives it back.
func (n *inode) exit(task *curio.AnyTask, write bool) {
	h := curio.HolderOf(task, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.holders, h); i >= 0 {
		n.holders = slices.Delete(n.holders, i, i+1)
	}
	if write {
		n.writing = false
	}
	n.serve()
}

func (n *inode) snapshot() curio.Snapshot {
	n.mu.Lock()
	defer n.mu.Unlock()
	return curio.Snapshot{Holders: slices.Clone(n.holders), Waiters: n.line.Waiters()}
}

// Pauses between two questions to the system. What it would tell otherwise costs a thread for each file,
// which cannot be called back and takes the lock for nobody when it gets it at last.
const (
	firstPause = time.Millisecond
	mostPause  = 20 * time.Millisecond
)

// lockFile takes the lock among processes. If f is nil and there is no error, found tells why: it is n's
// id if another process holds the lock; otherwise it is the id of the file that path leads to by now.
func (n *inode) lockFile(ctx context.Context, path string, write, wait bool) (f *lockedFile, found fileID, err error) {
	if wait {
		if _, err := n.turns.Wait(ctx, struct{}{}); err != nil {
			return nil, n.id, err
		}
		defer n.passTurn()
	}
	locked := false
	defer func() {
		if !locked && f != nil {
			f, err = nil, joined(err, cleanUp(ctx, "close", path, f.close))
		}
	}()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		j := new(job)
		mine := f
		got, err := work(ctx, j, "flock", path, func() (attempt, error) {
			return n.try(mine, path, write)
		}, func(a attempt) { a.undo() })
		if j.orphaned() {
			f = nil // the worker has it
		}
		if err == nil || got.file != nil {
			f, found, locked = got.file, got.found, got.locked && err == nil
		}
		switch {
		case err != nil || locked:
			return f, found, err
		case found != n.id, !wait:
			return f, found, nil
		}
		if _, err := curio.IgnoreAfter(ctx, pause, func(ctx context.Context) error {
			_, err := n.pause.Wait(ctx, struct{}{})
			return err
		}); err != nil {
			return f, n.id, err
		}
	}
}

// An attempt is what has become of one question to the system.
type attempt struct {
	file   *lockedFile
	found  fileID // the file to which the path leads
	locked bool
}

func (a attempt) undo() {
	switch {
	case a.file == nil:
	case a.locked:
		_ = a.file.unlock()
	default:
		_ = a.file.close()
	}
}

// try asks the system once, in a worker. f is the file if it is open from the last time.
func (n *inode) try(f *lockedFile, path string, write bool) (a attempt, err error) {
	if f == nil {
		if f, err = openLockFile(path); err != nil {
			return attempt{}, err
		}
	}
	a = attempt{file: f, found: f.id}
	if f.id != n.id {
		return a, nil
	}
	how := syscall.LOCK_SH
	if write {
		how = syscall.LOCK_EX
	}
	err = step("flock", path)
	if err == nil {
		err = f.flock(how | syscall.LOCK_NB)
	}
	a.locked = err == nil
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return a, err
	}
	// The file may have been removed or replaced since it was opened, and what is locked is then no lock
	// any more (trap 47).
	if err = step("stat", path); err != nil {
		return a.unlocked(), err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		a.found = fileID{} // the next look creates it
	case err != nil:
		return a.unlocked(), err
	default:
		a.found = idOf(info.Sys().(*syscall.Stat_t))
	}
	if a.found != n.id {
		return a.unlocked(), nil
	}
	return a, nil
}

// unlocked is the attempt with the lock given back.
func (a attempt) unlocked() attempt {
	if a.locked {
		_ = a.file.flock(syscall.LOCK_UN)
		a.locked = false
	}
	return a
}

// A lockedFile is an open file that has the lock or is going to get it.
type lockedFile struct {
	*os.File
	id fileID
}

// openLockFile opens or creates the file. It is for reading and writing, because NFS demands that for an
// exclusive lock (trap 48), and it does not wait if it is a FIFO.
func openLockFile(path string) (*lockedFile, error) {
	if err := step("open", path); err != nil {
		return nil, err
	}
	const how = os.O_RDWR | syscall.O_NONBLOCK
	f, err := openUnpolled(path, how, 0)
	if errors.Is(err, os.ErrNotExist) { // and only then: in /tmp, Linux refuses O_CREATE for others' files
		f, err = openUnpolled(path, how|os.O_CREATE, 0o666)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &lockedFile{f, idOf(info.Sys().(*syscall.Stat_t))}, nil
}

// flock calls flock(2).
func (f *lockedFile) flock(how int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	outer := raw.Control(func(fd uintptr) {
		err = again(func() error { return syscall.Flock(int(fd), how) })
	})
	return joined(outer, err)
}

// unlock gives the lock back and closes the file. It unlocks first: a child that is being forked at
// this moment has the file open, too, and closing it here would leave the lock with that (trap 43).
func (f *lockedFile) unlock() error {
	if f.File == nil {
		return nil
	}
	err := step("unlock", f.Name())
	if err == nil {
		err = f.flock(syscall.LOCK_UN)
	}
	return joined(err, f.close())
}

func (f *lockedFile) close() error { return f.Close() }
