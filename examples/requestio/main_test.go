package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// Only the silent page is late, however slow the machine is: the others may take much longer than they need.
func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-timeout", "3s")
	child.After("asking http://127.0.0.1:")
	const want = "/news: this is the page \"news\"\n/silent: no answer in time\n/weather: this is the page \"weather\"\n"
	if printed, status := child.Rest(); printed != want || status != 0 {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}

// The call of the library is given up, and does not keep the program.
func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-timeout", "1h")
	child.After("asking http://127.0.0.1:")
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-timeout", "0s"}, {"-callers", "0"}, {"/news"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-callers int") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
