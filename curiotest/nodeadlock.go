package curiotest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// NoDeadlock fails the test if tasks wait for each other so that none of them ever goes on. It
// reports which tasks these are, what they wait for, and in which lines. It looks at the tasks of
// ctx's kernel every 50 ms from now on until the test ends: see Kernel.Deadlocks for what is found.
// The tasks of a deadlock are cancelled, so that the test does not hang, except where a shield keeps
// the cancellation out.
//
//	func TestTransfers(t *testing.T) {
//		ctx := curiotest.NoLeaks(t)
//		curiotest.NoDeadlock(t, ctx)
//		…
//	}
//
// In a testing/synctest bubble call it inside the bubble.
func NoDeadlock(t testing.TB, ctx context.Context) {
	t.Helper()
	kernel := curio.KernelOf(ctx)
	looking, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		told := make(map[string]bool) // a task in a shield stays in its deadlock
		for curio.Sleep(looking, lookEvery) == nil {
			for _, d := range kernel.Deadlocks() {
				id := identity(d)
				if told[id] {
					continue
				}
				told[id] = true
				t.Errorf("deadlock:\n%s", withLines(d))
				for _, s := range d.Circle {
					s.Task.CancelNow(errors.New("deadlock, found by curiotest.NoDeadlock"))
				}
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-over
	})
}

const lookEvery = 50 * time.Millisecond

// identity tells d from others: its tasks, and which of their waits.
func identity(d curio.Deadlock) string {
	var b strings.Builder
	for _, s := range d.Circle {
		fmt.Fprint(&b, s.Task.ID(), ":", s.Task.Cycles(), " ")
	}
	return b.String()
}

// withLines has a line for each task of d.
func withLines(d curio.Deadlock) string {
	var b strings.Builder
	for _, s := range d.Circle {
		fmt.Fprintf(&b, "\t%v", s)
		if file, line := s.Task.Where(); file != "" {
			fmt.Fprintf(&b, "\n\t\tat %s:%d", file, line)
		}
		b.WriteByte('\n')
	}
	if d.Behind > 0 {
		fmt.Fprintf(&b, "\t%d more wait for these\n", d.Behind)
	}
	return b.String()
}
