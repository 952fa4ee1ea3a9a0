package signal_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// children are what the test binary does when it plays a child process. The arguments are in
// os.Args, after the child's name.
var children = map[string]func(){}

func TestMain(m *testing.M) { testutil.Main(m, func() { children[os.Args[1]]() }) }

// raise sends the process a signal. The test must have subscribed to it.
func raise(sig syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		panic(err)
	}
}

// panics calls f, which must panic with a text of ours that contains want.
func panics(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "curio/signal: ") || !strings.Contains(text, want) {
			t.Errorf("panicked with %q, want a sentence of ours about %q", text, want)
		}
	}()
	f()
}

// ignored reports whether a signal is ignored in the system's table for this process.
func ignored(sig syscall.Signal) bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			var mask uint64
			if _, err := fmt.Sscanf(strings.TrimSpace(rest), "%x", &mask); err != nil {
				panic(err)
			}
			return mask&(1<<(sig-1)) != 0
		}
	}
	panic("no SigIgn")
}
