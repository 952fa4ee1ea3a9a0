package subprocess_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// hierarchy is where cgroups of version 2 are mounted, "" for nowhere.
func hierarchy(t testing.TB) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	check(t, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 6 && strings.Contains(line, " - cgroup2 ") {
			return fields[4]
		}
	}
	return ""
}

// newCgroup makes a cgroup, and skips the test where that is not possible.
func newCgroup(t testing.TB) string {
	t.Helper()
	top := hierarchy(t)
	if top == "" {
		t.Skip("no cgroups of version 2 are mounted here")
	}
	dir, err := os.MkdirTemp(top, "curio-test-")
	if err != nil {
		t.Skipf("no cgroup can be made here: %v", err)
	}
	t.Cleanup(func() {
		testutil.Await(t, "empty cgroup", func() bool {
			events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
			return err != nil || bytes.Contains(events, []byte("populated 0"))
		})
		testutil.Await(t, "removal of the cgroup", func() bool {
			err := os.Remove(dir)
			return err == nil || errors.Is(err, os.ErrNotExist)
		})
	})
	if _, err := os.Stat(filepath.Join(dir, "cgroup.kill")); err != nil {
		t.Skipf("cgroups cannot be killed here: %v", err)
	}
	return dir
}

// In a cgroup, what has left the group and the session is ended, too.
func TestCgroup(t *testing.T) {
	testutil.Need(t, "setsid")
	newCgroup(t)
	inEachWay(t, func(t *testing.T) {
		for _, act := range []func(p *subprocess.Process) error{
			func(p *subprocess.Process) error { _, err := p.Stop(background); return err },
			func(p *subprocess.Process) error {
				_, err := p.Stop(cancelled())
				wantError(t, err, cancelled().Err())
				return nil
			},
			(*subprocess.Process).Close,
		} {
			c := shell(`setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' & wait`)
			c.Cgroup, c.Grace = newCgroup(t), short // a new one, as Linux kills what is started in one that was killed
			p, out := speaking(t, c)
			away := out.number()
			if p.Containment() != subprocess.ContainedCgroup {
				t.Fatalf("contained: %v", p.Containment())
			}
			check(t, act(p))
			awaitGone(t, away)
			waitFor(t, p)
		}
	})
}

// What is in the cgroup and not in the group gets the polite signal, once, and has the grace time.
func TestCgroupPolitely(t *testing.T) {
	testutil.Need(t, "setsid")
	newCgroup(t)
	inEachWay(t, func(t *testing.T) {
		for _, group := range []subprocess.ProcessGroup{subprocess.GroupOwn, subprocess.GroupShared} {
			const loop = `while :; do sleep 0.01; done`
			c := shell(`setsid sh -c 'n=0; trap "n=\$((n+1))" TERM; trap "echo \$n; exit" WINCH; echo $$; ` + loop + `' &
				n=0; trap 'n=$((n+1))' TERM; trap 'echo $n; exit' WINCH; echo ready; ` + loop)
			c.Cgroup, c.Grace, c.Group = newCgroup(t), long, group
			p, out := speaking(t, c)
			var away int
			for range 2 { // in either order
				if line := out.line(); line != "ready" {
					_, err := fmt.Sscan(line, &away)
					check(t, err)
				}
			}
			stopped := make(chan error, 1)
			go func() {
				_, err := p.Stop(background)
				stopped <- err
			}()
			testutil.Await(t, "the wait", func() bool { return p.Waiting() == 1 })
			check(t, p.SendSignal(syscall.SIGWINCH)) // whose number is greater, so it is handled later
			out.expect("1")
			waitFor(t, p)
			check(t, syscall.Kill(away, syscall.SIGWINCH))
			out.expect("1")
			check(t, testutil.Receive(t, "end of Stop", stopped))
		}
	})
}

// Where the cgroup cannot be used, the group takes its place, and Containment reports it.
func TestCgroupRefused(t *testing.T) {
	testutil.NoLeaks(t)
	c := shell("exit 3")
	for _, dir := range []string{"/there/is/none", t.TempDir(), "/"} {
		c.Cgroup = dir
		p := start(t, c)
		if p.Containment() != subprocess.ContainedGroup || waitFor(t, p).Code != 3 {
			t.Errorf("in %s: %v", dir, p.Containment())
		}
	}
}

func TestCgroupRefusedByTheSystem(t *testing.T) {
	dir := newCgroup(t)
	testutil.NoLeaks(t)
	for _, errno := range []syscall.Errno{syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EBUSY, syscall.EACCES} {
		failed := false
		subprocess.Inject(t, func(step string) error {
			if step == "fork" && !failed {
				failed = true
				return errno
			}
			return nil
		})
		c := shell("exit 3")
		c.Cgroup = dir
		p := start(t, c)
		if p.Containment() != subprocess.ContainedGroup || waitFor(t, p).Code != 3 {
			t.Errorf("after %v: %v", errno, p.Containment())
		}
	}
	// An error of the program's is the program's.
	c := subprocess.Command("/there/is/none")
	c.Cgroup = dir
	subprocess.InjectNone()
	_, err := subprocess.Start(background, c)
	wantError(t, err, os.ErrNotExist)
}

// Our own cgroup, and one above it, is refused: it would be killed with the program.
func TestCgroupOfOurs(t *testing.T) {
	dir := newCgroup(t)
	inner := filepath.Join(dir, "inner")
	check(t, os.Mkdir(inner, 0o755))
	defer func() {
		testutil.Await(t, "removal of the inner cgroup", func() bool { return os.Remove(inner) == nil })
	}()
	c := self(t, "incgroup", dir, inner)
	p, out := speaking(t, c)
	out.expect("ready")
	check(t, os.WriteFile(filepath.Join(inner, "cgroup.procs"), fmt.Append(nil, p.Pid()), 0o644))
	check(t, p.SendSignal(syscall.SIGUSR1))
	out.expect("refused")
	out.expect("refused")
	waitFor(t, p)
}
