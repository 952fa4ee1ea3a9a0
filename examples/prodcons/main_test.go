package main

import (
	"bytes"
	"context"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

const (
	full = "the queue is full with 5 items: here come the consumers\n"
	done = "3 producers put a sum of 135, 4 consumers took a sum of 135\n"
)

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	if printed, status := child.Rest(); printed != full+done || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-pace", "1h")
	child.After("the queue is full")
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// 30 items, 4 at a time, are 8 turns.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		began := time.Now()
		err := curio.Run(t.Context(), func(ctx context.Context) error { return run(ctx, &out, time.Hour) })
		if took := time.Since(began); err != nil || took != 8*time.Hour || out.String() != full+done {
			t.Errorf("%v after %v: %q", err, took, out.String())
		}
	})
}
