package debug

import (
	"fmt"
	"log/slog"
	"path"
	"slices"
	"time"
)

// A Config selects what to trace. The zero value traces nothing.
type Config struct {
	// SchedTrace logs when tasks are spawned, run, wait and end: "task created", "task runs", "task
	// waits", "task ended". A task runs when its function begins, and after each wait.
	SchedTrace bool

	// TrapTrace logs everything that SchedTrace does, and more: what each wait is for, how long it
	// took, and whether it was cut short; and which tasks, groups and timeouts were cancelled or
	// expired, and by which task.
	TrapTrace bool

	// LogCrash logs the error of each task that fails, even if another task handles it, and each
	// panic with its stack. A task that was only cancelled has not failed.
	LogCrash bool

	// LongBlock, if it is positive, logs each task that runs for longer than that without a call of
	// this module that waits, with its stack. Such a task computes, or it is blocked in code that no
	// cancellation reaches. Tasks are looked at from outside, five times in that time, or less often
	// if that would take more than one percent of a processor. So a task is found when it has run
	// for half as long again, and a task that has waited in between is never reported. Taking the
	// stacks stops all goroutines, as AnyTask.Traceback does, at most once a second.
	LongBlock time.Duration

	// Activation has functions to be called.
	Activation Activation

	// Tasks restricts the trace to tasks with these names. A name is a task's name, or a pattern of
	// path.Match, such as "worker*". If there are none, all tasks are traced.
	Tasks []string

	// Logger is the log. If it is nil, slog.Default() is called for each message.
	Logger *slog.Logger

	// Level is the level of what is logged. If it is nil, the level is slog.LevelInfo for SchedTrace
	// and TrapTrace, slog.LevelWarn for LongBlock, and slog.LevelError for LogCrash.
	Level slog.Leveler
}

// An Activation has functions that are called when something happens to a task. Those that are nil
// are not called.
//
// The functions are called one after the other, in the order of the events, some milliseconds later,
// by a goroutine that is not a task. For each task that is Created first, then Running and Suspended
// in turn, and Terminated last. If a task was there when the trace began, Created is not called for
// it. A function that panics or ends its goroutine is called again for the next event. While one
// hangs, none is called, and nothing else is held up.
type Activation struct {
	Created    func(TaskEvent) // it was spawned
	Running    func(TaskEvent) // its function begins, or goes on after a wait
	Suspended  func(TaskEvent) // it waits in a call of this module
	Cancelled  func(TaskEvent) // it, or a group or a timeout in it, was cancelled or has expired
	Terminated func(TaskEvent) // it has ended

	Lost func(n uint64) // about n events are missing here, as they came too fast
}

// A TaskEvent is something that has happened to a task.
type TaskEvent struct {
	Time   time.Time
	Task   uint64 // the task's ID; 0 in Cancelled for the shutdown of a kernel
	Name   string // the task's name, of which the first 140 bytes are known
	Parent uint64 // the ID of the task with whose context it was spawned, 0 for none

	// Op is what the task waits for, as AnyTask.State returns it. Object is the type and the address
	// of the object, or the task that it joins, or how long it sleeps. In Running they describe the
	// wait that is over, which has taken Waited; CutShort reports whether a cancellation or a
	// timeout has ended it. They are "" when the function begins.
	Op, Object string
	Waited     time.Duration
	CutShort   bool

	// How is, in Terminated, "ended", "cancelled", "failed" or "panicked". In Cancelled it tells
	// what has ended, and how: "task cancelled", "timeout expired".
	How string

	// Error is, in Terminated, the type of the task's error or of the value of its panic, if it has failed.
	Error string

	By uint64 // in Cancelled, the ID of the task that cancelled, 0 for none
}

// Start begins a trace, which goes on until stop is called. stop waits until everything that has
// happened before has been reported, unless the log handler or a function of the Activation hangs.
// It may be called more than once. Any number of traces may be on at the same time. Kernel.Shutdown,
// Run and Exit wait in the same way, for some seconds at most.
//
// In a bubble of testing/synctest, stop must be called before the bubble ends. Start panics if a LongBlock is negative.
func Start(c Config) (stop func()) {
	if c.LongBlock < 0 {
		panic(fmt.Sprintf("debug: Start with a LongBlock of %v", c.LongBlock))
	}
	c.Tasks = slices.Clone(c.Tasks)
	return begin(c)
}

// traces reports whether c needs the events of tasks.
func (c *Config) traces() bool {
	a := &c.Activation
	return c.SchedTrace || c.TrapTrace ||
		a.Created != nil || a.Running != nil || a.Suspended != nil || a.Cancelled != nil || a.Terminated != nil
}

// wants reports whether a task of the given name is to be traced.
func (c *Config) wants(name string) bool {
	return len(c.Tasks) == 0 || slices.ContainsFunc(c.Tasks, func(wanted string) bool {
		if name == wanted {
			return true
		}
		matches, _ := path.Match(wanted, name) // a bad pattern, such as a name with a "[", matches nothing
		return matches
	})
}
