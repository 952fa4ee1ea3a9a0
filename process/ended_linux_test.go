package process_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

const pidfdOpen = 434 // of all architectures

// watch watches a process, which need not be a child. What it returns waits for its end; whoever gets the
// number next is not taken for it.
func watch(t testing.TB, pid int) (awaitEnd func()) {
	t.Helper()
	fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if errno == syscall.ESRCH {
		return func() {}
	}
	if errno != 0 {
		t.Fatalf("pidfd_open %d: %v", pid, errno)
	}
	syscall.CloseOnExec(int(fd))
	return func() {
		t.Helper()
		defer func() { _ = syscall.Close(int(fd)) }()
		if err := curio.TimeoutAfter(background, testutil.Patience, func(ctx context.Context) error {
			return curio.WaitRead(ctx, int(fd))
		}); err != nil {
			t.Errorf("process %d has not ended: %v\n%s", pid, err, statusOf(pid))
		}
	}
}

// statusOf is what the system says of a process that should not be there any more.
func statusOf(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Name", "State", "PPid", "NSpgid", "SigPnd", "ShdPnd", "SigCgt", "SigBlk", "Threads":
			b.WriteString(line)
		}
	}
	return b.String()
}

// marked marks the processes that are started from now on in this test, with what they start. processes
// lists those that run.
func marked(t testing.TB) (processes func() []int) {
	t.Helper()
	mark := strconv.FormatUint(rand.Uint64(), 36)
	t.Setenv("CURIO_TEST_MARK", mark)
	return func() (all []int) {
		entries, err := os.ReadDir("/proc")
		check(t, err)
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ") // empty for zombies
			if bytes.Contains(environ, []byte("CURIO_TEST_MARK="+mark)) {
				all = append(all, pid)
			}
		}
		return all
	}
}
