package process

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

// use uses processor time until ended.
func use(ended func() bool) {
	for n := 0; !ended(); {
		for range 100_000 {
			n++
		}
	}
}

// A timer counts what this process uses, of its own and no other's, and can be set anew.
func TestCPUTimer(t *testing.T) {
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGXCPU)
	defer signal.Stop(came)
	timer, err := NewCPUTimer(syscall.SIGXCPU)
	if err != nil {
		t.Skip("there are no timers of processor time here:", err)
	}
	const allowed = 20 * time.Millisecond
	before, err := ProcessorTime()
	if err != nil {
		t.Fatal(err)
	}
	if err := timer.Set(time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	if err := timer.Set(allowed, allowed); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again and again
		use(func() bool { return len(came) > 0 })
		<-came
	}
	if err := timer.Set(0, 0); err != nil {
		t.Fatal(err)
	}
	after, err := ProcessorTime()
	if used := after - before; err != nil || used < 2*allowed-time.Millisecond {
		t.Errorf("the signals came after %v (%v)", used, err)
	}
	for len(came) > 0 {
		<-came
	}
	use(func() bool { now, _ := ProcessorTime(); return now > after+3*allowed })
	if len(came) > 0 {
		t.Error("a signal of a timer that is not set")
	}
}

func TestProcessorTimeOf(t *testing.T) {
	own, err := ProcessorTime()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ProcessorTimeOf(os.Getpid())
	if err != nil || read < own-10*time.Millisecond {
		t.Errorf("%v (%v), and before %v", read, err, own)
	}
	child := testutil.Self(t)
	child.Kill()
	child.Wait()
	if _, err := ProcessorTimeOf(child.PID()); err == nil {
		t.Error("a process that is gone uses processor time")
	}
}

// Each way of marking descriptors marks all from the first on, and no other.
func TestCloseOnExecFrom(t *testing.T) {
	isMarked := func(fd int) bool {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
		return flags&syscall.FD_CLOEXEC != 0
	}
	byList := func(first int) error {
		open, err := descriptors()
		for _, fd := range open {
			if fd >= first {
				syscall.CloseOnExec(fd)
			}
		}
		return err
	}
	for name, mark := range map[string]func(int) error{"either": CloseOnExecFrom, "close_range": closeRange, "list": byList} {
		var fds [2]int
		for i := range fds { // without the flag, as cgo code opens them
			fd, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fd)
			fds[i] = fd
		}
		low, high := min(fds[0], fds[1]), max(fds[0], fds[1])
		if err := mark(high); errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) {
			t.Logf("%s: %v", name, err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if isMarked(low) || !isMarked(high) {
			t.Errorf("%s from %d: %d %v, %d %v", name, high, low, isMarked(low), high, isMarked(high))
		}
	}
}

func TestOwnLimit(t *testing.T) {
	soft, hard, err := OwnLimit(syscall.RLIMIT_CORE)
	if err != nil || soft > hard {
		t.Fatal(soft, hard, err)
	}
	if err := SetOwnLimit(syscall.RLIMIT_CORE, 0, hard); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := SetOwnLimit(syscall.RLIMIT_CORE, soft, hard); err != nil {
			t.Error(err)
		}
	}()
	if now, _, err := OwnLimit(syscall.RLIMIT_CORE); now != 0 || err != nil {
		t.Error(now, err)
	}
}
