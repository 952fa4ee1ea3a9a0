package debug

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/labelled"
	"github.com/curio-go/curio/internal/wait"
)

// A blockWatch looks for tasks that run for long. A task is said to have run from one look to another if it was running
// at both and at all between, and its cycles, which count its waits, have not changed. A wait is counted a moment before it
// begins, so the first look at which a task was seen running with these cycles does not count.
//
// Looking calls nothing of the user's.
type blockWatch struct {
	trace *trace
	limit time.Duration
	over  chan struct{} // closed when watch has returned
	ended context.Context
	stop  context.CancelFunc
	runs  map[uint64]run // by the task's number; only of tasks that were running when they were looked at
	calm  int64          // no stacks before this
}

// A run is what has been seen of a task since it has waited last.
type run struct {
	cycles uint64
	since  int64 // when it was seen for the second time, 0 before that
	told   bool
}

const (
	looks       = 5           // how often to look within the limit
	stacksEvery = time.Second // looks at stacks are that far apart
	mostStacks  = 3           // of one look; each stops the world
)

// tooMany goroutines are not stopped to print a stack. A variable for tests.
var tooMany = 20_000

func newBlockWatch(t *trace) *blockWatch {
	b := &blockWatch{trace: t, limit: t.config.LongBlock, over: make(chan struct{})}
	b.ended, b.stop = context.WithCancel(context.Background())
	return b
}

// end ends watch.
func (b *blockWatch) end() {
	b.stop()
	<-b.over
}

func (b *blockWatch) watch() {
	defer close(b.over)
	for pause := b.limit / looks; ; {
		rest, cancel := context.WithTimeout(b.ended, max(pause, time.Millisecond))
		<-rest.Done()
		cancel()
		if b.ended.Err() != nil {
			return
		}
		began := wait.Now()
		long := b.look(began)
		pause = max(b.limit/looks, 100*time.Duration(wait.Now()-began))
		b.tell(long)
	}
}

// A longRun is a task that has run for longer than the limit.
type longRun struct {
	task *curio.AnyTask
	run  time.Duration
}

// look returns the tasks that have run for longer than the limit by now, and have not been told of.
func (b *blockWatch) look(now int64) (long []longRun) {
	runs := make(map[uint64]run)
	for _, k := range curio.Kernels() {
		for _, t := range k.Tasks() {
			cycles := t.Cycles()
			if t.State() != "RUNNING" || t.Cycles() != cycles {
				continue
			}
			r, known := b.runs[t.ID()]
			switch {
			case !known || r.cycles != cycles:
				r = run{cycles: cycles}
			case r.since == 0:
				r.since = now
			case !r.told && time.Duration(now-r.since) >= b.limit && b.trace.config.wants(t.Name()):
				r.told = true
				long = append(long, longRun{t, time.Duration(now - r.since)})
			}
			runs[t.ID()] = r
		}
	}
	b.runs = runs
	return long
}

// tell has the log told of long runs.
func (b *blockWatch) tell(long []longRun) {
	if len(long) == 0 {
		return
	}
	now := wait.Now()
	stacks := mostStacks
	if now < b.calm {
		stacks = 0
	}
	for i, l := range long {
		attrs := []slog.Attr{slog.Uint64("task", l.task.ID()), slog.String("name", l.task.Name()), slog.Duration("for", l.run)}
		if i < stacks {
			attrs = append(attrs, b.stackOf(l.task)...)
		}
		b.trace.call(func() {
			b.trace.log(wait.Time(now), slog.LevelWarn, "curio: task runs for long without waiting", attrs...)
		})
	}
}

// stackOf returns the stack of a task, and what its goroutine does. Among too many goroutines it looks for the label of the
// task's ID. That takes a second with 100,000 of them, so it is one task in a hundred times as long.
func (b *blockWatch) stackOf(t *curio.AnyTask) []slog.Attr {
	began := wait.Now()
	if runtime.NumGoroutine() <= tooMany {
		stack := t.Traceback()
		b.calm = max(b.calm, began+int64(stacksEvery))
		if stack == "" {
			return nil
		}
		return []slog.Attr{slog.String("goroutine", goroutineState(stack)), slog.String("stack", stack)}
	}
	if !labelled.Used.Load() || began < b.calm {
		return nil
	}
	stack, err := labelled.Stack(t)
	ended := wait.Now()
	b.calm = ended + max(int64(stacksEvery), 100*(ended-began))
	if stack == "" || err != nil { // it has ended, or has no label
		return nil
	}
	return []slog.Attr{slog.String("stack", stack)} // the profile does not say what the goroutine does
}

// goroutineState returns what the goroutine with the given stack does: "running", or "chan receive", if it waits for
// something that is not of this module.
func goroutineState(stack string) string {
	_, rest, _ := strings.Cut(stack, "[")
	state, _, _ := strings.Cut(rest, "]")
	state, _, _ = strings.Cut(state, ",")
	return state
}
