package main

import (
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	const want = "1000 of 1000 replies are right\none that takes long: curio: timed out after 1ms\nAND THE NEXT: <nil>\n"
	if printed, status := child.Rest(); printed != want || status != 0 {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}
