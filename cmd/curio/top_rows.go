package main

import (
	"fmt"
	"slices"

	"github.com/curio-go/curio/internal/quote"
)

// widths are how many columns the rows would take.
type widths struct{ id, state, name, waits int }

// sorted returns pointers to the tasks, in the order of compare.
func sorted(tasks []task, compare func(a, b *task) int) []*task {
	all := make([]*task, len(tasks))
	for i := range tasks {
		all[i] = &tasks[i]
	}
	slices.SortStableFunc(all, compare)
	return all
}

// arrange makes the rows anew, and finds the selected task among them.
func (m *top) arrange() {
	m.rows = m.rows[:0]
	if m.sorting < 0 {
		m.rows = forest(m.picture.Tasks, m.branches, orders[0].comparing(m.reverse), func(id uint64) bool { return m.closed[id] })
	} else {
		for _, t := range sorted(m.picture.Tasks, orders[m.sorting].comparing(m.reverse)) {
			m.rows = append(m.rows, row{task: t})
		}
	}
	m.natural = widths{id: len("TASK"), state: len("STATE"), name: len("NAME"), waits: len("WAITS FOR")}
	for _, r := range m.rows {
		n := &m.natural
		n.id = max(n.id, digits(r.task.ID))
		n.state = max(n.state, quote.Width(clean(r.task.State)))
		n.name = max(n.name, quote.Width(m.label(r)))
		n.waits = max(n.waits, quote.Width(r.task.waitsFor()))
	}
	m.findSelected()
	m.keepInView()
}

func digits(n uint64) int {
	count := 1
	for ; n > 9; n /= 10 {
		count++
	}
	return count
}

// label is the name of a task in the list.
func (m *top) label(r row) string {
	text := r.label()
	if m.closed[r.task.ID] && r.children > 0 {
		text += fmt.Sprintf(" [+%d]", r.children)
	}
	return text
}

// findSelected follows the selected task to its row.
func (m *top) findSelected() {
	if m.selected == 0 {
		m.at = max(0, min(m.at, len(m.rows)-1))
		return
	}
	if i := slices.IndexFunc(m.rows, func(r row) bool { return r.task.ID == m.selected }); i >= 0 {
		m.at = i
		return
	}
	if m.isHidden(m.selected) {
		return
	}
	m.selected = 0
	m.at = max(0, min(m.at, len(m.rows)-1))
	if m.fresh && len(m.rows) > 0 {
		m.selected, m.at = m.rows[0].task.ID, 0
		return
	}
	m.note = "the selected task is not in the list any more"
}

// isHidden selects the nearest task above the given one that is shown, if the task itself is only folded away.
func (m *top) isHidden(id uint64) bool {
	above := make(map[uint64]uint64, len(m.picture.Tasks))
	for i := range m.picture.Tasks {
		above[m.picture.Tasks[i].ID] = m.picture.Tasks[i].Parent
	}
	parent, there := above[id]
	for range above { // no further than there are tasks: they may be in a circle
		if !there {
			return false
		}
		if i := slices.IndexFunc(m.rows, func(r row) bool { return r.task.ID == parent }); i >= 0 {
			m.selected, m.at = parent, i
			return true
		}
		parent, there = above[parent]
	}
	return false
}

// selectedTask returns the selected task, nil if there is none.
func (m *top) selectedTask() *task {
	if m.selected == 0 || m.at >= len(m.rows) {
		return nil
	}
	return m.rows[m.at].task
}

// move selects the task that is by rows further down, or up if by is negative. If no task is selected, the first key
// selects the row where the last one was.
func (m *top) move(by int) {
	if len(m.rows) == 0 {
		return
	}
	if m.selected == 0 && (by == 1 || by == -1) {
		by = 0
	}
	m.at = max(0, min(m.at+by, len(m.rows)-1))
	m.selected = m.rows[m.at].task.ID
	m.keepInView()
}

// keepInView moves the list so that the row of the selected task is on the screen.
func (m *top) keepInView() {
	body := m.layout().body
	m.first = max(0, min(m.first, len(m.rows)-body))
	if body > 0 {
		m.first = max(min(m.first, m.at), m.at-body+1)
	}
}

// fold hides the children of the selected task, or shows them.
func (m *top) fold(closed bool) {
	t := m.selectedTask()
	switch {
	case t == nil || m.sorting >= 0:
	case closed && (m.closed[t.ID] || m.rows[m.at].children == 0): // to the parent, as in most trees
		m.selectParent()
	case closed:
		m.closed[t.ID] = true
	default:
		delete(m.closed, t.ID)
	}
	m.arrange()
}

func (m *top) selectParent() {
	parent := m.rows[m.at].task.Parent
	if i := slices.IndexFunc(m.rows, func(r row) bool { return r.task.ID == parent }); i >= 0 {
		m.at, m.selected = i, parent
	}
}
