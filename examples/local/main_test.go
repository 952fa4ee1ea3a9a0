package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// Jobs run at the same time. What each has logged is complete and in order.
func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-jobs", "5")
	printed, status := child.Rest()
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	if status != 0 || len(lines) != 17 || lines[0] != "no job: starting" || lines[16] != "no job: all jobs are done" {
		t.Fatalf("it printed %q and ended with status %d", printed, status)
	}
	for n := 1; n <= 5; n++ {
		mine := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			return !strings.HasPrefix(line, fmt.Sprint("job ", n))
		})
		if want := fmt.Sprintf("job %[1]d: began|job %[1]d, helper: helped|job %[1]d: ended", n); strings.Join(mine, "|") != want {
			t.Errorf("job %d logged %q", n, mine)
		}
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-jobs", "1", "-pace", "1h")
	child.After("no job: starting")
	child.After("job 1: began")
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// The variable of the task that calls run stays as it was.
func TestCaller(t *testing.T) {
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		job.Set(ctx, "test")
		var out bytes.Buffer
		err := run(ctx, &out, 1, 0)
		if want := "test: starting\njob 1: began\njob 1, helper: helped\njob 1: ended\ntest: all jobs are done\n"; out.String() != want {
			t.Errorf("logged %q", out.String())
		}
		if name, _ := job.Get(ctx); name != "test" {
			t.Errorf("the caller is in %q", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-jobs", "0"}, {"3"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-jobs int") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
