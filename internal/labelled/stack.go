// Package labelled finds the stack of a task by the label of its ID, in the goroutine profile. Package debug sets the labels,
// and the monitor, which does not import debug, looks for stacks too.
package labelled

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/curio-go/curio"
)

// Key is the label of a task's ID, in decimal.
const Key = "curio.task.id"

// Used reports whether labels with IDs have ever been asked for. If not, there is nothing to look for.
var Used atomic.Bool

// ErrNone is the error of Stack for a task that has no label with its ID.
var ErrNone = errors.New("curio/debug: the task has no label with its ID: before it is spawned, call debug.SetLabels with TaskIDs")

// Stack is debug.Stack.
func Stack(t *curio.AnyTask) (string, error) {
	if t.Terminated() {
		return "", nil
	}
	f := newFinder(t.ID())
	if err := pprof.Lookup("goroutine").WriteTo(f, 1); err != nil { // 2 would stop the program for as long as Traceback does
		return "", err
	}
	switch state := t.State(); {
	case f.found != "":
		return fmt.Sprintf("goroutine of task %d [%s]:\n", t.ID(), state) + f.found, nil
	case f.deep != "":
		return fmt.Sprintf("goroutine of task %d [%s]:\n", t.ID(), state) + f.deep + "...additional frames elided...\n", nil
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
	forms   [][]byte // the label as it may be in a line of labels, with what is before and after it
	line    []byte   // the beginning of one
	in      bool     // a record that has the label
	cut     bool     // the record may lack its outermost calls
	calls   strings.Builder
	found   string // the stack of the task, as it is to be shown
	deep    string // a stack with the label that lacks its outermost calls
	several bool   // there are more of these
}

// mostCalls is how many calls of a stack a profile has at most.
const mostCalls = 128

// newFinder returns a finder for the task with the given ID. A quote within a key or a value has a backslash before it,
// so the label is not found inside another one.
func newFinder(id uint64) *finder {
	f := new(finder)
	for _, before := range []string{"{", ", "} {
		for _, after := range []string{"}", ", "} {
			f.forms = append(f.forms, fmt.Appendf(nil, "%s%q:\"%d\"%s", before, Key, id, after))
		}
	}
	return f
}

// Write is part of io.Writer. It never fails.
func (f *finder) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && f.found == ""; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		f.line = append(f.line, line...)
		if !whole {
			break
		}
		f.take(f.line)
		f.line, rest = f.line[:0], after
	}
	return len(p), nil
}

func (f *finder) take(line []byte) {
	switch {
	case bytes.HasPrefix(line, []byte("# labels: ")):
		f.in = slices.ContainsFunc(f.forms, func(form []byte) bool { return bytes.Contains(line, form) })
	case !bytes.HasPrefix(line, []byte("#")) && bytes.Contains(line, []byte(" @ 0x")):
		f.cut = bytes.Count(line, []byte(" 0x")) >= mostCalls
	case !f.in:
	case len(line) == 0:
		f.end(f.calls.String())
		f.in = false
		f.calls.Reset()
	default:
		f.call(string(line))
	}
}

// end is the end of a record with the label. A goroutine that the task has started has the same label; the task's own
// begins in AnyTask.run, if that is there.
func (f *finder) end(calls string) {
	switch {
	case strings.Contains(calls, outermost):
		f.found = calls
	case f.cut && f.deep != "" || f.several: // which of them is the task's cannot be told
		f.deep, f.several = "", true
	case f.cut:
		f.deep = calls
	}
}

const outermost = "/curio.(*AnyTask).run("

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
