package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// want fails the test if err is not each of the targets.
func want(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("the error is %v, want %v", err, target)
		}
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	check(t, os.WriteFile(name, []byte(text), 0o644))
}

func content(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	check(t, err)
	return string(data)
}

// names returns what is in a folder.
func names(t testing.TB, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// only fails the test if something else than those is in a folder.
func only(t testing.TB, dir string, list ...string) {
	t.Helper()
	slices.Sort(list)
	if got := names(t, dir); !slices.Equal(got, list) {
		t.Errorf("in the folder there are %q, want %q", got, list)
	}
}

// memory returns a new folder in which nothing has to wait for a disk, where there is one.
func memory(t testing.TB) string {
	t.Helper()
	if info, err := os.Stat("/dev/shm"); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "curio-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// faulty makes f be called before system calls until the test ends.
func faulty(t testing.TB, f func(call, path string) error) {
	file.SetFault(f)
	t.Cleanup(func() { file.SetFault(nil) })
}

// A stall holds up the first system call of a name.
type stall struct {
	reached chan struct{} // closed when a call is held up
	goOn    func()        // lets it go on
	removed atomic.Int64  // how many drafts were removed
	then    error         // what it then fails with

	also  string // another call that fails
	cause error
}

// alsoFail makes another system call fail.
func (s *stall) alsoFail(call string, cause error) { s.also, s.cause = call, cause }

func stalled(t testing.TB, call string) *stall { return stalledAt(t, call, 1) }

// stalledAt holds up the nth one.
func stalledAt(t testing.TB, call string, n int64) *stall {
	s := &stall{reached: make(chan struct{})}
	free := make(chan struct{})
	s.goOn = sync.OnceFunc(func() { close(free) })
	var calls atomic.Int64
	faulty(t, func(c, _ string) error {
		if c == "remove" {
			s.removed.Add(1)
		}
		if c == s.also {
			return s.cause
		}
		if c != call || calls.Add(1) != n {
			return nil
		}
		close(s.reached)
		<-free
		return s.then
	})
	t.Cleanup(s.goOn)
	return s
}

// cutShort runs f, which is held up in call, cancels it, and returns its error. The call is still held up.
func cutShort(t testing.TB, s *stall, f func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	select {
	case <-s.reached:
	case err := <-ended:
		t.Fatalf("it has ended before the call: %v", err)
	}
	cancel()
	return testutil.Receive(t, "end of the call that was cancelled", ended)
}

// workersEnd waits for all workers that have begun with a call.
func workersEnd(t testing.TB) {
	t.Helper()
	testutil.Await(t, "end of all workers", func() bool {
		return !strings.Contains(testutil.Stacks(), "curio/file.work[")
	})
}

// inNamespace reports whether the test runs in a mount namespace of its own, where it may mount what it
// likes. If it does not, it runs the test once more in one, and the caller returns.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const variable = "CURIO_TEST_NAMESPACE"
	if os.Getenv(variable) != "" {
		return true
	}
	for _, user := range []bool{false, true} {
		command := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.count=1")
		command.Env = append(os.Environ(), variable+"=1")
		if err := isolate(command, user); err != nil {
			t.Skipf("no mount namespace: %v", err)
		}
		out, err := command.CombinedOutput()
		var status *exec.ExitError
		switch {
		case err != nil && !errors.As(err, &status) && !user:
			continue // not privileged: try with a user namespace
		case err != nil && !errors.As(err, &status):
			t.Skipf("no mount namespace here: %v", err)
		case strings.Contains(string(out), "--- SKIP"):
			t.Skipf("%s", out)
		case err != nil:
			t.Fatalf("%s", out)
		}
		return false
	}
	return false
}

// sameFile reports whether two names are one file.
func sameFile(t testing.TB, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	check(t, err)
	y, err := os.Stat(b)
	check(t, err)
	return os.SameFile(x, y)
}

func modeOf(t testing.TB, name string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(name)
	check(t, err)
	return info.Mode()
}

// umask sets the process's umask until the test ends.
func umask(t testing.TB, mask int) {
	old := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(old) })
}

func in(dir, name string) string { return filepath.Join(dir, name) }
