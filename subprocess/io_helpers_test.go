package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// A screen is a Writer that can be looked at while a program writes.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until text has been written.
func (s *screen) await(t testing.TB, text string) {
	t.Helper()
	testutil.Await(t, text, func() bool { return strings.Contains(s.String(), text) })
}

// cut calls fn in a task, cancels that after when has returned, and returns what fn returns.
func cut[T any](t testing.TB, fn func(ctx context.Context) (T, error), when func()) (v T, err error) {
	t.Helper()
	task := curio.Go(background, func(ctx context.Context) error {
		v, err = fn(ctx)
		return nil
	})
	t.Cleanup(func() { task.CancelNow() })
	when()
	task.CancelNow()
	joined(t, task.AnyTask)
	return v, err
}

// joined waits for the end of a task.
func joined(t testing.TB, task *curio.AnyTask) {
	t.Helper()
	bound, cancel := context.WithTimeout(background, testutil.Patience)
	defer cancel()
	if task.Wait(bound) != nil {
		t.Fatalf("%v does not end: %s\n%s", task, task.State(), testutil.Stacks())
	}
}

// awaitState waits until a task is in a state.
func awaitState(t testing.TB, task *curio.AnyTask, state string) {
	t.Helper()
	testutil.Await(t, "state "+state, func() bool { return task.State() == state })
}

// wantExit checks that err is an *ExitError with that status.
func wantExit(t testing.TB, err error, code int) *subprocess.ExitError {
	t.Helper()
	var exit *subprocess.ExitError
	if !errors.As(err, &exit) || exit.Status.Code != code {
		t.Fatalf("the error is %v, want one of status %d", err, code)
	}
	return exit
}

// gotBytes checks what was returned.
func gotBytes(t testing.TB, got []byte, err error, want string) {
	t.Helper()
	if err != nil || string(got) != want {
		t.Fatalf("%q, %v, want %q", abridged(got), err, abridged([]byte(want)))
	}
}

func abridged(b []byte) string {
	if len(b) > 200 {
		return string(b[:100]) + "..." + string(b[len(b)-100:])
	}
	return string(b)
}

// popen starts c, which is killed at the end of the test.
func popen(t testing.TB, c *subprocess.Cmd) *subprocess.Process {
	t.Helper()
	p, err := subprocess.Popen(background, c)
	check(t, err)
	t.Cleanup(func() {
		_ = p.Close()
		_, err := p.Wait(background)
		check(t, err)
	})
	return p
}

// pattern is n bytes that do not repeat soon.
func pattern(n int) []byte { return testutil.Pattern(1, n) }

// isClosed reports whether err says that something had been closed.
func isClosed(err error) bool { return errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) }

// nameIn returns the name of a file in a directory of the test's own.
func nameIn(t testing.TB, name string) string { return t.TempDir() + "/" + name }

func readFile(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	check(t, err)
	return string(data)
}
