package main

import (
	"cmp"
	"fmt"
	"strings"
)

// title names a task: its path and its number.
func (t *task) title() string {
	return fmt.Sprintf("%s (%d)", clean(cmp.Or(t.Path, t.Name)), t.ID)
}

// waitsFor says in one line what the task waits for, and that it has been cancelled.
func (t *task) waitsFor() string {
	var parts []string
	for _, w := range t.Waits {
		part := clean(w.Object)
		if len(t.Waits) > 1 { // the state says only that it is one of them
			part = strings.TrimSpace(clean(w.Op) + " " + part)
		}
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, " | ")
	if t.Cancelled != nil {
		text = strings.TrimSpace(text + " [" + t.Cancelled.String() + "]")
	}
	return text
}

// String describes the cancellation in a few words.
func (c *cancellation) String() string {
	text := "cancelled"
	switch {
	case c.Expired:
		text = "timed out"
	case c.By != "":
		text += " by " + clean(c.By)
	}
	return text + " " + short(c.Ago) + " ago"
}

// details is all that is known of a task without its stack.
func (t *task) details() []string {
	lines := []string{
		"task      " + t.title(),
		"kind      " + t.kindText(),
		"state     " + clean(t.State),
		fmt.Sprintf("cycles    %d, %s old", t.Cycles, short(t.Age)),
	}
	add := func(label, text string) {
		if text != "" {
			lines = append(lines, label+text)
		}
	}
	if t.Parent != 0 {
		add("parent    ", fmt.Sprint(t.Parent))
	}
	add("spawned   ", clean(t.Spawned))
	for _, w := range t.Waits {
		text := clean(w.Op)
		if w.Object != "" {
			text += " " + clean(w.Object)
		}
		if len(w.On) > 0 {
			text += ", which " + tasksText(w.On) + " can end"
		}
		add("waits for ", text)
	}
	if t.Waiting != nil {
		text := short(*t.Waiting) + " so far"
		if t.Until != nil {
			text += ", " + short(*t.Until) + " more at most"
		}
		add("waits     ", text)
	}
	if t.Deadline != nil {
		add("deadline  ", "in "+short(*t.Deadline))
	}
	if c := t.Cancelled; c != nil {
		add("cancelled ", c.String())
		add("  at      ", clean(c.Where))
		add("  because ", clean(c.Reason))
	}
	return lines
}

func (t *task) kindText() string {
	text := clean(cmp.Or(t.Kind, "task")) + " of kernel " + fmt.Sprint(t.Kernel)
	if t.Group {
		text += ", in a group"
	}
	if t.Essential {
		text += ", essential"
	}
	return text
}

// tasksText lists some tasks by their numbers.
func tasksText(ids []uint64) string {
	const most = 10
	var b strings.Builder
	b.WriteString("task ")
	if len(ids) > 1 {
		b.Reset()
		b.WriteString("one of the tasks ")
	}
	for i, id := range ids[:min(len(ids), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, id)
	}
	if len(ids) > most {
		fmt.Fprintf(&b, " and %d more", len(ids)-most)
	}
	return b.String()
}

// lines returns what a monitor has sent as several lines, each of them clean. Tabs, with which Go indents stacks, are
// widened first.
func lines(text string) []string { return cleanLines(text, clean) }

// quotedLines is lines for a text that the program has quoted itself: its backslashes stay as they are.
func quotedLines(text string) []string {
	return cleanLines(text, func(line string) string {
		parts := strings.Split(line, `\`)
		for i, part := range parts {
			parts[i] = clean(part)
		}
		return cut(strings.Join(parts, `\`), maxText)
	})
}

func cleanLines(text string, clean func(string) string) []string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range all {
		all[i] = clean(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    "))
	}
	return all
}

// text is the deadlock as lines.
func (d *deadlock) text() []string {
	head := "deadlock of " + plural(len(d.Circle)+d.More, "task")
	if len(d.Circle)+d.More == 1 {
		head = "a task that can never go on"
	}
	if d.Behind > 0 {
		head += fmt.Sprintf("; %d more wait behind", d.Behind)
	}
	all := []string{head + ":"}
	for i, s := range d.Circle {
		line := fmt.Sprintf("  task %s (%d): %s", clean(s.Name), s.ID, clean(s.Op))
		if s.Object != "" {
			line += " " + clean(s.Object)
		}
		if s.Where != "" {
			line += " at " + clean(s.Where)
		}
		all = append(all, line)
		switch next := d.Circle[(i+1)%len(d.Circle)]; {
		case s.Lost:
			all = append(all, "    the task that could end this wait has ended")
		case d.More > 0 && i == len(d.Circle)-1:
			all = append(all, fmt.Sprintf("    and so on, with %d more", d.More))
		case len(d.Circle) == 1:
			all = append(all, "    it waits for itself")
		default:
			all = append(all, fmt.Sprintf("    waits for task %s (%d)", clean(next.Name), next.ID))
		}
	}
	return all
}
