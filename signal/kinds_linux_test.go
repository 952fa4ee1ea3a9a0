package signal_test

import (
	"fmt"
	"os"
	ossignal "os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

// Real-time signals are no queue either: of many some arrive, and after them the next one.
func TestRealTimeSignals(t *testing.T) {
	testutil.NoLeaks(t)
	const realTime = syscall.Signal(40)
	q := signal.NewQueue(realTime)
	defer q.Close()
	if got := q.String(); got != "signal.Queue(signal 40)" {
		t.Errorf("it is %s", got)
	}
	for range 1000 {
		raise(realTime)
	}
	for range 3 { // what is left of them, and what comes after that
		if sig, err := q.Get(background); sig != realTime || err != nil {
			t.Errorf("%v, %v", sig, err)
		}
		raise(realTime)
	}
}

// The runtime's own signal arrives if somebody names it, and the child's.
func TestNoisySignals(t *testing.T) {
	testutil.NoLeaks(t)
	testutil.Need(t, "true")
	urgent, child := signal.NewQueue(syscall.SIGURG), signal.NewQueue(syscall.SIGCHLD)
	defer urgent.Close()
	defer child.Close()
	raise(syscall.SIGURG)
	if sig, err := urgent.Get(background); sig != syscall.SIGURG || err != nil {
		t.Errorf("%v, %v", sig, err)
	}
	if err := testutil.Command(t, "true").Run(); err != nil {
		t.Error(err) // nobody has taken its status
	}
	if sig, err := child.Get(background); sig != syscall.SIGCHLD || err != nil {
		t.Errorf("%v, %v", sig, err)
	}
}

// Ignore takes nothing from package os/signal, neither while it lasts nor at its end.
func TestIgnoreTakesNothing(t *testing.T) {
	testutil.NoLeaks(t)
	foreign := make(chan os.Signal, 1)
	ossignal.Notify(foreign, syscall.SIGUSR2)
	defer ossignal.Stop(foreign)
	restore := signal.Ignore(syscall.SIGUSR2)
	raise(syscall.SIGUSR2)
	testutil.Receive(t, "the signal in the stretch", foreign)
	restore()
	raise(syscall.SIGUSR2)
	testutil.Receive(t, "the signal after it", foreign)
	if ossignal.Ignored(syscall.SIGUSR2) || ignored(syscall.SIGUSR2) {
		t.Error("it is ignored")
	}
}

func init() {
	children["suspends"] = func() {
		q := signal.NewQueue(syscall.SIGTSTP)
		fmt.Println("ready")
		for {
			_, err := q.Get(background)
			fmt.Println("tidy", err)
			raise(syscall.SIGSTOP)
			fmt.Println("back")
		}
	}
}

// A program that wants to know of Ctrl-Z can stop all the same.
func TestSuspend(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "suspends")
	child.After("ready")
	for range 2 {
		child.Signal(syscall.SIGTSTP)
		child.After("tidy <nil>")
		testutil.Await(t, "a stopped process", func() bool {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", child.PID()))
			return err == nil && strings.Contains(string(status), "State:\tT")
		})
		child.Signal(syscall.SIGCONT)
		child.After("back")
	}
	child.Kill()
}
