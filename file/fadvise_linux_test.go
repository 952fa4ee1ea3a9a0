//go:build linux && !arm

package file_test

import (
	"syscall"
	"testing"
)

// dontNeed tells the system that nobody needs what its cache has of the file: posix_fadvise(2).
func dontNeed(t testing.TB, fd int) {
	t.Helper()
	const adviceDontNeed = 4
	if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, uintptr(fd), 0, 0, adviceDontNeed, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
}
