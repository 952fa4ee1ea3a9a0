package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// Each kind of change to the entries of a directory, in order, and nothing about what is below these.
func TestWatchDirectory(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, dir+"/old", "1")
	check(t, os.Mkdir(dir+"/sub", 0o755))
	w := watch(t, dir)
	write(t, dir+"/new", "1")
	expectChanges(t, w, dir, "created new", "closed new")
	check(t, os.Chmod(dir+"/old", 0o600))
	expectChanges(t, w, dir, "attributes old")
	check(t, os.Rename(dir+"/new", dir+"/newer"))
	expectChanges(t, w, dir, "renamed new newer")
	check(t, os.Rename(dir+"/newer", dir+"/old"))
	expectChanges(t, w, dir, "renamed newer old")
	check(t, os.Truncate(dir+"/old", 0))
	expectChanges(t, w, dir, "changed old")
	write(t, dir+"/sub/x", "")
	check(t, os.Mkdir(dir+"/dir", 0o755))
	expectChanges(t, w, dir, "created dir")
	check(t, os.Rename(dir+"/dir", dir+"/sub/dir"))
	expectChanges(t, w, dir, "removed dir")
	check(t, os.Rename(dir+"/sub/x", dir+"/x"))
	expectChanges(t, w, dir, "created x")
	check(t, os.Remove(dir+"/x"))
	expectChanges(t, w, dir, "removed x")
	check(t, os.Chmod(dir, 0o700))
	expectChanges(t, w, dir, "attributes .")
	silent(t, w, dir)
}

// A relative path stays relative in what is reported, and what comes before ".." may be a symbolic link.
func TestWatchPaths(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	t.Chdir(dir)
	check(t, os.MkdirAll("sub/deep", 0o755))
	check(t, os.Symlink("sub/deep", "link"))
	for path, reported := range map[string]string{
		".":                 "x",
		"./":                "x",
		"sub//.":            "sub/x",
		"sub/deep/..":       "sub/deep/../x",
		"link/..":           "link/../x",
		"link/../deep/":     "link/../deep/x",
		"link":              "link/x",
		dir + "/sub/":       dir + "/sub/x",
		dir + "/link/../":   dir + "/link/../x",
		"sub/deep/../../":   "sub/deep/../../x",
		"sub/../sub/../sub": "sub/../sub/../sub/x",
	} {
		w := watch(t, path, file.Recursive())
		write(t, reported, "")
		if c := next(t, w); c.Kind != file.Created || c.Path != reported {
			t.Errorf("%s: %v", path, c)
		}
		check(t, os.Remove(reported))
		w.Close()
	}
	w := watch(t, "/")
	write(t, dir+"/y", "")
	if text := w.String(); text != "file.Watcher(/)" {
		t.Error(text)
	}
}

// What is created below is watched, however fast it comes: mkdir -p is one event, and the directory
// is full when it is looked at (trap 4).
func TestWatchRecursive(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(dir+"/a/b", 0o755))
	w := watch(t, dir, file.Recursive())
	write(t, dir+"/a/b/x", "")
	expectChanges(t, w, dir, "created a/b/x", "closed a/b/x")
	f := follow(t, w, dir)
	for i := range 200 {
		deep := filepath.Join(dir, string(rune('a'+i%26)), "1", "2", "3")
		check(t, os.MkdirAll(deep, 0o755))
		write(t, deep+"/x", strings.Repeat("x", i))
		if i%7 == 0 {
			check(t, os.RemoveAll(filepath.Join(dir, string(rune('a'+i%26)))))
		}
	}
	f.catchesUp(t, dir)
	write(t, dir+"/b/1/2/3/x", "the last one")
	f.catchesUp(t, dir)
}

func TestWatchBadInput(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, dir+"/file", "")
	check(t, os.Symlink("loop", dir+"/loop"))
	for path, target := range map[string]error{
		"":                       fs.ErrNotExist,
		dir + "/missing":         fs.ErrNotExist,
		dir + "/file/x":          syscall.ENOTDIR,
		dir + "/loop":            syscall.ELOOP,
		dir + "/\x00":            syscall.EINVAL,
		strings.Repeat("x", 300): syscall.ENAMETOOLONG,
	} {
		w, err := file.Watch(background, path, file.Recursive())
		if w != nil {
			t.Errorf("%.20q: there is a Watcher", path)
		}
		want(t, err, target)
		var at *fs.PathError
		if !errors.As(err, &at) || at.Op != "watch" || at.Path != path {
			t.Errorf("%.20q: %#v", path, err)
		}
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "file: Poll(0s)") {
			t.Errorf("it panicked with %q", text)
		}
	}()
	file.Poll(0)
}

