package file

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/curio-go/curio"
)

// This file writes whole files. What is written atomically is first a draft, a file of its own beside the
// target:
//
//	drafted ──► renamed ──► its directory synced
//	    ▼
//	removed
//
// Until the renaming begins, whatever goes wrong removes the draft, and the target is as it was. From
// then on nothing is ever removed, because the draft's name may be somebody else's.

// WriteFile writes data to the named file. It creates the file with mode perm, before umask, if it
// does not exist, and truncates it otherwise. Like os.WriteFile it is not atomic: after a crash, an
// error or a cancellation, the file may hold part of the data or none. [WriteFileAtomic] does not
// have this problem.
//
// If ctx is done first, WriteFile returns an error that wraps ctx's error, and the writing stops
// soon after; if it had begun, the error also matches ErrOutcomeUnknown. WriteFile copies data, so
// the caller may modify it afterwards. Errors are of type [*fs.PathError]. A task that waits is in
// the state FILE_CALL. For a FIFO it waits as [OpenFile] does, and then in WRITE_WAIT.
func WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	const how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	data = bytes.Clone(data)
	j := new(job)
	f, err := work(ctx, j, "write", name, func() (*File, error) {
		if !j.commit() {
			return nil, errDeserted
		}
		f, err := openNow(how, opener{
			open: func(flag int) (*File, error) { return openSystem(name, flag, perm) },
			stat: func() (os.FileInfo, error) { return os.Stat(name) },
		})
		if err != nil || f.pipe != nil {
			return f, err
		}
		err = writePieces(j, f.file, data)
		if closing := f.dispose(); err == nil { // NFS and quotas report here (trap 20)
			err = closing
		}
		return nil, err
	}, func(f *File) { _ = f.dispose() })
	if err == errNoReader {
		f, err = OpenFile(ctx, name, how, perm)
	}
	if err == nil && f != nil { // a FIFO or the like: no worker waits for its reader
		err = f.writeWhole(ctx, data)
	}
	return failed("write", name, err, false)
}

// writeWhole writes what a new file is to have, and closes it.
func (f *File) writeWhole(ctx context.Context, data []byte) error {
	_, err := f.Write(ctx, data)
	if closing := f.CloseContext(ctx); err == nil {
		err = closing
	}
	if errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return f.failed("write", cause(err), true) // it is empty, or has a part
}

// writePiece is how much is written between two looks at whether anybody still waits.
const writePiece = 1 << 20

