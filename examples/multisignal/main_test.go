package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// all is what is said of one signal, in alphabetical order.
const all = "a goroutine got: user defined signal 1|a task got: user defined signal 1|a task of another kernel got: user defined signal 1"

// one sends a signal and waits until it has arrived everywhere.
func one(t *testing.T, child *testutil.Child) {
	t.Helper()
	child.Signal(syscall.SIGUSR1)
	lines := []string{child.Line(), child.Line(), child.Line()}
	slices.Sort(lines)
	if said := strings.Join(lines, "|"); said != all {
		t.Errorf("it said %q", said)
	}
}

func TestSignals(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	child.After("waiting for SIGUSR1 in process ")
	one(t, child)
	one(t, child)
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

func TestSomeSignals(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-n", "2")
	child.After("waiting for SIGUSR1 in process ")
	one(t, child)
	one(t, child)
	if said, status := child.Rest(); said != "" || status != 0 {
		t.Errorf("it said %q and ended with %d", said, status)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-n", "-1"}, {"2"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-n int") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
