package blackbox

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/quote"
)

// WriteText writes r for people: the reason, deadlocks, the tree of tasks, functions in threads,
// events and stacks. Text that comes from the program, such as names, is quoted if it has characters
// that a terminal would obey.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	r.writeHead(b)
	for _, d := range r.Deadlocks {
		fmt.Fprintf(b, "\nDeadlock:\n\t%s\n", lines(d))
	}
	r.writeTasks(b)
	if len(r.Threads) > 0 {
		fmt.Fprintf(b, "\nIn threads:\n")
		for _, t := range r.Threads {
			fmt.Fprintf(b, "\t%s\n", quoted(t))
		}
	}
	if len(r.Events) > 0 {
		fmt.Fprintf(b, "\nThe last %d events:\n", len(r.Events))
		r.writeEvents(b)
	}
	if r.Stacks != "" {
		fmt.Fprintf(b, "\nStacks:\n%s\n", stackLines(r.Stacks))
	}
	return b.Flush()
}

func (r *Report) writeHead(b *bufio.Writer) {
	fmt.Fprintf(b, "%s, process %d, %s: %s\n", quoted(r.Program), r.PID, r.Time.Format(time.RFC3339Nano), quoted(r.Reason))
	fmt.Fprintf(b, "%s", quoted(r.Go))
	if r.Reason == mappedReason {
		fmt.Fprint(b, "; a mapped file, with events and nothing else")
	} else {
		fmt.Fprintf(b, "; %d goroutines, %d tasks; up %v", r.Goroutines, len(r.Tasks), r.Time.Sub(r.Started).Round(time.Millisecond))
	}
	fmt.Fprintln(b)
	if r.LeftOff > 0 {
		fmt.Fprintf(b, "There was no room for %d events and tasks.\n", r.LeftOff)
	}
	if !r.Complete && r.Reason != mappedReason {
		fmt.Fprintln(b, "The file ends too early.")
	}
	for _, d := range r.Detail {
		if d != "" {
			fmt.Fprintf(b, "\n%s\n", stackLines(d))
		}
	}
}

// writeTasks writes the tree of tasks.
func (r *Report) writeTasks(b *bufio.Writer) {
	if len(r.Tasks) == 0 {
		return
	}
	below := make(map[uint64][]*Task)
	known := make(map[uint64]bool)
	for i := range r.Tasks {
		known[r.Tasks[i].ID] = true
	}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		around := t.Parent
		if !known[around] || around >= t.ID { // a child is younger; a damaged file may have a circle
			around = 0
		}
		below[around] = append(below[around], t)
	}
	fmt.Fprintf(b, "\nTasks:\n")
	type place struct {
		t     *Task
		depth int
	}
	var left []place
	push := func(of uint64, depth int) {
		for _, t := range slices.Backward(below[of]) {
			left = append(left, place{t, depth})
		}
	}
	for push(0, 0); len(left) > 0; {
		p := left[len(left)-1]
		left = left[:len(left)-1]
		fmt.Fprintf(b, "%s%s\n", strings.Repeat("  ", min(p.depth, maxIndent)), p.t.text())
		if p.t.ID != 0 {
			push(p.t.ID, p.depth+1)
		}
	}
}

// maxIndent bounds how far a line is moved to the right.
const maxIndent = 40

// text says in one line what a task did.
func (t *Task) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", t.ID, quoted(t.Name))
	if t.Kind != "task" {
		fmt.Fprintf(&b, " (%s)", quoted(t.Kind))
	}
	fmt.Fprintf(&b, ": %s", quoted(t.State))
	if len(t.Waits) > 0 {
		fmt.Fprintf(&b, " for %v", duration(t.Waiting))
	}
	for i, w := range t.Waits {
		if len(t.Waits) > 1 {
			fmt.Fprintf(&b, "%s %s", cmp.Or(strings.Repeat(",", min(i, 1)), ":"), quoted(w.Op))
		}
		if w.Object != "" {
			fmt.Fprintf(&b, " %s", quoted(w.Object))
		}
		if len(w.On) > 0 {
			fmt.Fprintf(&b, " on %s", ids(w.On))
		}
	}
	if t.Until != nil {
		fmt.Fprintf(&b, ", until %v later", duration(*t.Until))
	}
	if t.Deadline != nil {
		fmt.Fprintf(&b, ", deadline %v later", duration(*t.Deadline))
	}
	if t.Cancelled != "" {
		fmt.Fprintf(&b, ", cancelled by %s", quoted(t.Cancelled))
	}
	fmt.Fprintf(&b, "; %v old, %d waits, spawned at %s", duration(t.Age), t.Cycles, quoted(t.Spawned))
	return b.String()
}

// ids names tasks, up to a few.
func ids(all []uint64) string {
	var texts []string
	for _, id := range all[:min(len(all), 8)] {
		texts = append(texts, strconv.FormatUint(id, 10))
	}
	if len(all) > 8 {
		texts = append(texts, "…")
	}
	return strings.Join(texts, ", ")
}

// duration turns seconds into something that prints well.
func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond)
}

// writeEvents writes each event with the name of its task, if its beginning is among the events or the tasks.
func (r *Report) writeEvents(b *bufio.Writer) {
	names := make(map[uint64]string)
	for _, t := range r.Tasks {
		names[t.ID] = t.Name
	}
	for _, e := range r.Events {
		if e.Kind == "created" && e.Text != "" {
			names[e.Task] = e.Text
		}
		fmt.Fprintf(b, "%s %d", e.Time.Format("15:04:05.000000"), e.Task)
		if name := names[e.Task]; name != "" {
			fmt.Fprintf(b, " %s", quoted(name))
		}
		fmt.Fprintf(b, ": %s", quoted(e.Kind))
		if e.By != 0 {
			fmt.Fprintf(b, " by %d", e.By)
		}
		if e.Text != "" && e.Kind != "created" {
			fmt.Fprintf(b, " %s", quoted(e.Text))
		}
		if e.Object != 0 {
			fmt.Fprintf(b, " %#x", e.Object)
		}
		fmt.Fprintln(b)
	}
}

// quoted makes text fit to be shown on a terminal, in one line.
func quoted(text string) string { return quote.Text(text, 0) }

// lines quotes each line of text, and moves all but the first to the right.
func lines(text string) string {
	var all []string
	for line := range strings.Lines(text) {
		all = append(all, quoted(strings.TrimSpace(line)))
	}
	return strings.Join(all, "\n\t")
}

// stackLines quotes each line of a stack.
func stackLines(text string) string {
	var all []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		rest := strings.TrimLeft(line, "\t")
		all = append(all, line[:len(line)-len(rest)]+quoted(rest))
	}
	return strings.Join(all, "\n")
}
