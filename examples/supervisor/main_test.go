package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// polite is a program that has something to say when it is stopped.
const polite = "trap 'echo good-bye; exit 3' TERM; echo hello; while :; do sleep 0.01; done"

func start(t *testing.T, args ...string) *testutil.Child {
	t.Helper()
	testutil.Need(t, "sh")
	testutil.NoLeaks(t)
	return testutil.Self(t, args...)
}

// ups reads that the programs are up, in order, each with its hello, and returns their process ids.
func ups(t *testing.T, s *testutil.Child, names ...string) (pids []int) {
	t.Helper()
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name+" | hello"] = true
	}
	for len(wanted) > 0 || len(pids) < len(names) {
		line := s.Line()
		if wanted[line] {
			delete(wanted, line)
			continue
		}
		if len(pids) == len(names) {
			t.Fatalf("it said %q", line)
		}
		number, ok := strings.CutPrefix(line, names[len(pids)]+": running, process ")
		pid, err := strconv.Atoi(number)
		if !ok || err != nil {
			t.Fatalf("it said %q", line)
		}
		pids = append(pids, pid)
	}
	return pids
}

func gone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d: %v", pid, err)
		}
	}
}

// The programs are stopped in the reverse order, each when the one after it has ended, and what they say
// last is printed.
func TestStopsInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := start(t, "a="+polite, "b="+polite, "c="+polite)
		pids := ups(t, s, "a", "b", "c")
		s.Signal(sig)
		var want strings.Builder
		for _, name := range []string{"c", "b", "a"} {
			fmt.Fprintf(&want, "%[1]s: stopping\n%[1]s | good-bye\n%[1]s: stopped, ended with status 3\n", name)
		}
		if said := s.EndedBy(sig); said != want.String() {
			t.Errorf("it said\n%s", said)
		}
		gone(t, pids)
	}
}

// A program that does not end is killed when its time is over, with what it has started.
func TestStubborn(t *testing.T) {
	s := start(t, "-grace", "100ms", "a=trap '' TERM; sleep 1000 & echo $!; echo hello; while :; do sleep 1000; done")
	s.After("a: running, process ")
	child, err := strconv.Atoi(s.After("a | "))
	if err != nil {
		t.Fatal(err)
	}
	s.After("a | hello")
	s.Interrupt()
	if said := s.EndedBy(syscall.SIGINT); said != "a: stopping\na: stopped, ended by the signal killed\n" {
		t.Errorf("it said %q", said)
	}
	testutil.Await(t, "the end of its child", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", child))
		return err != nil || strings.Contains(string(status), "State:\tZ") // nobody may collect it here
	})
}

// A program that ends is started again, after longer and longer pauses, and given up in the end. Then the
// others are stopped.
func TestBackOff(t *testing.T) {
	s := start(t, "-pause", "10ms", "-longest", "30ms", "-ends", "5", "a="+polite, "b=echo oops >&2; exit 7")
	ups(t, s, "a")
	for _, then := range []string{
		"ended with status 7, starts again in 10ms", "ended with status 7, starts again in 20ms",
		"ended with status 7, starts again in 30ms", "ended with status 7, starts again in 30ms", "given up, ended with status 7",
	} {
		s.After("b: running, process ")
		s.After("b | oops")
		if said := s.After("b: "); said != then {
			t.Errorf("it said %q, want %q", said, then)
		}
	}
	if said, status := s.Rest(); said != "a: stopping\na | good-bye\na: stopped, ended with status 3\n" || status != 1 {
		t.Errorf("it said %q, and ended with %d", said, status)
	}
	if want := "b has ended 5 times in a row (the last time: ended with status 7)"; !strings.Contains(s.Stderr(), want) {
		t.Errorf("it complained %q", s.Stderr())
	}
}

// One that is stopped in its pause is not started again.
func TestStoppedInThePause(t *testing.T) {
	s := start(t, "-pause", "1h", "-longest", "1h", "a=kill -9 $$")
	s.After("a: running, process ")
	s.After("a: ended by the signal killed, starts again in 1h0m0s")
	s.Interrupt()
	if said := s.EndedBy(syscall.SIGINT); said != "a: stopped\n" {
		t.Errorf("it said %q", said)
	}
}

// SIGUSR1 asks how the programs are.
func TestStatus(t *testing.T) {
	s := start(t, "-pause", "1h", "-longest", "1h", "a="+polite, "b=exit 2")
	ups(t, s, "a")
	s.After("b: running, process ")
	s.After("b: ended with status 2, starts again in 1h0m0s")
	s.Signal(syscall.SIGUSR1)
	s.After("a: running, process ")
	s.After("b: ended with status 2, starts again in 1h0m0s, for ")
	s.Interrupt()
	_ = s.EndedBy(syscall.SIGINT)
}

// Whatever a program prints, its lines stay lines of text.
func TestOddOutput(t *testing.T) {
	s := start(t, "-pause", "1h", "-longest", "1h", `a=printf '\033[2Jcolour\a\n'; head -c 100000 /dev/zero; printf '\n\nlast'`)
	s.After("a: running, process ")
	for _, want := range []string{"a | [2Jcolour", "a | (a line of 100001 bytes)", "a | ", "a | last"} {
		if line := s.Line(); line != want {
			t.Errorf("it said %q, want %q", line, want)
		}
	}
	s.After("a: ended with status 0")
	s.Interrupt()
	_ = s.EndedBy(syscall.SIGINT)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"a"}, {"=b"}, {"a="}, {"a=b", "a=c"}, {"-pause", "0s", "a=b"}, {"-longest", "1ms", "a=b"}} {
		s := testutil.Self(t, args...)
		if said, status := s.Rest(); said != "" || status != 2 || !strings.Contains(s.Stderr(), "-longest duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, s.Stderr(), status)
		}
	}
}
