package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func init() {
	// hold takes the lock in the way that the first letter of each line says, and says what has become
	// of it: "w", "r", or "u" to release it.
	children["hold"] = func() {
		l, held := file.NewLock(os.Args[2]), ""
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			ok, err := false, error(nil)
			switch in.Text() {
			case "w":
				ok, err = l.TryAcquire(background)
			case "r":
				ok, err = l.TryAcquireRead(background)
			case "u":
				ok = true
				if held == "w" {
					err = l.Release(background)
				} else {
					err = l.ReleaseRead(background)
				}
			}
			held = in.Text()
			fmt.Println(ok, err)
		}
	}
	// count adds one to the number in a file, n times, under the lock.
	children["count"] = func() {
		n, err := strconv.Atoi(os.Args[3])
		if err != nil {
			panic(err)
		}
		l := file.NewLock(os.Args[2])
		for range n {
			if err := l.Do(background, func(context.Context) error { return addOne(os.Args[2] + ".n") }); err != nil {
				panic(err)
			}
		}
		fmt.Println("done")
	}
}

// addOne adds one to the number in a file, with nothing to protect it.
func addOne(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		return fmt.Errorf("somebody else was at work: %w", err)
	}
	return os.WriteFile(name, []byte(strconv.Itoa(n+1)), 0o644)
}

// A holder is another process that has or wants a lock.
type holder struct{ *testutil.Child }

func newHolder(t *testing.T, path string) holder { return holder{testutil.Self(t, "hold", path)} }

// do sends it a command, and reports whether that has worked.
func (h holder) do(t *testing.T, command string) bool {
	t.Helper()
	_, err := io.WriteString(h.Stdin, command+"\n")
	check(t, err)
	switch line := h.Line(); line {
	case "true <nil>":
		return true
	case "false <nil>":
		return false
	default:
		t.Fatal(line)
		return false
	}
}

// must is do for what has to work, or must not.
func (h holder) must(t *testing.T, command string, ok bool) {
	t.Helper()
	if h.do(t, command) != ok {
		t.Errorf("%q in another process: %v", command, !ok)
	}
}

func try(t *testing.T, f func(context.Context) (bool, error), ok bool) {
	t.Helper()
	if got, err := f(background); got != ok || err != nil {
		t.Errorf("%v, %v, want %v", got, err, ok)
	}
}

func TestLockBetweenProcesses(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	l, other := file.NewLock(path), newHolder(t, path)
	check(t, l.Acquire(background))
	other.must(t, "w", false)
	other.must(t, "r", false)
	content(t, path) // a lock of fcntl(2) would be lost when that closes the file (trap 48)
	other.must(t, "w", false)
	check(t, l.Release(background))
	other.must(t, "r", true)
	try(t, l.TryAcquire, false)
	try(t, l.TryAcquireRead, true)
	other.must(t, "u", true)
	other.must(t, "w", false)
	check(t, l.ReleaseRead(background))
	other.must(t, "w", true)
	try(t, l.TryAcquireRead, false)
	go func() {
		testutil.Await(t, "wait", func() bool { return len(l.Snapshot().Holders) == 1 }) // it asks the system
		other.must(t, "u", true)
	}()
	check(t, l.Acquire(background))
	check(t, l.Release(background))
	check(t, l.Acquire(background))
	other.Kill() // and the lock of a process that dies is free
	check(t, l.Release(background))
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if n := file.Inodes(); n != 0 {
		t.Errorf("%d files are remembered", n)
	}
}

// Of the readers of a process one asks the system, and the others wait for it, and are seen. If that one
// gives up, the next one asks.
func TestLockReadersAskInTurn(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	other := newHolder(t, path)
	other.must(t, "w", true)
	var asked atomic.Int64
	faulty(t, func(call, _ string) error {
		if call == "open" {
			asked.Add(1)
		}
		return nil
	})
	check(t, curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			l := file.NewLock(path)
			var readers []*curio.Task[struct{}]
			for range 10 {
				readers = append(readers, curio.Go(ctx, func(ctx context.Context) error {
					return l.DoRead(ctx, func(ctx context.Context) error { return nil })
				}))
			}
			waiting := func() (n int) {
				for _, r := range readers {
					if r.State() == "FILE_LOCK" {
						n++
					}
				}
				return n
			}
			for left := 9; left >= 5; left-- {
				testutil.Await(t, "all wait", func() bool { return waiting() == left+1 })
				for i, r := range readers {
					if len(l.Snapshot().Holders) == left+1 {
						r.CancelNow()
						_ = r.Wait(ctx)
						readers = append(readers[:i:i], readers[i+1:]...)
						break
					}
				}
			}
			other.must(t, "u", true)
			for _, r := range readers {
				if _, err := r.Join(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}))
	if n := asked.Load(); n > 10+15 {
		t.Errorf("the file was opened %d times by 10 readers", n)
	}
}

