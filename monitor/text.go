package monitor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/quote"
)

// This file makes the texts of the line commands. All that comes from the program is quoted.

// How many columns a name and what is waited for may take.
const (
	nameColumns   = 60
	objectColumns = 120
)

func named(t *curio.AnyTask) string { return quote.Text(t.Name(), nameColumns) }

// left is a time from now as the columns of ps have it, "None" for none.
func left(at, now time.Time) string {
	if at.IsZero() {
		return "None"
	}
	s := strconv.FormatFloat(at.Sub(now).Seconds(), 'f', 6, 64)
	return s[:min(len(s), 7)]
}

// table is ps.
func table(infos []curio.TaskInfo, now time.Time) string {
	states := 12
	for _, i := range infos {
		states = max(states, min(quote.Width(i.State), 24))
	}
	var b strings.Builder
	b.Grow(80 * (len(infos) + 2))
	row := func(id, state, cycles, timeout, sleep, name string) {
		for _, cell := range []struct {
			text    string
			columns int
		}{{id, 6}, {state, states}, {cycles, 10}, {timeout, 7}, {sleep, 7}} {
			text := quote.Text(cell.text, max(cell.columns, 24))
			b.WriteString(text)
			for range max(0, cell.columns-quote.Width(text)) + 1 {
				b.WriteByte(' ')
			}
		}
		b.WriteString(name)
		b.WriteByte('\n')
	}
	row("Task", "State", "Cycles", "Timeout", "Sleep", "Task")
	dashes := func(n int) string { return strings.Repeat("-", n) }
	row(dashes(6), dashes(states), dashes(10), dashes(7), dashes(7), dashes(40))
	for _, i := range infos {
		row(strconv.FormatUint(i.Task.ID(), 10), i.State, strconv.FormatUint(i.Cycles, 10), left(i.Deadline, now), left(i.Until, now), named(i.Task))
	}
	return b.String()
}

// doing says in one line what a task does, unquoted.
func doing(i curio.TaskInfo, now time.Time) string {
	var b strings.Builder
	if len(i.Waits) == 0 {
		b.WriteString(i.State)
	}
	for n, w := range i.Waits {
		if b.Len() > longestText { // it is cut by its columns
			break
		}
		if n > 0 {
			b.WriteString(" or ")
		}
		b.WriteString(w.String())
	}
	if !i.Since.IsZero() {
		b.WriteString(" for " + roughly(now.Sub(i.Since)))
	}
	if !i.Until.IsZero() {
		b.WriteString(", for " + roughly(i.Until.Sub(now)) + " more")
	}
	if !i.Deadline.IsZero() {
		b.WriteString(", deadline in " + roughly(i.Deadline.Sub(now)))
	}
	if c := i.Cancelled; c != nil {
		b.WriteString(", cancelled " + roughly(now.Sub(c.When)) + " ago")
		if c.By != "" {
			b.WriteString(" by " + c.By)
		}
	}
	return b.String()
}

// roughly is d with the digits that somebody reads.
func roughly(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return max(d, 0).Round(time.Microsecond).String()
}

// mostIndented bounds the indentation of a tree: a chain of tasks may be longer than a line.
const mostIndented = 30

// tree has a line for each task, indented below its parent's.
func tree(infos []curio.TaskInfo, now time.Time) string {
	at := make(map[*curio.AnyTask]int, len(infos))
	for n, i := range infos {
		at[i.Task] = n
	}
	// The parent of a task has a lower number. One that has ended meanwhile is not among them.
	children := make([][]int, len(infos))
	var roots []int
	for n, i := range infos {
		if parent, ok := at[i.Parent]; ok && parent < n {
			children[parent] = append(children[parent], n)
		} else {
			roots = append(roots, n)
		}
	}
	var b strings.Builder
	type step struct{ n, depth int }
	var todo []step
	push := func(list []int, depth int) {
		for k := len(list) - 1; k >= 0; k-- {
			todo = append(todo, step{list[k], depth})
		}
	}
	push(roots, 0)
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		i := infos[s.n]
		b.WriteString(strings.Repeat("  ", min(s.depth, mostIndented)))
		if s.depth > mostIndented {
			fmt.Fprintf(&b, "(%d deep) ", s.depth)
		}
		b.WriteString(named(i.Task))
		fmt.Fprintf(&b, " (%d", i.Task.ID())
		if i.Kind != curio.OrdinaryTask {
			b.WriteString(", " + string(i.Kind))
		}
		b.WriteString("): " + quote.Text(doing(i, now), objectColumns) + "\n")
		push(children[s.n], s.depth+1)
	}
	return b.String()
}

// parents has a line for t and each of its ancestors.
func parents(t *curio.AnyTask) string {
	var b strings.Builder
	n := 0
	for ; t != nil; t = t.Parent() {
		if n++; n > 100 {
			b.WriteString("…\n")
			break
		}
		fmt.Fprintf(&b, "%-6d %s %s\n", t.ID(), quote.Cell(t.State(), 12), named(t))
	}
	return b.String()
}

// deadlockText has the deadlocks as lines.
func deadlockText(deadlocks []curio.Deadlock, places map[*curio.AnyTask]string) string {
	var b strings.Builder
	for n, d := range deadlocks {
		fmt.Fprintf(&b, "Deadlock %d:\n", n+1)
		stuck, more := someOf(d)
		for _, s := range stuck {
			fmt.Fprintf(&b, "  task %s (%d): %s", quote.Text(path(s.Task), objectColumns), s.Task.ID(),
				quote.Text(strings.TrimSpace(s.Op+" "+s.Object), objectColumns))
			if s.Lost {
				b.WriteString(", which no task can give back")
			}
			if at := places[s.Task]; at != "" {
				b.WriteString(" at " + quote.Text(at, objectColumns))
			}
			b.WriteByte('\n')
		}
		if more > 0 {
			fmt.Fprintf(&b, "  and %d more tasks\n", more)
		}
		if d.Behind > 0 {
			fmt.Fprintf(&b, "  %d more wait for these\n", d.Behind)
		}
	}
	if len(deadlocks) == 0 {
		b.WriteString("No deadlocks.\n")
	}
	return b.String()
}
