package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// A Root is a directory that confines all operations on it: no name leads out of it, neither with
// ".." nor with a symbolic link, even if the tree changes meanwhile. It is os.Root with contexts,
// and works as documented there: links to files inside are followed, mount points are crossed, and
// devices and FIFOs can be opened, except by OpenRegular.
//
// [OpenRoot] makes a Root. The zero value is not a directory: its methods return os.ErrInvalid. A
// Root is safe for concurrent use. Names must not be empty.
//
// If ctx is done first, methods return an error that wraps ctx's error. If a method changes
// something and the system was executing the call, the call goes on in the background and the error
// also matches ErrOutcomeUnknown. Errors are of type [*os.PathError] or [*os.LinkError]. A task
// that waits is in the state FILE_CALL.
type Root struct {
	root *os.Root // nil in the zero value
	name string
	dev  *device
}

// OpenRoot opens the directory dir as a [Root]. If ctx is done first, it returns an error that
// wraps ctx's error and leaves nothing open.
func OpenRoot(ctx context.Context, dir string) (*Root, error) {
	r, err := blocking(ctx, "open", dir, func() (*Root, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		return newRoot(root, dir)
	}, closeRoot)
	return r, failed("open", dir, err, false)
}

// newRoot takes root over. It is called in a worker.
func newRoot(root *os.Root, name string) (*Root, error) {
	info, err := root.Stat(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	r := &Root{root: root, name: name}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		r.dev = deviceOf(uint64(st.Dev))
	} else {
		r.dev = deviceOf(0)
	}
	return r, nil
}

func closeRoot(r *Root, err error) {
	if err == nil {
		_ = r.Close()
	}
}

// Name returns the name that r was opened with.
func (r *Root) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// String returns "root" and r's name.
func (r *Root) String() string { return "root " + r.Name() }

func (r *Root) usable() error {
	if r == nil || r.root == nil {
		return os.ErrInvalid
	}
	return nil
}

// Close closes r. Calls in progress go on, and files that were opened through r stay open. Later
// calls fail with fs.ErrClosed. Close does not wait.
func (r *Root) Close() error {
	if err := r.usable(); err != nil {
		return err
	}
	return r.root.Close()
}

// rooted makes a call in a worker of r's device. changes says that it changes something.
func rooted[T any](ctx context.Context, r *Root, op, name string, changes bool, fn func() (T, error), late func(T, error)) (v T, err error) {
	if err := r.usable(); err != nil {
		return v, err
	}
	v, become, err := onDevice(ctx, r.dev, op, r.name+"/"+name, fn, late)
	if become == returned {
		return v, err // package os's own
	}
	return v, failed(op, name, err, changes && become == runsOn)
}

// changed is rooted for a call that changes something and returns nothing.
func (r *Root) changed(ctx context.Context, op, name string, fn func() error) error {
	_, err := rooted(ctx, r, op, name, true, func() (struct{}, error) { return struct{}{}, fn() }, nil)
	return err
}

// OpenFile opens a file in r. Flags, cancellation and errors are as for the function [OpenFile].
func (r *Root) OpenFile(ctx context.Context, name string, flag int, perm os.FileMode) (*File, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	return openBy(ctx, r.name+"/"+name, flag, opener{
		dev: func() *device { return r.dev },
		open: func(flag int) (*File, error) {
			file, err := r.root.OpenFile(name, flag, perm)
			if err != nil {
				return nil, err
			}
			return newFile(file, file.Name(), flag)
		},
		stat: func() (os.FileInfo, error) { return r.root.Stat(name) },
	})
}

