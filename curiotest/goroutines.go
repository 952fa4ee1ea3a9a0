package curiotest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"
)

// Goroutines are known by a label for the profiler, which a goroutine inherits from the one that
// starts it. So the goroutines of tests that run in parallel are told apart.

const labelKey = "curiotest"

var marks atomic.Uint64

// newMark is a value for the label that no other environment has.
func newMark() string { return fmt.Sprint(marks.Add(1)) }

// label calls f with the environment's label on the goroutine. It is in f's context as
// well, so that a user who sets labels with a context of ours keeps it.
func (e *environment) label(f func(context.Context)) {
	pprof.Do(e.ctx, pprof.Labels(labelKey, e.mark), f)
}

// leftGoroutines waits for the goroutines with a label to end, and describes those that
// do not.
func leftGoroutines(mark string, grace time.Duration) (left []string) {
	eventually(grace, func() bool {
		left = goroutines(mark)
		return len(left) == 0
	})
	return left
}

// goroutines describes the goroutines with a label. It stops the program for a moment.
func goroutines(mark string) (found []string) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return nil // a buffer does not fail
	}
	label := fmt.Sprintf("%q:%q", labelKey, mark)
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		labels := strings.Index(group, "# labels: ")
		if labels < 0 {
			continue
		}
		line, stack, _ := strings.Cut(group[labels:], "\n")
		if !strings.Contains(line, label) || isForAll(stack) {
			continue
		}
		stack = readable(stack)
		count, _, _ := strings.Cut(group, " @ ")
		count = count[strings.LastIndexByte(count, '\n')+1:]
		if count == "1" {
			found = append(found, "a goroutine is left:\n"+stack)
		} else {
			found = append(found, count+" goroutines are left:\n"+stack)
		}
	}
	return found
}

// readable is a stack of a profile with a line for each call: its function and place.
func readable(stack string) string {
	var b strings.Builder
	for line := range strings.Lines(stack) {
		if call := strings.Fields(line); len(call) == 4 { // "#", address, function+offset, place
			function, _, _ := strings.Cut(call[2], "+0x")
			fmt.Fprintf(&b, "%s at %s\n", function, call[3])
		}
	}
	return b.String()
}

// isForAll reports whether a stack is of a goroutine that serves the whole process from its first
// use on, whichever goroutine that was in.
func isForAll(stack string) bool {
	for _, f := range []string{"os/signal.loop", "runtime.runFinalizers", "runtime.runCleanups", "runtime.bgsweep"} {
		if strings.Contains(stack, f) {
			return true
		}
	}
	return false
}
