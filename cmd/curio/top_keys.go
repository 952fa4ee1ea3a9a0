package main

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// press does what a key is for.
func (m *top) press(key tea.KeyPressMsg) tea.Cmd {
	name := key.String()
	if name == "ctrl+c" {
		return tea.Quit
	}
	if name == "ctrl+z" {
		return tea.Suspend
	}
	m.note = ""
	defer m.keepInView() // what is below the list may be higher now
	switch m.mode {
	case typing:
		return m.edit(name, key.Text)
	case confirming:
		return m.answer(name)
	}
	if name == "q" {
		return tea.Quit
	}
	if !m.steer(name) {
		return m.command(name)
	}
	return nil
}

// steer moves the selection or the pane.
func (m *top) steer(name string) (known bool) {
	l := m.layout()
	page := max(1, l.body)
	to := m.move
	if m.inPane {
		page, to = max(1, l.pane-1), m.scroll
	}
	const far = 1 << 30
	switch name {
	case "up", "k":
		to(-1)
	case "down", "j":
		to(1)
	case "pgup", "ctrl+b":
		to(-page)
	case "pgdown", "ctrl+f":
		to(page)
	case "home", "g":
		to(-far)
	case "end", "G":
		to(far)
	case "left":
		m.fold(true)
	case "right":
		m.fold(false)
	case "space":
		if t := m.selectedTask(); t != nil && m.rows[m.at].children > 0 {
			m.fold(!m.closed[t.ID])
		}
	case "tab":
		m.inPane = m.pane != nil && !m.inPane
	default:
		return false
	}
	return true
}

func (m *top) scroll(by int) {
	m.pane.first = max(0, min(m.pane.first+by, len(m.paneLines())-1))
}

// command does what the other keys are for.
func (m *top) command(name string) tea.Cmd {
	switch name {
	case "enter":
		m.open("details", nil).live = true
		m.inPane = false
	case "w":
		return m.openFor("stack of ", func(ctx context.Context, from *client, t task) ([]string, error) {
			s, err := from.stack(ctx, t.ID)
			return stackLines(s), err
		})
	case "y":
		return m.openFor("why is it waiting: ", func(ctx context.Context, from *client, t task) ([]string, error) {
			var notes []string
			why, err := withOrWithout(true, noteTo(&notes), func(lines bool) (chain, error) { return from.why(ctx, t.ID, lines) })
			return append(quotedLines(why.Text), notes...), err
		})
	case "d":
		return m.load(m.open("deadlocks", nil), func(ctx context.Context, from *client) ([]string, error) {
			var notes []string
			list, err := withOrWithout(true, noteTo(&notes), func(lines bool) (deadlockList, error) { return from.deadlocks(ctx, lines) })
			if len(list.Deadlocks) == 0 {
				return append(notes, "no deadlock"), err
			}
			return append(list.text(), notes...), err
		})
	case "c":
		m.askToCancel()
	case "/":
		m.mode, m.draft = typing, m.filter
	case "s":
		m.sorting++
		if m.sorting == len(orders) {
			m.sorting = -1
		}
		m.arrange()
	case "r":
		m.reverse = !m.reverse
		m.arrange()
	case "u":
		return m.poll()
	case "p":
		m.paused = !m.paused
		if !m.paused {
			return m.poll()
		}
	case "?", "h":
		m.open("keys", helpLines).tall = true
	case "esc":
		return m.escape()
	default:
		m.note = "no such key: press ? for a list"
	}
	return nil
}

func noteTo(notes *[]string) func(string) {
	return func(what string) { *notes = append(*notes, "", "("+what+")") }
}

// escape closes the pane or, if there is none, takes the filter away.
func (m *top) escape() tea.Cmd {
	switch {
	case m.pane != nil:
		m.pane, m.inPane = nil, false
	case m.filter != "":
		return m.refilter("")
	}
	return nil
}

func (m *top) refilter(filter string) tea.Cmd {
	m.filter, m.fresh = filter, true
	return m.poll()
}

