package main

import (
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

func TestLines(t *testing.T) {
	p := start(t, "-for", "1h", "sh", "-c", `echo one; printf '\033[1mtwo\n'; printf three`)
	said, status := p.Rest()
	if said != "1: one\n2: [1mtwo\n3: three\nthe program has ended after 3 lines\n" || status != 0 || p.Stderr() != "" {
		t.Errorf("it said %q, complained %q and ended with %d", said, p.Stderr(), status)
	}
}

// A program that never ends is ended when the time is over, however few lines there have been.
func TestTimeIsUp(t *testing.T) {
	p := start(t, "-for", "200ms", "sh", "-c", "while echo tick; do sleep 0.01; done")
	said, status := p.Rest()
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last := lines[len(lines)-1]; status != 0 || !strings.HasPrefix(last, "time is up after ") {
		t.Errorf("it said %q, complained %q and ended with %d", said, p.Stderr(), status)
	}
}

func TestFails(t *testing.T) {
	for want, args := range map[string][]string{
		"exit status 3": {"sh", "-c", "echo no such host >&2; exit 3"},
		"no-such-thing": {"no-such-thing"},
	} {
		p := start(t, args...)
		if said, status := p.Rest(); said != "" || status != 1 || !strings.Contains(p.Stderr(), want) {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, p.Stderr(), status)
		}
	}
}

// The program is ended, too, and so is what it has started: they have its output open.
func TestInterrupt(t *testing.T) {
	p := start(t, "-for", "1h", "sh", "-c", "echo ready; sleep 1000 & wait")
	p.After("1: ready")
	p.Interrupt()
	if said := p.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

func TestUsage(t *testing.T) {
	p := testutil.Self(t, "-for", "0s")
	if said, status := p.Rest(); said != "" || status != 2 || !strings.Contains(p.Stderr(), "-for duration") {
		t.Errorf("it said %q, complained %q and ended with %d", said, p.Stderr(), status)
	}
}
