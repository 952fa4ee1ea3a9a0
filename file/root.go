package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// A Root is a folder that nothing done through it gets out of: not by "..", nor by symbolic links that
// lead elsewhere, also if somebody changes the tree meanwhile. It is os.Root with contexts, and
// documented there: links to what is inside are followed, mount points are crossed, and devices and
// FIFOs can be opened, except by OpenRegular.
//
// Roots come from OpenRoot. The zero value is none: its methods return os.ErrInvalid. A Root is safe
// for concurrent use. Names may not be empty.
//
// If ctx is done first, the error of a method is ctx's error. If a method changes something and the
// system was at it, the error is ErrOutcomeUnknown too: RemoveAll, for one, goes on removing. Errors
// are of type *os.PathError or *os.LinkError. A task that waits is in the state FILE_CALL.
type Root struct {
	root *os.Root // nil in the zero value
	name string
	dev  *device
}

// OpenRoot opens the folder dir as a Root. If ctx is done first, nothing is open.
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

// Name returns the name with which r was opened.
func (r *Root) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// String is the name of r.
func (r *Root) String() string { return "root " + r.Name() }

func (r *Root) usable() error {
	if r == nil || r.root == nil {
		return os.ErrInvalid
	}
	return nil
}

// Close closes r. Calls in progress go on, and files that were opened through r stay open. Later calls
// fail with fs.ErrClosed. It does not wait.
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

// OpenFile opens a file in r. See the function OpenFile.
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

// Open opens a file in r for reading. See OpenFile.
func (r *Root) Open(ctx context.Context, name string) (*File, error) {
	return r.OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create creates a file in r, or empties the one there is, and opens it for reading and writing. See
// OpenFile.
func (r *Root) Create(ctx context.Context, name string) (*File, error) {
	return r.OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenRegular opens a file in r for reading if it is a regular one, and not through a symbolic link in
// the last part of the name: for trees that others write to, who might have put a FIFO, a device or a
// link there. Otherwise it fails, and nothing has been waited for or set off.
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

// OpenRoot opens the folder name in r as a Root.
func (r *Root) OpenRoot(ctx context.Context, name string) (*Root, error) {
	return rooted(ctx, r, "open", name, false, func() (*Root, error) {
		root, err := r.root.OpenRoot(name)
		if err != nil {
			return nil, err
		}
		return newRoot(root, r.name+"/"+name)
	}, closeRoot)
}

// Stat returns what the system knows about a file in r, following a symbolic link in the last part of
// the name.
func (r *Root) Stat(ctx context.Context, name string) (os.FileInfo, error) {
	return rooted(ctx, r, "stat", name, false, func() (os.FileInfo, error) { return r.root.Stat(name) }, nil)
}

// Lstat is Stat, except that it does not follow a symbolic link in the last part of the name.
func (r *Root) Lstat(ctx context.Context, name string) (os.FileInfo, error) {
	return rooted(ctx, r, "lstat", name, false, func() (os.FileInfo, error) { return r.root.Lstat(name) }, nil)
}

// Readlink returns where a symbolic link in r leads to, which may be outside of r.
func (r *Root) Readlink(ctx context.Context, name string) (string, error) {
	return rooted(ctx, r, "readlink", name, false, func() (string, error) { return r.root.Readlink(name) }, nil)
}

// ReadFile returns what is in a file in r. See the function ReadFile.
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

// WriteFile writes data to a file in r. It creates the file with mode perm, before umask, or empties
// the one there is: if it is cut short, a part of the data is there.
func (r *Root) WriteFile(ctx context.Context, name string, data []byte, perm os.FileMode) error {
	f, err := r.OpenFile(ctx, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	return f.writeWhole(ctx, data)
}

// Mkdir creates a folder in r.
func (r *Root) Mkdir(ctx context.Context, name string, perm os.FileMode) error {
	return r.changed(ctx, "mkdir", name, func() error { return r.root.Mkdir(name, perm) })
}

// MkdirAll creates a folder in r, and those above it that do not exist.
func (r *Root) MkdirAll(ctx context.Context, name string, perm os.FileMode) error {
	return r.changed(ctx, "mkdir", name, func() error { return r.root.MkdirAll(name, perm) })
}

// Remove removes a file or an empty folder in r.
func (r *Root) Remove(ctx context.Context, name string) error {
	return r.changed(ctx, "remove", name, func() error { return r.root.Remove(name) })
}

// RemoveAll removes a file or a folder in r with all that is in it. It is no error if there is nothing
// of that name.
func (r *Root) RemoveAll(ctx context.Context, name string) error {
	return r.changed(ctx, "remove", name, func() error { return r.root.RemoveAll(name) })
}

// Rename gives a file or a folder in r another name in r.
func (r *Root) Rename(ctx context.Context, oldname, newname string) error {
	return r.changed(ctx, "rename", oldname, func() error { return r.root.Rename(oldname, newname) })
}

// Link creates newname as a hard link to the file oldname, both in r.
func (r *Root) Link(ctx context.Context, oldname, newname string) error {
	return r.changed(ctx, "link", newname, func() error { return r.root.Link(oldname, newname) })
}

// Symlink creates newname in r as a symbolic link to oldname, which may be anything.
func (r *Root) Symlink(ctx context.Context, oldname, newname string) error {
	return r.changed(ctx, "symlink", newname, func() error { return r.root.Symlink(oldname, newname) })
}

// Chmod sets the mode of a file in r.
func (r *Root) Chmod(ctx context.Context, name string, mode os.FileMode) error {
	return r.changed(ctx, "chmod", name, func() error { return r.root.Chmod(name, mode) })
}

// FS returns the tree of files in r as package io/fs has it, as the function FS does, from which no
// link leads out of r.
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
