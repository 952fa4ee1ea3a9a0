package subprocess_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func needTracing(t testing.TB) {
	t.Helper()
	needRoot(t) // who traces is not an ancestor
	if scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); len(scope) > 0 && scope[0] == '3' {
		t.Skip("nobody may trace here")
	}
}

// A tracer is a process that traces another one.
type tracer struct{ child *testutil.Child }

func traceIt(t testing.TB, pid int) tracer {
	t.Helper()
	c := testutil.Self(t, "trace", strconv.Itoa(pid))
	if line := c.Line(); line != "attached" {
		t.Fatalf("the tracer says %q", line)
	}
	return tracer{c}
}

func (r tracer) letGo() {
	r.child.Stdin.Close()
	r.child.Wait()
}

func init() {
	children["trace"] = func(args []string) error {
		runtime.LockOSThread()
		pid, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		const seize = 0x4206 // PTRACE_SEIZE, which does not stop it
		if _, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0); errno != 0 {
			return fmt.Errorf("ptrace: %w", errno)
		}
		fmt.Println("attached")
		_, _ = os.Stdin.Read(make([]byte, 1))
		_, err = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		if err != nil && !errors.Is(err, syscall.ECHILD) {
			return err
		}
		return nil
	}
}
