package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// This file has what is done to files and directories by their names. Each function does what package os's does,
// in a worker.

// Rename moves oldname to newname, and replaces newname if that is a file: rename(2). See
// os.Rename. It does not copy: between two file systems, the error wraps syscall.EXDEV. Errors are
// of type [*os.LinkError].
//
// If ctx is done first, the error wraps ctx's error. If the system was executing the call, it goes
// on in the background, and the error also matches ErrOutcomeUnknown; otherwise the call has no
// effect. A task that waits is in the state FILE_CALL. Both apply to all functions that change
// something by name.
func Rename(ctx context.Context, oldname, newname string) error {
	return changeLink(ctx, deviceOfPaths(oldname, newname), "rename", oldname, newname, func() error { return os.Rename(oldname, newname) })
}

// Link makes newname a hard link to the file oldname: link(2). Errors are of type [*os.LinkError].
// Cancellation is as for [Rename].
func Link(ctx context.Context, oldname, newname string) error {
	return changeLink(ctx, deviceOfPaths(oldname, newname), "link", oldname, newname, func() error { return os.Link(oldname, newname) })
}

// Symlink makes newname a symbolic link to oldname, which need not exist: symlink(2). Errors are of
// type [*os.LinkError]. Cancellation is as for [Rename].
func Symlink(ctx context.Context, oldname, newname string) error {
	return changeLink(ctx, nil, "symlink", oldname, newname, func() error { return os.Symlink(oldname, newname) })
}

// Readlink returns the target of the symbolic link name: readlink(2). If ctx is done first, the
// error wraps ctx's error.
func Readlink(ctx context.Context, name string) (string, error) {
	return ask(ctx, "readlink", name, func() (string, error) { return os.Readlink(name) })
}

// Remove removes a file, a link or an empty directory: unlink(2) and rmdir(2). Errors are of type
// [*fs.PathError]. Cancellation is as for [Rename].
func Remove(ctx context.Context, name string) error {
	return change(ctx, "remove", name, func() error { return os.Remove(name) })
}

// RemoveAll removes path and everything below it. It returns nil if path does not exist. It does
// not follow links. After a failure it goes on, and returns the first error. See os.RemoveAll.
//
// If ctx is done first, RemoveAll stops soon after and returns an error that wraps ctx's error.
// Some files are then removed and others are not: the error also matches ErrOutcomeUnknown, unless
// nothing was removed. RemoveAll has one open descriptor for each level below path.
func RemoveAll(ctx context.Context, path string) error {
	j := new(job)
	_, err := work(ctx, j, "removeall", path, func() (struct{}, error) { return struct{}{}, removeTree(j, path) }, nil)
	return failed("removeall", path, err, false)
}

// removeTree is RemoveAll, in a worker.
func removeTree(j *job, path string) error {
	if path == "" {
		return nil // as in package os
	}
	if base := filepath.Base(path); base == "." && path != "/" || strings.HasSuffix(path, "/..") || path == ".." {
		return &fs.PathError{Op: "removeall", Path: path, Err: syscall.EINVAL}
	}
	if !j.commit() {
		return errDeserted
	}
	path = strings.TrimRight(path, "/")
	err := again(func() error { return os.Remove(path) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	root, openErr := os.OpenRoot(dir)
	if openErr != nil {
		return err
	}
	defer root.Close()
	return removeBelow(j, root, base, path)
}

// removeBelow removes the entry name of root, whose path is path, and all below it.
func removeBelow(j *job, root *os.Root, name, path string) error {
	if j.deserted() {
		return errDeserted
	}
	err := step("removeall", path)
	if err == nil {
		err = again(func() error { return root.Remove(name) })
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	sub, names, openErr := openBelow(root, name)
	switch {
	case errors.Is(openErr, fs.ErrNotExist):
		return nil
	case openErr != nil:
		return &fs.PathError{Op: "removeall", Path: path, Err: cause(err)}
	}
	defer sub.Close()
	var first error
	for _, n := range names {
		if err := removeBelow(j, sub, n, path+"/"+n); err != nil && first == nil {
			first = err
		}
		if j.deserted() {
			return first
		}
	}
	err = again(func() error { return root.Remove(name) })
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	case first != nil:
		return first
	}
	return &fs.PathError{Op: "removeall", Path: path, Err: cause(err)}
}

// openBelow opens a directory of root and lists it. It is an error if it is none. A link that takes the
// directory's place meanwhile is not followed.
func openBelow(root *os.Root, name string) (sub *os.Root, names []string, err error) {
	seen, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !seen.IsDir() {
		return nil, nil, syscall.ENOTDIR
	}
	if err := step("openroot", name); err != nil {
		return nil, nil, err
	}
	sub, err = root.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	if names, err = namesIn(sub, seen); err != nil {
		sub.Close()
		return nil, nil, err
	}
	return sub, names, nil
}

// namesIn lists a directory, which must be the one that was seen before.
func namesIn(directory *os.Root, seen fs.FileInfo) ([]string, error) {
	f, err := directory.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(seen, got) {
		return nil, syscall.ENOTDIR
	}
	return f.Readdirnames(-1)
}

// cause is the error of the system call in err.
func cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// Mkdir makes a directory with mode perm, before umask: mkdir(2). Cancellation is as for [Rename].
func Mkdir(ctx context.Context, name string, perm fs.FileMode) error {
	return change(ctx, "mkdir", name, func() error { return os.Mkdir(name, perm) })
}

// MkdirAll makes a directory and all missing directories above it. If the directory exists, it
// returns nil. Cancellation is as for [Rename].
func MkdirAll(ctx context.Context, path string, perm fs.FileMode) error {
	return change(ctx, "mkdir", path, func() error { return os.MkdirAll(path, perm) })
}

// Chmod sets the mode of a file, or of the target of a symbolic link: chmod(2). Cancellation is as
// for [Rename].
func Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return change(ctx, "chmod", name, func() error { return os.Chmod(name, mode) })
}

// Chtimes sets a file's times of last access and last modification: utimensat(2). A zero time
// leaves that time unchanged. Cancellation is as for [Rename].
func Chtimes(ctx context.Context, name string, atime, mtime time.Time) error {
	return change(ctx, "chtimes", name, func() error { return os.Chtimes(name, atime, mtime) })
}

// Truncate changes the size of a file to size bytes: truncate(2). Cancellation is as for [Rename].
func Truncate(ctx context.Context, name string, size int64) error {
	return change(ctx, "truncate", name, func() error { return os.Truncate(name, size) })
}

// ReadDir returns the entries of a directory, sorted by name. If reading fails, it returns the
// entries read before with the error. An entry that vanishes meanwhile is left out.
//
// If ctx is done first, the error wraps ctx's error, and there are no entries. The Info method of
// an entry makes a system call without a context; the entries of [Walk] have an Info method that
// takes one.
func ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	return ask(ctx, "readdir", name, func() ([]fs.DirEntry, error) { return os.ReadDir(name) })
}
