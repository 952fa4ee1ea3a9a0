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

// Stats are counts of the whole process, as returned by ReadStats. They have no names or numbers of
// single tasks, so they have the same size in every program.
//
// The counters are read one after another, while tasks run. So they may differ by what happens in
// between, except that Ended is never more than Created.
type Stats struct {
	// Counts of tasks since the program began. Of those that have ended, Failed counts the tasks
	// with an error of their own or a panic, and Panicked those with a panic only. Cancelled counts
	// the tasks that had been cancelled before they ended, in whatever way. A cancelled task that
	// then failed in its clean-up counts as both. Main tasks count, too. A task that was refused
	// because its kernel had been shut down counts as created and ended.
	Created, Ended, Failed, Panicked, Cancelled uint64

	// TimeoutsExpired is the number of deadlines that have passed since the program began before the
	// bounded function had returned. It counts the deadlines of TimeoutAfter and the other timeouts of
	// this package, but not the deadlines of contexts of package context.
	TimeoutsExpired uint64

	// Kernels is the number of kernels that there are now, and Tasks the number of their tasks.
	// ByKind and ByState count these tasks in two ways. ReadStats sets an entry for each kind and
	// each class, so a count may be 0.
	Kernels, Tasks int
	ByKind         map[TaskKind]int

	// ByState has an entry for each class of the states that AnyTask.State returns:
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

	// Stopping is the number of tasks that have been cancelled and have not ended yet. A number that
	// does not go back to 0 is a sign of tasks that hang in their clean-up.
	Stopping int

	// ThreadCalls is the number of functions that run in threads (see Kernel.ThreadCalls).
	// AbandonedCalls is the number of these that their callers have given up. Functions of kernels
	// that have been shut down are not counted.
	ThreadCalls, AbandonedCalls int
}

// ReadStats returns what the process has done with tasks so far, and what its tasks do now, over all
// kernels. It is for metrics systems, which ask every few seconds. For single tasks see
// Kernel.Inspect.
//
// ReadStats looks at each task that has not ended, which takes 0.2 to 0.5 µs each, so up to 50 ms of
// processor time with 100,000 tasks. It stops no task, waits only for mutexes that are held for a
// moment, and calls no code of yours. A task that was spawned, or moved to another parent, during
// the call may be missing from the present counts.
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
