package file

import (
	"slices"
	"time"
)

// A Call describes a system call that a worker is making or that waits for a worker, at one moment.
type Call struct {
	Op        string    // the operation, such as open, read or stat
	Path      string    // the file's path
	Device    uint64    // the file's device, as in the Dev of a syscall.Stat_t; for two files, the target's
	Since     time.Time // when the call was requested
	Queued    bool      // it waits, because all workers of the device are busy
	Abandoned bool      // the caller no longer waits for it
}

// String returns the operation, the path, and whether the call is queued or abandoned.
func (c Call) String() string {
	text := c.Op + " " + c.Path
	if c.Queued {
		text += ", queued"
	}
	if c.Abandoned {
		text += ", abandoned"
	}
	return text
}

// Calls returns the system calls of this package that are running in workers or waiting for one,
// the oldest first. An old call indicates a disk, a server or a daemon that does not answer.
// Abandoned calls are included until they return. Calls may be called at any time, from any
// goroutine.
func Calls() []Call {
	devices.mu.Lock()
	all := make([]*device, 0, len(devices.all)+len(devices.pairs))
	for _, d := range devices.all {
		all = append(all, d)
	}
	for _, d := range devices.pairs {
		all = append(all, d)
	}
	devices.mu.Unlock()
	var calls []Call
	for _, d := range all {
		d.mu.Lock()
		calls = d.appendLocked(calls, &d.running)
		calls = d.appendLocked(calls, &d.queued)
		d.mu.Unlock()
	}
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Since.Compare(b.Since) })
	return calls
}

func (d *device) appendLocked(calls []Call, l *errandList) []Call {
	for w := l.first; w != nil; w = w.next {
		calls = append(calls, Call{w.op, w.path, d.dev, w.since, w.state == queued, w.state == abandoned})
	}
	return calls
}

// Counters holds counts since the program began.
type Counters struct {
	HandOvers uint64 // system calls made by workers
	Misses    uint64 // reads whose data was not in the page cache, so that a worker waited for the disk
	Refusals  uint64 // files whose file system has no non-blocking reads, so that workers make all reads
}

// Counts returns how much work was handed to workers since the program began, and why. If Refusals
// grows, a program that makes many small reads will be faster on another file system, or with
// larger reads.
func Counts() Counters {
	return Counters{handOvers.Load(), misses.Load(), refusals.Load()}
}
