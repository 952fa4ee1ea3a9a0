package subprocess_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/process"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// onThread calls fn on a thread that nobody uses afterwards, so that fn may change it.
func onThread(fn func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		fn()
	}()
	<-ended
}

// withAndWithoutLimits runs a test with a Cmd that has limits, where there are any, and with one that has none.
func withAndWithoutLimits(t *testing.T, test func(t *testing.T, limits []subprocess.Limit)) {
	t.Run("without limits", func(t *testing.T) { test(t, nil) })
	if limits := someLimits(); limits != nil {
		t.Run("with limits", func(t *testing.T) { test(t, limits) })
	}
}

// Trap 49: the program is started by the caller's thread, and has what has been set up there.
func TestThreadOfTheCaller(t *testing.T) {
	withAndWithoutLimits(t, func(t *testing.T, limits []subprocess.Limit) {
		testutil.NoLeaks(t)
		testutil.Need(t, "nice")
		w, out := pipe(t)
		ours := 0
		onThread(func() {
			before, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 - nice
			check(t, err)
			ours = min(20-before+3, 19)
			check(t, syscall.Setpriority(syscall.PRIO_PROCESS, 0, ours))
			c := subprocess.Command("nice")
			c.Limits = limits
			start(t, c, nil, w)
		})
		if theirs := out.number(); theirs != ours {
			t.Errorf("the thread's niceness is %d, the program's %d", ours, theirs)
		}
	})
}

// blocked returns the set of signals of a /proc/pid/status.
func blocked(status string) uint64 {
	for line := range strings.Lines(status) {
		if hex, ok := strings.CutPrefix(line, "SigBlk:"); ok {
			set, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return set
		}
	}
	return 0
}

func setOf(sig syscall.Signal) uint64 { return 1 << (sig - 1) }

// Trap 50: a signal that the thread blocks is blocked in the program, and no other one, also if it was
// started with limits, for which all are blocked for a moment.
func TestBlockedSignals(t *testing.T) {
	withAndWithoutLimits(t, func(t *testing.T, limits []subprocess.Limit) {
		testutil.NoLeaks(t)
		for _, hold := range []bool{false, true} {
			w, out := pipe(t)
			var ours uint64
			onThread(func() {
				if hold {
					process.HoldSignals()
				}
				status, err := os.ReadFile("/proc/thread-self/status")
				check(t, err)
				ours = blocked(string(status))
				c := subprocess.Command("cat", "/proc/self/status")
				c.Limits = limits
				start(t, c, nil, w)
			})
			w.Close()
			theirs := blocked(out.all())
			if ours != theirs || hold != (theirs&setOf(syscall.SIGUSR1) != 0) {
				t.Errorf("the thread blocks %x, the program %x", ours, theirs)
			}
		}
	})
}

// Trap 50: so is one that was blocked when this process was started. Go unblocks some, as SIGTERM.
func TestBlockedAtStart(t *testing.T) {
	testutil.NoLeaks(t)
	w, out := pipe(t)
	c := self(t, "blocked")
	onThread(func() {
		process.HoldSignals()
		start(t, c, nil, w)
	})
	w.Close()
	set := blocked(out.all())
	if set&setOf(syscall.SIGUSR1) == 0 || set&setOf(syscall.SIGTERM) != 0 {
		t.Errorf("the program blocks %x", set)
	}
}

func init() {
	children["blocked"] = func([]string) error {
		out, err := subprocess.CheckOutput(background, subprocess.Command("cat", "/proc/self/status"))
		fmt.Printf("%s", out)
		return err
	}
}

// Trap 47: the limit of open files is the one that this process was started with, unless somebody has
// called Setrlimit.
func TestLimitOfOpenFiles(t *testing.T) {
	testutil.NoLeaks(t)
	c := self(t, "openfiles")
	c.Args = append([]string{"sh", "-c", `ulimit -Sn 100; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
	_, out := speaking(t, c)
	out.expect("100")
	out.expect("150")
}

func init() {
	children["openfiles"] = func([]string) error {
		for range 2 {
			out, err := subprocess.CheckOutput(background, shell("ulimit -Sn"))
			if err != nil {
				return err
			}
			fmt.Printf("%s", out)
			var limit syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				return err
			}
			limit.Cur = 150
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				return err
			}
		}
		return nil
	}
}

// Trap 51: the program has the groups that it is given and no others, its directory is entered as that user,
// and its environment stays.
func TestCredentialOnly(t *testing.T) {
	needRoot(t)
	needID(t)
	testutil.NoLeaks(t)
	t.Setenv("HOME", "/home/of/ours")
	c := shell(`id -u; id -G; echo $HOME`)
	c.Credential = &syscall.Credential{Uid: 65534, Gid: 65533, Groups: []uint32{65531}}
	p, out := speaking(t, c)
	for _, line := range []string{"65534", "65533 65531", "/home/of/ours"} {
		out.expect(line)
	}
	waitFor(t, p)
	c.Credential.Groups = nil
	p, out = speaking(t, c)
	out.expect("65534")
	out.expect("65533")
	waitFor(t, p)
	c.Dir = t.TempDir()
	check(t, os.Chmod(c.Dir, 0o700))
	_, err := subprocess.Start(background, c)
	wantError(t, err, os.ErrPermission)
	noChildren(t)
}

// Trap 51: without privileges a Credential is refused, even for the same user, and the error says why.
func TestCredentialWithoutPrivileges(t *testing.T) {
	testutil.NoLeaks(t)
	onThread(func() {
		if os.Geteuid() == 0 {
			const nobody = 65534
			if _, _, errno := syscall.Syscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 { // the thread's alone
				t.Error(errno)
				return
			}
		}
		uid, _, _ := syscall.Syscall(syscall.SYS_GETUID, 0, 0, 0)
		c := subprocess.Command("/bin/true")
		c.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(os.Getgid())}
		_, err := subprocess.Start(background, c)
		wantError(t, err, syscall.EPERM)
		wantText(t, err, "start /bin/true", "another user or other groups need privileges")
		c.Credential.NoSetGroups = true
		p, err := subprocess.Start(background, c)
		check(t, err)
		if status := waitFor(t, p); !status.Success() {
			t.Errorf("%+v", status)
		}
		noChildren(t)
	})
}

// Trap 15: a program whose first thread has ended looks as if it had ended itself, and has not.
func TestFirstThreadEnds(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		r, in := blockingPipe(t)
		w, out := pipe(t)
		p := start(t, self(t, "headless"), r, w)
		w.Close()
		out.expect("first thread ends")
		testutil.Await(t, "end of the first thread", func() bool { return isZombie(p.Pid()) })
		for range 3 {
			if p.CollectNow() {
				t.Fatal("it was collected")
			}
		}
		if status, ended := p.Poll(); ended || p.Stopped() {
			t.Errorf("it has ended with %+v, or is stopped", status)
		}
		_, err := in.WriteString("\n")
		check(t, err)
		if status := waitFor(t, p); status.Code != 4 {
			t.Errorf("%+v", status)
		}
	})
}

func init() {
	children["headless"] = func([]string) error {
		go func() {
			_, _ = os.Stdin.Read(make([]byte, 1))
			os.Exit(4)
		}()
		for range 100 { // one of them is on the first thread, as each keeps its own
			go func() {
				runtime.LockOSThread()
				if syscall.Gettid() == os.Getpid() {
					fmt.Println("first thread ends")
					syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0) // of the thread alone
				}
				select {}
			}()
		}
		select {}
	}
}
