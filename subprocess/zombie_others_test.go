//go:build !linux

package subprocess_test

import (
	"syscall"
	"testing"
)

// isZombie is not asked here: init collects orphans at once.
func isZombie(int) bool { return false }

// groupAndSession returns the process group of a process. Its session is not asked for here.
func groupAndSession(t testing.TB, pid int) (group, session int) {
	t.Helper()
	group, err := syscall.Getpgid(pid)
	check(t, err)
	return group, 0
}
