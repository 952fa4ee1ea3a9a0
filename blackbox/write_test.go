package blackbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/blackbox"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// read reads a report, which must be complete.
func read(t testing.TB, data []byte) *blackbox.Report {
	t.Helper()
	r, err := blackbox.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v, of\n%.2000s", err, data)
	}
	if !r.Complete && r.Reason != "mapped" {
		t.Errorf("the report is not complete:\n%.2000s", data)
	}
	return r
}

// task returns the task of the given name.
func task(t testing.TB, r *blackbox.Report, name string) blackbox.Task {
	t.Helper()
	for _, task := range r.Tasks {
		if task.Name == name {
			return task
		}
	}
	t.Fatalf("no task %s in %+v", name, r.Tasks)
	panic("unreachable")
}

// text returns r as it is shown to people.
func text(t testing.TB, r *blackbox.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Error(err)
	}
	return b.String()
}

// A rude error is foreign code that nobody may call.
type rude struct{}

func (rude) Error() string  { panic("somebody has called it") }
func (rude) String() string { panic("somebody has called it") }

func TestWrite(t *testing.T) {
	testutil.NoLeaks(t)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		var a, b curio.Lock
		grab := func(first, second *curio.Lock, has, go_ *curio.Event) func(context.Context) error {
			return func(ctx context.Context) error {
				fixture.Succeed(first.Acquire(ctx))
				defer first.Release(ctx)
				has.Set()
				fixture.Succeed(go_.Wait(ctx))
				if err := second.Acquire(ctx); err != nil {
					return err
				}
				second.Release(ctx)
				return nil
			}
		}
		var hasA, hasB curio.Event
		one := curio.Go(ctx, grab(&a, &b, &hasA, &hasB), curio.Name("one"))
		two := curio.Go(ctx, grab(&b, &a, &hasB, &hasA), curio.Name("two\x1b[31m"))
		release := make(chan struct{})
		thread := curio.Go(ctx, func(ctx context.Context) error {
			_, err := curio.BlockInThread(ctx, rude{}, func() (int, error) { <-release; return 0, nil })
			return err
		}, curio.Name("thread"))
		cancelled := curio.Go(ctx, func(ctx context.Context) error { <-release; return ctx.Err() }, curio.Name("cancelled"))
		testutil.Await(t, "all wait", func() bool {
			return one.State() == "LOCK_ACQUIRE" && two.State() == "LOCK_ACQUIRE" && thread.State() == "THREAD_CALL" && cancelled.State() == "RUNNING"
		})
		cancelled.CancelNow(rude{})
		var data bytes.Buffer
		fixture.Succeed(blackbox.Write(&data))
		close(release)
		r := read(t, data.Bytes())
		if r.PID != os.Getpid() || r.Reason != "request" || r.Goroutines == 0 || r.Time.Before(r.Started) {
			t.Errorf("the head is %+v", r)
		}
		waiting := task(t, r, "one")
		if waiting.ID != one.ID() || waiting.Parent != curio.CurrentTask(ctx).ID() || waiting.State != "LOCK_ACQUIRE" || len(waiting.Waits) != 1 ||
			len(waiting.Waits[0].On) != 1 || waiting.Waits[0].On[0] != two.ID() || !strings.Contains(waiting.Spawned, "write_test.go:") {
			t.Errorf("the task is %+v", waiting)
		}
		if got := task(t, r, "cancelled").Cancelled; !strings.Contains(got, "write_test.go:") || !strings.Contains(got, "blackbox_test.rude") {
			t.Errorf("it was cancelled by %s", got)
		}
		if len(r.Deadlocks) != 1 || !strings.Contains(r.Deadlocks[0], "one") {
			t.Errorf("deadlocks: %q", r.Deadlocks)
		}
		if len(r.Threads) != 1 || !strings.Contains(r.Threads[0], "BlockInThread") || !strings.Contains(r.Threads[0], "rude") {
			t.Errorf("threads: %q", r.Threads)
		}
		created := false
		for _, e := range r.Events {
			created = created || e.Kind == "created" && e.Task == one.ID() && e.By == curio.CurrentTask(ctx).ID() && e.Text == "one"
		}
		if !created {
			t.Errorf("events: %+v", r.Events)
		}
		shown := text(t, r)
		for _, want := range []string{"Deadlock:", `two\x1b[31m: LOCK_ACQUIRE`, "In threads:", ": created by "} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s is not in\n%s", want, shown)
			}
		}
		if strings.Contains(shown, "\x1b") {
			t.Errorf("an escape is in\n%s", shown)
		}
		for _, task := range []*curio.Task[struct{}]{one, two} {
			_, err := task.Cancel(ctx)
			fixture.Succeed(err)
		}
		fixture.Succeed(thread.Wait(ctx))
		return cancelled.Wait(ctx)
	}))
}

