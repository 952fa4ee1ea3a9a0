package debug

import (
	"context"
	runtimetrace "runtime/trace"
	"strconv"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// SetTrace sets whether tasks are shown in execution traces of package runtime/trace, and returns
// the previous setting. It starts no trace. It may be called at any time, by several goroutines at
// once.
//
// While a trace is taken, by trace.Start or by a flight recorder, a task that is spawned is a task
// of the trace, with its name as the type. Its parent is the task with whose context it was spawned.
// It begins when it is spawned and ends with its function. A log message of the category
// "curio.task" tells which goroutine runs it, and what its ID is. Each of its waits is a region,
// with the task's state, such as LOCK_ACQUIRE, as the type. The task's context belongs to the task
// of the trace, so trace.Log, trace.WithRegion and trace.NewTask with that context are about that
// task.
//
//	go tool trace trace.out
//
// shows them under "User-defined tasks" and "User-defined regions". Tasks that were spawned before the trace began are
// not in it, and the regions of their waits belong to no task.
//
// It is off by default. When it is on and no trace is taken, the cost for a spawn and a wait is too
// small to be measured. While a trace is taken, a spawn and a wait take two to three times as long.
func SetTrace(on bool) (before bool) {
	marking.Lock()
	defer marking.Unlock()
	now := marking.now.Load()
	before = now.trace
	if on != before {
		marking.set(&settings{labels: now.labels, trace: on})
	}
	return before
}

// category is the category of the messages in a trace.
const category = "curio.task"

// withTask returns v, which may be nil and may be shared, as the values of a task that is in the trace which is taken
// now, if one is.
func withTask(v *values, o *wait.Owner, base, around context.Context) *values {
	if !runtimetrace.IsEnabled() {
		return v
	}
	mine := values{around: around}
	if v != nil {
		mine = *v
	}
	parent := &parentTask{base}
	mine.traced, mine.task = runtimetrace.NewTask(parent, taskOf(o).Name())
	parent.of = nil
	mine.id = o.ID
	return &mine
}

// parentTask is how package trace finds the parent of a new task. After that it is empty, as the context of the new task
// keeps it.
type parentTask struct{ of context.Context }

// begin says in the trace, if the task is in one, on which goroutine it runs.
func (v *values) begin() (traced bool) {
	if v.task == nil {
		return false
	}
	if runtimetrace.IsEnabled() {
		runtimetrace.Log(v.traced, category, strconv.FormatUint(v.id, 10))
	}
	return true
}

func (v *values) end() {
	if v.task != nil {
		v.task.End()
	}
}

// Waits is part of wait.Marker.
func (m *marker) Waits(base context.Context, op string) wait.Region {
	if !runtimetrace.IsEnabled() {
		return nil
	}
	of := context.Background()
	if v, ok := base.(*values); ok && v.traced != nil {
		of = v.traced
	}
	return runtimetrace.StartRegion(of, op)
}

// Value is part of context.Context. It asks the user's contexts: if one panics, there is no parent.
func (p *parentTask) Value(key any) (value any) {
	if p.of == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			value = nil
		}
	}()
	return p.of.Value(key)
}

// Deadline is part of context.Context.
func (p *parentTask) Deadline() (deadline time.Time, ok bool) { return }

// Done is part of context.Context.
func (p *parentTask) Done() <-chan struct{} { return nil }

// Err is part of context.Context.
func (p *parentTask) Err() error { return nil }
