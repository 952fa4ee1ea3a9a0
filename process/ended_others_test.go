//go:build !linux

package process_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// watch watches a process. What it returns waits for its end.
func watch(t testing.TB, pid int) (awaitEnd func()) {
	t.Helper()
	return func() {
		t.Helper()
		testutil.Await(t, fmt.Sprint("end of process ", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
}
