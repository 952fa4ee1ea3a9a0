package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// oomKills counts the processes of a cgroup that the system has killed for want of memory.
type oomKills struct {
	self, mounts string // /proc/self/cgroup and /sys/fs/cgroup

	mu   sync.Mutex
	when time.Time
	last uint64
}

// theOOMKills counts the kills in our cgroup, which is also the workers', and in those below it.
var theOOMKills = &oomKills{self: "/proc/self/cgroup", mounts: "/sys/fs/cgroup"}

// lately returns the number as it was within the last second. It is asked before each call.
func (o *oomKills) lately() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.when) > time.Second {
		o.when, o.last = now, o.read()
	}
	return o.last
}

// now returns the number as it is, 0 if it is not known.
func (o *oomKills) now() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.when, o.last = time.Now(), o.read()
	return o.last
}

// read looks where each of the two versions of cgroups has the number. In a container the path may be seen
// from outside, and then what is mounted is the cgroup itself.
func (o *oomKills) read() uint64 {
	list, _ := os.ReadFile(o.self)
	for line := range bytes.Lines(list) { // as 4:memory:/path, or 0::/path
		fields := bytes.SplitN(bytes.TrimSpace(line), []byte(":"), 3)
		if len(fields) < 3 {
			continue
		}
		path, controllers := string(fields[2]), bytes.Split(fields[1], []byte(","))
		var files []string
		switch {
		case len(fields[1]) == 0:
			files = []string{filepath.Join(o.mounts, path, "memory.events"), filepath.Join(o.mounts, "memory.events")}
		case contains(controllers, "memory"):
			dir := filepath.Join(o.mounts, "memory")
			files = []string{filepath.Join(dir, path, "memory.oom_control"), filepath.Join(dir, "memory.oom_control")}
		}
		for _, file := range files {
			if n, ok := readOOMKills(file); ok {
				return n
			}
		}
	}
	return 0
}

func contains(list [][]byte, name string) bool {
	for _, item := range list {
		if string(item) == name {
			return true
		}
	}
	return false
}

// readOOMKills returns the number in a line "oom_kill 3".
func readOOMKills(file string) (n uint64, ok bool) {
	text, _ := os.ReadFile(file)
	for line := range bytes.Lines(text) {
		if number, found := bytes.CutPrefix(line, []byte("oom_kill ")); found {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(number)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
