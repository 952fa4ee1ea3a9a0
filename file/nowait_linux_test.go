package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/testutil"
)

// on skips the test unless files in dir are on a file system of one of types. It returns a folder
// there.
func on(t testing.TB, dir string, types ...string) string {
	t.Helper()
	m, _ := disk.MountOf(dir)
	if slices.Contains(types, m.Type) {
		dir, err := os.MkdirTemp(dir, "curio")
		check(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	t.Skipf("%s is on %q, and none of %q", dir, m.Type, types)
	return ""
}

// overlay mounts an overlayfs over two folders of dir.
func overlay(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"lower", "upper", "work", "merged"} {
		check(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	merged := filepath.Join(dir, "merged")
	if err := syscall.Mount("overlay", merged, "overlay", 0, fmt.Sprintf("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", dir, dir, dir)); err != nil {
		t.Skipf("no overlayfs here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(merged, syscall.MNT_DETACH) })
	return merged
}

// dropped drops what the page cache has of f, and reports whether that has worked.
func dropped(t testing.TB, f *file.File, off int64) bool {
	t.Helper()
	check(t, f.Sync(background))
	dontNeed(t, file.FD(f))
	_, errno := disk.ReadNoWait(file.FD(f), make([]byte, 1), off)
	return errno == syscall.EAGAIN
}

// What is in the page cache takes no worker, nor does the end of the file; and nothing is allocated.
func TestCached(t *testing.T) {
	f := openFile(t, filepath.Join(on(t, os.TempDir(), "ext4", "xfs"), "data"), poem)
	p := make([]byte, 6)
	handed := handOvers(t, func() {
		for range 10 {
			if n, err := f.ReadAt(background, p, 7); n != 6 || err != nil || string(p) != "line 2" {
				t.Fatalf("%q, %v", p[:n], err)
			}
		}
		if n, err := f.ReadAt(background, p, int64(len(poem))-3); n != 3 || err != io.EOF {
			t.Fatalf("%d, %v", n, err)
		}
		if all, err := file.ReadFile(background, f.Name()); string(all) != poem || err != nil {
			t.Fatalf("%q, %v", all, err)
		}
	})
	if handed != 0 {
		t.Errorf("%d calls were handed over", handed)
	}
	inKernel(t, func(ctx context.Context) error {
		if n := testing.AllocsPerRun(100, func() { _, _ = f.ReadAt(ctx, p, 0) }); n != 0 && !testutil.Race {
			t.Errorf("%v allocations", n)
		}
		return nil
	})
}

func handOvers(t testing.TB, fn func()) uint64 {
	t.Helper()
	settled(t)
	before := file.Counts().HandOvers
	fn()
	return file.Counts().HandOvers - before
}

// Traps 11, 13: what is not in the cache takes one try and one worker, which is counted; after that it
// is there.
func TestUncached(t *testing.T) {
	data := testutil.Pattern(3, 1<<20)
	f := openFile(t, filepath.Join(on(t, os.TempDir(), "ext4", "xfs"), "data"), string(data))
	const off = 512 << 10
	if !dropped(t, f, off) {
		t.Skip("the page cache keeps the file")
	}
	if !dropped(t, f, off) { // the question above has begun to read ahead
		t.Skip("the disk is too fast to be asked")
	}
	before := file.Counts()
	p := make([]byte, 4096)
	n, err := f.ReadAt(background, p, off)
	if n != len(p) || err != nil || string(p) != string(data[off:off+n]) {
		t.Fatalf("%d, %v", n, err)
	}
	after := file.Counts()
	if after.Misses-before.Misses > 1 || after.HandOvers-before.HandOvers > 1 {
		t.Errorf("counted before %+v, after %+v", before, after)
	}
	if handed := handOvers(t, func() { _, _ = f.ReadAt(background, p, off) }); handed != 0 {
		t.Errorf("a second read: %d calls", handed)
	}
}

// Traps 2: a range of which only the beginning is in the cache is read as a whole, and is not the end.
func TestPartlyCached(t *testing.T) {
	data := testutil.Pattern(3, 4<<20)
	f := openFile(t, filepath.Join(on(t, os.TempDir(), "ext4", "xfs"), "data"), string(data))
	for range 10 {
		if !dropped(t, f, 3<<20) {
			continue
		}
		head := make([]byte, 4096)
		_, err := f.ReadAt(background, head, 0)
		check(t, err)
		got := make([]byte, len(data))
		n, err := f.ReadAt(background, got, 0)
		if n != len(data) || err != nil || string(got) != string(data) {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

// Traps 2, 11, 12: whatever the system answers to a read without waiting, that is tried once, is never
// taken for the end, and no error of it is shown; and what is refused is not asked for again.
func TestAnswers(t *testing.T) {
	f := openFile(t, filepath.Join(on(t, os.TempDir(), "ext4", "xfs"), "data"), poem)
	for _, c := range []struct {
		name    string
		answer  func(n int, errno syscall.Errno) (int, syscall.Errno)
		refused bool
	}{
		{"0 where data follows", func(int, syscall.Errno) (int, syscall.Errno) { return 0, 0 }, false},
		{"a byte", func(n int, errno syscall.Errno) (int, syscall.Errno) { return min(n, 1), errno }, false},
		{"EAGAIN", func(int, syscall.Errno) (int, syscall.Errno) { return 0, syscall.EAGAIN }, false},
		{"EIO", func(int, syscall.Errno) (int, syscall.Errno) { return 0, syscall.EIO }, false},
		{"EOPNOTSUPP", func(int, syscall.Errno) (int, syscall.Errno) { return 0, syscall.EOPNOTSUPP }, true},
		{"ENOSYS", func(int, syscall.Errno) (int, syscall.Errno) { return 0, syscall.ENOSYS }, true},
		{"EINVAL", func(int, syscall.Errno) (int, syscall.Errno) { return 0, syscall.EINVAL }, true},
		{"EPERM", func(int, syscall.Errno) (int, syscall.Errno) { return 0, syscall.EPERM }, true},
	} {
		file.Access(f).Store(file.NoWait)
		asked := 0
		restore := file.Lie(func(n int, errno syscall.Errno) (int, syscall.Errno) {
			asked++
			return c.answer(n, errno)
		})
		p := make([]byte, len(poem))
		if n, err := f.ReadAt(background, p, 0); n != len(p) || err != nil || string(p) != poem {
			t.Errorf("%s: ReadAt: %q, %v", c.name, p[:n], err)
		}
		if asked > 1 && c.name != "a byte" {
			t.Errorf("%s: asked %d times", c.name, asked)
		}
		_, err := f.Seek(background, 0, io.SeekStart)
		check(t, err)
		if got, err := f.ReadAll(background, file.NoLimit); string(got) != poem || err != nil {
			t.Errorf("%s: ReadAll: %q, %v", c.name, got, err)
		}
		if got, err := file.ReadFile(background, f.Name()); string(got) != poem || err != nil {
			t.Errorf("%s: ReadFile: %q, %v", c.name, got, err)
		}
		restore()
		if got := file.Access(f).Load() == file.HandOff; got != c.refused {
			t.Errorf("%s: remembered: %v", c.name, got)
		}
	}
}

// Between two pieces a read looks whether it may go on, also if it never has to wait.
func TestReadInPieces(t *testing.T) {
	for name, want := range map[string]error{"cancelled": context.Canceled, "closed": os.ErrClosed} {
		f := openFile(t, filepath.Join(on(t, os.TempDir(), "ext4", "xfs"), "data"), poem)
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		closed := make(chan error, 1)
		pieces := 0
		restore := file.Lie(func(n int, errno syscall.Errno) (int, syscall.Errno) {
			pieces++
			switch {
			case pieces != 5:
			case name == "cancelled":
				cancel()
			default:
				closeInBackground(t, f, closed)
			}
			return min(n, 1), errno
		})
		p := make([]byte, len(poem))
		n, err := f.ReadAt(ctx, p, 0)
		restore()
		is(t, name, err, want)
		if n != 5 || string(p[:n]) != poem[:5] {
			t.Errorf("%s: %q", name, p[:n])
		}
		if name == "closed" {
			check(t, testutil.Receive(t, "Close", closed))
		}
	}
}

// closeInBackground returns when f is closed for others; the close waits for those that are inside.
func closeInBackground(t testing.TB, f *file.File, closed chan<- error) {
	go func() { closed <- f.Close() }()
	testutil.Await(t, "a closed file", func() bool { return errors.Is(errOf(f.Stat(background)), os.ErrClosed) })
}

// A read that comes to need a worker just when the file is closed gets none.
func TestCloseBeforeTheWorker(t *testing.T) {
	f := openFile(t, filepath.Join(on(t, os.TempDir(), "ext4", "xfs"), "data"), poem)
	closed := make(chan error, 1)
	restore := file.Lie(func(int, syscall.Errno) (int, syscall.Errno) {
		closeInBackground(t, f, closed)
		return 0, syscall.EAGAIN
	})
	n, err := f.ReadAt(background, make([]byte, 10), 0)
	restore()
	is(t, "ReadAt", err, os.ErrClosed)
	if n != 0 {
		t.Errorf("%d bytes", n)
	}
	check(t, testutil.Receive(t, "Close", closed))
}

// Traps 1: memory file systems are read and written directly.
func TestMemory(t *testing.T) {
	f := openFile(t, filepath.Join(on(t, "/dev/shm", "tmpfs"), "data"), poem)
	p := make([]byte, 6)
	if handed := handOvers(t, func() {
		if n, err := f.ReadAt(background, p, 7); n != 6 || err != nil || string(p) != "line 2" {
			t.Fatalf("%q, %v", p[:n], err)
		}
		if _, err := f.WriteAt(background, []byte("LINE"), 7); err != nil {
			t.Fatal(err)
		}
		if got, err := file.ReadFile(background, f.Name()); string(got) != "line 1\nLINE 2\nline 3\n" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}); handed != 0 {
		t.Errorf("%d calls were handed over", handed)
	}
	for _, name := range []string{"/proc/self/stat", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		if !exists(name) {
			continue
		}
		f, err := file.Open(background, name)
		check(t, err)
		if got := file.Access(f).Load(); got != file.Direct {
			t.Errorf("%s is read in way %d", name, got)
		}
		check(t, f.Close())
	}
}

// Traps 1, 12: overlayfs refuses, which is remembered for the file and never shown.
func TestOverlay(t *testing.T) {
	testutil.NoLeaks(t)
	f := openFile(t, filepath.Join(overlay(t), "data"), poem)
	defer f.Close()
	before := file.Counts()
	for range 3 {
		p := make([]byte, 6)
		if n, err := f.ReadAt(background, p, 7); n != 6 || err != nil || string(p) != "line 2" {
			t.Fatalf("%q, %v", p[:n], err)
		}
	}
	after := file.Counts()
	switch way := file.Access(f).Load(); {
	case way == file.NoWait:
		t.Log("this overlayfs does not refuse")
	case way != file.HandOff || after.Refusals != before.Refusals+1 || after.HandOvers < before.HandOvers+3:
		t.Errorf("way %d, counted before %+v, after %+v", way, before, after)
	}
}

// A regular file that is waited for, as few are in /proc, can be given up.
func TestKernelLog(t *testing.T) {
	testutil.NoLeaks(t)
	if !testutil.Long {
		t.Skip("only in a long run: it takes from the log of the kernel, which others may read")
	}
	f, err := file.Open(background, "/proc/kmsg")
	if err != nil {
		t.Skipf("not for this user: %v", err)
	}
	defer f.Close()
	for range 1000 { // what there is
		ctx, cancel := context.WithTimeout(background, 10*short)
		_, err = f.Read(ctx, make([]byte, 1<<16))
		cancel()
		if err != nil {
			break
		}
	}
	is(t, "Read", err, context.DeadlineExceeded)
	inKernel(t, func(ctx context.Context) error {
		task := curio.Go(ctx, func(ctx context.Context) error { return errOf(f.Read(ctx, make([]byte, 1<<16))) })
		inState(t, task, "SELECT")
		check(t, f.Close())
		_, err := task.Join(ctx)
		is(t, "a read of what is closed", err, os.ErrClosed)
		return nil
	})
}

// Traps 20: on a full file system what was written counts, and the error says why no more was.
func TestWriteFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this user may not mount: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	for _, way := range []int32{file.Direct, file.HandOff} {
		f, err := file.Create(background, filepath.Join(dir, "data"))
		check(t, err)
		file.Access(f).Store(way)
		data := testutil.Pattern(1, 3<<20)
		n, err := f.Write(background, data)
		is(t, "Write", err, syscall.ENOSPC)
		isNot(t, "Write", err, file.ErrOutcomeUnknown)
		got := contents(t, f)
		if n == 0 || n >= len(data) || got != string(data[:n]) {
			t.Errorf("%d bytes are said to be written, %d are there", n, len(got))
		}
		if off, err := f.Seek(background, 0, io.SeekCurrent); off != int64(n) || err != nil {
			t.Errorf("the offset is %d, %v", off, err)
		}
		check(t, f.CloseContext(background))
	}
}
