package subprocess_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// uncollected starts a program whose status our own code does not collect before the channel is closed.
func uncollected(t *testing.T) (p *subprocess.Process, collected chan struct{}) {
	t.Helper()
	collected = make(chan struct{})
	subprocess.Inject(t, func(step string) error {
		if step == "collect" {
			<-collected
		}
		return nil
	})
	return start(t, shell("exit 3")), collected
}

// Somebody else in this process has collected the status: all are told that it is unknown, and nobody
// hangs.
func TestForeignWait(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p, collected := uncollected(t)
		for {
			pid, err := syscall.Wait4(-1, nil, 0, nil)
			if err == syscall.EINTR {
				continue
			}
			if pid != p.Pid() || err != nil {
				t.Errorf("wait4: %d, %v", pid, err)
			}
			break
		}
		close(collected)
		status := waitFor(t, p)
		if !status.Unknown || status.Code != -1 || status.Signal != nil || status.Success() {
			t.Errorf("%+v", status)
		}
		wantError(t, p.Kill(), os.ErrProcessDone)
	})
}

// Before our own look, but after somebody else has collected the status, no signal goes to the number.
func TestSignalAfterForeignWait(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p, collected := uncollected(t)
		for {
			if _, err := syscall.Wait4(p.Pid(), nil, 0, nil); err != syscall.EINTR {
				check(t, err)
				break
			}
		}
		wantError(t, p.Kill(), os.ErrProcessDone)
		check(t, p.Close()) // to the group, too
		close(collected)
		if !waitFor(t, p).Unknown {
			t.Error("the status is known")
		}
	})
}

// With SIGCHLD ignored the system throws the status away.
func TestSIGCHLDIgnored(t *testing.T) {
	for _, way := range subprocess.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			c := testutil.Self(t, "ignoring", way.Name)
			if out, status := c.Rest(); status != 0 || out != "unknown\n" {
				t.Errorf("%q, status %d: %s", out, status, c.Stderr())
			}
		})
	}
}

func init() {
	children["ignoring"] = func(args []string) error {
		use(args[0])
		keeper, err := subprocess.Start(background, subprocess.Command("/bin/sleep", "1000"))
		if err != nil {
			return err
		}
		first, err := subprocess.Start(background, shell("exit 3"))
		if err != nil {
			return err
		}
		if status, err := first.Wait(background); err != nil || status.Code != 3 {
			return fmt.Errorf("before: %+v, %v", status, err)
		}
		signal.Ignore(syscall.SIGCHLD)
		c := subprocess.Command("/bin/sleep", "1000")
		c.Grace = long
		for _, end := range []func(p *subprocess.Process) (subprocess.ExitStatus, error){
			func(p *subprocess.Process) (subprocess.ExitStatus, error) {
				return subprocess.ExitStatus{}, p.Kill()
			},
			func(p *subprocess.Process) (subprocess.ExitStatus, error) { return p.Stop(background) },
		} {
			p, err := subprocess.Start(background, c)
			if err != nil {
				return err
			}
			if _, err := end(p); err != nil {
				return err
			}
			if status, err := p.Wait(background); err != nil || !status.Unknown {
				return fmt.Errorf("%+v, %v", status, err)
			}
			if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
				return err
			}
		}
		fmt.Println("unknown")
		return keeper.Close()
	}
}

// A process id that is used again gets no signal, even if other code has reaped its first owner. In a process id
// namespace of its own, the next number can be chosen.
func TestNumberUsedAgain(t *testing.T) {
	needRoot(t)
	for _, way := range subprocess.Ways() {
		for _, child := range []string{"again", "againforeign"} {
			t.Run(way.Name+" "+child, func(t *testing.T) { spared(t, child, way.Name) })
		}
	}
}

// spared runs a child in a namespace, which says whether the second process was spared.
func spared(t *testing.T, child, way string) {
	program, err := os.Executable()
	check(t, err)
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	cmd := exec.Command(program, child, way)
	cmd.Env = append(os.Environ(), "CURIO_TEST_CHILD=1")
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	switch text := string(out); {
	case strings.HasPrefix(text, "skip: "):
		t.Skip(text)
	case errors.Is(err, syscall.EPERM):
		t.Skipf("no namespaces here: %v", err)
	case err != nil || text != "spared\n":
		t.Errorf("%q, %v", text, err)
	}
}

