package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/process"
	"github.com/curio-go/curio/subprocess"
)

// The number of processes that the system has killed for want of memory tells such a SIGKILL from any other
// (traps 68). Either version of cgroups has it, and a container may see its own as the root.
func TestOutOfMemory(t *testing.T) {
	for name, test := range map[string]struct {
		cgroups string
		file    string // below where they are mounted
	}{
		"version 2":              {"0::/a/b\n", "a/b/memory.events"},
		"version 2, container":   {"0::/outside\n", "memory.events"},
		"version 1":              {"9:cpu:/x\n4:blkio,memory:/a/b:c\n0::/\n", "memory/a/b:c/memory.oom_control"},
		"version 1, a container": {"4:memory:/outside\n", "memory/memory.oom_control"},
	} {
		dir := t.TempDir()
		self, file := filepath.Join(dir, "cgroup"), filepath.Join(dir, "mounts", test.file)
		check(t, os.MkdirAll(filepath.Dir(file), 0o700))
		check(t, os.WriteFile(self, []byte(test.cgroups), 0o600))
		kills := func(n int) {
			check(t, os.WriteFile(file, fmt.Appendf(nil, "low 0\nhigh 7\noom 5\noom_kill %d\noom_group_kill 9\n", n), 0o600))
		}
		kills(3)
		restore := process.SetOOMKills(self, filepath.Join(dir, "mounts"))
		killed := subprocess.ExitStatus{Code: -1, Signal: syscall.SIGKILL}
		w := process.Watch(0, 0, 0)
		if reason := w.Explain(killed, ""); !strings.Contains(reason, "perhaps") {
			t.Errorf("%s: nothing has happened: %q", name, reason)
		}
		kills(4)
		if reason := w.Explain(killed, ""); reason != "killed by SIGKILL: the system was out of memory" {
			t.Errorf("%s: %q", name, reason)
		}
		if reason := process.Watch(0, 0, 0).Explain(killed, ""); !strings.Contains(reason, "perhaps") {
			t.Errorf("%s: it was another process: %q", name, reason)
		}
		check(t, os.Remove(file))
		if n := process.OOMKills(); n != 0 {
			t.Errorf("%s: %d without the file", name, n)
		}
		restore()
	}
}
