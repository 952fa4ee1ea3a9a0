package monitor

import (
	"time"
	"unicode/utf8"

	"github.com/curio-go/curio"
)

// This file has the JSON. Texts are in it as they are, as each client quotes for its own medium; but not longer than
// longestText. Times are in seconds, from now. docs/monitor.md describes it.

type tasksJSON struct {
	Program    string     `json:"program"`
	PID        int        `json:"pid"`
	Changes    bool       `json:"changes"`
	Goroutines int        `json:"goroutines"`
	Total      int        `json:"total"`
	LeftOff    int        `json:"left_off"`
	Tasks      []taskJSON `json:"tasks"`
}

type taskJSON struct {
	ID        uint64         `json:"id"`
	Name      string         `json:"name"`
	Path      string         `json:"path"`
	Parent    uint64         `json:"parent"` // 0 for none
	Kernel    uint64         `json:"kernel"`
	Kind      string         `json:"kind"`
	State     string         `json:"state"`
	Cycles    uint64         `json:"cycles"`
	Age       float64        `json:"age"`
	Spawned   string         `json:"spawned"`
	Waits     []waitJSON     `json:"waits"`
	MoreWaits int            `json:"more_waits,omitempty"` // left off from Waits
	Waiting   *float64       `json:"waiting,omitempty"`
	Until     *float64       `json:"until,omitempty"`
	Deadline  *float64       `json:"deadline,omitempty"`
	Cancelled *cancelledJSON `json:"cancelled,omitempty"`
	Essential bool           `json:"essential"`
	Group     bool           `json:"group"`
}

type waitJSON struct {
	Op      string   `json:"op"`
	Object  string   `json:"object"`
	On      []uint64 `json:"on"`
	More    int      `json:"more,omitempty"` // tasks left off from On
	Perhaps []uint64 `json:"perhaps,omitempty"`
	Lost    bool     `json:"lost,omitempty"`
}

type cancelledJSON struct {
	By      string  `json:"by"`
	Where   string  `json:"where"`
	Ago     float64 `json:"ago"`
	Reason  string  `json:"reason"`
	Expired bool    `json:"expired"`
}

type stackJSON struct {
	ID    uint64  `json:"id"`
	Where string  `json:"where"`
	Stack string  `json:"stack"`
	Pause float64 `json:"pause,omitempty"`
}

type deadlockJSON struct {
	Circle []stuckJSON `json:"circle"`
	More   int         `json:"more,omitempty"` // tasks left off from Circle
	Behind int         `json:"behind"`
}

type stuckJSON struct {
	ID     uint64 `json:"id"`
	Name   string `json:"name"`
	Op     string `json:"op"`
	Object string `json:"object"`
	Lost   bool   `json:"lost"`
	Where  string `json:"where,omitempty"`
}

type threadJSON struct {
	Op        string  `json:"op"`
	Name      string  `json:"name"`
	Task      string  `json:"task"`
	Key       string  `json:"key"`
	Age       float64 `json:"age"`
	Abandoned bool    `json:"abandoned"`
}

const (
	longestText = 2000 // bytes
	mostOn      = 100  // tasks that a wait is for, waits of a task, and tasks of a circle
)

// textJSON returns s as it arrives at a client: what is not UTF-8 becomes U+FFFD, and what is too long is cut.
func textJSON(s string) string {
	if len(s) > longestText {
		cut := longestText
		for cut > longestText-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return s
}

func jsonOf(i curio.TaskInfo, now time.Time) taskJSON {
	j := taskJSON{
		ID: i.Task.ID(), Name: textJSON(i.Task.Name()), Path: textJSON(path(i.Task)), Kernel: i.Kernel.ID(), Kind: string(i.Kind),
		State: textJSON(i.State), Cycles: i.Cycles, Age: max(0, seconds(now.Sub(i.Started))), Spawned: textJSON(i.Spawned),
		Waits: make([]waitJSON, 0, min(len(i.Waits), mostOn)), MoreWaits: max(0, len(i.Waits)-mostOn), Until: until(i.Until, now), Deadline: until(i.Deadline, now),
		Essential: i.Essential, Group: i.InGroup,
	}
	if i.Parent != nil {
		j.Parent = i.Parent.ID()
	}
	for _, w := range i.Waits[:min(len(i.Waits), mostOn)] {
		on := ids(w.On)
		j.Waits = append(j.Waits, waitJSON{textJSON(w.Op), textJSON(w.Object), on, len(w.On) - len(on), ids(w.Perhaps), w.Lost})
	}
	if !i.Since.IsZero() {
		since := max(0, seconds(now.Sub(i.Since)))
		j.Waiting = &since
	}
	if c := i.Cancelled; c != nil {
		j.Cancelled = &cancelledJSON{
			By: textJSON(c.By), Where: textJSON(c.Where), Ago: max(0, seconds(now.Sub(c.When))),
			Reason: textJSON(errorText(c.Reason)), Expired: c.Expired,
		}
	}
	return j
}

// ids returns the numbers of tasks, mostOn at most.
func ids(tasks []*curio.AnyTask) []uint64 {
	tasks = tasks[:min(len(tasks), mostOn)]
	numbers := make([]uint64, len(tasks))
	for i, t := range tasks {
		numbers[i] = t.ID()
	}
	return numbers
}

// until returns how long it is until a time, nil for the zero time.
func until(at, now time.Time) *float64 {
	if at.IsZero() {
		return nil
	}
	s := seconds(at.Sub(now))
	return &s
}

func deadlocksJSON(deadlocks []curio.Deadlock, places map[*curio.AnyTask]string) []deadlockJSON {
	all := make([]deadlockJSON, 0, len(deadlocks))
	for _, d := range deadlocks {
		stuck, more := someOf(d)
		circle := make([]stuckJSON, 0, len(stuck))
		for _, s := range stuck {
			circle = append(circle, stuckJSON{s.Task.ID(), textJSON(s.Task.Name()), textJSON(s.Op), textJSON(s.Object), s.Lost, places[s.Task]})
		}
		all = append(all, deadlockJSON{circle, more, d.Behind})
	}
	return all
}

func threadsJSON(calls []curio.ThreadCall, now time.Time) []threadJSON {
	all := make([]threadJSON, 0, len(calls))
	for _, c := range calls {
		all = append(all, threadJSON{
			c.Op, textJSON(c.Name), textJSON(c.Task), textJSON(keyText(c.Key)), max(0, seconds(now.Sub(c.Since))), c.Abandoned,
		})
	}
	return all
}
