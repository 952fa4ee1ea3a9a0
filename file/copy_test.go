package file_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func random(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(data)
	return data
}

func TestCopy(t *testing.T) {
	testutil.NoLeaks(t)
	umask(t, 0o077)
	dir := t.TempDir()
	for _, size := range []int{0, 1, 4096, 100_000, file.RangePiece, file.RangePiece + 1} {
		data := random(size)
		check(t, os.WriteFile(in(dir, "src"), data, 0o600))
		check(t, os.Chmod(in(dir, "src"), 0o654))
		for _, dst := range []string{"new", "new"} { // it exists the second time
			n, err := file.Copy(background, in(dir, dst), in(dir, "src"))
			got := content(t, in(dir, dst))
			if n != int64(size) || err != nil || got != string(data) || modeOf(t, in(dir, dst)) != 0o654 {
				t.Errorf("%d bytes: %d, %v, %d, %v", size, n, err, len(got), modeOf(t, in(dir, dst)))
			}
		}
		check(t, os.Remove(in(dir, "new")))
	}
	only(t, dir, "src")
}

// Files whose size is 0 and which have content are copied (trap 31, 23).
func TestCopyProc(t *testing.T) {
	testutil.NoLeaks(t)
	if _, err := os.Stat("/proc/self/limits"); err != nil {
		t.Skipf("no /proc: %v", err)
	}
	name := in(t.TempDir(), "f")
	for _, src := range []string{"/proc/self/limits", "/proc/filesystems", "/proc/cpuinfo"} {
		n, err := file.Copy(background, name, src)
		if got := content(t, name); err != nil || n == 0 || got == "" || src == "/proc/filesystems" && got != content(t, src) {
			t.Errorf("%s: %d, %v, %q", src, n, err, got)
		}
	}
}

// Whatever copy_file_range fails with, at the start and in the middle, the copy is complete.
func TestCopyFallsBack(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	data := random(file.RangePiece + 12345)
	check(t, os.WriteFile(in(dir, "src"), data, 0o600))
	for _, cause := range []syscall.Errno{
		syscall.ENOSYS, syscall.EXDEV, syscall.EINVAL, syscall.EIO, syscall.EBADF, syscall.EPERM, syscall.EOPNOTSUPP,
	} {
		for _, at := range []int{1, 2} {
			calls := 0
			faulty(t, func(call, _ string) error {
				if call == "copyrange" {
					if calls++; calls == at {
						return cause
					}
				}
				return nil
			})
			n, err := file.Copy(background, in(dir, "dst"), in(dir, "src"))
			file.SetFault(nil)
			got, _ := os.ReadFile(in(dir, "dst"))
			if n != int64(len(data)) || err != nil || !bytes.Equal(got, data) {
				t.Errorf("%v at call %d: %d, %v, %d bytes", cause, at, n, err, len(got))
			}
			if runtime.GOOS == "linux" && calls != at {
				t.Errorf("%v at call %d: %d calls", cause, at, calls)
			}
		}
	}
}

// A file is not copied to itself, whatever its names, and keeps its content (trap 32).
func TestCopyToItself(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, in(dir, "f"), "content")
	check(t, os.Link(in(dir, "f"), in(dir, "hard")))
	check(t, os.Symlink("f", in(dir, "soft")))
	for _, names := range [][2]string{{"f", "f"}, {"hard", "f"}, {"soft", "f"}, {"f", "soft"}, {"f", "hard"}} {
		n, err := file.Copy(background, in(dir, names[0]), in(dir, names[1]))
		var link *os.LinkError
		if n != 0 || !errors.As(err, &link) || !strings.Contains(err.Error(), "same file") {
			t.Errorf("%v: %d, %v", names, n, err)
		}
	}
	if got := content(t, in(dir, "f")); got != "content" || !sameFile(t, in(dir, "f"), in(dir, "hard")) {
		t.Errorf("%q", got)
	}
	only(t, dir, "f", "hard", "soft")
}

// Holes stay holes (trap 33).
func TestCopySparse(t *testing.T) {
	testutil.NoLeaks(t)
	blocks := func(name string) int64 {
		info, err := os.Stat(name)
		check(t, err)
		return info.Sys().(*syscall.Stat_t).Blocks
	}
	for _, dir := range []string{t.TempDir(), memory(t)} {
		for name, at := range map[string][]int64{
			"all hole":        nil,
			"data first":      {0},
			"data last":       {10<<20 - 5},
			"data in between": {1 << 20, 5 << 20},
		} {
			f, err := os.Create(in(dir, "src"))
			check(t, err)
			check(t, f.Truncate(10<<20))
			for _, off := range at {
				_, err := f.WriteAt([]byte("data!"), off)
				check(t, err)
			}
			check(t, f.Sync()) // before that ext4 has no blocks for it
			check(t, f.Close())
			n, err := file.Copy(background, in(dir, "dst"), in(dir, "src"))
			if n != 10<<20 || err != nil || content(t, in(dir, "dst")) != content(t, in(dir, "src")) {
				t.Errorf("%s: %d, %v, or another content", name, n, err)
			}
			if from, to := blocks(in(dir, "src")), blocks(in(dir, "dst")); to > from+16 {
				t.Errorf("%s: %d blocks have become %d", name, from, to)
			}
		}
	}
}

