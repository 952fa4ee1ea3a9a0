package debug

import (
	"fmt"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/wait"
)

// tasks is what the reader knows of the tasks that have not ended: what is in the ring about one of them refers to what
// was in it before.
type tasks struct {
	config Config
	known  map[uint64]*known

	now time.Time // the time at the reading at of wait.Now, for all of a batch, so that they stay in order
	at  int64
}

func (x *tasks) setClock() { x.at, x.now = wait.Now(), wait.Clock() }

type known struct {
	name   string
	parent uint64
	wanted bool

	op, object string // of the wait that it is in, "" for none
	since      int64  // when that has begun
}

// learn finds out about the tasks that are there. It keeps what is known of them, and of tasks that may still have records
// to read.
func (x *tasks) learn() {
	before := x.known
	x.known = make(map[uint64]*known)
	ended := make(map[uint64]bool)
	history := events.Read()
	for _, e := range history {
		if k := before[e.Task]; k != nil {
			x.known[e.Task] = k
		}
		if e.Kind == events.Ended || e.Kind == events.Failed || e.Kind == events.Panicked {
			ended[e.Task] = true
		}
	}
	for _, e := range history {
		if e.Kind == events.Created && !ended[e.Task] {
			x.add(e.Task, nameIn(e), e.Arg)
		}
	}
	for _, k := range curio.Kernels() {
		for _, t := range k.Tasks() {
			if k := before[t.ID()]; k != nil {
				x.known[t.ID()] = k
			}
			parent := uint64(0)
			if p := t.Parent(); p != nil {
				parent = p.ID()
			}
			x.add(t.ID(), t.Name(), parent)
		}
	}
}

// add makes a task known, unless it is.
func (x *tasks) add(id uint64, name string, parent uint64) *known {
	k := x.known[id]
	if k == nil {
		k = &known{name: name, parent: parent, wanted: x.config.wants(name)}
		x.known[id] = k
	}
	return k
}

// nameOf returns what a task is called in the text of others.
func (x *tasks) nameOf(id uint64) string {
	if k := x.known[id]; k != nil && k.name != "" {
		return fmt.Sprintf("task %s (%d)", k.name, id)
	}
	return fmt.Sprintf("task %d", id)
}

// nameIn returns the name in e, which is Created.
func nameIn(e events.Event) string {
	switch {
	case e.Text == "":
		return fmt.Sprintf("task %d", e.Task)
	case e.Cut:
		return strings.ToValidUTF8(e.Text, "") + "…"
	}
	return e.Text
}

// see takes note of e, and returns it as others see it.
func (x *tasks) see(e events.Event) (event TaskEvent, wanted bool) {
	if e.Kind == events.Created {
		x.add(e.Task, nameIn(e), e.Arg)
	}
	k := x.known[e.Task]
	if k == nil {
		k = &known{wanted: len(x.config.Tasks) == 0}
		if e.Task != 0 {
			k.name = fmt.Sprintf("task %d", e.Task)
		}
	}
	event = TaskEvent{Time: x.now.Add(time.Duration(e.Time - x.at)), Task: e.Task, Name: k.name, Parent: k.parent}
	switch e.Kind {
	case events.Waits:
		k.op, k.object, _ = strings.Cut(e.Text, " ")
		if e.Arg != 0 {
			k.object += fmt.Sprintf(" %#x", e.Arg)
		}
		k.since = e.Time
		event.Op, event.Object = k.op, k.object
	case events.Sleeps:
		k.op, k.object, k.since = e.Text, rounded(time.Duration(max(0, int64(e.Arg)-e.Time))).String(), e.Time
		event.Op, event.Object = k.op, k.object
	case events.Joins:
		k.op, k.object, k.since = e.Text, x.nameOf(e.Arg), e.Time
		event.Op, event.Object = k.op, k.object
	case events.Resumed:
		event.Op, event.Object = k.op, k.object
		if k.op != "" {
			event.Waited = time.Duration(e.Time - k.since)
		}
		event.CutShort = e.Arg != 0
		k.op, k.object = "", ""
	case events.Cancelled:
		event.How, event.By = e.Text, e.Arg
	case events.Ended, events.Failed, events.Panicked:
		event.How, event.Error = e.Kind.String(), e.Text
		if e.Kind == events.Ended && e.Arg != 0 {
			event.How = "cancelled"
		}
		delete(x.known, e.Task)
	}
	return event, k.wanted
}

// rounded is d with four or five digits: a sleep begins a moment after its end was worked out.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for unit <= d/10_000 {
		unit *= 10
	}
	return d.Round(unit)
}
