package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Copy copies the contents and the permission bits of the file src to the file dst, and returns how
// many bytes it copied. It writes a file with a random name in dst's directory and renames it to
// dst when it is complete, so dst is never a partial copy. For links, owners and mounts see
// [WriteFileAtomic]; unlike that function, Copy does not sync to the disk.
//
// If the system supports it, the data does not pass through the process, or both files share it
// until one of them changes. Holes stay holes. Copy also copies files whose size the system does
// not know, as in /proc. It refuses anything but a regular file, and two names of the same file.
//
// If Copy fails, for example because the disk is full, or if ctx is done first, dst is unchanged,
// what was written is removed, and n is how much had been copied. If ctx is done during the
// renaming, the error also matches ErrOutcomeUnknown, and dst has either the old or the new
// contents. Errors are of type [*fs.PathError] if they concern one file, and [*os.LinkError] if
// they concern both. A task that waits is in the state FILE_CALL. The system call is
// copy_file_range(2), or read(2) and write(2).
func Copy(ctx context.Context, dst, src string) (n int64, err error) {
	j, c := &job{dev: deviceOfPaths(src, dst)}, new(copier)
	n, err = work(ctx, j, "copy", dst, func() (int64, error) { return c.copy(j, dst, src) }, nil)
	switch err.(type) {
	case nil, *fs.PathError, *os.LinkError:
		return n, err
	}
	if j.orphaned() {
		n = c.done.Load()
	}
	return n, &os.LinkError{Op: "copy", Old: src, New: dst, Err: err}
}

var errSameFile = errors.New("both names are the same file")

// copy is Copy, in a worker.
func (c *copier) copy(j *job, dst, src string) (int64, error) {
	from, info, err := openRegular(src)
	if err != nil {
		return 0, draftError("copy", src, err)
	}
	defer from.Close()
	to, err := newDraft(dst, 0o600)
	if err != nil {
		return 0, draftError("copy", dst, err)
	}
	if to.keep != nil && os.SameFile(to.keep, info) {
		to.discard()
		return 0, errSameFile
	}
	to.chmod, to.mode = true, info.Mode().Perm()
	c.to, c.from, c.job = to.File, from, j
	if err := c.run(info); err != nil {
		to.discard()
		return c.done.Load(), copyError(dst, src, err)
	}
	return c.done.Load(), draftError("copy", dst, to.publish(j, false))
}

// openRegular opens a file for reading that must be a regular one: to open a FIFO would block, and a
// device may have no end.
func openRegular(name string) (*os.File, fs.FileInfo, error) {
	if err := step("openread", name); err != nil {
		return nil, nil, err
	}
	f, err := openUnpolled(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = syscall.EISDIR
	case !info.Mode().IsRegular():
		err = errIrregular
	default:
		return f, info, nil
	}
	f.Close()
	return nil, nil, err
}

// copyError says which side has failed, if that is known.
func copyError(dst, src string, err error) error {
	e, ok := err.(*fs.PathError)
	switch {
	case !ok:
		return &os.LinkError{Op: "copy", Old: src, New: dst, Err: err}
	case e.Op == "read":
		return &fs.PathError{Op: "copy", Path: src, Err: e.Err}
	}
	return &fs.PathError{Op: "copy", Path: dst, Err: e.Err}
}
