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
const polite = "exec 2>/dev/null; trap 'echo good-bye; exit 3' TERM; echo hello; while :; do sleep 0.01; done"

// A supervisor is the program, whose lines are taken apart by whom they are about.
type supervisor struct {
	*testutil.Child
	t     *testing.T
	lines map[string][]string
}

func start(t *testing.T, args ...string) *supervisor {
	t.Helper()
	testutil.Need(t, "sh")
	testutil.NoLeaks(t)
	return &supervisor{testutil.Self(t, args...), t, make(map[string][]string)}
}

// says checks that the next line about a program begins with want, and returns the rest of it.
func (s *supervisor) says(name, want string) (rest string) {
	s.t.Helper()
	for len(s.lines[name]) == 0 {
		line := s.Line()
		who := line[:strings.IndexAny(line+":", ":| ")]
		s.lines[who] = append(s.lines[who], line[len(who):])
	}
	line := s.lines[name][0]
	s.lines[name] = s.lines[name][1:]
	rest, ok := strings.CutPrefix(line, want)
	if !ok {
		s.t.Fatalf("it said %q of %s, want %q", line, name, want)
	}
	return rest
}

// pid reads that a program is started, and returns its process id.
func (s *supervisor) pid(name string) int {
	s.t.Helper()
	pid, err := strconv.Atoi(s.says(name, ": running, process "))
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
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
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		s := start(t, "a="+polite, "b="+polite, "c="+polite)
		var pids []int
		for _, name := range []string{"a", "b", "c"} {
			pids = append(pids, s.pid(name))
			s.says(name, " | hello")
		}
		s.Signal(sig)
		var want strings.Builder
		for _, name := range []string{"c", "b", "a"} {
			fmt.Fprintf(&want, "%[1]s: stopping\n%[1]s | good-bye\n%[1]s: stopped, exit status 3\n", name)
		}
		if said := s.EndedBy(sig); said != want.String() {
			t.Errorf("it said\n%s", said)
		}
		gone(t, pids)
	}
}

// A program that does not end is killed when its time is over, with what it has started.
func TestStubborn(t *testing.T) {
	s := start(t, "-grace", "100ms", "a=trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1000; done")
	s.pid("a")
	child, err := strconv.Atoi(s.says("a", " | "))
	if err != nil {
		t.Fatal(err)
	}
	s.Interrupt()
	if said := s.EndedBy(syscall.SIGINT); said != "a: stopping\na: stopped, signal: killed\n" {
		t.Errorf("it said %q", said)
	}
	testutil.Await(t, "the end of its child", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", child))
		return err != nil || strings.Contains(string(status), "State:\tZ") // nobody may collect it here
	})
}

// A program that ends is started again, after longer and longer pauses, and finally given up. Then the
// others are stopped.
func TestBackOff(t *testing.T) {
	s := start(t, "-pause", "10ms", "-longest", "30ms", "-ends", "5", "a="+polite, "b=echo oops >&2; exit 7")
	s.pid("a")
	s.says("a", " | hello")
	for _, then := range []string{
		"exit status 7, starts again in 10ms", "exit status 7, starts again in 20ms",
		"exit status 7, starts again in 30ms", "exit status 7, starts again in 30ms", "given up, exit status 7",
	} {
		s.pid("b")
		s.says("b", " | oops")
		if more := s.says("b", ": "+then); more != "" {
			t.Errorf("it said %q too", more)
		}
	}
	s.says("a", ": stopping")
	s.says("a", " | good-bye")
	s.says("a", ": stopped, exit status 3")
	if said, status := s.Rest(); said != "" || status != 1 {
		t.Errorf("it said %q, and ended with %d", said, status)
	}
	if want := "b has ended 5 times in a row (the last time: exit status 7)"; !strings.Contains(s.Stderr(), want) {
		t.Errorf("it complained %q", s.Stderr())
	}
}

// A program that has run for long enough begins with the first pause again.
func TestSteady(t *testing.T) {
	s := start(t, "-pause", "1ms", "-longest", "1h", "-steady", "1ns", "-ends", "2", "a=exit 7")
	for range 5 {
		s.pid("a")
		if more := s.says("a", ": exit status 7, starts again in 1ms"); more != "" {
			t.Errorf("it said %q too", more)
		}
	}
	s.Interrupt()
	_ = s.EndedBy(syscall.SIGINT)
}

// One that is stopped in its pause is not started again.
func TestStoppedInThePause(t *testing.T) {
	s := start(t, "-pause", "1h", "-longest", "1h", "a=kill -9 $$")
	s.pid("a")
	s.says("a", ": signal: killed, starts again in 1h0m0s")
	s.Interrupt()
	if said := s.EndedBy(syscall.SIGINT); said != "a: stopped\n" {
		t.Errorf("it said %q", said)
	}
}

// SIGUSR1 asks how the programs are.
func TestStatus(t *testing.T) {
	s := start(t, "-pause", "1h", "-longest", "1h", "a="+polite, "b=exit 2")
	a := s.pid("a")
	s.says("a", " | hello")
	s.pid("b")
	s.says("b", ": exit status 2, starts again in 1h0m0s")
	s.Signal(syscall.SIGUSR1)
	s.says("a", fmt.Sprintf(": running, process %d, for ", a))
	s.says("b", ": exit status 2, starts again in 1h0m0s, for ")
	s.Interrupt()
	_ = s.EndedBy(syscall.SIGINT)
}

// Whatever a program prints, its lines stay lines of text.
func TestOddOutput(t *testing.T) {
	s := start(t, "-pause", "1h", "-longest", "1h", `a=printf '\033[2Jcolour\a\n'; head -c 100000 /dev/zero; printf '\n\nlast'`)
	s.pid("a")
	for _, want := range []string{" | [2Jcolour", " | (a line of 100001 bytes)", " | ", " | last"} {
		if more := s.says("a", want); more != "" {
			t.Errorf("after %q it said %q", want, more)
		}
	}
	s.says("a", ": exit status 0")
	s.Interrupt()
	_ = s.EndedBy(syscall.SIGINT)
}

// When nobody reads what it prints any more, it stops the programs, and does not leave them behind.
func TestNobodyReads(t *testing.T) {
	testutil.Need(t, "sh")
	dir := t.TempDir()
	c := testutil.Shell(t, "sh", fmt.Sprintf(`{ "$0" "$@"; echo status $? >&2; } | { read line; exec <&-; echo "$line"; : > %s/go; }`, dir),
		fmt.Sprintf("a=while ! test -e %s/go; do sleep 0.01; done; echo hello; exec sleep 1000", dir))
	pid, err := strconv.Atoi(c.After("a: running, process "))
	if err != nil {
		t.Fatal(err)
	}
	if c.Wait() != 0 || !strings.HasSuffix(c.Stderr(), "write /dev/stdout: broken pipe\nstatus 1\n") {
		t.Errorf("it complained %q", c.Stderr())
	}
	gone(t, []int{pid})
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"a"}, {"=b"}, {"a="}, {"a=b", "a=c"}, {"-pause", "0s", "a=b"}, {"-longest", "1ms", "a=b"}} {
		s := testutil.Self(t, args...)
		if said, status := s.Rest(); said != "" || status != 2 || !strings.Contains(s.Stderr(), "-longest duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, s.Stderr(), status)
		}
	}
}
