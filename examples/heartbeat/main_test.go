package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T, args ...string) *testutil.Child {
	t.Helper()
	testutil.Need(t, "sh")
	testutil.NoLeaks(t)
	return testutil.Self(t, args...)
}

var stamp = regexp.MustCompile(`(?m)^ *\d+\.\d{3}s  `)

// All lines are printed, also one that lacks its end, and then how the program has ended.
func TestLines(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{"echo one; echo two >&2; printf three", "+one\n+two\n+three\nthe program has ended: exit status 0\n"},
		{"exit 3", "the program has ended: exit status 3\n"},
		{"kill -9 $$", "the program has ended: signal: killed\n"},
		{`printf '\033[1mbold\n'; head -c 5000 /dev/zero; printf '\nlast\n'`, "+[1mbold\n+(a line of 5001 bytes)\n+last\nthe program has ended: exit status 0\n"},
	} {
		h := start(t, "-within", "1h", "sh", "-c", c.script)
		said, status := h.Rest()
		if said = stamp.ReplaceAllString(said, "+"); said != c.want || status != 0 || h.Stderr() != "" {
			t.Errorf("%s: it said %q, complained %q and ended with %d", c.script, said, h.Stderr(), status)
		}
	}
}

// The program is ended when it is silent for too long. What it has said of a line is not lost.
func TestSilence(t *testing.T) {
	h := start(t, "-within", "20ms", "-misses", "3", "sh", "-c", "printf begun; trap 'echo , and finished; exit 1' TERM; while :; do sleep 0.01; done")
	said, status := h.Rest()
	if said != "no line for 20ms\nno line for 40ms\nno line for 60ms\n" || status != 1 || !strings.Contains(h.Stderr(), errSilent.Error()) {
		t.Errorf("it said %q, complained %q and ended with %d", said, h.Stderr(), status)
	}
	// A line that comes in two pieces, with many timeouts between them.
	h = start(t, "-within", "10ms", "-misses", "1000000", "sh", "-c", "printf begun; sleep 0.1; echo , and finished")
	for line := h.Line(); !strings.HasPrefix(line, "the program has ended"); line = h.Line() {
		if !strings.HasPrefix(line, "no line for ") && !strings.HasSuffix(line, "s  begun, and finished") {
			t.Errorf("it said %q", line)
		}
	}
	if status := h.Wait(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
}

// A program whose output goes through its C library is silent on a pipe, and not on a terminal.
func TestBuffered(t *testing.T) {
	testutil.Need(t, "tr")
	const script = "(echo hello; exec sleep 1000) | tr a-z A-Z"
	h := start(t, "-within", "100ms", "-misses", "2", "sh", "-c", script)
	if said, status := h.Rest(); said != "no line for 100ms\nno line for 200ms\n" || status != 1 {
		t.Errorf("on a pipe it said %q and ended with %d", said, status)
	}
	h = start(t, "-within", "1h", "-pty", "sh", "-c", script)
	if line := h.Line(); stamp.ReplaceAllString(line, "+") != "+HELLO" {
		t.Errorf("on a terminal it said %q", line)
	}
	h.Interrupt()
	if said := h.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// On a terminal the lines are the same, and the output ends when the program does.
func TestTerminal(t *testing.T) {
	h := start(t, "-within", "1h", "-pty", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo a terminal; echo two")
	said, status := h.Rest()
	if said = stamp.ReplaceAllString(said, "+"); said != "+a terminal\n+two\nthe program has ended: exit status 0\n" || status != 0 {
		t.Errorf("it said %q, complained %q and ended with %d", said, h.Stderr(), status)
	}
}

func TestInterrupt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		h := start(t, "-within", "1h", "sh", "-c", "echo $$; exec sleep 1000")
		pid := processID(t, h)
		h.Signal(sig)
		if said := h.EndedBy(sig); said != "" {
			t.Errorf("it said %q", said)
		}
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("after %v its program: %v", sig, err)
		}
	}
}

// processID reads the line in which the program says that.
func processID(t *testing.T, h *testutil.Child) int {
	t.Helper()
	_, line, _ := strings.Cut(h.Line(), "s  ")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// When nobody reads what it prints any more, it ends the program, and does not leave it behind.
func TestNobodyReads(t *testing.T) {
	testutil.Need(t, "sh")
	dir := t.TempDir()
	h := testutil.Shell(t, "sh", fmt.Sprintf(`{ "$0" "$@"; echo status $? >&2; } | { read line; exec <&-; echo "$line"; : > %s/go; }`, dir),
		"-within", "1h", "sh", "-c", fmt.Sprintf("echo $$; while ! test -e %s/go; do sleep 0.01; done; echo hello; exec sleep 1000", dir))
	pid := processID(t, h)
	if h.Wait() != 0 || h.Stderr() != "write /dev/stdout: broken pipe\nstatus 1\n" {
		t.Errorf("it complained %q", h.Stderr())
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("its program: %v", err)
	}
}

func TestNoSuchProgram(t *testing.T) {
	h := testutil.Self(t, "/nowhere/program")
	if said, status := h.Rest(); said != "" || status != 1 || !strings.Contains(h.Stderr(), "/nowhere/program: no such file") {
		t.Errorf("it said %q, complained %q and ended with %d", said, h.Stderr(), status)
	}
	for _, args := range [][]string{{}, {"-within", "0s", "true"}, {"-misses", "0", "true"}} {
		h := testutil.Self(t, args...)
		if said, status := h.Rest(); said != "" || status != 2 || !strings.Contains(h.Stderr(), "-within duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, h.Stderr(), status)
		}
	}
}
