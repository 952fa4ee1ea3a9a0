package file

import (
	"slices"
	"time"
)

// A Call is a system call that a worker makes, or that waits for one. It is a picture of one moment.
type Call struct {
	Op        string    // what is done, such as open, read or stat
	Path      string    // with which file
	Device    uint64    // the number of its device, as in the Dev of a syscall.Stat_t; of two, the target's
	Since     time.Time // when it was asked for
	Queued    bool      // all workers of the device are busy
	Abandoned bool      // nobody waits for it any more
}

// String says what the call does, and whether somebody waits for it.
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

// Calls returns the system calls of this package that run in workers now, the oldest first, and those
// that wait for a worker. A call that is old stands for a disk, a server or a daemon that does not
// answer; those that were abandoned are among them, and nothing waits for them to return. It may be
// called at any time, from any goroutine.
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

// Counters are numbers that only grow.
type Counters struct {
	HandOvers uint64 // system calls that were made by workers
	Misses    uint64 // reads of which the page cache had nothing, so that a worker had to wait for the disk
	Refusals  uint64 // files that cannot be read without waiting, so that workers make all reads
}

// Counts returns how much work was handed to workers since the program began, and why. Where Refusals
// grows, programs that make many small reads do better on another file system, or by reading more at
// once.
func Counts() Counters {
	return Counters{handOvers.Load(), misses.Load(), refusals.Load()}
}