// The stream ends when the directory has gone, after what was reported before, and with it goes all
// that the kernel watches.
func TestWatchRootGoes(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, dir string){
		"removed": func(t *testing.T, dir string) { check(t, os.RemoveAll(dir)) },
		"moved":   func(t *testing.T, dir string) { check(t, os.Rename(dir, dir+"2")) },
		"replaced": func(t *testing.T, dir string) {
			check(t, os.RemoveAll(dir))
			check(t, os.Mkdir(dir, 0o755))
		},
		"removed while it is open": func(t *testing.T, dir string) {
			f, err := os.Open(dir)
			check(t, err)
			t.Cleanup(func() { f.Close() })
			check(t, os.RemoveAll(dir))
		},
		"moved with what is above it": func(t *testing.T, dir string) {
			check(t, os.Rename(filepath.Dir(dir), filepath.Dir(dir)+"2"))
		},
		"a link to it leads elsewhere": func(t *testing.T, dir string) {
			link := filepath.Dir(filepath.Dir(dir)) + "/link"
			check(t, os.Remove(link))
			check(t, os.Symlink(".", link))
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			top := t.TempDir()
			dir := top + "/a/dir"
			check(t, os.MkdirAll(dir+"/sub", 0o755))
			check(t, os.Symlink("a", top+"/link"))
			watched := dir
			if strings.Contains(name, "link") {
				watched = top + "/link/dir"
			}
			w := watch(t, watched, file.Recursive())
			write(t, dir+"/x", "")
			act(t, dir)
			var seen []string
			for {
				c, err := nextOrError(w)
				if err == nil {
					seen = append(seen, c.String())
					continue
				}
				want(t, err, fs.ErrNotExist)
				isPathError(t, err, watched)
				break
			}
			if len(seen) == 0 || !strings.HasPrefix(seen[0], "created") {
				t.Errorf("before the end there was %q", seen)
			}
			if _, err := nextOrError(w); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the next time: %v", err)
			}
			if !strings.Contains(w.String(), "; ended: ") {
				t.Error(w)
			}
			noKernelWatches(t)
			w.Close()
			if _, err := nextOrError(w); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// Close may be called by the task that takes changes, and at any other time; a task that waits learns of it. What
// has not been taken is dropped.
func TestWatchClose(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	w := watch(t, dir)
	write(t, dir+"/x", "")
	for c, err := range w.All(background) {
		check(t, err)
		if c.Kind != file.Created {
			t.Error(c)
		}
		w.Close()
	}
	if _, err := w.Next(background); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	w = watch(t, dir)
	task := curio.Spawn(background, w.Next)
	testutil.Await(t, "a waiting task", func() bool { return task.State() == "FILE_WATCH" })
	if s := w.Snapshot(); len(s.Waiters) != 1 || s.Waiters[0].Op != "FILE_WATCH" {
		t.Error(s)
	}
	if text := w.String(); !strings.HasSuffix(text, "; 1 waiting)") {
		t.Error(text)
	}
	w.Close()
	w.Close()
	_, err := task.Join(background)
	want(t, err, fs.ErrClosed)
	isPathError(t, err, dir)
	if text := w.String(); !strings.HasSuffix(text, "; closed)") {
		t.Error(text)
	}
	noKernelWatches(t)
}

// Opened and closed again and again, at any moment of its work.
func TestWatchComesAndGoes(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(dir+"/a/b/c", 0o755))
	stop := make(chan struct{})
	writer := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				writer <- nil
				return
			default:
			}
			if err := errors.Join(os.WriteFile(dir+"/a/b/x", nil, 0o644), os.MkdirAll(dir+"/d/e", 0o755), os.RemoveAll(dir+"/d")); err != nil {
				writer <- err
				return
			}
		}
	}()
	var group [3]chan error
	for i := range group {
		group[i] = make(chan error, 1)
		go func() {
			for n := range testutil.Times(300) {
				w, err := file.Watch(background, dir, file.Recursive())
				if err != nil {
					group[i] <- err
					return
				}
				for range n % 4 {
					if _, err := nextOrError(w); err != nil {
						group[i] <- err
						return
					}
				}
				w.Close()
			}
			group[i] <- nil
		}()
	}
	for _, c := range group {
		check(t, testutil.Receive(t, "end", c))
	}
	close(stop)
	check(t, <-writer)
	noKernelWatches(t)
}

// If the call of Watch is cancelled, nothing is left of it.
func TestWatchCancelled(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	for i := range 50 {
		check(t, os.MkdirAll(filepath.Join(dir, string(rune('a'+i)), "x"), 0o755))
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err := file.Watch(ctx, dir, file.Recursive())
	want(t, err, context.Canceled)
	for range testutil.Times(200) {
		ctx, cancel := context.WithCancel(background)
		go cancel()
		w, err := file.Watch(ctx, dir, file.Recursive())
		if err == nil {
			w.Close()
		} else {
			want(t, err, context.Canceled)
		}
	}
	noKernelWatches(t)
}