// A process that is killed while it holds the lock does not keep it.
func TestLockOfTheDead(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	l, other := file.NewLock(path), newHolder(t, path)
	other.must(t, "w", true)
	ended := make(chan error, 1)
	go func() { ended <- l.Acquire(background) }()
	testutil.Await(t, "wait", func() bool { return len(l.Snapshot().Holders) == 1 })
	other.Kill()
	check(t, testutil.Receive(t, "lock", ended))
	check(t, l.Release(background))
}

// flock(1) is somebody else's idea of the same lock.
func TestLockAndFlock(t *testing.T) {
	testutil.Need(t, "flock")
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	l := file.NewLock(path)
	check(t, l.Acquire(background))
	if status := testutil.Program(t, "flock", "-n", path, "true").Wait(); status != 1 {
		t.Errorf("flock -n ends with %d while the lock is held", status)
	}
	check(t, l.Release(background))
	other := testutil.Program(t, "flock", path, "sh", "-c", "echo locked; read x")
	if got := other.Line(); got != "locked" {
		t.Error(got)
	}
	try(t, l.TryAcquire, false)
	other.Stdin.Close()
	check(t, l.Acquire(background))
	check(t, l.Release(background))
	other.Wait()
}

// Tasks exclude each other, by whatever Lock and name (trap 46), in order of arrival.
func TestLockBetweenTasks(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, in(dir, "lock"), "")
	check(t, os.Link(in(dir, "lock"), in(dir, "hard")))
	check(t, os.Symlink("lock", in(dir, "soft")))
	locks := []*file.Lock{file.NewLock(in(dir, "lock")), file.NewLock(in(dir, "hard")), file.NewLock(in(dir, "soft")), file.NewLock(in(dir, "lock"))}
	check(t, locks[0].Acquire(background))
	for _, l := range locks {
		try(t, l.TryAcquire, false)
		try(t, l.TryAcquireRead, false)
	}
	check(t, curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			var order atomic.Int64
			for i, l := range locks {
				read := i == 1 || i == 2
				g.Spawn(func(ctx context.Context) (int, error) {
					acquire, release := l.Acquire, l.Release
					if read {
						acquire, release = l.AcquireRead, l.ReleaseRead
					}
					if err := acquire(ctx); err != nil {
						return 0, err
					}
					if at := order.Add(1) - 1; int(at) != i && !read {
						t.Errorf("task %d came as number %d", i, at)
					}
					if read { // both at once
						testutil.Await(t, "second reader", func() bool { return order.Load() >= 3 })
					}
					return 0, release(ctx)
				}, curio.Name(fmt.Sprint("task", i)))
				testutil.Await(t, "wait", func() bool { return len(locks[3].Snapshot().Waiters) == i+1 })
			}
			s := locks[0].Snapshot()
			if len(s.Holders) != 1 || len(s.Waiters) != 4 || s.Waiters[1].Op != "FILE_LOCK" || s.Waiters[1].Task.Name() != "task1" {
				t.Errorf("%v", s)
			}
			return locks[0].Release(background)
		})
	}))
}

// A lock is given back explicitly: a child that is being forked has the open file, too, and does not keep
// the lock (trap 43).
func TestLockUnlocksBeforeClose(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	l := file.NewLock(path)
	check(t, l.Acquire(background))
	copies := 0
	for _, d := range testutil.Descriptors(os.Getpid()) {
		if number, target, _ := strings.Cut(d, " "); target == path {
			n, err := strconv.Atoi(number)
			check(t, err)
			fd, err := syscall.Dup(n) // what a fork does
			check(t, err)
			defer syscall.Close(fd)
			copies++
		}
	}
	if copies != 1 {
		t.Skipf("%d descriptors of the lock found: no /proc?", copies)
	}
	check(t, l.Release(background))
	other := newHolder(t, path)
	other.must(t, "w", true)
}

// Nobody loses a reading lock by asking for more (trap 45).
func TestLockNoUpgrade(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	l, other := file.NewLock(path), newHolder(t, path)
	check(t, l.AcquireRead(background))
	other.must(t, "r", true)
	try(t, l.TryAcquire, false)
	err := curio.TimeoutAfter(background, 5*time.Millisecond, l.Acquire)
	want(t, err, curio.ErrTaskTimeout)
	other.must(t, "u", true)
	other.must(t, "w", false) // it still has it
	check(t, l.ReleaseRead(background))
	other.must(t, "w", true)
}

