package events

import (
	"fmt"
	"slices"
	"sync"
)

// A Failure is a task's error. The ring cannot have it: its text is made by the user's code, and it has pointers.
type Failure struct {
	Task uint64
	At   int64 // as wait.Now
	Name string
	Path fmt.Stringer // of the task; it does not keep the task in memory
	Err  error
}

// mostFailures is how many failures are kept for a collector that does not take them.
const mostFailures = 256

// Failures collects the errors of tasks.
type Failures struct {
	mu   sync.Mutex
	list []Failure
	lost uint64

	release func()
}

var collectors = struct {
	sync.Mutex
	all []*Failures
}{}

// CollectFailures has the errors of tasks collected from now on, until Stop.
func CollectFailures() *Failures {
	f := &Failures{release: Ask(Errors)}
	collectors.Lock()
	defer collectors.Unlock()
	collectors.all = append(collectors.all, f)
	return f
}

// Stop ends the collecting.
func (f *Failures) Stop() {
	f.release()
	collectors.Lock()
	defer collectors.Unlock()
	collectors.all = slices.DeleteFunc(collectors.all, func(g *Failures) bool { return g == f })
}

// Take returns what has been collected since the last call, and how many there was no room for.
func (f *Failures) Take() (list []Failure, lost uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, lost = f.list, f.lost
	f.list, f.lost = nil, 0
	return list, lost
}

// Fail hands a failure to all collectors. Wants(Errors) says whether there are any.
func Fail(failure Failure) {
	collectors.Lock()
	defer collectors.Unlock()
	for _, f := range collectors.all {
		f.add(failure)
	}
}

func (f *Failures) add(failure Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == mostFailures {
		f.lost++
		return
	}
	f.list = append(f.list, failure)
}