// What is appended while a file is being copied is copied, too: only a read tells the end.
func TestCopyGrowing(t *testing.T) {
	testutil.NoLeaks(t)
	for _, size := range []int64{5, 1 << 20} { // the second one is a hole
		dir := memory(t)
		write(t, in(dir, "src"), "begin")
		check(t, os.Truncate(in(dir, "src"), size))
		grown := 0
		faulty(t, func(call, _ string) error {
			if call != "read" && call != "truncate" || grown > 0 {
				return nil
			}
			grown++
			f, err := os.OpenFile(in(dir, "src"), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("appended")
			return err
		})
		n, err := file.Copy(background, in(dir, "dst"), in(dir, "src"))
		got := content(t, in(dir, "dst"))
		if n != size+8 || err != nil || got != content(t, in(dir, "src")) {
			t.Errorf("%d, %v, %d bytes", n, err, len(got))
		}
		if size == 5 && grown != 1 {
			t.Error("it has not asked by a read whether this is the end")
		}
	}
}

func TestCopyRefused(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, in(dir, "f"), "content")
	check(t, os.Mkdir(in(dir, "folder"), 0o755))
	check(t, syscall.Mkfifo(in(dir, "fifo"), 0o644))
	for _, test := range []struct {
		dst, src, names string
		cause           error
	}{
		{"new", "missing", "missing", fs.ErrNotExist},
		{"new", "folder", "folder", syscall.EISDIR},
		{"new", "fifo", "fifo", nil},
		{"folder", "f", "folder", syscall.EISDIR},
		{"fifo", "f", "fifo", nil},
		{"missing/new", "f", "missing/new", fs.ErrNotExist},
	} {
		n, err := file.Copy(background, in(dir, test.dst), in(dir, test.src))
		var path *fs.PathError
		if n != 0 || !errors.As(err, &path) || path.Op != "copy" || path.Path != in(dir, test.names) || test.cause != nil && !errors.Is(err, test.cause) {
			t.Errorf("%s to %s: %d, %v", test.src, test.dst, n, err)
		}
	}
	only(t, dir, "f", "fifo", "folder")
}

var copySteps = []string{"openread", "resolve", "open", "copyrange", "read", "write", "truncate", "chmod", "close", "commit", "rename"}

// copyable makes a file for which each of the steps is taken.
func copyable(t *testing.T, dir, call string) {
	f, err := os.Create(in(dir, "src"))
	check(t, err)
	_, err = f.WriteAt(random(300_000), 0)
	check(t, err)
	if call == "truncate" {
		check(t, f.Truncate(1<<20))
	}
	check(t, f.Close())
	write(t, in(dir, "dst"), "old")
}

// A failure or a cancellation at each system call leaves the old content and no litter.
func TestCopyFaults(t *testing.T) {
	for _, call := range copySteps {
		if call == "copyrange" {
			continue // see TestCopyFallsBack
		}
		t.Run(call, func(t *testing.T) {
			testutil.NoLeaks(t)
			dir := memory(t)
			copyable(t, dir, call)
			faulty(t, func(c, _ string) error {
				switch {
				case c == "copyrange" && (call == "read" || call == "write"):
					return syscall.ENOSYS
				case c == call:
					return syscall.EDQUOT
				}
				return nil
			})
			_, err := file.Copy(background, in(dir, "dst"), in(dir, "src"))
			var path *fs.PathError
			var link *os.LinkError
			if !errors.Is(err, syscall.EDQUOT) || !errors.As(err, &path) && !errors.As(err, &link) {
				t.Errorf("%v", err)
			}
			only(t, dir, "dst", "src")
			if got := content(t, in(dir, "dst")); got != "old" {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

func TestCopyCancelled(t *testing.T) {
	for i, call := range copySteps {
		t.Run(call, func(t *testing.T) {
			testutil.NoLeaks(t)
			dir := memory(t)
			copyable(t, dir, call)
			s := stalled(t, call)
			if call == "write" {
				s.alsoFail("copyrange", syscall.ENOSYS)
			}
			var n int64
			err := cutShort(t, s, func(ctx context.Context) (err error) {
				n, err = file.Copy(ctx, in(dir, "dst"), in(dir, "src"))
				return err
			})
			want(t, err, context.Canceled)
			committed := i >= slices.Index(copySteps, "rename")
			if errors.Is(err, file.ErrOutcomeUnknown) != committed || n < 0 || n > 1<<20 {
				t.Errorf("%d, %v", n, err)
			}
			s.goOn()
			workersEnd(t)
			only(t, dir, "dst", "src")
			if got := content(t, in(dir, "dst")); (got == "old") == committed {
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}
