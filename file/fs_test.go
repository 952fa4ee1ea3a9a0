package file_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// newTree makes a folder with what is difficult: links to folders and to files, unusual names.
func newTree(t testing.TB) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"a", "dir/b", "dir/sub/c", "with blank", "-", "dir/ünï"} {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(name), 0o644))
		names = append(names, name)
	}
	check(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o755))
	check(t, os.Symlink("dir", filepath.Join(dir, "link")))
	check(t, os.Symlink("../a", filepath.Join(dir, "dir", "tofile")))
	return dir, append(names, "link", "dir/tofile", "empty", "dir/sub")
}

// Traps 39: package fstest is content, also with the view that nothing leads out of, and with a part of
// the tree.
func TestFS(t *testing.T) {
	testutil.NoLeaks(t)
	dir, names := newTree(t)
	check(t, fstest.TestFS(file.FS(background, dir), names...))
	root, err := file.OpenRoot(background, dir)
	check(t, err)
	defer root.Close()
	check(t, fstest.TestFS(root.FS(background), names...))
	for _, fsys := range []fs.FS{file.FS(background, dir), root.FS(background)} {
		sub, err := fs.Sub(fsys, "dir")
		check(t, err)
		check(t, fstest.TestFS(sub, "b", "sub/c", "tofile"))
		whole, err := fs.Sub(fsys, ".")
		check(t, err)
		if _, err := fs.Stat(whole, "dir/b"); err != nil {
			t.Error(err)
		}
	}
}

