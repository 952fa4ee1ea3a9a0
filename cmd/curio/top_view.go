package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curio-go/curio/internal/quote"
)

// A style is what the terminal makes of a text. None of them says anything that the text does not say, too.
type style string

const (
	plain    style = ""
	bold     style = "1"
	faint    style = "2"
	reversed style = "7"
	alarm    style = "1;7;31" // without colours, bold and reversed
)

// A span is text in a style. Text is cut before it is styled, for an escape sequence takes no columns.
type span struct {
	text  string
	style style
}

// styled puts spans into one line, which is at most columns wide.
func styled(columns int, spans ...span) string {
	var b strings.Builder
	for _, s := range spans {
		text := cut(s.text, columns)
		columns -= quote.Width(text)
		if text == "" || s.style == plain {
			b.WriteString(text)
			continue
		}
		b.WriteString("\x1b[" + string(s.style) + "m" + text + "\x1b[m")
	}
	return b.String()
}

// A layout is how many lines the parts of the screen have, from top to bottom.
type layout struct{ head, titles, body, pane, foot int }

// splitFrom is the number of lines from which on the list and the pane are both shown.
const splitFrom = 12

// layout shares the lines out. What is asked of the user comes first, then the list or the pane, then the rest.
func (m *top) layout() layout {
	var l layout
	left := m.height
	take := func(n, atLeast int) int {
		if left < atLeast {
			return 0
		}
		n = min(n, left)
		left -= n
		return n
	}
	if m.mode == confirming {
		l.foot = take(len(m.question()), 1)
	} else if m.mode == typing || m.note != "" {
		l.foot = take(1, 1)
	} else {
		l.foot = take(1, 3)
	}
	l.head = take(1, 2)
	l.titles = take(1, 3)
	switch {
	case m.pane == nil:
		l.body = left
	case m.pane.tall || left < splitFrom:
		l.pane = left
	default:
		l.pane = left / 2
		l.body = left - l.pane
	}
	if l.body == 0 && l.titles > 0 { // there is nothing below them
		l.pane, l.titles = l.pane+l.titles, 0
	}
	return l
}

// View is part of tea.Model.
func (m *top) View() tea.View {
	lines := m.screen()
	view := tea.NewView(strings.Join(lines, "\n"))
	view.AltScreen = true
	if m.mode == typing && m.height > 0 && m.width > 0 {
		x := quote.Width(m.prompt())
		view.Cursor = tea.NewCursor(min(x, m.width-1), m.height-1)
	}
	return view
}

// screen returns all lines, none of them longer than the screen is wide.
func (m *top) screen() []string {
	if m.width < 1 || m.height < 1 {
		return nil
	}
	l := m.layout()
	lines := make([]string, 0, m.height)
	if l.head > 0 {
		lines = append(lines, m.head())
	}
	c := m.columns()
	if l.titles > 0 {
		lines = append(lines, styled(m.width, span{pad(c.titles(), m.width), reversed}))
	}
	for i := range l.body {
		lines = append(lines, m.line(c, m.first+i))
	}
	lines = append(lines, m.paneView(l.pane)...)
	return append(lines, m.foot(l.foot)...)
}

// head says which program this is, and what is the matter with it.
func (m *top) head() string {
	p := &m.picture
	matching := len(p.Tasks) + p.LeftOff
	count := plural(matching, "task")
	if m.filter != "" {
		count = fmt.Sprintf("%d of %s", matching, plural(p.Total, "task"))
	}
	if p.LeftOff > 0 {
		count = fmt.Sprintf("the oldest %d of %s", len(p.Tasks), count)
	}
	spans := []span{{fmt.Sprintf("%s (%d)", clean(p.Program), p.PID), bold}, {"  " + count, plain}}
	add := func(text string, s style) {
		spans = append(spans, span{"  ", plain}, span{text, s})
	}
	if m.failure != nil {
		add(m.failure.Error(), alarm)
	}
	if m.locks > 0 {
		add(plural(m.locks, "deadlock")+": press d", alarm)
	}
	if m.paused {
		add("paused", reversed)
	}
	if m.filter != "" {
		add("with \""+clean(m.filter)+"\"", plain)
	}
	by := "tree"
	if m.sorting >= 0 {
		by = orders[m.sorting].name
	}
	if m.reverse {
		by += " reversed"
	}
	add("by "+by, plain)
	add(plural(p.Goroutines, "goroutine"), plain)
	if m.period > m.interval {
		add("every "+m.period.Round(time.Second/10).String(), plain)
	}
	return styled(m.width, spans...)
}

// columns are how many columns of the screen each column of the list takes, 0 for those there is no room for.
type columns struct{ id, state, kind, cycles, age, waits, timeout, name, on int }

// columns shares the width out. The name is always there; the others come as there is room.
func (m *top) columns() columns {
	var c columns
	left := m.width - len("> ") // and the mark of a deadlock, without a gap
	take := func(n, from int) int {
		if m.width < from {
			return 0
		}
		left -= n + gap
		return n
	}
	c.id = take(m.natural.id, 20)
	c.state = take(min(m.natural.state, 20, m.width/3), 30)
	c.waits = take(6, 56)
	c.timeout = take(7, 90)
	c.age = take(6, 100)
	c.cycles = take(8, 112)
	c.kind = take(7, 124)
	c.name = max(left, 0)
	if m.width >= 64 {
		left -= gap
		c.name = min(m.natural.name, max(left/2, left-m.natural.waits))
		c.on = left - c.name
	}
	return c
}

// gap is the space between two columns.
const gap = 2

