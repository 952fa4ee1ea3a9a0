package curiotest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/curio-go/curio/internal/poll"
)

// An inventory is what the process had at one moment that nobody's name is on:
// descriptors and child processes.
type inventory struct {
	test                  string
	descriptors, children []string

	shared bool // another test had one at the same time; guarded by inventories.mu
}

// inventories are those that are open.
var inventories struct {
	mu  sync.Mutex
	all []*inventory
}

// takeInventory opens an inventory for a test.
func takeInventory(test string) *inventory {
	i := &inventory{test: test}
	inventories.mu.Lock()
	for _, other := range inventories.all {
		if !isFamily(i.test, other.test) {
			i.shared, other.shared = true, true
		}
	}
	inventories.all = append(inventories.all, i)
	inventories.mu.Unlock()

	startPoller()
	i.descriptors, i.children = descriptors(), children()
	return i
}

// isFamily reports whether two tests are the same, or one is above the other, and so
// waits for it.
func isFamily(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// startPoller makes the runtime open its poller, which has descriptors of its own.
func startPoller() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
}

func (i *inventory) close() {
	inventories.mu.Lock()
	defer inventories.mu.Unlock()
	inventories.all = slices.DeleteFunc(inventories.all, func(other *inventory) bool { return other == i })
}

// disturbed reports whether another test had an inventory at the same time. Then it is
// not known whose it is what there is more.
func (i *inventory) disturbed() bool {
	inventories.mu.Lock()
	defer inventories.mu.Unlock()
	return i.shared
}

// left waits for what there is more now to go, and describes what does not.
func (i *inventory) left(grace time.Duration) (left []string) {
	eventually(grace, func() bool {
		left = nil
		if i.disturbed() {
			return true
		}
		for _, d := range descriptors() {
			if !slices.Contains(i.descriptors, d) {
				left = append(left, "a descriptor is left open: "+d)
			}
		}
		for _, c := range children() {
			if !slices.Contains(i.children, c) {
				left = append(left, "a child process is left: "+c+" "+commandOf(c))
			}
		}
		return len(left) == 0
	})
	if i.disturbed() {
		return nil
	}
	return left
}

// descriptors lists the open descriptors of the process as "number target". There are
// none where there is no /proc.
func descriptors() (open []string) {
	const dir = "/proc/self/fd/"
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && poll.IsOwn(n) {
			continue // it comes and goes
		}
		if target, err := os.Readlink(dir + e.Name()); err == nil { // not the one that read the directory
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// children lists the process's children, also those that have ended and that nobody has
// waited for.
func children() (pids []string) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		pids = append(pids, strings.Fields(string(text))...)
	}
	return pids
}

// commandOf is the name of a process's program.
func commandOf(pid string) string {
	name, _ := os.ReadFile("/proc/" + pid + "/comm")
	state := ""
	status, _ := os.ReadFile("/proc/" + pid + "/stat")
	if _, after, ok := strings.Cut(string(status), ") "); ok && strings.HasPrefix(after, "Z") {
		state = ", which has ended, but nobody has waited for it"
	}
	return fmt.Sprintf("(%s)%s", strings.TrimSpace(string(name)), state)
}
