package curio

import (
	"fmt"
	"strings"
	"time"

	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/wait"
)

// This file follows the waits from one task to the tasks that could end them, and says in words what it finds. It is a
// picture of a program that runs: a circle in it is only called a deadlock if Deadlocks, which looks twice, finds it too.

// Why returns, as lines of text, what the task waits for, what the tasks that could end this wait
// are waiting for in turn, and so on:
//
//	task main/b (3): LOCK_ACQUIRE Lock 0xc000012030(held by task main/a (2), 1 waiting) for 12s at app/b.go:17
//		task main/a (2): QUEUE_GET Queue 0xc00001a0c0(0 items, 1 waiting) for 12s at app/a.go:31
//			perhaps task main/c (4): LOCK_ACQUIRE Lock 0xc000012040(held by task main/b (3), 1 waiting) for 12s at app/c.go:9
//				task main/b (3): see above, a circle
//
// "perhaps" stands before a task that has used the object lately, such as one that has put items
// into the queue. That task may end the wait, but other tasks may, too. If some of these tasks are
// in a deadlock, as Kernel.Deadlocks finds it, a last line names it.
//
// Why does not block and calls no code of the program. It looks at every task of the kernel, which
// takes some microseconds for each, to find out whether the task is in a deadlock.
//
// If where is true, the lines have the places where the tasks are. That stops all goroutines
// while it prints their stacks; see Traceback. The text has about a hundred lines, and a line has
// at most 2,000 columns after the tabs. Characters that cannot be printed are shown as Go escape
// sequences, so that no name can make a line of its own.
func (t *AnyTask) Why(where bool) string {
	w := why{picture: newPicture(), line: make(map[*AnyTask]int), path: make(map[*AnyTask]bool)}
	w.follow(t, 0, "")
	if where {
		w.place()
	}
	var b strings.Builder
	for _, l := range w.lines {
		b.WriteString(strings.Repeat("\t", l.depth))
		b.WriteString(quote.Text(l.text, longestLine))
		b.WriteByte('\n')
	}
	if w.left > 0 {
		fmt.Fprintf(&b, "and %d more tasks\n", w.left)
	}
	for _, d := range t.kernel.Deadlocks() {
		if _, seen := w.line[d.Circle[0].Task]; seen {
			b.WriteString(quote.Text("a deadlock: "+d.inWords(), longestLine) + "\n")
		}
	}
	return b.String()
}

// inWords says which tasks will never go on.
func (d Deadlock) inWords() string {
	names := make([]string, len(d.Circle))
	for i, s := range d.Circle {
		names[i] = fmt.Sprintf("%s (%d)", s.Task.trail(), s.Task.ID())
	}
	text := "task " + names[0] + " can never go on"
	if len(names) > 1 {
		text = "tasks " + strings.Join(names, ", ") + " wait for each other and can never go on"
	}
	return text
}

// Bounds of the text.
const (
	mostLines   = 100
	mostBranch  = 8 // tasks that are followed from one wait
	longestLine = 2000
)

type why struct {
	picture

	lines []whyLine
	line  map[*AnyTask]int  // the index of the line of each task
	path  map[*AnyTask]bool // from the first task to here
	left  int               // tasks that are left out
}

type whyLine struct {
	depth int
	text  string
	task  *AnyTask // nil if the line is not about where a task is
}

func (w *why) say(depth int, t *AnyTask, text string) {
	w.lines = append(w.lines, whyLine{depth, text, t})
}

// follow says what t waits for and goes on to the tasks that could end that. The chain may be as long as the tree is large;
// mostLines bounds the depth too.
func (w *why) follow(t *AnyTask, depth int, prefix string) {
	name := fmt.Sprintf("%stask %s (%d): ", prefix, t.trail(), t.ID())
	if w.path[t] {
		w.say(depth, nil, name+"see above, a circle")
		return
	}
	if _, seen := w.line[t]; seen {
		w.say(depth, nil, name+"see above")
		return
	}
	if len(w.lines) >= mostLines {
		w.left++
		return
	}
	w.line[t] = len(w.lines)
	w.path[t] = true
	defer delete(w.path, t)

	info := w.info(t)
	if len(info.Waits) <= 1 {
		text := info.State
		if len(info.Waits) == 1 {
			text = info.Waits[0].String()
		}
		w.say(depth, t, name+text+info.circumstances())
		if len(info.Waits) == 1 {
			w.branch(info.Waits[0], depth+1)
		}
		return
	}
	w.say(depth, t, name+fmt.Sprintf("one of %d", len(info.Waits))+info.circumstances())
	for _, part := range info.Waits {
		w.say(depth+1, nil, part.String())
		w.branch(part, depth+2)
	}
}

// branch goes on with the tasks that can end the wait p.
func (w *why) branch(p Wait, depth int) {
	n := 0
	each := func(tasks []*AnyTask, prefix string) {
		for _, t := range tasks {
			if n++; n > mostBranch {
				w.left++
				continue
			}
			w.follow(t, depth, prefix)
		}
	}
	each(p.On, "")
	each(p.Perhaps, "perhaps ")
}

// place adds to each line where its task is.
func (w *why) place() {
	var scopes []*wait.Scope
	for _, l := range w.lines {
		if l.task != nil {
			scopes = append(scopes, &l.task.owner.Scope)
		}
	}
	stacks := stacksOf(scopes, allStacks())
	for i, l := range w.lines {
		if l.task == nil || l.task.Terminated() {
			continue
		}
		s := &l.task.owner.Scope
		if at := placeOf(s, stacks[s]); at.file != "" {
			w.lines[i].text += fmt.Sprintf(" at %s:%d", at.file, at.line)
		}
	}
}

// String returns what is waited for, and whether no task can provide it any more.
func (w Wait) String() string {
	text := w.Op
	if w.Object != "" {
		text += " " + w.Object
	}
	if w.Lost {
		text += ", which no task can provide any more"
	}
	return text
}

// circumstances says since when a task waits, what ends that, and how it was cancelled.
func (i TaskInfo) circumstances() (text string) {
	now := time.Now()
	if !i.Since.IsZero() {
		text += " for " + roughly(now.Sub(i.Since))
	}
	if !i.Until.IsZero() {
		text += ", for " + roughly(i.Until.Sub(now)) + " more"
	}
	if !i.Deadline.IsZero() {
		text += ", the deadline is in " + roughly(i.Deadline.Sub(now))
	}
	if c := i.Cancelled; c != nil {
		text += ", cancelled"
		if c.Expired {
			text += " by a deadline"
		}
		if c.By != "" {
			text += " by " + c.By
		}
		if !c.When.IsZero() {
			text += " " + roughly(now.Sub(c.When)) + " ago"
		}
	}
	return text
}

// roughly is d with no more digits than somebody reads.
func roughly(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 10*unit || d <= -10*unit {
			return d.Round(unit / 10).String()
		}
	}
	return d.String()
}
