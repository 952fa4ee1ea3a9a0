package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// atomics are the two ways to write a file atomically.
var atomics = map[string]func(ctx context.Context, name, data string, perm fs.FileMode) error{
	"WriteFileAtomic": func(ctx context.Context, name, data string, perm fs.FileMode) error {
		return file.WriteFileAtomic(ctx, name, []byte(data), perm)
	},
	"WriteAtomic": func(ctx context.Context, name, data string, perm fs.FileMode) error {
		return file.WriteAtomic(ctx, name, perm, func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, data)
			return err
		})
	},
}

func eachAtomic(t *testing.T, f func(t *testing.T, write func(ctx context.Context, name, data string, perm fs.FileMode) error)) {
	for name, way := range atomics {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			f(t, way)
		})
	}
}

func TestWriteFile(t *testing.T) {
	testutil.NoLeaks(t)
	umask(t, 0o027)
	name := in(t.TempDir(), "f")
	check(t, file.WriteFile(background, name, []byte("long"), 0o666))
	check(t, os.Chmod(name, 0o604))
	check(t, file.WriteFile(background, name, []byte("new"), 0o666))
	if got := content(t, name); got != "new" || modeOf(t, name) != 0o604 {
		t.Errorf("%q, %v", got, modeOf(t, name))
	}
	large := bytes.Repeat([]byte("x"), 3<<20)
	check(t, file.WriteFile(background, name, large, 0o666))
	if got := content(t, name); got != string(large) {
		t.Errorf("%d bytes", len(got))
	}
}

// An abandoned WriteFile has a copy of its data, and stops.
func TestWriteFileAbandoned(t *testing.T) {
	testutil.NoLeaks(t)
	name := in(t.TempDir(), "f")
	data := bytes.Repeat([]byte("x"), 3<<20)
	s := stalledAt(t, "write", 2)
	err := cutShort(t, s, func(ctx context.Context) error { return file.WriteFile(ctx, name, data, 0o666) })
	want(t, err, context.Canceled, file.ErrOutcomeUnknown)
	clear(data)
	s.goOn()
	workersEnd(t)
	if got := content(t, name); got != strings.Repeat("x", 2<<20) {
		t.Errorf("%d bytes, or other bytes than were written", len(got))
	}
}

// Mode and umask (trap 26).
func TestAtomicMode(t *testing.T) {
	umask(t, 0o027)
	eachAtomic(t, func(t *testing.T, write func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		name := in(t.TempDir(), "f")
		check(t, write(background, name, "new", 0o666))
		if got := content(t, name); got != "new" || modeOf(t, name) != 0o640 {
			t.Errorf("%q, %v: want mode and umask by the kernel", got, modeOf(t, name))
		}
		for _, mode := range []fs.FileMode{0o604, 0o777, 0o400} {
			check(t, os.Chmod(name, mode))
			check(t, write(background, name, "newer", 0o666))
			if got := content(t, name); got != "newer" || modeOf(t, name) != mode {
				t.Errorf("%q, %v, want the mode of before, %v", got, modeOf(t, name), mode)
			}
		}
	})
}

// A process that may do so keeps the owner; one that may not still replaces the file.
func TestAtomicOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may give files away")
	}
	eachAtomic(t, func(t *testing.T, write func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		name := in(t.TempDir(), "f")
		check(t, os.WriteFile(name, nil, 0o640))
		check(t, os.Chown(name, 1234, 5678))
		check(t, write(background, name, "new", 0o666))
		info, err := os.Stat(name)
		check(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 1234 || st.Gid != 5678 || info.Mode() != 0o640 {
			t.Errorf("owner %d, group %d, %v", st.Uid, st.Gid, info.Mode())
		}
	})
}

