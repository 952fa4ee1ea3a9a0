package main

import (
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

const contended = `the impatient goroutine: curio: timed out after 10ms
held by task keeper
waiting in LOCK_ACQUIRE is a goroutine that is no task
waiting in LOCK_ACQUIRE is task worker
`

const released = `the patient goroutine has the lock
the worker has the lock
`

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	if printed, status := child.Rest(); printed != contended+released || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

// The goroutine that is no task gets the lock all the same; the worker does not.
func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-hold", "1h")
	for range 4 {
		child.Line()
	}
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "the patient goroutine has the lock\n" {
		t.Errorf("it said %q", said)
	}
}
