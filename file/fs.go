package file

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// FS returns the files below the directory dir as an fs.FS, for code that takes no context, such as
// fs.WalkDir, template.ParseFS and http.FS. When ctx is done, the methods of the fs.FS and of its
// open files return an error that wraps ctx's error. It implements fs.ReadFileFS, fs.ReadDirFS,
// fs.StatFS, fs.ReadLinkFS and fs.SubFS; its files implement fs.ReadDirFile, io.ReaderAt and
// io.Seeker.
//
// As with os.DirFS, symbolic links are followed and may lead out of dir. [Root.FS] prevents that.
func FS(ctx context.Context, dir string) fs.FS {
	return &fsTree{ctx: ctx, from: dirSource(dir)}
}

// A source is where a tree gets its files. Names are as in package io/fs, and valid.
type source interface {
	open(ctx context.Context, name string) (*File, error)
	stat(ctx context.Context, name string) (fs.FileInfo, error)
	lstat(ctx context.Context, name string) (fs.FileInfo, error)
	readLink(ctx context.Context, name string) (string, error)
	readFile(ctx context.Context, name string) ([]byte, error)
}

// An fsTree is a source as an fs.FS.
type fsTree struct {
	ctx    context.Context
	from   source
	prefix string // "" for none
}

// under calls fn with the source's name of name. The error has the name that the caller knows.
func under[T any](t *fsTree, op, name string, fn func(ctx context.Context, name string) (T, error)) (v T, err error) {
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) {
		return v, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	v, err = fn(t.ctx, path.Join(t.prefix, name))
	return v, renamed(op, name, err)
}

// renamed returns err with another name in it.
func renamed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*fs.PathError); ok {
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (t *fsTree) Open(name string) (fs.File, error) {
	return under(t, "open", name, func(ctx context.Context, inside string) (fs.File, error) {
		f, err := t.from.open(ctx, inside)
		if err != nil {
			return nil, err
		}
		return &treeFile{t, name, f}, nil
	})
}

func (t *fsTree) Stat(name string) (fs.FileInfo, error) { return under(t, "stat", name, t.from.stat) }

func (t *fsTree) Lstat(name string) (fs.FileInfo, error) {
	return under(t, "lstat", name, t.from.lstat)
}

func (t *fsTree) ReadLink(name string) (string, error) {
	return under(t, "readlink", name, t.from.readLink)
}

func (t *fsTree) ReadFile(name string) ([]byte, error) {
	return under(t, "open", name, t.from.readFile)
}

func (t *fsTree) ReadDir(name string) ([]fs.DirEntry, error) {
	file, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	entries, err := file.(*treeFile).ReadDir(-1)
	if failure := file.Close(); err == nil {
		err = failure
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

func (t *fsTree) Sub(dir string) (fs.FS, error) {
	if !fs.ValidPath(dir) {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: fs.ErrInvalid}
	}
	if dir == "." {
		return t, nil
	}
	return &fsTree{t.ctx, t.from, path.Join(t.prefix, dir)}, nil
}

// A treeFile is a File as an fs.File.
type treeFile struct {
	tree *fsTree
	name string
	file *File
}

func (f *treeFile) Stat() (fs.FileInfo, error) {
	info, err := f.file.Stat(f.tree.ctx)
	return info, renamed("stat", f.name, err)
}

func (f *treeFile) Read(p []byte) (int, error) {
	n, err := f.file.Read(f.tree.ctx, p)
	return n, f.readError(err)
}

func (f *treeFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.file.ReadAt(f.tree.ctx, p, off)
	return n, f.readError(err)
}

func (f *treeFile) readError(err error) error {
	if _, ok := err.(*fs.PathError); !ok {
		return err
	}
	return renamed("read", f.name, err)
}

func (f *treeFile) Seek(offset int64, whence int) (int64, error) {
	n, err := f.file.Seek(f.tree.ctx, offset, whence)
	return n, renamed("seek", f.name, err)
}

// Close closes the file, even if the context is done.
func (f *treeFile) Close() error {
	return renamed("close", f.name, f.file.CloseContext(f.tree.ctx))
}

func (f *treeFile) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := f.file.ReadDir(f.tree.ctx, n)
	for i, e := range entries {
		entries[i] = &treeEntry{e, f.tree, path.Join(f.name, e.Name())}
	}
	return entries, f.readError(err)
}

// A treeEntry is an entry whose Info ends with the tree's context.
type treeEntry struct {
	fs.DirEntry
	tree *fsTree
	name string
}

func (e *treeEntry) Info() (fs.FileInfo, error) { return e.tree.Lstat(e.name) }
func (e *treeEntry) String() string             { return fs.FormatDirEntry(e) }

// A dirSource is a folder of the system.
type dirSource string

func (d dirSource) path(name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", fs.ErrInvalid
	}
	if d == "" {
		return "", os.ErrInvalid
	}
	return filepath.Join(string(d), local), nil
}

// inDir calls fn with the system's name of name.
func inDir[T any](ctx context.Context, d dirSource, name string, fn func(ctx context.Context, name string) (T, error)) (v T, err error) {
	path, err := d.path(name)
	if err != nil {
		return v, err
	}
	return fn(ctx, path)
}

func (d dirSource) open(ctx context.Context, name string) (*File, error) {
	return inDir(ctx, d, name, Open)
}

func (d dirSource) stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return inDir(ctx, d, name, Stat)
}

func (d dirSource) lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return inDir(ctx, d, name, Lstat)
}

func (d dirSource) readLink(ctx context.Context, name string) (string, error) {
	return inDir(ctx, d, name, func(ctx context.Context, name string) (string, error) {
		return blocking(ctx, "readlink", name, func() (string, error) { return os.Readlink(name) }, nil)
	})
}

func (d dirSource) readFile(ctx context.Context, name string) ([]byte, error) {
	return inDir(ctx, d, name, ReadFile)
}