// A lock file that is removed or replaced is noticed, by those who come and by those who wait (trap 47).
func TestLockReplaced(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(t.TempDir(), "lock")
	l, other := file.NewLock(path), newHolder(t, path)
	other.must(t, "w", true)
	ended := make(chan error, 1)
	go func() { ended <- l.Acquire(background) }()
	testutil.Await(t, "wait", func() bool { return len(l.Snapshot().Holders) == 1 })
	check(t, os.Remove(path))
	check(t, testutil.Receive(t, "lock of the new file", ended))
	second := newHolder(t, path)
	second.must(t, "w", false)
	check(t, l.Release(background))
	second.must(t, "w", true)

	// Removed and made anew between opening and locking.
	s := stalled(t, "flock")
	go func() { ended <- l.Acquire(background) }()
	<-s.reached
	check(t, os.Remove(path))
	write(t, path, "")
	s.goOn()
	check(t, testutil.Receive(t, "lock of the new file", ended))
	third := newHolder(t, path)
	third.must(t, "w", false)
	check(t, l.Release(background))
	third.must(t, "w", true)
	if n := file.Inodes(); n != 0 {
		t.Errorf("%d files are remembered", n)
	}
}

func TestLockErrors(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	for path, cause := range map[string]error{
		in(dir, "missing/lock"): fs.ErrNotExist,
		dir:                     syscall.EISDIR,
		"a\x00":                 syscall.EINVAL,
	} {
		err := file.NewLock(path).Acquire(background)
		var e *fs.PathError
		if !errors.As(err, &e) || e.Path != path || !errors.Is(err, cause) {
			t.Errorf("%q: %v, want %v", path, err, cause)
		}
	}
	for _, call := range []string{"flock", "stat"} {
		faulty(t, func(c, _ string) error {
			if c == call {
				return syscall.ENOLCK
			}
			return nil
		})
		l := file.NewLock(in(dir, "lock"))
		want(t, l.Acquire(background), syscall.ENOLCK)
		want(t, second(l.TryAcquireRead(background)), syscall.ENOLCK)
		file.SetFault(nil)
		check(t, l.Acquire(background))
		check(t, l.Release(background))
	}
	// One that fails or is refused while others hold the lock leaves nothing behind in it.
	l := file.NewLock(in(dir, "lock"))
	check(t, l.AcquireRead(background))
	faulty(t, func(c, _ string) error {
		if c == "flock" {
			return syscall.ENOLCK
		}
		return nil
	})
	want(t, l.AcquireRead(background), syscall.ENOLCK)
	file.SetFault(nil)
	other := newHolder(t, in(dir, "lock"))
	other.must(t, "r", true)
	try(t, l.TryAcquire, false)
	if s := l.Snapshot(); len(s.Holders) != 1 || len(s.Waiters) != 0 {
		t.Errorf("%v", s)
	}
	check(t, l.ReleaseRead(background))
	other.must(t, "u", true)
	try(t, l.TryAcquire, true)
	check(t, l.Release(background))
	if n := file.Inodes(); n != 0 {
		t.Errorf("%d files are remembered", n)
	}
}

// A lock file in /tmp that belongs to somebody else is opened without O_CREATE, which Linux would refuse.
func TestLockOfOthers(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	name := in(dir, "lock")
	write(t, name, "")
	if err := errors.Join(os.Chmod(name, 0o666), os.Chown(name, 1234, 1234), os.Chmod(dir, 0o777|fs.ModeSticky)); err != nil {
		t.Skipf("not privileged: %v", err)
	}
	if f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666); err == nil {
		f.Close()
		t.Log("here it would not be refused")
	}
	l := file.NewLock(name)
	check(t, l.Acquire(background))
	check(t, l.Release(background))
}

func TestLockMisuse(t *testing.T) {
	testutil.NoLeaks(t)
	l := file.NewLock(in(t.TempDir(), "lock"))
	for text, f := range map[string]func(){
		"file: NewLock(\"\")": func() { file.NewLock("") },
		"file: a Lock without a file": func() {
			var l file.Lock
			_ = l.Acquire(background)
		},
		"file: Release of the file lock": func() { _ = l.Release(background) },
		"file: ReleaseRead of the file lock": func() {
			check(t, l.Acquire(background))
			defer l.Release(background)
			_ = l.ReleaseRead(background)
		},
		"file: Do of a nil function":           func() { _ = l.Do(background, nil) },
		"file: WriteAtomic without a function": func() { _ = file.WriteAtomic(background, "x", 0, nil) },
		"file: WithTempDir without a function": func() { _ = file.WithTempDir(background, "", "x", nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, text) {
					t.Errorf("panicked with %q, want %q", got, text)
				}
			}()
			f()
		}()
	}
	check(t, l.Acquire(background)) // it still works
	check(t, l.Release(background))
}

