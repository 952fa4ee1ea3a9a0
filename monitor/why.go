package monitor

import (
	"fmt"
	"strings"
	"time"

	"github.com/curio-go/curio"
)

// mostLooked is how many tasks are looked for to say where they are: each stops the program.
const mostLooked = 8

// whyOf says what t waits for, what the task that has this waits for, and so on. With where, it says where each of them is;
// the caller has taken the limit of stacks.
func whyOf(t *curio.AnyTask, where bool) string {
	var b strings.Builder
	seen := make(map[*curio.AnyTask]bool)
	for depth := 0; t != nil && depth < 100; depth++ {
		b.WriteString(strings.Repeat("\t", min(depth, 20)))
		fmt.Fprintf(&b, "task %s (%d): ", path(t), t.ID())
		if seen[t] {
			b.WriteString("see above, a circle\n")
			break
		}
		seen[t] = true
		info := t.Inspect()
		b.WriteString(doing(info, time.Now()))
		if where && len(seen) <= mostLooked {
			if file, line := t.Where(); file != "" {
				b.WriteString(" at " + place(file, line))
			}
		}
		b.WriteByte('\n')
		t = nil
		for _, w := range info.Waits {
			if len(w.On) > 0 {
				t = w.On[0]
				break
			}
		}
	}
	return b.String()
}

// whereAre returns where the tasks of deadlocks are, as far as mostLooked allows; the caller has taken the limit of stacks.
func whereAre(deadlocks []curio.Deadlock) map[*curio.AnyTask]string {
	places := make(map[*curio.AnyTask]string)
	for _, d := range deadlocks {
		for _, s := range d.Circle {
			if _, known := places[s.Task]; !known && len(places) < mostLooked {
				places[s.Task] = place(s.Task.Where())
			}
		}
	}
	return places
}
