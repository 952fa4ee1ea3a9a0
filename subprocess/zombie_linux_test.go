package subprocess_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/curio-go/curio/subprocess"
)

func isZombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	state, _ := subprocess.ParseStat(stat)
	return state == 'Z' || state == 'X'
}

// groupAndSession returns the process group and the session of a process.
func groupAndSession(t testing.TB, pid int) (group, session int) {
	t.Helper()
	group, err := syscall.Getpgid(pid)
	check(t, err)
	id, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return group, int(id)
}