// Links are resolved, and hard links broken (trap 27).
func TestAtomicLinks(t *testing.T) {
	eachAtomic(t, func(t *testing.T, write func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		dir := t.TempDir()
		check(t, os.MkdirAll(in(dir, "a/b"), 0o755))
		check(t, os.WriteFile(in(dir, "a/target"), []byte("old"), 0o644))
		check(t, os.Link(in(dir, "a/target"), in(dir, "hard")))
		check(t, os.Symlink("../target", in(dir, "a/b/link")))
		check(t, os.Symlink(in(dir, "a/b"), in(dir, "way")))
		check(t, os.Symlink("way/link", in(dir, "link")))
		check(t, write(background, in(dir, "link"), "new", 0o644))
		if got := content(t, in(dir, "a/target")); got != "new" {
			t.Errorf("the target has %q", got)
		}
		if got := content(t, in(dir, "hard")); got != "old" {
			t.Errorf("the other hard link has %q", got)
		}
		only(t, dir, "a", "hard", "link", "way")
		only(t, in(dir, "a"), "b", "target")
		check(t, os.Symlink("a/created", in(dir, "dangling")))
		check(t, write(background, in(dir, "dangling"), "new", 0o644))
		if got := content(t, in(dir, "a/created")); got != "new" || modeOf(t, in(dir, "dangling"))&fs.ModeSymlink == 0 {
			t.Errorf("the target of a dangling link has %q", got)
		}
		check(t, os.Symlink("loop", in(dir, "loop")))
		want(t, write(background, in(dir, "loop"), "", 0o644), syscall.ELOOP)
	})
}

func TestAtomicRefused(t *testing.T) {
	eachAtomic(t, func(t *testing.T, write func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		dir := t.TempDir()
		check(t, os.Mkdir(in(dir, "folder"), 0o755))
		check(t, syscall.Mkfifo(in(dir, "fifo"), 0o644))
		check(t, os.WriteFile(in(dir, "text"), nil, 0o644))
		for name, cause := range map[string]error{
			in(dir, "folder"):       syscall.EISDIR,
			in(dir, "new") + "/":    syscall.EISDIR,
			in(dir, "folder") + "/": syscall.EISDIR,
			in(dir, "folder/.."):    syscall.EISDIR,
			in(dir, "fifo"):         nil,
			in(dir, "missing/f"):    fs.ErrNotExist,
			in(dir, "text/f"):       syscall.ENOTDIR,
			"":                      fs.ErrNotExist,
			"a\x00":                 syscall.EINVAL,
		} {
			err := write(background, name, "x", 0o644)
			var path *fs.PathError
			if !errors.As(err, &path) || path.Path != name || path.Op != "replace" || cause != nil && !errors.Is(err, cause) {
				t.Errorf("%q: %v, want %v", name, err, cause)
			}
		}
		only(t, dir, "fifo", "folder", "text")
	})
}

// A file that another one is mounted on is not truncated instead.
func TestAtomicMounted(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	dir := t.TempDir()
	write(t, in(dir, "source"), "old")
	write(t, in(dir, "f"), "below")
	bindMount(t, in(dir, "source"), in(dir, "f"))
	err := file.WriteFileAtomic(background, in(dir, "f"), []byte("new"), 0o644)
	want(t, err, syscall.EBUSY)
	if !strings.Contains(err.Error(), "WriteFile writes it in place") {
		t.Errorf("%v does not say what to do", err)
	}
	if got := content(t, in(dir, "f")); got != "old" {
		t.Errorf("%q", got)
	}
	only(t, dir, "f", "source")
}

