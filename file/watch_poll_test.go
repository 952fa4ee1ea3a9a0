package file_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

const interval = time.Second

// With Poll a Watcher looks by itself: in virtual time too, where the kernel has no part in it.
func TestWatchPoll(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(dir+"/a/b", 0o755))
	write(t, dir+"/x", "1")
	write(t, dir+"/y", "1")
	before := len(testutil.Descriptors(os.Getpid()))
	synctest.Test(t, func(t *testing.T) {
		if _, err := file.Watch(t.Context(), dir); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without Poll: %v", err)
		}
		w, err := file.Watch(t.Context(), dir, file.Recursive(), file.Poll(interval))
		check(t, err)
		defer w.Close()
		if n := len(testutil.Descriptors(os.Getpid())); n > before {
			t.Errorf("%d descriptors more", n-before)
		}
		began := time.Now()
		expect := func(list ...string) {
			t.Helper()
			expectChanges(t, w, dir, list...)
			if took := time.Since(began); took != interval {
				t.Errorf("it took %v", took)
			}
			synctest.Wait() // until it has looked at all
			began = time.Now()
		}
		write(t, dir+"/a/b/c", "1")
		write(t, dir+"/x", "22")
		expect("changed x", "created a/b/c")
		check(t, os.Chmod(dir+"/x", 0o600))
		check(t, os.Rename(dir+"/y", dir+"/z"))
		expect("removed y", "attributes x", "created z")
		check(t, os.RemoveAll(dir+"/a"))
		write(t, dir+"/a", "a file")
		write(t, dir+"/new", "3")
		check(t, os.Rename(dir+"/new", dir+"/z"))
		expect("replaced a", "replaced z")
		check(t, os.RemoveAll(dir))
		_, err = w.Next(t.Context())
		want(t, err, os.ErrNotExist)
	})
}

func TestWatchPollFile(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(dir+"/v1", 0o755))
	check(t, os.MkdirAll(dir+"/v2", 0o755))
	write(t, dir+"/v1/conf", "1")
	write(t, dir+"/v2/conf", "1")
	check(t, os.Symlink("v1", dir+"/now"))
	check(t, os.Symlink("now/conf", dir+"/conf"))
	synctest.Test(t, func(t *testing.T) {
		w, err := file.Watch(t.Context(), dir+"/conf", file.Poll(interval))
		check(t, err)
		defer w.Close()
		write(t, dir+"/v1/conf", "22")
		expectChanges(t, w, dir, "changed conf")
		synctest.Wait()
		check(t, os.Symlink("v2", dir+"/next"))
		check(t, os.Rename(dir+"/next", dir+"/now"))
		expectChanges(t, w, dir, "replaced conf")
		check(t, os.Remove(dir+"/v2/conf"))
		expectChanges(t, w, dir, "removed conf")
		write(t, dir+"/v2/conf", "3")
		expectChanges(t, w, dir, "created conf")
	})
}
