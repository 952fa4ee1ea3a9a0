package subprocess_test

import (
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

func someLimits() []subprocess.Limit {
	return []subprocess.Limit{{Resource: syscall.RLIMIT_NOFILE, Soft: 123, Hard: 234}}
}

func TestLimits(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := shell("ulimit -Sn; ulimit -Hn; ulimit -Sc")
		c.Limits = append(someLimits(), subprocess.Limit{Resource: syscall.RLIMIT_CORE, Soft: 0, Hard: 0})
		p, out := speaking(t, c)
		out.expect("123")
		out.expect("234")
		out.expect("0")
		if status := waitFor(t, p); !status.Success() {
			t.Errorf("%+v", status)
		}
		// They are the program's alone.
		var ours syscall.Rlimit
		check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &ours))
		if ours.Cur == 123 {
			t.Error("the limit is ours, too")
		}
	})
}

// The program is not traced, and no signal is blocked that was not blocked before. It is not a shell, as
// that may put things in order.
func TestLimitsLeaveNothing(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		text := func(limits []subprocess.Limit) string {
			c := subprocess.Command("/bin/grep", "-E", "^(TracerPid|SigBlk|SigPnd|ShdPnd)", "/proc/self/status")
			c.Limits = limits
			_, out := speaking(t, c)
			return out.all()
		}
		if with, without := text(someLimits()), text(nil); with != without || !strings.Contains(with, "TracerPid:\t0\n") {
			t.Errorf("with limits:\n%swithout:\n%s", with, without)
		}
	})
}

func TestBadLimits(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for _, limit := range []subprocess.Limit{
			{Resource: 4711, Soft: 1, Hard: 1},
			{Resource: syscall.RLIMIT_NOFILE, Soft: 2, Hard: 1},
		} {
			c := shell("echo it runs")
			c.Limits = append(someLimits(), limit)
			w, out := pipe(t)
			_, err := subprocess.Start(background, c, nil, w)
			wantError(t, err, syscall.EINVAL)
			wantText(t, err, "start /bin/sh", fmt.Sprintf("resource limit %d", limit.Resource))
			w.Close()
			if said := out.all(); said != "" {
				t.Errorf("the program has run: %q", said)
			}
			noChildren(t)
		}
	})
}

// A missing program and the like is told as without limits.
func TestBadInputWithLimits(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := subprocess.Command("/there/is/none")
		c.Limits = someLimits()
		_, err := subprocess.Start(background, c)
		wantError(t, err, os.ErrNotExist)
		noChildren(t)
	})
}

// Signals that arrive while the program has no limits yet are delivered when it has. SIGSTOP is one that
// cannot be held back.
func TestSignalsBeforeLimits(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGSTOP, syscall.SIGKILL} {
			var pid int
			c := shell("echo $$; ulimit -n; read line")
			c.Limits = someLimits()
			subprocess.Inject(t, func(step string) error {
				if step == "limits" {
					pid = newest(t)
					check(t, syscall.Kill(pid, sig))
				}
				return nil
			})
			w, out := pipe(t)
			p, err := subprocess.Start(background, c, stdin(t, nil), w)
			subprocess.InjectNone()
			w.Close()
			if sig == syscall.SIGKILL {
				if err == nil { // it was killed a moment later
					check(t, p.Close())
					waitFor(t, p)
				}
				continue
			}
			check(t, err)
			if p.Pid() != pid {
				t.Fatalf("process %d was signalled, not %d", pid, p.Pid())
			}
			if sig == syscall.SIGSTOP {
				testutil.Await(t, "stop", p.Stopped)
				check(t, p.SendSignal(syscall.SIGCONT))
				if out.number() != p.Pid() || out.number() != 123 {
					t.Error("it runs without limits")
				}
				check(t, p.Kill())
			}
			if status := waitFor(t, p); sig == syscall.SIGTERM && status.Signal != sig {
				t.Errorf("%v: %+v", sig, status)
			}
		}
	})
}

// newest is the child that was started last.
func newest(t *testing.T) int {
	t.Helper()
	text, err := filepath.Glob("/proc/self/task/*/children")
	check(t, err)
	last := 0
	for _, path := range text {
		list, _ := os.ReadFile(path)
		for field := range strings.FieldsSeq(string(list)) {
			pid := 0
			fmt.Sscan(field, &pid)
			last = max(last, pid)
		}
	}
	if last == 0 {
		t.Skip("the kernel does not tell the children of a process")
	}
	return last
}

// A program that gets privileges from its file would not get them, so it is refused. Root would.
func TestPrivilegedProgram(t *testing.T) {
	needRoot(t)
	testutil.NoLeaks(t)
	sleep := write(t, "sleep", "", 0o755)
	text, err := os.ReadFile("/bin/sleep")
	check(t, err)
	check(t, os.WriteFile(sleep, text, 0o755))
	for mode, refused := range map[os.FileMode]bool{
		0o755: false, 0o755 | os.ModeSetuid: true, 0o755 | os.ModeSetgid: true, 0o744 | os.ModeSetgid: false,
	} {
		check(t, os.Chmod(sleep, mode))
		p := start(t, subprocess.Command(sleep, "1000"))
		check(t, subprocess.MayBeTraced(p.Pid(), 0))
		check(t, os.Chown(sleep, 0, 12))
		check(t, os.Chmod(sleep, mode))
		err := subprocess.MayBeTraced(p.Pid(), 1000)
		if (err != nil) != refused {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if err := subprocess.MayBeTraced(1<<30, 1000); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a process that does not exist: %v", err)
	}
}

// Signals that arrive before exec do not stop a start with limits, which nobody could let go on then.
func TestSignalsBeforeExec(t *testing.T) {
	testutil.NoLeaks(t)
	_, out := speaking(t, self(t, "flooded"))
	out.expect("all started")
}

func init() {
	// Its group is its own, and all of that gets a signal again and again, the programs that it starts from
	// their first moment on.
	children["flooded"] = func([]string) error {
		ended := make(chan struct{})
		go func() {
			for {
				select {
				case <-ended:
					return
				default:
					_ = syscall.Kill(0, syscall.SIGWINCH)
				}
			}
		}()
		for range testutil.Times(1000) {
			c := subprocess.Command("/bin/true")
			c.Group, c.Limits = subprocess.GroupShared, someLimits()
			p, err := subprocess.Start(background, c)
			if err != nil {
				return err
			}
			if status, err := p.Wait(background); err != nil || !status.Success() {
				return fmt.Errorf("%+v, %v", status, err)
			}
		}
		close(ended)
		fmt.Println("all started")
		return nil
	}
}