func (c columns) titles() string {
	return "  " + c.join("TASK", "STATE", "KIND", "CYCLES", "AGE", "WAITS", "TIMEOUT", "NAME", "WAITS FOR")
}

func (c columns) join(id, state, kind, cycles, age, waits, timeout, name, on string) string {
	var b strings.Builder
	put := func(text string, columns int, fit func(string, int) string) {
		if columns > 0 {
			b.WriteString(fit(text, columns))
			b.WriteString(strings.Repeat(" ", gap))
		}
	}
	put(id, c.id, padLeft)
	put(state, c.state, pad)
	put(kind, c.kind, pad)
	put(cycles, c.cycles, padLeft)
	put(age, c.age, padLeft)
	put(waits, c.waits, padLeft)
	put(timeout, c.timeout, padLeft)
	put(name, c.name, pad)
	put(on, c.on, cut)
	return strings.TrimRight(b.String(), " ") // the last column needs no gap
}

// line is row i of the list.
func (m *top) line(c columns, i int) string {
	if i >= len(m.rows) {
		if i == 0 {
			return styled(m.width, span{"  no task", plain})
		}
		return ""
	}
	r := m.rows[i]
	t := r.task
	mark := []byte("  ")
	if m.stuck[t.ID] {
		mark[1] = '!'
	}
	s := plain
	if t.ID == m.selected {
		mark[0], s = '>', reversed
	}
	text := string(mark) + c.join(strconv.FormatUint(t.ID, 10), clean(t.State), clean(t.Kind), strconv.FormatUint(t.Cycles, 10),
		short(t.Age), shortOf(t.Waiting), shortOf(t.timeout()), m.label(r), t.waitsFor())
	if s == reversed {
		text = pad(text, m.width)
	}
	return styled(m.width, span{text, s})
}

// paneLines is what is in the pane, in lines that fit.
func (m *top) paneLines() []string {
	lines := m.pane.lines
	if m.pane.live {
		if t := m.selectedTask(); t != nil {
			lines = t.details()
		} else {
			lines = []string{"no task is selected"}
		}
	}
	var all []string
	for _, line := range lines {
		all = append(all, wrap(line, m.width)...)
	}
	return all
}

func (m *top) paneView(height int) []string {
	if height == 0 {
		return nil
	}
	lines := m.paneLines()
	m.pane.first = max(0, min(m.pane.first, len(lines)-1))
	title := " " + m.pane.title
	if m.pane.first > 0 || len(lines) > height-1 {
		title += fmt.Sprintf("  [%d/%d]", m.pane.first+1, len(lines))
	}
	s := reversed
	if m.inPane {
		s = "1;7"
	}
	shown := []string{styled(m.width, span{pad(title, m.width), s})}
	for i := range height - 1 {
		line := ""
		if at := m.pane.first + i; at < len(lines) {
			line = styled(m.width, span{lines[at], plain})
		}
		shown = append(shown, line)
	}
	return shown
}

// wrap breaks a clean line into lines of at most columns. All except the first are indented, if there is room.
func wrap(line string, columns int) []string {
	var all []string
	indent := ""
	for len(indent)+quote.Width(line) > columns {
		end := fitting(line, columns-len(indent))
		if space := strings.LastIndexByte(line[:end], ' ') + 1; end < len(line) && line[end] != ' ' && space > end/2 {
			end = space
		}
		all, line = append(all, indent+line[:end]), line[end:]
		if columns > 20 {
			indent = "    "
		}
	}
	return append(all, indent+line)
}

// fitting returns the length of the longest beginning of line that fits, which is a character at least.
func fitting(line string, columns int) int {
	used, end := 0, 0
	for i, r := range line {
		used += quote.Width(string(r))
		if used > columns && end > 0 {
			break
		}
		end = i + len(string(r))
	}
	return end
}

func (m *top) prompt() string { return "filter: " + clean(m.draft) }

// canAsk reports whether the screen is large enough for the question whether to cancel a task.
func (m *top) canAsk() bool { return m.width >= 20 && m.height >= 3 }

// question is what is asked before a task is cancelled. It takes three lines at most, so a name may be cut: the number
// says for certain which task it is.
func (m *top) question() []string {
	const answers = "? y: yes, any other key: no"
	ask := fmt.Sprintf("cancel task %d, ", m.victim.ID)
	room := 3*m.width - len(ask) - len(answers) - 2*len("    ")
	return wrap(ask+cut(clean(cmp.Or(m.victim.Path, m.victim.Name)), room)+answers, m.width)
}

// foot is the line for the user.
func (m *top) foot(height int) []string {
	switch {
	case height == 0:
		return nil
	case m.mode == confirming:
		var lines []string
		for _, line := range m.question()[:height] { // as high as it is: see layout
			lines = append(lines, styled(m.width, span{pad(line, m.width), alarm}))
		}
		return lines
	case m.mode == typing:
		return []string{styled(m.width, span{m.prompt(), bold})}
	case m.note != "":
		return []string{styled(m.width, span{m.note, bold})}
	}
	return []string{styled(m.width, span{m.hints(), faint})}
}

// hints are as many keys as there is room for.
func (m *top) hints() string {
	text := ""
	for _, hint := range []string{"?:help", "q:quit", "enter:details", "w:stack", "y:why", "d:deadlocks", "c:cancel", "/:filter", "s:sort", "space:fold", "p:pause"} {
		longer := strings.TrimSpace(text + "  " + hint)
		if len(longer) > m.width {
			break
		}
		text = longer
	}
	return text
}
