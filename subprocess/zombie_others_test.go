//go:build !linux

package subprocess_test

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func isZombie(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(string(state), "Z")
}

// groupAndSession returns the process group of a process. Its session is not asked for here.
func groupAndSession(t testing.TB, pid int) (group, session int) {
	t.Helper()
	group, err := syscall.Getpgid(pid)
	check(t, err)
	return group, 0
}
