package main

import (
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	const want = "20 answers over at most 3 connections: true\nPool(0 of 3 open, 0 idle)\n"
	if printed, status := child.Rest(); printed != want || status != 0 {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}
