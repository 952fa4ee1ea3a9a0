package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"
)

// This file is what "curio top" does with the monitor's answers. The model belongs to the one goroutine that the library
// calls Update and View in. Questions are asked in goroutines of their own, which know nothing of the model, and come back
// as messages. A message carries what it is an answer to, and is dropped if that is not wanted any more.
//
// The selection is a task, not a row: it moves with the task, and when the task has ended nothing is selected until the
// user moves. A cancellation is for the task that was selected when its key was pressed: the question names it, and the
// monitor is sent its number and its name.

// A top is the model of "curio top".
type top struct {
	from     *client
	ctx      context.Context
	timeout  time.Duration // of a question
	interval time.Duration // between two pictures, at least
	limit    int           // of tasks in a picture
	branches branches

	width, height int // 0 if not known

	picture picture
	rows    []row
	natural widths          // of what is in rows
	stuck   map[uint64]bool // tasks in deadlocks
	locks   int             // how many deadlocks there are
	failure error           // of the last question for a picture

	sorting int // in orders; below 0: as a tree
	reverse bool
	closed  map[uint64]bool // tasks whose children are not shown
	filter  string
	fresh   bool // the user has just changed the filter, and not seen what it leaves
	paused  bool

	selected uint64 // 0 for none
	at       int    // the row of the selected task, or where it was
	first    int    // the first row on the screen

	mode   mode
	draft  string // of the filter
	victim *task  // the task to be cancelled
	pane   *pane
	inPane bool   // keys that move are for the pane
	note   string // about the last key

	asked    int           // the question for a picture that is being asked, or waited for
	period   time.Duration // until the next picture
	nextLook time.Time     // when deadlocks are looked for
	opened   int           // panes so far
}

// A mode is what keys are for.
type mode int

const (
	browsing mode = iota
	typing        // a filter
	confirming
)

// A pane shows something about a task below the list.
type pane struct {
	number int
	title  string
	lines  []string
	first  int  // the first line on the screen
	tall   bool // it takes the place of the list
	live   bool // it is the details of the selected task
}

type (
	pictureMsg struct {
		question  int
		picture   picture
		deadlocks *deadlockList // nil if they were not looked for
		took      time.Duration
		lookTook  time.Duration
		err       error
	}
	tickMsg struct{ question int }
	paneMsg struct {
		number int
		lines  []string
		err    error
	}
	cancelMsg struct {
		title string
		err   error
	}
)

// lookEvery is how long top lets pass between two looks for deadlocks, at least.
const lookEvery = 5 * time.Second

func runTop(c *call, args []string) error {
	interval := seconds{time.Second}
	c.flags.Var(&interval, "interval", "look every `DURATION`, or less often if the program has many tasks")
	limit := c.flags.Int("limit", 1000, "show at most `N` tasks, the oldest")
	filter := c.flags.String("filter", "", "begin with a filter: only tasks with `TEXT` in their name or state, or as their number")
	arguments, err := c.parse(args, 0)
	if err != nil {
		return err
	}
	chosen := selection{*filter, *limit}
	if err := chosen.check(c); err != nil {
		return err
	}
	from, err := c.client(arguments)
	if err != nil {
		return err
	}
	if !c.terminal {
		return errors.New("top needs a terminal that can move its cursor: use curio ps or curio tree")
	}
	m := newTop(c, from, interval.Duration, chosen)
	// What cannot be asked once is an error of the command line, and not for the whole screen.
	if first := m.ask(); first.err != nil {
		return first.err
	} else {
		m.receive(first)
	}
	m.move(0) // the first task is selected
	return show(m)
}

// show runs the model on the terminal. The library puts the terminal right when it returns, after a panic too.
func show(m tea.Model) error {
	_, err := tea.NewProgram(m).Run()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

func newTop(c *call, from *client, interval time.Duration, chosen selection) *top {
	return &top{
		from: from, ctx: c.ctx, timeout: c.set.timeout.Duration, interval: interval, limit: chosen.limit, filter: chosen.filter,
		branches: branchesFor(isUTF8(c.getenv)), closed: make(map[uint64]bool), sorting: -1, period: interval,
	}
}

// Init is part of tea.Model.
func (m *top) Init() tea.Cmd { return m.later() }

// Update is part of tea.Model.
func (m *top) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		if m.mode == confirming && !m.canAsk() {
			m.victim, m.mode = nil, browsing
		}
		m.keepInView()
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		m.paste(msg.Content)
	case pictureMsg:
		if msg.question == m.asked {
			m.receive(msg)
			return m, m.later()
		}
	case tickMsg:
		if msg.question == m.asked && !m.paused {
			return m, m.poll()
		}
	case paneMsg:
		m.fill(msg)
	case cancelMsg:
		m.note = "cancelled " + msg.title
		if msg.err != nil {
			m.note = "not cancelled: " + msg.err.Error()
		}
		return m, m.poll()
	}
	return m, nil
}

// poll asks for a picture now, whatever was asked before.
func (m *top) poll() tea.Cmd {
	m.asked++
	question := *m // as it is now
	return func() tea.Msg { return question.ask() }
}

// later asks for a picture when the period has passed.
func (m *top) later() tea.Cmd {
	question := m.asked
	return tea.Tick(m.period, func(time.Time) tea.Msg { return tickMsg{question} })
}

// ask asks for a picture and, now and then, for deadlocks.
func (m *top) ask() pictureMsg {
	ctx, cancel := context.WithTimeout(m.ctx, m.timeout)
	defer cancel()
	answer := pictureMsg{question: m.asked}
	began := time.Now()
	answer.picture, answer.err = m.from.picture(ctx, m.filter, m.limit)
	answer.took = time.Since(began)
	if answer.err != nil || time.Now().Before(m.nextLook) {
		return answer
	}
	began = time.Now()
	if list, err := m.from.deadlocks(ctx, false); err == nil {
		answer.deadlocks = &list
	}
	answer.lookTook = time.Since(began)
	return answer
}

// receive takes in an answer. A monitor that has much to look at is asked less often: top is not to be what keeps the
// program busy.
func (m *top) receive(msg pictureMsg) {
	m.period = max(m.interval, 10*msg.took)
	m.failure = msg.err
	if msg.err != nil {
		return
	}
	if m.picture.PID != 0 && m.picture.PID != msg.picture.PID { // numbers of tasks mean others now
		m.selected, m.victim, m.pane, m.inPane, m.mode = 0, nil, nil, false, browsing
		m.closed = make(map[uint64]bool)
		m.note = fmt.Sprintf("this is another process: %d", msg.picture.PID)
	}
	m.picture = msg.picture
	if msg.deadlocks != nil {
		m.nextLook = time.Now().Add(max(lookEvery, 100*msg.lookTook))
		m.locks, m.stuck = len(msg.deadlocks.Deadlocks), make(map[uint64]bool)
		for _, d := range msg.deadlocks.Deadlocks {
			for _, s := range d.Circle {
				m.stuck[s.ID] = true
			}
		}
	}
	m.arrange()
	m.fresh = false
}