// open opens a pane in place of the one that is there.
func (m *top) open(title string, lines []string) *pane {
	m.opened++
	m.pane = &pane{number: m.opened, title: title, lines: lines}
	m.inPane = true
	return m.pane
}

// openFor opens a pane about the selected task, which is filled when the answer has come.
func (m *top) openFor(title string, ask func(ctx context.Context, from *client, t task) ([]string, error)) tea.Cmd {
	t := m.selectedTask()
	if t == nil {
		m.note = "select a task first, with the arrow keys"
		return nil
	}
	about := *t
	return m.load(m.open(title+t.title(), nil), func(ctx context.Context, from *client) ([]string, error) {
		return ask(ctx, from, about)
	})
}

// load fills a pane when the answer has come.
func (m *top) load(p *pane, ask func(ctx context.Context, from *client) ([]string, error)) tea.Cmd {
	p.lines = []string{"…"}
	number, from, parent, timeout := p.number, m.from, m.ctx, m.timeout
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, timeout)
		defer cancel()
		lines, err := ask(ctx, from)
		return paneMsg{number, lines, err}
	}
}

// maxPane bounds the lines of a pane.
const maxPane = 5000

func (m *top) fill(msg paneMsg) {
	if m.pane == nil || m.pane.number != msg.number {
		return
	}
	m.pane.lines = msg.lines
	if msg.err != nil {
		m.pane.lines = []string{msg.err.Error()}
	}
	if len(m.pane.lines) > maxPane {
		m.pane.lines = append(m.pane.lines[:maxPane], "(cut)")
	}
}

func (m *top) askToCancel() {
	switch t := m.selectedTask(); {
	case t == nil:
		m.note = "select a task first, with the arrow keys"
	case !m.picture.Changes:
		m.note = "this monitor changes nothing: the program has to switch that on, with monitor.AllowChanges"
	case !m.canAsk():
		m.note = "the screen is too small to ask"
	default:
		m.victim, m.mode = new(*t), confirming
	}
}

// answer takes the answer to the question whether to cancel. All but y is no.
func (m *top) answer(name string) tea.Cmd {
	victim := m.victim
	m.victim, m.mode = nil, browsing
	if name != "y" && name != "Y" {
		m.note = "not cancelled"
		return nil
	}
	from, parent, timeout := m.from, m.ctx, m.timeout
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, timeout)
		defer cancel()
		_, err := from.cancel(ctx, victim.ID, victim.Name)
		return cancelMsg{victim.title(), err}
	}
}

// edit changes the draft of the filter.
func (m *top) edit(name, text string) tea.Cmd {
	switch name {
	case "enter":
		m.mode = browsing
		return m.refilter(m.draft)
	case "esc":
		m.mode = browsing
	case "backspace", "ctrl+h":
		_, size := utf8.DecodeLastRuneInString(m.draft)
		m.draft = m.draft[:len(m.draft)-size]
	case "ctrl+u":
		m.draft = ""
	default:
		m.insert(text)
	}
	return nil
}

// paste inserts the first line of what was pasted.
func (m *top) paste(text string) {
	if m.mode == typing {
		text, _, _ = strings.Cut(text, "\n")
		m.insert(strings.TrimSpace(text))
	}
}

// maxFilter bounds the filter, which is sent in a URL.
const maxFilter = 200

func (m *top) insert(text string) {
	for _, r := range text {
		if unicode.IsPrint(r) && len(m.draft) < maxFilter {
			m.draft += string(r)
		}
	}
}

var helpLines = []string{
	"up down k j      select a task; pgup pgdown home end too",
	"enter            details of the selected task",
	"w                where it is: its stack. The program is stopped for a moment",
	"y                why it waits: what for, and what that waits for",
	"d                deadlocks",
	"c                cancel it",
	"left right space hide and show what is below it",
	"s                sort by tree, " + orderNames(),
	"r                reverse the order",
	"/                show only tasks with a text in their name or state",
	"p u              pause; look now",
	"tab              move in the list, or here",
	"esc              close this; show all tasks again",
	"ctrl+z q         suspend, quit",
	"",
	"> is the selected task, ! a task that is in a deadlock.",
}