// Traps 39: names with backslashes, which package fstest refuses to see, are names like others, and so
// are links that lead nowhere.
func TestFSUnusualNames(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	names := []string{"..\\up", "back\\slash", "dangling", "new\nline"}
	for _, name := range names {
		if name == "dangling" {
			check(t, os.Symlink("nowhere", filepath.Join(dir, name)))
			continue
		}
		check(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	root, err := file.OpenRoot(background, dir)
	check(t, err)
	defer root.Close()
	for _, fsys := range []fs.FS{file.FS(background, dir), root.FS(background)} {
		entries, err := fs.ReadDir(fsys, ".")
		check(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
			if _, err := e.Info(); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("names %q, want %q", got, names)
		}
		for _, name := range names {
			all, err := fs.ReadFile(fsys, name)
			if name == "dangling" {
				is(t, name, err, fs.ErrNotExist)
			} else if string(all) != name || err != nil {
				t.Errorf("%q: %q, %v", name, all, err)
			}
		}
	}
}

// Names that are none, and errors that have the name that was asked for.
func TestFSNames(t *testing.T) {
	dir, _ := newTree(t)
	root, err := file.OpenRoot(background, dir)
	check(t, err)
	defer root.Close()
	for _, fsys := range []fs.FS{file.FS(background, dir), root.FS(background)} {
		for _, name := range []string{"", "/a", "a/", "..", "../a", "dir/../a", "./a", "a\x00b", "dir//b"} {
			_, err := fsys.Open(name)
			is(t, "Open "+name, err, fs.ErrInvalid)
			_, err = fs.Stat(fsys, name)
			is(t, "Stat "+name, err, fs.ErrInvalid)
			_, err = fs.ReadFile(fsys, name)
			is(t, "ReadFile "+name, err, fs.ErrInvalid)
			_, err = fs.ReadDir(fsys, name)
			is(t, "ReadDir "+name, err, fs.ErrInvalid)
			_, err = fs.Sub(fsys, name)
			if name != "a\x00b" {
				is(t, "Sub "+name, err, fs.ErrInvalid)
			}
		}
		for op, err := range map[string]error{
			"open": errOf(fsys.Open("dir/none")), "stat": errOf(fs.Stat(fsys, "dir/none")),
			"read": errOf(fs.ReadFile(fsys, "dir/none")), "dir": errOf(fs.ReadDir(fsys, "dir/none")),
		} {
			is(t, op, err, fs.ErrNotExist)
			if e, ok := err.(*fs.PathError); !ok || e.Path != "dir/none" {
				t.Errorf("%s: %v", op, err)
			}
		}
		_, err = fs.ReadDir(fsys, "a")
		is(t, "ReadDir of a file", err, syscall.ENOTDIR)
	}
	if _, err := file.FS(background, "").Open("a"); err == nil {
		t.Error("a tree without a folder has files")
	}
}

func errOf[T any](_ T, err error) error { return err }

// All that an FS does ends with its context, what its files and entries do too; and Close closes all
// the same.
func TestFSContext(t *testing.T) {
	testutil.NoLeaks(t)
	dir, _ := newTree(t)
	ctx, cancel := context.WithCancel(background)
	fsys := file.FS(ctx, dir)
	f, err := fsys.Open("a")
	check(t, err)
	entries, err := fs.ReadDir(fsys, ".")
	check(t, err)
	walked := 0
	check(t, fs.WalkDir(fsys, ".", func(string, fs.DirEntry, error) error { walked++; return nil }))
	if walked < 10 {
		t.Errorf("a walk has seen %d", walked)
	}
	p := make([]byte, 10)
	if n, err := f.(io.ReaderAt).ReadAt(p, 0); n != 1 || err != io.EOF {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	if n, err := f.(io.Seeker).Seek(0, io.SeekEnd); n != 1 || err != nil {
		t.Errorf("Seek: %d, %v", n, err)
	}
	cancel()
	for op, err := range map[string]error{
		"Open": errOf(fsys.Open("a")), "Stat": errOf(fs.Stat(fsys, "a")), "ReadFile": errOf(fs.ReadFile(fsys, "a")),
		"ReadDir": errOf(fs.ReadDir(fsys, ".")), "Read": errOf(f.Read(p)), "File.Stat": errOf(f.Stat()),
		"Info": errOf(entries[0].Info()), "ReadLink": errOf(fs.ReadLink(fsys, "link")), "Lstat": errOf(fs.Lstat(fsys, "a")),
	} {
		is(t, op, err, context.Canceled)
	}
	check(t, f.Close())
	is(t, "Close again", f.Close(), fs.ErrClosed)
}

// Traps 37: nothing leads out of a Root, whatever the name.
func TestRootContains(t *testing.T) {
	testutil.NoLeaks(t)
	outside, _ := newTree(t)
	inside := filepath.Join(outside, "dir")
	check(t, os.Symlink("..", filepath.Join(inside, "up")))
	check(t, os.Symlink(outside, filepath.Join(inside, "absolute")))
	r, err := file.OpenRoot(background, inside)
	check(t, err)
	defer r.Close()
	ctx := background
	for _, name := range []string{"../a", "..", "../", "sub/../../a", "up", "up/", "up/a", "absolute/", "absolute/a", "tofile", outside + "/a", ""} {
		if f, err := r.Open(ctx, name); err == nil {
			f.Close()
			t.Errorf("Open(%q) leads out", name)
		}
		if _, err := r.Stat(ctx, name); err == nil {
			t.Errorf("Stat(%q) leads out", name)
		}
		if _, err := r.OpenRoot(ctx, name); err == nil {
			t.Errorf("OpenRoot(%q) leads out", name)
		}
		if err := r.WriteFile(ctx, strings.TrimSuffix(name, "/")+"/new", nil, 0o600); err == nil && name != "" {
			t.Errorf("WriteFile(%q/new) leads out", name)
		}
		if name != "up" && name != "absolute" && name != "tofile" {
			if err := r.RemoveAll(ctx, name); err == nil && name != "" && !strings.HasPrefix(name, "up/") && !strings.HasPrefix(name, "absolute/") {
				t.Errorf("RemoveAll(%q) leads out", name)
			}
		}
	}
	if !exists(outside+"/a") || !exists(inside+"/b") || exists(outside+"/new") {
		t.Error("something has happened outside")
	}
}

// What a Root can do.
func TestRoot(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, dir := background, t.TempDir()
	r, err := file.OpenRoot(ctx, dir)
	check(t, err)
	check(t, r.MkdirAll(ctx, "x/y", 0o755))
	check(t, r.Mkdir(ctx, "z", 0o755))
	check(t, r.WriteFile(ctx, "x/y/a", []byte(poem), 0o640))
	check(t, r.Chmod(ctx, "x/y/a", 0o600))
	check(t, r.Symlink(ctx, "y/a", "x/l"))
	check(t, r.Link(ctx, "x/y/a", "x/h"))
	check(t, r.Rename(ctx, "x/h", "z/h"))
	got, err := r.ReadFile(ctx, "x/l")
	if string(got) != poem || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	to, err := r.Readlink(ctx, "x/l")
	if to != "y/a" || err != nil {
		t.Errorf("%q, %v", to, err)
	}
	info, err := r.Stat(ctx, "x/l")
	check(t, err)
	link, err := r.Lstat(ctx, "x/l")
	check(t, err)
	if info.Mode() != 0o600 || link.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("%v, %v", info.Mode(), link.Mode())
	}
	f, err := r.Create(ctx, "new")
	check(t, err)
	_, err = f.WriteString(ctx, poem)
	check(t, err)
	check(t, f.Close())
	sub, err := r.OpenRoot(ctx, "x")
	check(t, err)
	if _, err := sub.Stat(ctx, "y/a"); err != nil {
		t.Error(err)
	}
	check(t, sub.Close())
	check(t, r.Remove(ctx, "new"))
	check(t, r.RemoveAll(ctx, "x"))
	left, err := os.ReadDir(dir)
	if len(left) != 1 || err != nil {
		t.Errorf("left is %v, %v", left, err)
	}
	is(t, "Remove", r.Remove(ctx, "none"), fs.ErrNotExist)
	check(t, r.Close())
	_, err = r.Open(ctx, "z/h")
	is(t, "Open of a closed Root", err, fs.ErrClosed)
	_, err = file.OpenRoot(ctx, filepath.Join(dir, "none"))
	is(t, "OpenRoot", err, fs.ErrNotExist)
}

// Traps 38: OpenRegular opens nothing else, and waits for nobody.
func TestOpenRegular(t *testing.T) {
	testutil.NoLeaks(t)
	dir, _ := newTree(t)
	check(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	check(t, os.Symlink("fifo", filepath.Join(dir, "tofifo")))
	check(t, os.Symlink("a", filepath.Join(dir, "toa")))
	r, err := file.OpenRoot(background, dir)
	check(t, err)
	defer r.Close()
	for _, name := range []string{"fifo", "tofifo", "dir", "link", "toa"} {
		f, err := r.OpenRegular(background, name)
		if err == nil {
			f.Close()
			t.Errorf("%s is opened", name)
		} else if !strings.Contains(err.Error(), "regular") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := r.OpenRegular(background, "dir/sub/c")
	check(t, err)
	got, err := f.ReadAll(background, file.NoLimit)
	if string(got) != "dir/sub/c" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	check(t, f.Close())
	_, err = r.OpenRegular(background, "none")
	is(t, "OpenRegular", err, fs.ErrNotExist)
}

// A link, or a FIFO, that is put in the file's place after the first look is refused too.
func TestOpenRegularReplaced(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	x, secret := filepath.Join(dir, "x"), filepath.Join(dir, "secret")
	check(t, os.WriteFile(secret, []byte("secret"), 0o600))
	r, err := file.OpenRoot(background, dir)
	check(t, err)
	defer r.Close()
	for name, replace := range map[string]func() error{
		"a link":       func() error { return os.Symlink("secret", x) },
		"a FIFO":       func() error { return syscall.Mkfifo(x, 0o600) },
		"another file": func() error { return os.Link(secret, x) },
		"a folder":     func() error { return os.Mkdir(x, 0o700) },
		"nothing":      func() error { return nil },
	} {
		check(t, os.WriteFile(x, []byte("public"), 0o600))
		restore := file.LookedAt(func() {
			check(t, os.Remove(x))
			check(t, replace())
		})
		f, err := r.OpenRegular(background, "x")
		restore()
		if err == nil {
			got, _ := f.ReadAll(background, file.NoLimit)
			check(t, f.Close())
			t.Errorf("%s: opened, with %q in it", name, got)
		}
		check(t, os.RemoveAll(x))
	}
}

// A FIFO in a Root can be waited for and given up, from both sides.
func TestRootFIFO(t *testing.T) {
	testutil.NoLeaks(t)
	name := newFIFO(t)
	r, err := file.OpenRoot(background, filepath.Dir(name))
	check(t, err)
	defer r.Close()
	ctx, cancel := context.WithTimeout(background, 5*short)
	defer cancel()
	is(t, "WriteFile", r.WriteFile(ctx, "fifo", []byte(poem), 0o600), context.DeadlineExceeded)
	_, err = r.ReadFile(ctx, "fifo")
	is(t, "ReadFile", err, context.DeadlineExceeded)
	done := make(chan error, 1)
	go func() { done <- r.WriteFile(background, "fifo", []byte(poem), 0o600) }()
	got, err := r.ReadFile(background, "fifo")
	if string(got) != poem || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	check(t, testutil.Receive(t, "WriteFile", done))
}

// What changes something in a Root and is given up says that its outcome is unknown.
func TestRootGivenUp(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	r, err := file.OpenRoot(background, dir)
	check(t, err)
	defer r.Close()
	d := newBlockade(t, dir+"/x")
	err = d.giveUp("mkdir", func(ctx context.Context) error { return r.Mkdir(ctx, "x", 0o755) })
	is(t, "Mkdir", err, context.Canceled, file.ErrOutcomeUnknown)
	err = d.giveUp("stat", func(ctx context.Context) error { _, err := r.Stat(ctx, "x"); return err })
	is(t, "Stat", err, context.Canceled)
	isNot(t, "Stat", err, file.ErrOutcomeUnknown)
	d.release()
	settled(t)
	if !exists(dir + "/x") {
		t.Error("it was not made")
	}
	var names []string
	entries, err := fs.ReadDir(r.FS(background), ".")
	check(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, []string{"x"}) {
		t.Errorf("%v", names)
	}
}
