package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func TestByPath(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, file.Mkdir(background, in(dir, "folder"), 0o755))
	check(t, file.MkdirAll(background, in(dir, "folder/a/b/c"), 0o755))
	check(t, file.MkdirAll(background, in(dir, "folder/a"), 0o755)) // it exists
	check(t, file.WriteFile(background, in(dir, "f"), []byte("0123456789"), 0o644))
	check(t, file.Truncate(background, in(dir, "f"), 4))
	check(t, file.Link(background, in(dir, "f"), in(dir, "hard")))
	check(t, file.Symlink(background, "f", in(dir, "soft")))
	check(t, file.Chmod(background, in(dir, "soft"), 0o600))
	then := time.Unix(1234567890, 0)
	check(t, file.Chtimes(background, in(dir, "f"), time.Time{}, then))
	check(t, file.Rename(background, in(dir, "f"), in(dir, "g")))
	if to, err := file.Readlink(background, in(dir, "soft")); to != "f" || err != nil {
		t.Errorf("%q, %v", to, err)
	}
	info, err := os.Stat(in(dir, "g"))
	check(t, err)
	if info.Size() != 4 || info.Mode() != 0o600 || !info.ModTime().Equal(then) || !sameFile(t, in(dir, "g"), in(dir, "hard")) {
		t.Errorf("%v %v %v", info.Size(), info.Mode(), info.ModTime())
	}
	entries, err := file.ReadDir(background, dir)
	check(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name()+" "+e.Type().String()[:1])
	}
	if want := []string{"folder d", "g -", "hard -", "soft L"}; !slices.Equal(list, want) {
		t.Errorf("%q, want %q", list, want)
	}
	check(t, file.Remove(background, in(dir, "soft")))
	check(t, file.RemoveAll(background, in(dir, "folder")))
	only(t, dir, "g", "hard")
}

// Errors are those of package os: type, operation, paths and cause.
func TestErrorsByPath(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	missing, full, text := in(dir, "missing"), in(dir, "full"), in(dir, "text")
	check(t, os.MkdirAll(in(full, "x"), 0o755))
	write(t, text, "")
	for _, test := range []struct {
		name  string
		err   error
		cause error
		paths []string
	}{
		{"Rename", file.Rename(background, missing, text), fs.ErrNotExist, []string{missing, text}},
		{"Link", file.Link(background, missing, text), fs.ErrNotExist, []string{missing, text}},
		{"Symlink", file.Symlink(background, "x", text), fs.ErrExist, []string{text}},
		{"Readlink", second(file.Readlink(background, text)), syscall.EINVAL, []string{text}},
		{"Remove", file.Remove(background, full), syscall.ENOTEMPTY, []string{full}},
		{"Remove missing", file.Remove(background, missing), fs.ErrNotExist, []string{missing}},
		{"Mkdir", file.Mkdir(background, full, 0o755), fs.ErrExist, []string{full}},
		{"MkdirAll", file.MkdirAll(background, in(text, "x"), 0o755), syscall.ENOTDIR, []string{text}},
		{"Chmod", file.Chmod(background, missing, 0), fs.ErrNotExist, []string{missing}},
		{"Chtimes", file.Chtimes(background, missing, time.Now(), time.Now()), fs.ErrNotExist, []string{missing}},
		{"Truncate", file.Truncate(background, full, 0), syscall.EISDIR, []string{full}},
		{"ReadDir", second(file.ReadDir(background, text)), syscall.ENOTDIR, []string{text}},
		{"ReadDir missing", second(file.ReadDir(background, missing)), fs.ErrNotExist, []string{missing}},
		{"RemoveAll .", file.RemoveAll(background, in(dir, "full")+"/."), nil, nil},
		{"WriteFile", file.WriteFile(background, full, nil, 0o644), syscall.EISDIR, []string{full}},
		{"NUL", file.Mkdir(background, "a\x00b", 0o755), syscall.EINVAL, []string{"a\x00b"}},
		{"MkdirTemp", second(file.MkdirTemp(background, dir, "a/b")), nil, []string{"a/b"}},
		{"MkdirTemp missing", second(file.MkdirTemp(background, missing, "a")), fs.ErrNotExist, []string{missing}},
	} {
		var path *fs.PathError
		var link *os.LinkError
		if test.err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		if !errors.As(test.err, &path) && !errors.As(test.err, &link) {
			t.Errorf("%s: %#v", test.name, test.err)
		}
		if test.cause != nil && !errors.Is(test.err, test.cause) {
			t.Errorf("%s: %v is not %v", test.name, test.err, test.cause)
		}
		for _, p := range test.paths {
			if !strings.Contains(test.err.Error(), p) {
				t.Errorf("%s: %v does not name %s", test.name, test.err, p)
			}
		}
	}
}