// Do releases however the function ends.
func TestLockDo(t *testing.T) {
	testutil.NoLeaks(t)
	l := file.NewLock(in(t.TempDir(), "lock"))
	broken := errors.New("broken")
	for _, do := range []func(context.Context, func(context.Context) error) error{l.Do, l.DoRead} {
		want(t, do(background, func(context.Context) error { try(t, l.TryAcquire, false); return broken }), broken)
		func() {
			defer func() { _ = recover() }()
			_ = do(background, func(context.Context) error { panic(broken) })
		}()
		ctx, cancel := context.WithCancel(background)
		want(t, do(ctx, func(ctx context.Context) error { cancel(); return curio.Sleep(ctx, 0) }), context.Canceled)
		try(t, l.TryAcquire, true)
		check(t, l.Release(background))
	}
}

// A cancellation at any step, with the lock held or not, leaves the lock to the next in line.
func TestLockCancelled(t *testing.T) {
	path := in(t.TempDir(), "lock")
	for _, call := range []string{"open", "flock", "stat"} {
		for n := range int64(2) {
			t.Run(fmt.Sprint(call, n), func(t *testing.T) {
				testutil.NoLeaks(t)
				l, other := file.NewLock(path), newHolder(t, path)
				s := stalledAt(t, call, n+1)
				if call != "open" && n == 1 {
					other.must(t, "w", true) // so that it asks again
				}
				want(t, cutShort(t, s, l.Acquire), context.Canceled)
				if call != "open" && n == 1 {
					other.must(t, "u", true)
				}
				s.goOn()
				workersEnd(t)
				other.must(t, "w", true)
				other.must(t, "u", true)
				try(t, l.TryAcquire, true)
				check(t, l.Release(background))
			})
		}
	}
}

// A storm: other processes, and tasks that are cancelled at any moment. Only one is ever at work.
func TestLockStorm(t *testing.T) {
	testutil.NoLeaks(t)
	path := in(memory(t), "lock")
	write(t, path+".n", "0")
	const each = 100
	var others []*testutil.Child
	for range 2 {
		others = append(others, testutil.Self(t, "count", path, fmt.Sprint(each)))
	}
	var done, cut atomic.Int64
	check(t, curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
			l := file.NewLock(path)
			for range 4 {
				g.Go(func(ctx context.Context) error {
					for range testutil.Times(4000) {
						_, err := curio.IgnoreAfter(ctx, time.Duration(rand.IntN(200))*time.Microsecond, func(ctx context.Context) error {
							if err := l.Acquire(ctx); err != nil {
								cut.Add(1)
								return err
							}
							done.Add(1)
							return joinedErrors(addOne(path+".n"), l.Release(ctx))
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	}, curio.Logger(slog.New(slog.DiscardHandler)))) // it would say how late functions have succeeded
	for _, other := range others {
		if got := other.Line(); got != "done" {
			t.Error(got)
		}
	}
	if got := content(t, path+".n"); got != fmt.Sprint(done.Load()+2*each) {
		t.Errorf("counted to %s, %d times", got, done.Load()+2*each)
	}
	workersEnd(t)
	if n := file.Inodes(); n != 0 {
		t.Errorf("%d files are remembered", n)
	}
	t.Logf("%d done, %d cut short", done.Load(), cut.Load())
}

func joinedErrors(errs ...error) error { return errors.Join(errs...) }

// A device that does not answer holds up a release for a second, and nobody who waits behind it longer
// than it has to.
func TestLockReleaseIsBounded(t *testing.T) {
	if !testutil.Long {
		t.Skip("it takes a second: CURIO_LONG is not set")
	}
	testutil.NoLeaks(t)
	l := file.NewLock(in(t.TempDir(), "lock"))
	check(t, l.Acquire(background))
	s := stalled(t, "unlock")
	want(t, cutShort(t, s, l.Release), file.ErrOutcomeUnknown)
	try(t, l.TryAcquire, false) // the system still has it
	s.goOn()
	check(t, l.Acquire(background))
	check(t, l.Release(background))
	workersEnd(t)
}