// Open opens a file in r for reading. Cancellation and errors are as for the function [OpenFile].
func (r *Root) Open(ctx context.Context, name string) (*File, error) {
	return r.OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create opens a file in r for reading and writing, and creates or truncates it. Cancellation and
// errors are as for the function [OpenFile].
func (r *Root) Create(ctx context.Context, name string) (*File, error) {
	return r.OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenRegular opens a regular file in r for reading. It refuses anything else, including a symbolic
// link in the last part of the name. Use it in trees that others can write to, who might put a
// FIFO, a device or a link there: OpenRegular fails without waiting for these or affecting them.
// Cancellation is as for [Root].
func (r *Root) OpenRegular(ctx context.Context, name string) (*File, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	return openBy(ctx, r.name+"/"+name, os.O_RDONLY, opener{
		dev: func() *device { return r.dev },
		open: func(flag int) (*File, error) {
			file, err := r.openRegular(name, flag)
			if err != nil {
				return nil, err
			}
			return newFile(file, file.Name(), flag)
		},
		stat: func() (os.FileInfo, error) { return nil, errIrregular },
	})
}

func (r *Root) openRegular(name string, flag int) (*os.File, error) {
	refused := &os.PathError{Op: "open", Path: name, Err: errIrregular}
	before, err := r.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() { // a device need not even be opened
		return nil, refused
	}
	if lookedAt != nil {
		lookedAt()
	}
	file, err := r.root.OpenFile(name, flag|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.EAGAIN) {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (!info.Mode().IsRegular() || !os.SameFile(before, info)) {
		err = refused
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// lookedAt is called when OpenRegular has looked at a name, before it opens that. Tests set it.
var lookedAt func()

// OpenRoot opens the directory name in r as a Root. Cancellation is as for the function [OpenRoot].
func (r *Root) OpenRoot(ctx context.Context, name string) (*Root, error) {
	return rooted(ctx, r, "open", name, false, func() (*Root, error) {
		root, err := r.root.OpenRoot(name)
		if err != nil {
			return nil, err
		}
		return newRoot(root, r.name+"/"+name)
	}, closeRoot)
}

// Stat returns information about a file in r. It follows a symbolic link in the last part of the
// name. Cancellation is as for [Root].
func (r *Root) Stat(ctx context.Context, name string) (os.FileInfo, error) {
	return rooted(ctx, r, "stat", name, false, func() (os.FileInfo, error) { return r.root.Stat(name) }, nil)
}

// Lstat returns information about a file in r. It does not follow a symbolic link in the last part
// of the name. Cancellation is as for [Root].
func (r *Root) Lstat(ctx context.Context, name string) (os.FileInfo, error) {
	return rooted(ctx, r, "lstat", name, false, func() (os.FileInfo, error) { return r.root.Lstat(name) }, nil)
}

// Readlink returns the target of a symbolic link in r, which may be outside r. Cancellation is as
// for [Root].
func (r *Root) Readlink(ctx context.Context, name string) (string, error) {
	return rooted(ctx, r, "readlink", name, false, func() (string, error) { return r.root.Readlink(name) }, nil)
}

// ReadFile returns the contents of a file in r. Cancellation and everything else is as for the
// function [ReadFile].
func (r *Root) ReadFile(ctx context.Context, name string) ([]byte, error) {
	f, err := r.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	all, err := f.ReadAll(ctx, NoLimit)
	if failure := f.CloseContext(ctx); err == nil {
		err = failure
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// WriteFile writes data to a file in r. It creates the file with mode perm, before umask, or
// truncates it. If it is cut short, the file holds part of the data. Cancellation is as for the
// function [WriteFile].
func (r *Root) WriteFile(ctx context.Context, name string, data []byte, perm os.FileMode) error {
	f, err := r.OpenFile(ctx, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	return f.writeWhole(ctx, data)
}

// Mkdir makes a directory in r with mode perm, before umask. Cancellation is as for [Root].
func (r *Root) Mkdir(ctx context.Context, name string, perm os.FileMode) error {
	return r.changed(ctx, "mkdir", name, func() error { return r.root.Mkdir(name, perm) })
}

// MkdirAll makes a directory in r and all missing directories above it. Cancellation is as for
// [Root].
func (r *Root) MkdirAll(ctx context.Context, name string, perm os.FileMode) error {
	return r.changed(ctx, "mkdir", name, func() error { return r.root.MkdirAll(name, perm) })
}

// Remove removes a file or an empty directory in r. Cancellation is as for [Root].
func (r *Root) Remove(ctx context.Context, name string) error {
	return r.changed(ctx, "remove", name, func() error { return r.root.Remove(name) })
}

// RemoveAll removes a file or a directory in r and everything below it. If the name does not exist,
// it returns nil. If ctx is done first, it goes on removing in the background. Cancellation is
// otherwise as for [Root].
func (r *Root) RemoveAll(ctx context.Context, name string) error {
	return r.changed(ctx, "remove", name, func() error { return r.root.RemoveAll(name) })
}

// Rename moves oldname to newname, both in r. Cancellation is as for [Root].
func (r *Root) Rename(ctx context.Context, oldname, newname string) error {
	return r.changed(ctx, "rename", oldname, func() error { return r.root.Rename(oldname, newname) })
}

// Link makes newname a hard link to the file oldname, both in r. Cancellation is as for [Root].
func (r *Root) Link(ctx context.Context, oldname, newname string) error {
	return r.changed(ctx, "link", newname, func() error { return r.root.Link(oldname, newname) })
}

// Symlink makes newname in r a symbolic link to oldname, which may be any text. Cancellation is as
// for [Root].
func (r *Root) Symlink(ctx context.Context, oldname, newname string) error {
	return r.changed(ctx, "symlink", newname, func() error { return r.root.Symlink(oldname, newname) })
}

// Chmod sets the mode of a file in r. Cancellation is as for [Root].
func (r *Root) Chmod(ctx context.Context, name string, mode os.FileMode) error {
	return r.changed(ctx, "chmod", name, func() error { return r.root.Chmod(name, mode) })
}

// FS returns the files in r as an fs.FS, from which no link leads out of r. Cancellation and
// everything else is as for the function [FS].
func (r *Root) FS(ctx context.Context) fs.FS { return &fsTree{ctx: ctx, from: rootSource{r}} }

// A rootSource is a Root.
type rootSource struct{ r *Root }

func (s rootSource) open(ctx context.Context, name string) (*File, error) { return s.r.Open(ctx, name) }

func (s rootSource) stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.r.Stat(ctx, name)
}

func (s rootSource) lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.r.Lstat(ctx, name)
}

func (s rootSource) readLink(ctx context.Context, name string) (string, error) {
	return s.r.Readlink(ctx, name)
}

func (s rootSource) readFile(ctx context.Context, name string) ([]byte, error) {
	return s.r.ReadFile(ctx, name)
}
