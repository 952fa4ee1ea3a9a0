package main

import (
	"slices"
)

// maxIndent is the depth from which on tasks are not indented any further.
const maxIndent = 24

// A row is a task at its place in the tree.
type row struct {
	task     *task
	depth    int
	prefix   string // the lines that lead to it
	children int
}

// branches are the pieces that the lines of a tree are made of.
type branches struct{ child, last, pass, none string }

var (
	lineBranches  = branches{"├─ ", "└─ ", "│  ", "   "}
	asciiBranches = branches{"|- ", "`- ", "|  ", "   "}
)

func branchesFor(utf8 bool) branches {
	if utf8 {
		return lineBranches
	}
	return asciiBranches
}

// forest orders tasks as a tree: each task is followed by its children, which are in the order of compare. Children of a
// task for which closed is true are left out. A task whose parent is not among the tasks is a root. Tasks move while the
// monitor looks at them, so two of them may be above each other in the picture: each task comes once all the same.
func forest(tasks []task, b branches, compare func(a, b *task) int, closed func(id uint64) bool) []row {
	known := make(map[uint64]bool, len(tasks))
	for i := range tasks {
		known[tasks[i].ID] = true
	}
	var roots []*task
	children := make(map[uint64][]*task)
	for i := range tasks {
		if t := &tasks[i]; t.Parent != 0 && known[t.Parent] {
			children[t.Parent] = append(children[t.Parent], t)
		} else {
			roots = append(roots, t)
		}
	}
	g := grower{b: b, compare: compare, closed: closed, children: children, placed: make(map[uint64]bool, len(tasks))}
	g.grow(roots)
	for i := range tasks { // what is left is in a circle
		if t := &tasks[i]; !g.placed[t.ID] {
			g.grow([]*task{t})
		}
	}
	return g.rows
}

// A grower puts together the rows of a forest.
type grower struct {
	b        branches
	compare  func(a, b *task) int
	closed   func(id uint64) bool
	children map[uint64][]*task
	placed   map[uint64]bool
	rows     []row
}

// A seedling is a task that has yet to be placed. Its children's prefixes begin with lead.
type seedling struct {
	row
	lead   string
	hidden bool
}

// grow places tasks with all that is below them. It keeps a stack of its own: trees may be a hundred thousand tasks deep.
func (g *grower) grow(roots []*task) {
	var todo []seedling
	push := func(tasks []*task, depth int, lead string, hidden bool) {
		slices.SortStableFunc(tasks, g.compare)
		for i, t := range slices.Backward(tasks) {
			s := seedling{row{task: t, depth: depth}, lead, hidden}
			if depth > 0 && depth <= maxIndent {
				mine, below := g.b.child, g.b.pass
				if i == len(tasks)-1 {
					mine, below = g.b.last, g.b.none
				}
				s.prefix, s.lead = lead+mine, lead+below
			} else if depth > 0 {
				s.prefix = lead
			}
			todo = append(todo, s)
		}
	}
	push(roots, 0, "", false)
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		id := s.task.ID
		if g.placed[id] {
			continue
		}
		g.placed[id] = true
		s.children = len(g.children[id])
		if !s.hidden {
			g.rows = append(g.rows, s.row)
		}
		push(g.children[id], s.depth+1, s.lead, s.hidden || g.closed(id))
	}
}
