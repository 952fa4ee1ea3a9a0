package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// How many cars are there at a time depends on the machine, but there are never more than spaces.
func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	most := child.After("6 cars have parked, at most ")
	mistake := child.After("a space is given back twice: ")
	rest, status := child.Rest()
	if most > "3 at a time" || !strings.Contains(mistake, "of which 0 are held") || rest != "BoundedSemaphore(3 of 3 free)\n" || status != 0 || child.Stderr() != "" {
		t.Errorf("it printed %q, %q and %q, complained %q and ended with status %d", most, mistake, rest, child.Stderr(), status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-stay", "1h")
	child.Interrupt()
	child.EndedBy(syscall.SIGINT)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-spaces", "0"}, {"-cars", "-1"}, {"3"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-spaces int") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
