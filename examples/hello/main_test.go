package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

const (
	plays = `kid: can I play?
kid: wha!?!
kid: can I play?
kid: wha!?!
kid: can I play?
parent: yes, go play
kid: building a castle
parent: let's go
parent: we are leaving!
`
	leaves = `kid: fine, it is time to leave
kid: my work is saved
parent: we have left
`
)

// In virtual time, everything is said at its time, and only the friends may go home in any order.
func TestFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		begun := time.Now()
		f := &family{out: &out, pace: 4 * time.Second}
		if err := curio.Run(t.Context(), func(ctx context.Context) error { return f.run(ctx) }); err != nil {
			t.Error(err)
		}
		said, ok := strings.CutPrefix(out.String(), plays)
		lines := strings.SplitAfter(said, "\n")
		if !ok || len(lines) < 3 {
			t.Fatalf("it said %q", out.String())
		}
		slices.Sort(lines[:2])
		if said := strings.Join(lines, ""); said != "Lillian: going home\nMax: going home\n"+leaves {
			t.Errorf("then it said %q", said)
		}
		if took := time.Since(begun); took != 10*time.Second+8*time.Second+8*time.Second+time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// How often the kid asks depends on the machine. How it ends does not.
func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-pace", "20ms")
	if printed, status := child.Rest(); !strings.HasSuffix(printed, "\nparent: we have left\n") || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-pace", "1h")
	child.After("kid: can I play?")
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-pace", "0s"}, {"now"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-pace duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
