package main

import (
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

const waiting = `held by auditor
Ann is in KEY_ACQUIRE
Bob is in KEY_ACQUIRE
Cid pays into current
`

const paid = `in time: curio: timed out after 10ms
Ann pays into savings
Bob pays into savings
`

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	printed, status := child.Rest()
	if printed != waiting+paid || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-hold", "1h")
	for range 4 {
		child.Line()
	}
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}
