package testutil

import (
	"os"
	"syscall"
	"testing"
)

// Pipe returns the descriptors of a pipe's ends, which are closed when the test ends.
func Pipe(t testing.TB) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(os.NewSyscallError("pipe", err))
	}
	t.Cleanup(func() { _ = syscall.Close(fds[0]); _ = syscall.Close(fds[1]) })
	return fds[0], fds[1]
}
