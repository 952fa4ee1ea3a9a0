package process_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/process"
	"github.com/curio-go/curio/subprocess"
)

// What is said of a death follows from the status, from what the worker may use and has used, and, for a Go program
// that has crashed, from the line with which that begins.
func TestReasons(t *testing.T) {
	killed := subprocess.ExitStatus{Code: -1, Signal: syscall.SIGKILL}
	used := func(d time.Duration) subprocess.ExitStatus {
		s := killed
		s.UserTime, s.SystemTime = d/2, d/2
		return s
	}
	exit := func(code int) subprocess.ExitStatus { return subprocess.ExitStatus{Code: code} }
	const goOOM = "runtime: out of memory: cannot allocate 4194304-byte block (104792064 in use)\nfatal error: out of memory\n"
	const noLimit, second = 0, time.Second
	for _, test := range []struct {
		memory int64
		cpu    time.Duration
		before time.Duration // processor time
		status subprocess.ExitStatus
		stderr string
		want   string
	}{
		{noLimit, 0, 0, subprocess.ExitStatus{Unknown: true, Code: -1}, "", "status is unknown"},
		{noLimit, 0, 0, killed, "", "killed by SIGKILL, perhaps out of memory"},
		{noLimit, 0, 0, subprocess.ExitStatus{Code: -1, Signal: syscall.SIGSEGV, CoreDumped: true}, "", "killed by SIGSEGV (core dumped)"},
		{noLimit, 0, 0, exit(0), "", "exit status 0: the function"},
		{noLimit, 0, 0, exit(7), goOOM, "exit status 7: the function"},

		{64 << 20, 0, 0, exit(2), goOOM, "memory limit of 64 MiB"},
		{64<<20 + 1<<19, 0, 0, exit(2), "before\nfatal error: runtime: cannot allocate memory\n", "memory limit of 64.5 MiB"},
		{64 << 20, 0, 0, exit(2), "runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\n", "memory limit of 64 MiB"},
		{64 << 20, 0, 0, subprocess.ExitStatus{Code: -1, Signal: syscall.SIGABRT}, goOOM, "memory limit of 64 MiB"}, // GOTRACEBACK=crash
		{64 << 20, 0, 0, subprocess.ExitStatus{Code: -1, Signal: syscall.SIGABRT}, "", "killed by SIGABRT"},
		{64 << 20, 0, 0, subprocess.ExitStatus{Code: -1, Signal: syscall.SIGSEGV}, goOOM, "killed by SIGSEGV"},
		{noLimit, 0, 0, exit(2), goOOM, "out of memory"},
		{64 << 20, 0, 0, exit(2), "fatal error: all goroutines are asleep - deadlock!\n", "the program has crashed"},
		{64 << 20, 0, 0, exit(2), "I say out of memory\n", "exit status 2: the function"},
		{64 << 20, 0, 0, exit(2), "panic: no\n", "a panic in a goroutine of the function's"},

		{noLimit, second, 0, exit(128 + int(syscall.SIGXCPU)), "", "CPU time limit: the call has used more than 1s"},
		{noLimit, noLimit, 0, exit(128 + int(syscall.SIGXCPU)), "", "exit status 152: the function"},
		{noLimit, second, 0, used(4 * second), "", "CPU time limit"},
		{noLimit, second, 2 * second, used(4 * second), "", "killed by SIGKILL, perhaps"}, // somebody else has, in the first seconds of the call
		{noLimit, noLimit, 0, used(4 * second), "", "killed by SIGKILL, perhaps"},
	} {
		reason := process.Watch(test.memory, test.cpu, test.before).Explain(test.status, test.stderr)
		if !strings.Contains(reason, test.want) || strings.Contains(reason, "\n") {
			t.Errorf("%v with %q: %q, want %q", test.status, test.stderr, reason, test.want)
		}
	}
}
