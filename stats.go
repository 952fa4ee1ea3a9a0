package curio

import (
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// This file counts. What has happened since the program began is counted where it happens; how many tasks there are now,
// and in which states, is found out by looking at all of them when somebody asks. So a wait costs nothing, and a task
// one addition.
//
//   - No counter goes back, as a system of metrics takes that for a restart. So they are not worked out from each
//     other: the tasks that have ended are not those that were created without those that live, as a walk may miss
//     some.
//   - A task that has ended has been counted as created before. ReadStats reads the counters in the other order, so
//     Ended is never more than Created.
//   - What is shown is of a fixed size, whatever tasks are called: there are the kinds of tasks and the classes of states.

// Stats are counts of the whole process, as ReadStats has found them. It has no name and no number of a task, so it is
// of the same size in every program.
//
// The counters are read one after the other, while tasks run. So they may differ by what happens meanwhile, except that
// Ended is at most Created.
type Stats struct {
	// Tasks, since the program began. Of those that have ended, Failed counts the ones with an error of their own or a
	// panic, Panicked these with a panic alone, and Cancelled the ones that had been cancelled before, by anybody: one
	// that then failed in its clean-up counts as both. Main tasks are tasks, too. One that was refused, as its
	// kernel had been shut down, was created and has ended.
	Created, Ended, Failed, Panicked, Cancelled uint64

	// TimeoutsExpired is how many deadlines of TimeoutAfter and the other functions for timeouts have passed since
	// the program began, before what they bound was over. The deadline of a context of package context is not one.
	TimeoutsExpired uint64

	// Kernels is how many kernels there are now, and Tasks how many tasks they have. ByKind and ByState
	// are two ways of counting these tasks. The map of a Stats that ReadStats returns has all kinds, or all classes, that
	// there are, so a count may be 0.
	Kernels, Tasks int
	ByKind         map[TaskKind]int

	// ByState has classes of what AnyTask.State returns:
	//
	//	running   RUNNING or INITIAL: it computes, or blocks in what is not of this module
	//	sleep     TIME_SLEEP
	//	read      READ_WAIT: a descriptor has nothing to read
	//	write     WRITE_WAIT: a descriptor has no room
	//	network   for a connection, a resolver, a handshake, or the end of a connection
	//	lock      for a lock, a semaphore, a group's limit, or its turn at something
	//	queue     to put into a queue, a broadcast or a channel, or to get out of one
	//	event     for an event, a condition, a barrier, a value, a shared call or a signal
	//	task      for the end of other tasks: in a join, a group or a shutdown
	//	thread    for a function in a thread, or for a slot to call one
	//	file      for an operation on a file, or an event of one
	//	process   for a program or a worker process
	//	select    for one of several things
	//	other     for anything else, such as a state that a program has made with WaitList
	ByState map[string]int

	// Stopping is how many of the tasks have been cancelled and not ended yet. In a program that works as it should they
	// do not stay.
	Stopping int

	// ThreadCalls is how many functions run in threads (see Kernel.ThreadCalls), and AbandonedCalls of how many of
	// these the caller has given up. Those of kernels that have been shut down are not counted.
	ThreadCalls, AbandonedCalls int
}

// ReadStats returns what the process has done with tasks so far, and what its tasks do now, over all kernels. It is
// for systems of metrics, which ask every few seconds; for the tasks themselves see Kernel.Inspect.
//
// ReadStats looks at each task that lives, which takes 0.2 to 0.5 µs for each, so 50 ms of a processor with 100,000
// tasks. It stops nobody, waits for nothing but mutexes that are held for a moment, and calls nothing of the user's. A
// task that was spawned or that moved to another parent while it looked may not be in the counts of now.
func ReadStats() Stats {
	var s Stats
	for i := range ends {
		e := &ends[i]
		s.Ended += e.ended.Load()
		s.Failed += e.failed.Load()
		s.Cancelled += e.cancelled.Load()
	}
	s.Panicked, s.TimeoutsExpired = panics.Load(), wait.Expirations()
	s.Created = lastID.Load() // after Ended
	var now population
	for _, k := range Kernels() {
		s.Kernels++
		now.count(k)
		calls, abandoned := k.threads.counts()
		s.ThreadCalls += calls
		s.AbandonedCalls += abandoned
	}
	s.ByKind, s.ByState = make(map[TaskKind]int), make(map[string]int)
	for r, n := range now.kinds {
		s.ByKind[role(r).kind()] = n
		s.Tasks += n
	}
	for c, n := range now.states {
		s.ByState[stateClass(c).String()] = n
	}
	s.Stopping = now.stopping
	return s
}

// ends counts how tasks have ended, in parts that each have a cache line: tasks with consecutive numbers mostly end at the
// same time, on several processors.
var ends [16]struct {
	ended, failed, cancelled atomic.Uint64
	_                        [64 - 3*8]byte
}

// panics counts the tasks that have panicked.
var panics atomic.Uint64

// countEnd counts t, for which it has been worked out how it has ended.
func (t *AnyTask) countEnd() {
	e := &ends[t.owner.ID%uint64(len(ends))]
	e.ended.Add(1)
	if t.failed {
		e.failed.Add(1)
	}
	if t.stopped {
		e.cancelled.Add(1)
	}
}

// A population counts tasks by their sorts.
type population struct {
	kinds    [serviceTask + 1]int
	states   [stateClasses]int
	stopping int
}

func (p *population) count(k *Kernel) {
	for _, root := range []*wait.Scope{k.root, k.services} {
		root.Tasks(func(o *wait.Owner) bool {
			t := taskOf(o)
			state := t.State()
			if t.Terminated() { // asked after its state, which else might be that
				return true
			}
			p.kinds[t.role]++
			p.states[classOf(state)]++
			if o.Cause() != nil {
				p.stopping++
			}
			return true
		})
	}
}

// counts returns how many calls run, and how many of these are abandoned.
func (t *threads) counts() (calls, abandoned int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.calls), t.abandoned
}
