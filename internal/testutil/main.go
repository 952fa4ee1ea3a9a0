package testutil

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// childVariable is set in the environment of a child that Self has started. Its
// descriptor lifeline is a pipe whose other end the parent holds.
const (
	childVariable = "CURIO_TEST_CHILD"
	lifeline      = 3
)

// Main is the TestMain of a package. It runs the tests, and fails if they leave
// behind a goroutine of ours, a descriptor, or a child process.
//
// In a child that Self has started it runs child instead, with the arguments that
// Self was given in os.Args, and exits with status 0 when that returns. The child
// exits, too, when its parent has gone. child may be nil.
func Main(m *testing.M, child func()) {
	if os.Getenv(childVariable) != "" {
		go dieWithParent()
		child()
		os.Exit(0)
	}
	heedSignals()
	startPoller()
	before := len(Descriptors(os.Getpid()))
	code := m.Run()
	if left := leftBehind(before); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "after all tests there is left:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// heedSignals starts the program anew if it was started with signals ignored that tests and their
// children are sent: by nohup, or in the background of a script. exec(2) brings a signal back that has a
// handler.
func heedSignals() {
	ignored := false
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(sig) {
			ignored = true
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	if self, err := os.Executable(); ignored && err == nil {
		_ = syscall.Exec(self, os.Args, os.Environ())
	}
}

func dieWithParent() {
	os.Unsetenv(childVariable) // its own children are ordinary programs
	_, _ = io.Copy(io.Discard, os.NewFile(lifeline, "lifeline"))
	os.Exit(3)
}

// startPoller makes the runtime open its poller, which has descriptors of its own.
func startPoller() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

// leftBehind describes what tests have left behind that began with the given number of
// descriptors.
func leftBehind(descriptors int) string {
	var left string
	Eventually(func() bool {
		left = Goroutines()
		return left == ""
	})
	if left != "" {
		return left
	}
	var open []string
	if !Eventually(func() bool {
		open = Descriptors(os.Getpid())
		return len(open) <= descriptors
	}) {
		return fmt.Sprintf("descriptors, of which there were %d: %q", descriptors, open)
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		return fmt.Sprintf("a child process (wait4: %d, %v)", pid, err)
	}
	return ""
}