// On a full disk the old content stays, and no litter (trap 20).
func TestFullDisk(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	testutil.NoLeaks(t)
	dir := tinyDisk(t)
	write(t, in(dir, "f"), "old")
	large := strings.Repeat("x", 2<<20)
	for name, way := range atomics {
		err := way(background, in(dir, "f"), large, 0o644)
		want(t, err, syscall.ENOSPC)
		var path *fs.PathError
		if !errors.As(err, &path) || path.Path != in(dir, "f") {
			t.Errorf("%s: %v does not name the file", name, err)
		}
		if got := content(t, in(dir, "f")); got != "old" {
			t.Errorf("%s: %q", name, got)
		}
		only(t, dir, "f")
	}
	want(t, file.WriteFile(background, in(dir, "g"), []byte(large), 0o644), syscall.ENOSPC)
	check(t, os.Remove(in(dir, "g")))

	outside := t.TempDir()
	write(t, in(outside, "large"), large)
	for _, dst := range []string{"f", "new"} {
		n, err := file.Copy(background, in(dir, dst), in(outside, "large"))
		want(t, err, syscall.ENOSPC)
		if n <= 0 || n > 1<<20 || !strings.Contains(err.Error(), in(dir, dst)) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if got := content(t, in(dir, "f")); got != "old" {
		t.Errorf("after Copy: %q", got)
	}
	only(t, dir, "f")

	sparse, err := os.Create(in(outside, "sparse"))
	check(t, err)
	check(t, sparse.Truncate(1<<30))
	_, err = sparse.WriteAt([]byte("data"), 1<<29)
	check(t, err)
	check(t, sparse.Close())
	if n, err := file.Copy(background, in(dir, "sparse"), in(outside, "sparse")); n != 1<<30 || err != nil {
		t.Errorf("a file of holes: %d, %v", n, err)
	}
}

// steps are the system calls of an atomic write, in order; from rename on the new content may be there.
var steps = []string{"resolve", "open", "write", "chown", "chmod", "sync", "close", "commit", "rename", "opendir", "syncdir"}

// A failure of each system call leaves the old content or the new one, and no litter.
func TestAtomicFaults(t *testing.T) {
	for i, call := range steps {
		eachAtomic(t, func(t *testing.T, way func(ctx context.Context, name, data string, perm fs.FileMode) error) {
			dir := memory(t)
			name := in(dir, "f")
			write(t, name, "old")
			hit := false
			faulty(t, func(c, _ string) error {
				if c == call {
					hit = true
					return syscall.EDQUOT
				}
				return nil
			})
			err := way(background, name, "new", 0o644)
			file.SetFault(nil)
			var path *fs.PathError
			if !hit || !errors.Is(err, syscall.EDQUOT) || !errors.As(err, &path) || path.Path != name {
				t.Errorf("%s: %v, %v", call, hit, err)
			}
			text := "old"
			if i > slices.Index(steps, "rename") {
				text = "new"
			}
			if isSync := path != nil && path.Op == "syncdir"; isSync != (text == "new") {
				t.Errorf("%s: %v", call, err)
			}
			if got := content(t, name); got != text {
				t.Errorf("%s: %q", call, got)
			}
			only(t, dir, "f")
		})
	}
}

// There are file systems on which nothing can be synced, and interruptions (traps 21, 22). An error that
// means loss is told.
func TestAtomicSync(t *testing.T) {
	eachAtomic(t, func(t *testing.T, way func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		name := in(memory(t), "f")
		for _, call := range []string{"fsync", "fsyncdir"} {
			for _, cause := range []syscall.Errno{syscall.EINVAL, syscall.EOPNOTSUPP, syscall.ENOTSUP, syscall.EINTR, syscall.EIO} {
				n := 0
				faulty(t, func(c, _ string) error {
					if c == call {
						if n++; n == 1 {
							return cause
						}
					}
					return nil
				})
				err := way(background, name, cause.Error(), 0o644)
				file.SetFault(nil)
				if cause == syscall.EIO {
					want(t, err, cause)
				} else if err != nil || content(t, name) != cause.Error() {
					t.Errorf("%s, %v: %v", call, cause, err)
				}
				if cause == syscall.EINTR && n != 2 {
					t.Errorf("%s was called %d times", call, n)
				}
			}
		}
	})
}

// So does a cancellation during each, and what the abandoned worker does later. Whether the outcome is
// unknown is told exactly.
func TestAtomicCancelled(t *testing.T) {
	for i, call := range steps {
		for _, existed := range []bool{true, false} {
			eachAtomic(t, func(t *testing.T, way func(ctx context.Context, name, data string, perm fs.FileMode) error) {
				dir := memory(t)
				name := in(dir, "f")
				var before []string
				if existed {
					write(t, name, "old")
					before = []string{"f"}
				}
				s := stalled(t, call)
				err := cutShort(t, s, func(ctx context.Context) error { return way(ctx, name, "new", 0o644) })
				want(t, err, context.Canceled)
				var path *fs.PathError
				if !errors.As(err, &path) || path.Path != name {
					t.Errorf("%s: %v", call, err)
				}
				committed := i >= slices.Index(steps, "rename")
				if errors.Is(err, file.ErrOutcomeUnknown) != committed {
					t.Errorf("%s: %v", call, err)
				}
				s.goOn()
				workersEnd(t)
				if n := s.removed.Load(); n > 1 || committed && n > 0 {
					t.Errorf("%s: %d times somebody has removed the draft", call, n)
				}
				switch {
				case committed:
					only(t, dir, "f")
					if got := content(t, name); got != "new" {
						t.Errorf("%s: %q", call, got)
					}
				default:
					only(t, dir, before...)
					if existed && content(t, name) != "old" {
						t.Errorf("%s: %q", call, content(t, name))
					}
				}
			})
		}
	}
}

// An abandoned worker whose call then fails removes its draft all the same.
func TestAtomicCancelledAndFailed(t *testing.T) {
	for _, call := range steps[:slices.Index(steps, "opendir")] {
		eachAtomic(t, func(t *testing.T, way func(ctx context.Context, name, data string, perm fs.FileMode) error) {
			dir := memory(t)
			write(t, in(dir, "f"), "old")
			s := stalled(t, call)
			s.then = syscall.EIO
			want(t, cutShort(t, s, func(ctx context.Context) error { return way(ctx, in(dir, "f"), "new", 0o644) }), context.Canceled)
			s.goOn()
			workersEnd(t)
			only(t, dir, "f")
			if got := content(t, in(dir, "f")); got != "old" {
				t.Errorf("%s: %q", call, got)
			}
		})
	}
}

// After the rename nothing is removed, even if another file has the draft's name by then (trap 29).
func TestAtomicRemovesNothingAfterRename(t *testing.T) {
	eachAtomic(t, func(t *testing.T, way func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		dir := memory(t)
		draft := ""
		faulty(t, func(call, _ string) error {
			switch call {
			case "rename":
				for _, n := range names(t, dir) {
					if strings.HasPrefix(n, ".curio-") {
						draft = in(dir, n)
					}
				}
			case "opendir":
				if err := os.WriteFile(draft, []byte("another's"), 0o644); err != nil {
					return err
				}
				return syscall.EIO
			}
			return nil
		})
		want(t, way(background, in(dir, "f"), "new", 0o644), syscall.EIO)
		if got := content(t, draft); got != "another's" {
			t.Errorf("%q", got)
		}
	})
}

// Cancelled at any moment: old or new, and told truly.
func TestAtomicRace(t *testing.T) {
	eachAtomic(t, func(t *testing.T, way func(ctx context.Context, name, data string, perm fs.FileMode) error) {
		dir := memory(t)
		name := in(dir, "f")
		write(t, name, "-1")
		cut, unknown := 0, 0
		for i := range testutil.Times(3000) {
			before := content(t, name)
			ctx, cancel := context.WithCancel(background)
			go func() {
				for range rand.IntN(60) {
					runtime.Gosched()
				}
				cancel()
			}()
			text := fmt.Sprint(i)
			err := way(ctx, name, text, 0o644)
			if errors.Is(err, file.ErrOutcomeUnknown) {
				unknown++
				workersEnd(t)
				before = content(t, name) // one or the other
				if before != text {
					t.Fatalf("%q, but nothing has failed", before)
				}
			} else if err != nil {
				cut++
				want(t, err, context.Canceled)
			} else {
				before = text
			}
			if got := content(t, name); got != before {
				t.Fatalf("%q, want %q, after %v", got, before, err)
			}
			cancel()
		}
		workersEnd(t)
		only(t, dir, "f")
		t.Logf("%d cut short, %d of unknown outcome", cut, unknown)
	})
}

// A concurrent reader finds either the old or the new content.
func TestAtomicReaders(t *testing.T) {
	testutil.NoLeaks(t)
	name := in(memory(t), "f")
	text := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), 10_000) }
	write(t, name, text(0))
	check(t, curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error {
				for curio.CheckCancellation(ctx) == nil {
					data, err := os.ReadFile(name)
					if err != nil {
						return err
					}
					if got := string(data); len(got) != 10_000 || got != strings.Repeat(got[:1], 10_000) {
						return fmt.Errorf("%d bytes of several contents", len(got))
					}
				}
				return nil
			})
			for i := range testutil.Times(500) {
				if err := file.WriteFileAtomic(ctx, name, []byte(text(i)), 0o644); err != nil {
					return err
				}
			}
			return g.CancelRemaining(ctx)
		})
	}))
}

