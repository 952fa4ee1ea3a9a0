package main

import (
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	child.After("crawling from http://127.0.0.1:")
	if printed, status := child.Rest(); printed != "found 99 pages, and 1 that did not answer in time\n" || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-timeout", "1h")
	child.After("crawling from http://127.0.0.1:")
	began := time.Now()
	child.Interrupt()
	printed, status := child.Rest()
	if said := printed + child.Stderr(); status != 0 || said != "" || time.Since(began) > time.Second {
		t.Errorf("it said %q and ended with status %d after %v", said, status, time.Since(began))
	}
}
