package curiotest_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, func() {}) }

// A witness is a testing.TB that keeps what is said about the test, and fails nobody.
type witness struct {
	testing.TB

	mu       sync.Mutex
	failures []string
	logs     []string
	cleanups []func()
}

// observe calls f with a witness, and then what f has left for cleanup, as a test does.
func observe(t testing.TB, f func(testing.TB)) *witness {
	w := &witness{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer w.cleanup()
		f(w)
	}()
	<-done
	return w
}

func (w *witness) cleanup() {
	for len(w.cleanups) > 0 {
		last := w.cleanups[len(w.cleanups)-1]
		w.cleanups = w.cleanups[:len(w.cleanups)-1]
		last()
	}
}

func (w *witness) fail(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, text)
}

func (w *witness) Helper()                      {}
func (w *witness) Error(args ...any)            { w.fail(fmt.Sprintln(args...)) }
func (w *witness) Errorf(f string, args ...any) { w.fail(fmt.Sprintf(f, args...)) }
func (w *witness) Cleanup(f func())             { w.cleanups = append(w.cleanups, f) }

func (w *witness) Fatal(args ...any) {
	w.Error(args...)
	runtime.Goexit()
}

func (w *witness) Fatalf(f string, args ...any) {
	w.Errorf(f, args...)
	runtime.Goexit()
}

func (w *witness) Logf(f string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs = append(w.logs, fmt.Sprintf(f, args...))
}

func (w *witness) Failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failures) > 0
}

func (w *witness) said() string { return strings.Join(w.failures, "\n") }

// has checks that there is a failure that contains all of want.
func (w *witness) has(t testing.TB, want ...string) {
	t.Helper()
next:
	for _, f := range w.failures {
		for _, text := range want {
			if !strings.Contains(f, text) {
				continue next
			}
		}
		return
	}
	t.Errorf("no failure with %q among:\n%s", want, w.said())
}

// passed checks that there is none.
func (w *witness) passed(t testing.TB) {
	t.Helper()
	if w.Failed() {
		t.Errorf("a correct function fails:\n%s", w.said())
	}
}

// line is the place so many lines after the call.
func line(offset int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line+offset)
}

// both runs f in a bubble and outside.
func both(t *testing.T, f func(t *testing.T)) {
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, f) })
	t.Run("outside", f)
}

var errBoom = errors.New("boom")

type function = func(context.Context) error