// From one file system to another, Rename does not copy, and names both (trap 30).
func TestRenameAcross(t *testing.T) {
	testutil.NoLeaks(t)
	here, there := t.TempDir(), memory(t)
	write(t, in(here, "f"), "content")
	err := file.Rename(background, in(here, "f"), in(there, "f"))
	if err == nil {
		t.Skipf("%s and %s are on one file system", here, there)
	}
	var link *os.LinkError
	if !errors.Is(err, syscall.EXDEV) || !errors.As(err, &link) || link.Old != in(here, "f") || link.New != in(there, "f") {
		t.Errorf("%v", err)
	}
	only(t, there)
	if n, err := file.Copy(background, in(there, "f"), in(here, "f")); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRemoveAll(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	outside := t.TempDir()
	write(t, in(outside, "kept"), "")
	check(t, os.MkdirAll(in(dir, "tree/a/b"), 0o755))
	check(t, os.MkdirAll(in(dir, "tree/c"), 0o755))
	for _, name := range []string{"tree/a/1", "tree/a/b/2", "tree/3"} {
		write(t, in(dir, name), "")
	}
	check(t, os.Symlink(outside, in(dir, "tree/a/link")))
	check(t, os.Symlink(outside, in(dir, "top")))
	check(t, syscall.Mkfifo(in(dir, "tree/fifo"), 0o600))
	check(t, file.RemoveAll(background, in(dir, "tree/")))
	check(t, file.RemoveAll(background, in(dir, "top")))
	check(t, file.RemoveAll(background, in(dir, "missing")))
	check(t, file.RemoveAll(background, in(dir, "missing/below")))
	check(t, file.RemoveAll(background, ""))
	only(t, dir)
	only(t, outside, "kept")
	want(t, file.RemoveAll(background, in(dir, ".")+"/.."), syscall.EINVAL)
}

// It goes on after a failure, and reports the first.
func TestRemoveAllGoesOn(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(in(dir, "tree/a"), 0o755))
	for _, name := range []string{"tree/a/1", "tree/a/2", "tree/a/3"} {
		write(t, in(dir, name), "")
	}
	faulty(t, func(call, path string) error {
		if call == "removeall" && strings.HasSuffix(path, "/2") {
			return syscall.EBUSY
		}
		return nil
	})
	err := file.RemoveAll(background, in(dir, "tree"))
	want(t, err, syscall.EBUSY)
	if !strings.Contains(err.Error(), in(dir, "tree/a/2")) {
		t.Errorf("%v does not name what could not be removed", err)
	}
	only(t, in(dir, "tree/a"), "2")
}

// RemoveAll that is cancelled stops.
func TestRemoveAllStops(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.Mkdir(in(dir, "tree"), 0o755))
	for _, name := range []string{"tree/1", "tree/2", "tree/3", "tree/4"} {
		write(t, in(dir, name), "")
	}
	s := stalledAt(t, "removeall", 3)
	err := cutShort(t, s, func(ctx context.Context) error { return file.RemoveAll(ctx, in(dir, "tree")) })
	want(t, err, context.Canceled, file.ErrOutcomeUnknown)
	s.goOn()
	workersEnd(t)
	if left := names(t, in(dir, "tree")); len(left) != 2 {
		t.Errorf("%q are left, want the two that had not been begun with", left)
	}
}

// A link that takes a folder's place at the worst moment is not followed, even if it leads to another
// folder of the tree's.
func TestRemoveAllFollowsNoLink(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(in(dir, "kept/x"), 0o755))
	check(t, os.MkdirAll(in(dir, "tree/x"), 0o755))
	faulty(t, func(call, name string) error {
		if call == "openroot" && name == "tree" {
			check(t, os.Rename(in(dir, "tree"), in(dir, "moved")))
			check(t, os.Symlink("kept", in(dir, "tree")))
		}
		return nil
	})
	want(t, file.RemoveAll(background, in(dir, "tree")), syscall.ENOTEMPTY)
	only(t, in(dir, "kept"), "x")
	only(t, in(dir, "moved"), "x")
}