func TestWriteFile(t *testing.T) {
	testutil.NoLeaks(t)
	dir := filepath.Join(t.TempDir(), "new", "box")
	seen := make(map[string]bool)
	for range 3 {
		path, err := blackbox.WriteFile(dir)
		fixture.Succeed(err)
		if seen[path] || filepath.Dir(path) != dir {
			t.Errorf("the path is %s", path)
		}
		seen[path] = true
		info, err := os.Lstat(path)
		fixture.Succeed(err)
		if info.Mode() != 0o600 {
			t.Errorf("the mode is %v", info.Mode())
		}
		data, err := os.ReadFile(path)
		fixture.Succeed(err)
		read(t, data)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
	fixture.Succeed(blackbox.Prune(dir, 1, ""))
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("files on request are removed, %d are left", len(left))
	}
}

// Others can neither write to the directory nor have us write elsewhere.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for mode, ok := range map[os.FileMode]bool{0o700: true, 0o755: true, 0o775: false, 0o777: false, 0o777 | os.ModeSticky: true} {
		fixture.Succeed(os.Chmod(dir, mode))
		if err := blackbox.PrivateDirectory(dir); (err == nil) != ok || !ok && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	fixture.Succeed(os.Chmod(dir, 0o700))
	target := filepath.Join(t.TempDir(), "target")
	name := blackbox.NewName()
	fixture.Succeed(os.Symlink(target, filepath.Join(dir, name)))
	if f, err := blackbox.Create(dir, name); err == nil {
		t.Errorf("%s is opened through a link", f.Name())
		f.Close()
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the target of a link is made")
	}
	if _, err := blackbox.WriteFile(""); err == nil {
		t.Error("there is no directory, and no error")
	}
	file := testutil.WriteFile(t, "file", nil)
	if _, err := blackbox.WriteFile(file); err == nil {
		t.Error("a file is taken for a directory")
	}
}

// The oldest sets go, together with what belongs to them, except what a living process has.
func TestPrune(t *testing.T) {
	dir := t.TempDir()
	base := blackbox.NewName()
	program, _, _ := strings.Cut(base, ".")
	name := func(program string, pid, i int) string {
		return fmt.Sprintf("%s.%d.20260101T0000%05d.%016x", program, pid, i, 1000-i)
	}
	make := func(names ...string) {
		for _, n := range names {
			fixture.Succeed(os.WriteFile(filepath.Join(dir, n), nil, 0o600))
		}
	}
	const dead = 1<<31 - 1                                                              // more than there can be
	make(name(program, os.Getpid(), 1)+".ring", name(program, os.Getpid(), 1)+".crash") // in use
	make(name(program, os.Getpid(), 0)+".ring", name(program, os.Getpid(), 0)+".crash") // of one with our number, before us
	make(name(program, dead, 2)+".ring", name(program, dead, 2)+".crash")
	make(name(program, 12, 3)+".blackbox", name(program, 12, 3)+".trace")
	make(name(program, 7, 4) + ".blackbox")
	make(name(program, 123456, 5) + ".blackbox")
	others := []string{"notes.txt", name("other", 1, 0) + ".blackbox", "manual-" + name(program, 1, 0) + ".blackbox", program + ".blackbox"}
	make(others...)
	fixture.Succeed(blackbox.Prune(dir, 2, name(program, os.Getpid(), 1)))
	want := append(others, name(program, os.Getpid(), 1)+".ring", name(program, os.Getpid(), 1)+".crash", name(program, 7, 4)+".blackbox", name(program, 123456, 5)+".blackbox")
	left, err := os.ReadDir(dir)
	fixture.Succeed(err)
	for _, e := range left {
		if !strings.Contains(strings.Join(want, "\n"), e.Name()) {
			t.Errorf("%s is left", e.Name())
		}
	}
	if len(left) != len(want) {
		t.Errorf("%d are left, want %d: %v", len(left), len(want), left)
	}
}

// What other users have put into a directory does not count, and stays.
func TestPruneOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	program, _, _ := strings.Cut(blackbox.NewName(), ".")
	file := func(i int) string {
		return filepath.Join(dir, fmt.Sprintf("%s.12.20260101T0000%05d.%016x.blackbox", program, i, i))
	}
	for i := range 6 {
		fixture.Succeed(os.WriteFile(file(i), nil, 0o600))
		if i >= 2 {
			fixture.Succeed(os.Chown(file(i), 65534, 65534))
		}
	}
	fixture.Succeed(blackbox.Prune(dir, 1, ""))
	if left := files(t, dir, ".blackbox"); len(left) != 5 || left[0] != file(1) {
		t.Errorf("left are %q", left)
	}
}
