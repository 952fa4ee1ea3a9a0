package testutil

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/poll"
)

// Descriptors lists the open descriptors of a process as "number target", without the ones of our
// poller and of pipes for splice(2), which come and go. It is empty where there is no /proc.
func Descriptors(pid int) []string {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	entries, _ := os.ReadDir(dir)
	var open []string
	for _, e := range entries {
		if n, _ := strconv.Atoi(e.Name()); pid == os.Getpid() && poll.IsOwn(n) {
			continue
		}
		if target, err := os.Readlink(dir + e.Name()); err == nil { // not the one that reads the directory
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// Goroutines returns the stacks of those goroutines that have to do with this module, except the
// caller's and those that only wait for tests to end.
func Goroutines() string {
	stacks := strings.Split(Stacks(), "\n\n")
	var left []string
	for _, s := range stacks[1:] {
		waits := strings.Contains(s, "testing.(*T).Run(") || strings.Contains(s, "testing.(*M).Run(") ||
			strings.Contains(s, "testing.(*B).run") || strings.Contains(s, "testing.(*B).doBench(")
		polls := strings.Contains(s, "poll.(*pollLoop).run(") // it has its end, and tests of its own
		if strings.Contains(s, "curio-go/curio") && !waits && !polls {
			left = append(left, s)
		}
	}
	return strings.Join(left, "\n\n")
}

// NoLeaks fails the test if at its end there are goroutines of ours, or more
// descriptors than now. Called first in a test, it looks after all other cleanup.
func NoLeaks(t testing.TB) {
	t.Helper()
	startPoller()
	before := Descriptors(os.Getpid())
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() {
			return
		}
		var left string
		if !Eventually(func() bool { left = Goroutines(); return left == "" }) {
			t.Errorf("goroutines are left:\n%s", left)
		}
		NoMoreDescriptors(t, len(before))
	})
}

// NoMoreDescriptors fails the test if the process keeps more than most descriptors.
func NoMoreDescriptors(t testing.TB, most int) {
	t.Helper()
	var open []string
	if !Eventually(func() bool { open = Descriptors(os.Getpid()); return len(open) <= most }) {
		t.Errorf("%d descriptors, more than the %d there were: %q", len(open), most, open)
	}
}
