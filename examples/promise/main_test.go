package main

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

const said = `kept: ["a cake" "a cake"], and later "a cake"
broken: ["the cake is burnt" "the cake is burnt"], and later "the cake is burnt"
dropped: ["the baker has left" "the baker has left"], and later "the baker has left"
`

// In virtual time. On a busy machine any of the bakers may be sent home.
func TestBakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		err := curio.Run(t.Context(), func(ctx context.Context) error { return run(ctx, &out, time.Hour) })
		if err != nil || out.String() != said {
			t.Errorf("%v: it printed %q", err, out.String())
		}
	})
}

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-pace", "20ms")
	if printed, status := child.Rest(); !strings.HasSuffix(printed, "and later \"the baker has left\"\n") || status != 0 {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-pace", "1h")
	child.Interrupt()
	child.EndedBy(syscall.SIGINT) // also before it has begun
}

func TestUsage(t *testing.T) {
	c := testutil.Self(t, "cake")
	if printed, status := c.Rest(); printed != "" || status != 2 || c.Stderr() == "" {
		t.Errorf("it printed %q, complained %q and ended with %d", printed, c.Stderr(), status)
	}
}