func TestWriteAtomicStreams(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	var expected bytes.Buffer
	var kept io.Writer
	check(t, file.WriteAtomic(background, in(dir, "f"), 0o644, func(_ context.Context, w io.Writer) error {
		kept = w
		for i := range 100_000 {
			fmt.Fprintln(&expected, i)
			if _, err := fmt.Fprintln(w, i); err != nil {
				return err
			}
		}
		large := bytes.Repeat([]byte("x"), 1<<20)
		expected.Write(large)
		_, err := w.Write(large)
		return err
	}))
	if got := content(t, in(dir, "f")); got != expected.String() {
		t.Errorf("%d bytes, want %d", len(got), expected.Len())
	}
	if _, err := kept.Write([]byte("late")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("too late: %v", err)
	}
}

// However the function ends, the file is as it was.
func TestWriteAtomicFails(t *testing.T) {
	dir := memory(t)
	write(t, in(dir, "f"), "old")
	broken := errors.New("broken")
	half := func(w io.Writer) { io.WriteString(w, strings.Repeat("x", 1<<20)) }
	for name, f := range map[string]func(ctx context.Context, cancel func(), w io.Writer) error{
		"error":  func(_ context.Context, _ func(), w io.Writer) error { half(w); return broken },
		"panic":  func(_ context.Context, _ func(), w io.Writer) error { half(w); panic(broken) },
		"Goexit": func(_ context.Context, _ func(), w io.Writer) error { half(w); runtime.Goexit(); return nil },
		"cancelled": func(_ context.Context, cancel func(), w io.Writer) error {
			half(w)
			cancel()
			_, err := w.Write(nil)
			return err
		},
		"cancelled and swallowed": func(_ context.Context, cancel func(), w io.Writer) error { cancel(); half(w); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				defer close(ended)
				defer func() { _ = recover() }()
				ended <- file.WriteAtomic(ctx, in(dir, "f"), 0o644, func(ctx context.Context, w io.Writer) error { return f(ctx, cancel, w) })
			}()
			if err, ok := <-ended; ok != (name != "panic" && name != "Goexit") || ok && !errors.Is(err, broken) && !errors.Is(err, context.Canceled) {
				t.Errorf("%v, %v", err, ok)
			}
			only(t, dir, "f")
			if got := content(t, in(dir, "f")); got != "old" {
				t.Errorf("%q", got)
			}
		})
	}
}

// The disk does not answer while the draft is removed: that is bounded.
func TestWriteAtomicCleanUpIsBounded(t *testing.T) {
	if !testutil.Long {
		t.Skip("it takes a second: CURIO_LONG is not set")
	}
	testutil.NoLeaks(t)
	dir := memory(t)
	s := stalled(t, "remove")
	broken := errors.New("broken")
	err := cutShort(t, s, func(ctx context.Context) error {
		return file.WriteAtomic(ctx, in(dir, "f"), 0o644, func(context.Context, io.Writer) error { return broken })
	})
	want(t, err, broken, file.ErrOutcomeUnknown)
	s.goOn()
	workersEnd(t)
	only(t, dir)
}