func writePieces(j *job, f *os.File, data []byte) error {
	for len(data) > 0 {
		if j.deserted() {
			return errDeserted
		}
		if err := step("write", f.Name()); err != nil {
			return err
		}
		n, err := f.Write(data[:min(len(data), writePiece)])
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// WriteFileAtomic replaces the contents of the named file with data, so that a reader finds either
// the old contents or the new ones, and never a part of them, even after a crash. It writes a file
// with a random name in the same directory, syncs it to the disk, renames it to name, and syncs the
// directory.
//
// An existing file keeps its permission bits, and its owner and group as far as the process may set
// them. A new file has mode perm, before umask. If name is a symbolic link, WriteFileAtomic
// replaces the file that it refers to, and the link stays. Other hard links keep the old contents.
// Access control lists and extended attributes are not kept. Anything but a regular file is
// refused. A file that is a mount point, as containers use for their configuration, cannot be
// replaced: the error wraps syscall.EBUSY. Use WriteFile for such a file.
//
// If WriteFileAtomic fails or ctx is done first, the file still has its old contents, and what was
// written is removed. There are two exceptions. If ctx is done during or after the renaming, the
// error also matches ErrOutcomeUnknown, and the file has either the old or the new contents. If
// syncing the directory fails, the file has the new contents, but a crash may bring back the old
// ones; the Op of the error is then "syncdir". Errors are of type [*fs.PathError]. WriteFileAtomic
// copies data. A task that waits is in the state FILE_CALL. The system calls are fsync(2) and
// rename(2).
func WriteFileAtomic(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	data = bytes.Clone(data)
	j := new(job)
	_, err := work(ctx, j, "replace", name, func() (struct{}, error) {
		d, err := newDraft(name, perm)
		if err != nil {
			return struct{}{}, err
		}
		if err := writePieces(j, d.File, data); err != nil {
			d.discard()
			return struct{}{}, err
		}
		return struct{}{}, d.publish(j, true)
	}, nil)
	return draftError("replace", name, err)
}

// WriteAtomic replaces the contents of the named file, as [WriteFileAtomic] does, with what the
// function write writes to w. Workers write the data when a buffer is full. If write returns an
// error, panics or calls runtime.Goexit, or if ctx is done, the file keeps its old contents. w may
// be used only until write returns, and by one goroutine at a time. After an error of w, all its
// writes return that error, and so does WriteAtomic. While write runs, the unfinished file is in
// the same directory, with a name that begins with ".curio-".
//
//	err := file.WriteAtomic(ctx, "report.csv", 0o644, func(ctx context.Context, w io.Writer) error {
//		return table.WriteCSV(w)
//	})
//
// WriteAtomic panics if write is nil.
func WriteAtomic(ctx context.Context, name string, perm fs.FileMode, write func(ctx context.Context, w io.Writer) error) (err error) {
	if write == nil {
		panic("file: WriteAtomic without a function that writes")
	}
	d, err := work(ctx, new(job), "replace", name, func() (*draft, error) { return newDraft(name, perm) }, (*draft).discard)
	if err != nil {
		return draftError("replace", name, err)
	}
	w := &draftWriter{ctx: ctx, draft: d}
	finished := false
	defer func() { // even if write panics
		if !finished && !w.gone {
			err = joined(err, cleanUp(ctx, "replace", name, func() error { d.discard(); return nil }))
		}
	}()
	if err := write(ctx, w); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.err = &fs.PathError{Op: "replace", Path: name, Err: fs.ErrClosed}
	finished = true
	j := new(job)
	_, err = work(ctx, j, "replace", name, func() (struct{}, error) { return struct{}{}, d.publish(j, true) }, nil)
	if j.phase.Load() == jobDropped {
		finished = false
	}
	return draftError("replace", name, err)
}

// joined is err, or both errors if there are two.
func joined(err, other error) error {
	switch {
	case err == nil:
		return other
	case other == nil:
		return err
	}
	return errors.Join(err, other)
}

// A draft is a file that is going to replace another one.
type draft struct {
	*os.File
	name   string      // as the caller calls the target
	target string      // with the last link resolved
	dir    string      // where both are
	keep   fs.FileInfo // of the target, nil if it does not exist
	chmod  bool        // the draft has yet to get its mode
	mode   fs.FileMode
}

// newDraft makes the draft for the file name. If that exists, it will get its mode and owner.
func newDraft(name string, perm fs.FileMode) (*draft, error) {
	d := &draft{name: name}
	var err error
	if d.target, d.keep, err = resolve(name); err != nil {
		return nil, err
	}
	if d.keep != nil {
		if d.keep.IsDir() {
			return nil, syscall.EISDIR
		}
		if !d.keep.Mode().IsRegular() {
			return nil, errIrregular
		}
		d.chmod, d.mode = true, d.keep.Mode().Perm()
		perm = 0o600 // until it has its owner
	}
	base := d.target[strings.LastIndexByte(d.target, '/')+1:]
	if base == "" || base == "." || base == ".." {
		return nil, syscall.EISDIR
	}
	d.dir = d.target[:len(d.target)-len(base)] + "."
	for try := 0; ; try++ {
		if err := step("open", name); err != nil {
			return nil, err
		}
		draftName := strings.TrimSuffix(d.dir, ".") + ".curio-" + rand.Text()
		d.File, err = openUnpolled(draftName, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		switch {
		case err == nil:
			return d, nil
		case !errors.Is(err, fs.ErrExist) || try == 100:
			return nil, cause(err)
		}
	}
}

// resolve follows the links that name may be, and returns where they lead; info is nil if there is
// nothing. The path is not cleaned, since "link/.." is not ".".
func resolve(name string) (target string, info fs.FileInfo, err error) {
	for range 40 { // as the kernel
		if err := step("resolve", name); err != nil {
			return "", nil, err
		}
		info, err := os.Lstat(name)
		switch {
		case name != "" && errors.Is(err, fs.ErrNotExist):
			return name, nil, nil
		case err != nil:
			return "", nil, cause(err)
		case info.Mode()&fs.ModeSymlink == 0:
			return name, info, nil
		}
		to, err := os.Readlink(name)
		if err != nil {
			return "", nil, cause(err)
		}
		if !strings.HasPrefix(to, "/") {
			to = name[:strings.LastIndexByte(name, '/')+1] + to
		}
		name = to
	}
	return "", nil, syscall.ELOOP
}

// discard removes the draft, which was not renamed.
func (d *draft) discard() {
	if d == nil {
		return
	}
	d.Close()
	_ = step("remove", d.name)
	_ = os.Remove(d.Name())
}

// publish gives the draft its mode and its name. It consumes the draft, whatever happens.
func (d *draft) publish(j *job, durable bool) error {
	if err := d.complete(j, durable); err != nil {
		d.discard()
		return err
	}
	if err := d.rename(j); err != nil || !durable {
		return err
	}
	if err := d.syncDir(); err != nil {
		return &fs.PathError{Op: opSyncDir, Path: d.name, Err: cause(err)}
	}
	return nil
}

const opSyncDir = "syncdir"

// draftError is err as the caller sees it, who knows nothing of the draft.
func draftError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*fs.PathError); ok {
		if e.Op == opSyncDir {
			return err
		}
		err = e.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// complete does all that comes before the renaming.
func (d *draft) complete(j *job, durable bool) error {
	calls := []struct {
		name string
		do   func() error
	}{
		{"chown", d.adopt},
		{"chmod", func() error {
			if !d.chmod {
				return nil
			}
			return d.Chmod(d.mode) // by descriptor: the name may lead elsewhere by now (trap 26)
		}},
		{"sync", func() error {
			if !durable {
				return nil
			}
			return syncFile("fsync", d.File)
		}},
		{"close", d.Close},
	}
	for _, call := range calls {
		if j.deserted() {
			return errDeserted
		}
		if err := step(call.name, d.name); err != nil {
			return err
		}
		if err := call.do(); err != nil {
			return err
		}
	}
	return nil
}

// adopt gives the draft the owner and the group of the file that it is going to replace, as far as the
// process may.
func (d *draft) adopt() error {
	if d.keep == nil {
		return nil
	}
	old, ok := d.keep.Sys().(*syscall.Stat_t)
	info, err := d.Stat()
	if err != nil || !ok {
		return err
	}
	own, ok := info.Sys().(*syscall.Stat_t)
	if !ok || own.Uid == old.Uid && own.Gid == old.Gid {
		return nil
	}
	err = d.Chown(int(old.Uid), int(old.Gid))
	if errors.Is(err, fs.ErrPermission) {
		err = d.Chown(-1, int(old.Gid))
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) { // EINVAL: an id that the namespace does not know
		return nil
	}
	return err
}

// rename is the point of no return.
func (d *draft) rename(j *job) error {
	err := step("commit", d.name)
	if err == nil && !j.commit() {
		err = errDeserted
	}
	if err == nil {
		err = step("rename", d.name)
	}
	if err == nil {
		err = os.Rename(d.Name(), d.target)
	}
	if err == nil {
		return nil
	}
	d.discard() // its name is random: if the renaming did happen, there is nothing
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("%w (a mount point cannot be replaced; WriteFile writes it in place)", err)
	}
	return err
}

// syncDir makes the new name durable. A directory can be synced only if it was opened for reading (trap 25).
func (d *draft) syncDir() error {
	if err := step("opendir", d.name); err != nil {
		return err
	}
	dir, err := openUnpolled(d.dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := step("syncdir", d.name); err != nil {
		return err
	}
	return syncFile("fsyncdir", dir)
}

// syncFile syncs a file, unless that is on a file system on which there is nothing to sync (trap 21).
func syncFile(call string, f *os.File) error {
	err := again(func() error {
		if err := step(call, f.Name()); err != nil {
			return err
		}
		return f.Sync()
	})
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	return err
}

// A draftWriter is the writer of WriteAtomic.
type draftWriter struct {
	ctx   context.Context
	draft *draft
	buf   []byte
	err   error // of the first write that failed
	gone  bool  // a worker has the draft, and disposes of it
}

const draftBuffer = 256 << 10

// Write collects p, and writes when there is enough.
func (w *draftWriter) Write(p []byte) (n int, err error) {
	if w.err == nil {
		w.err = draftError("replace", w.draft.name, curio.CheckCancellation(w.ctx))
	}
	for w.err == nil && n < len(p) {
		if w.buf == nil {
			w.buf = make([]byte, 0, draftBuffer)
		}
		k := copy(w.buf[len(w.buf):cap(w.buf)], p[n:])
		w.buf = w.buf[:len(w.buf)+k]
		n += k
		if len(w.buf) == cap(w.buf) {
			_ = w.flush()
		}
	}
	return n, w.err
}

// flush writes what has been collected. If it is abandoned, the worker keeps the buffer.
func (w *draftWriter) flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	j, d, buf := new(job), w.draft, w.buf
	_, err := work(w.ctx, j, "replace", d.name, func() (struct{}, error) {
		return struct{}{}, writePieces(j, d.File, buf)
	}, func(struct{}) { d.discard() })
	w.err = draftError("replace", d.name, err)
	if w.gone = j.orphaned(); w.gone {
		w.buf = nil
		return w.err
	}
	w.buf = buf[:0]
	return w.err
}