func init() {
	// The first process is collected by somebody else, and the second one is nobody's child that we know.
	children["againforeign"] = func(args []string) error {
		use(args[0])
		never := func(step string) error {
			if step == "collect" {
				select {}
			}
			return nil
		}
		for range 20 {
			subprocess.InjectNone()
			r, in := blockingPipe(&outside{})
			w, out := pipe(&outside{})
			_, err := subprocess.Start(background, shell("read line; sleep 1000 >/dev/null 2>&1 & echo $!; wait $!; echo ended with $?"), r, w)
			if err != nil {
				return err
			}
			subprocess.Inject(&outside{}, never)
			first, err := subprocess.Start(background, shell("exit 0"))
			if err != nil {
				return err
			}
			for {
				if _, err := syscall.Wait4(first.Pid(), nil, 0, nil); err == nil {
					break
				} else if err != syscall.EINTR {
					return err
				}
			}
			if err := setLastPid(first.Pid() - 1); err != nil {
				fmt.Println(err)
				return nil
			}
			if _, err := in.WriteString("\n"); err != nil {
				return err
			}
			if second := out.number(); second != first.Pid() {
				if err := syscall.Kill(second, syscall.SIGTERM); err != nil {
					return err
				}
				continue
			}
			if err := first.Kill(); !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("Kill: %v", err)
			}
			if err := first.Close(); err != nil {
				return fmt.Errorf("Close: %v", err)
			}
			if err := syscall.Kill(first.Pid(), syscall.SIGUSR1); err != nil {
				return err
			}
			if end := out.line(); end != "ended with 138" {
				return fmt.Errorf("the second process %s", end)
			}
			fmt.Println("spared")
			return nil
		}
		return errors.New("the number does not come again")
	}
}

func setLastPid(pid int) error {
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Append(nil, pid), 0); err != nil {
		return fmt.Errorf("skip: %w", err)
	}
	return nil
}

func init() {
	children["again"] = func(args []string) error {
		use(args[0])
		first, second, err := sameNumber()
		if err != nil {
			fmt.Println(err)
			return nil
		}
		for name, err := range map[string]error{
			"Kill": first.Kill(), "Terminate": first.Terminate(), "SendSignal": first.SendSignal(syscall.SIGKILL),
		} {
			if !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("%s: %v", name, err)
			}
		}
		if _, err := first.Stop(background); err != nil {
			return err
		}
		if err := first.Close(); err != nil {
			return err
		}
		status, err := second.Stop(background)
		if err != nil || status.Signal != syscall.SIGUSR1 {
			return fmt.Errorf("the second process has ended with %+v, %v", status, err)
		}
		fmt.Println("spared")
		return nil
	}
}

// sameNumber starts two programs one after the other that have the same process id. The error begins with
// "skip: " where that is not possible.
func sameNumber() (first, second *subprocess.Process, err error) {
	for range 20 { // a thread of ours may take the number, and keep it
		if first, err = subprocess.Start(background, shell("exit 0")); err != nil {
			return nil, nil, err
		}
		if _, err := first.Wait(background); err != nil {
			return nil, nil, err
		}
		if err := setLastPid(first.Pid() - 1); err != nil {
			return nil, nil, err
		}
		c := shell("exec sleep 1000")
		c.StopSignal = syscall.SIGUSR1
		if second, err = subprocess.Start(background, c); err != nil {
			return nil, nil, err
		}
		if second.Pid() == first.Pid() {
			return first, second, nil
		}
		if _, err := second.Stop(background); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, errors.New("the number does not come again")
}

// A child that this process traces itself, and that is stopped, has not ended, and what it says to its
// tracer is not taken away.
func TestTracedByUs(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		runtime.LockOSThread() // this thread is the tracer
		defer runtime.UnlockOSThread()
		p := start(t, shell("read line"), stdin(t, nil))
		if err := syscall.PtraceAttach(p.Pid()); err != nil {
			t.Skipf("nobody may trace here: %v", err)
		}
		testutil.Await(t, "stop", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
			check(t, err)
			state, _ := subprocess.ParseStat(stat)
			return state == 't'
		})
		for range 3 {
			if p.CollectNow() {
				t.Fatal("it has ended")
			}
		}
		var status syscall.WaitStatus
		_, err := syscall.Wait4(p.Pid(), &status, syscall.WNOHANG, nil)
		check(t, err)
		if !status.Stopped() {
			t.Errorf("the tracer is told %#x", status)
		}
		check(t, p.Kill())
		if status := waitFor(t, p); status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
	})
}
