// Package labelled finds the stack of a task by the label of its ID, in the goroutine profile. Package debug sets the labels,
// and the monitor, which does not import debug, looks for stacks too.
package labelled

import (
	"errors"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/curio-go/curio"
)

// Key is the label of a task's ID, in decimal.
const Key = "curio.task.id"

// Used reports whether any task has been given the label of its ID. If not, there is nothing to look for.
var Used atomic.Bool

// ErrNone is the error of Stack for a task that has no label with its ID.
var ErrNone = errors.New("curio/debug: the task has no label with its ID: before it is spawned, call debug.SetLabels with TaskIDs")

// Stack is debug.Stack.
func Stack(t *curio.AnyTask) (string, error) {
	if t.Terminated() {
		return "", nil
	}
	f := &finder{label: fmt.Sprintf("%q:%q", Key, strconv.FormatUint(t.ID(), 10))}
	if err := pprof.Lookup("goroutine").WriteTo(f, 1); err != nil { // 2 would stop the program for as long as Traceback does
		return "", err
	}
	switch state := t.State(); {
	case f.found != "":
		return fmt.Sprintf("goroutine of task %d [%s]:\n", t.ID(), state) + f.found, nil
	case t.Terminated(), state == "INITIAL":
		return "", nil
	}
	return "", ErrNone
}

// A finder is written a goroutine profile, in pieces. It keeps the stack of one task, and lets the rest go, which may be
// tens of megabytes.
//
// A record is a line "1 @ 0x45 0x46", a line "# labels: {"key":"value"}" if there are any, a line for each call, and an
// empty line.
type finder struct {
	label string // as it is in the line of labels
	line  []byte // the beginning of one
	in    bool   // a record that has the label
	calls strings.Builder
	found string // what it has found, and as it is to be shown
}

// Write is part of io.Writer. It never fails.
func (f *finder) Write(p []byte) (int, error) {
	for _, c := range p {
		if c != '\n' {
			f.line = append(f.line, c)
			continue
		}
		if f.found == "" {
			f.take(string(f.line))
		}
		f.line = f.line[:0]
	}
	return len(p), nil
}

func (f *finder) take(line string) {
	switch {
	case strings.HasPrefix(line, "# labels: "):
		f.in = hasLabel(line, f.label)
	case !f.in:
	case line == "":
		// A goroutine that the task has started has the same label; the task's own begins in AnyTask.run.
		if calls := f.calls.String(); strings.Contains(calls, outermost) {
			f.found = calls
		}
		f.in = false
		f.calls.Reset()
	default:
		f.call(line)
	}
}

const outermost = "/curio.(*AnyTask).run("

// hasLabel reports whether a line of labels has the given one, with its quotes. A quote within a key or a value has a
// backslash before it, so the label is not found inside another one.
func hasLabel(line, label string) bool {
	for _, before := range []string{"{", ", "} {
		for _, after := range []string{"}", ", "} {
			if strings.Contains(line, before+label+after) {
				return true
			}
		}
	}
	return false
}

// call takes a line "#	0x45	main.f+0x12		/dir/file.go:34".
func (f *finder) call(line string) {
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == '\t' })
	if len(fields) != 4 {
		return
	}
	function, offset, _ := cutLast(fields[2], "+0x")
	fmt.Fprintf(&f.calls, "%s(...)\n\t%s +0x%s\n", function, fields[3], offset)
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
