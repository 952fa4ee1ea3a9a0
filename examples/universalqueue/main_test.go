package main

import (
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

const said = `the loop says: 1 squared is 1
the loop says: 2 squared is 4
the loop says: 3 squared is 9
`

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	if printed, status := child.Rest(); printed != said || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-pause", "1h")
	child.After("the loop says: ")
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}
