//go:build !linux

package file

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// An openDir is a directory that is open.
type openDir struct {
	root *os.Root
	path string
}

// openTop opens a directory by its path.
func openTop(path string, follow bool) (*openDir, error) {
	if !follow {
		if err := mustBeDir(os.Lstat(path)); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &openDir{root, path}, nil
}

// open opens a directory in d. What a link leads to is opened by its path, for it may be anywhere.
func (d *openDir) open(name string, follow bool) (*openDir, error) {
	path := filepath.Join(d.path, name)
	if follow {
		return openTop(path, true)
	}
	info, err := d.root.Lstat(name)
	if err := mustBeDir(info, err); err != nil {
		return nil, err
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	got, err := root.Stat(".")
	if err == nil && !os.SameFile(info, got) {
		err = syscall.ENOTDIR // a link has taken its place
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &openDir{root, path}, nil
}

func mustBeDir(info fs.FileInfo, err error) error {
	if err == nil && !info.IsDir() {
		return syscall.ENOTDIR
	}
	return err
}

func (d *openDir) close() { d.root.Close() }

func (d *openDir) id() (fileID, error) {
	info, err := d.root.Stat(".")
	if err != nil {
		return fileID{}, err
	}
	return idOf(info.Sys().(*syscall.Stat_t)), nil
}

// list returns what is in the directory, even if it fails in the middle: some file systems fail for ever, so
// it does not go on (trap 40).
func (d *openDir) list() (entries []listed, err error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := step("readdir", ""); err != nil {
		return nil, err
	}
	found, err := f.ReadDir(-1)
	for _, e := range found {
		entries = append(entries, listed{e.Name(), e.Type()})
	}
	return entries, err
}
