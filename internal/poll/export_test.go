package poll

import "sync/atomic"

// What tests must reach inside.

// Queued is how many operations wait for the turn to read, or to write.
func (f *FD) Queued(write bool) int { return f.direction(write).turn.Queued() }

func (f *FD) direction(write bool) *direction {
	if write {
		return &f.writer
	}
	return &f.reader
}

// Sleepy makes the next read go to sleep without lingering. It is for a moment at
// which nobody reads.
func (f *FD) Sleepy() { f.reader.habit = habit{last: maxSkip, skip: maxSkip} }

// Eager makes the next read linger.
func (f *FD) Eager() {
	nobody()
	f.reader.habit = habit{}
}

func nobody() {
	crowd.skip.Store(0)
	crowd.last.Store(0)
	crowd.calm.Store(0)
}

// Crowd is how many waits are left out because others want to run.
func Crowd() int { return int(crowd.skip.Load()) }

// CrowdSkip is how many that are in the beginning.
const CrowdSkip = crowdSkip

// MaxStreak is how many waits in a row linger, and MaxCrowdSkip how many are left out at
// most.
const (
	MaxStreak    = maxStreak
	MaxCrowdSkip = maxCrowdSkip
)

// MeetCrowd is what happens when others want to run. NoSkip is what has become of it, and
// of the wait that was left out after a streak, when that has been done.
func MeetCrowd() { meetCrowd() }

func (f *FD) NoSkip() {
	crowd.skip.Store(0)
	f.reader.habit.skip = 0
}

// LingerClock sets the clock of linger, until the test has ended: how far it has
// advanced each time that it is looked at.
func LingerClock(t interface{ Cleanup(func()) }, nanoseconds int64) {
	nobody()
	var now atomic.Int64
	before := lingerClock
	lingerClock = func() int64 { return now.Add(nanoseconds) }
	t.Cleanup(func() { lingerClock = before; nobody() })
}

// Habit is what decides whether the next read lingers.
func (f *FD) Habit() (last, skip uint8) { return f.reader.habit.last, f.reader.habit.skip }

// MaxSkip is the most that a habit leaves out.
const MaxSkip = maxSkip

// OnInterrupt sets what Interrupt calls first, until the test has ended.
func OnInterrupt(t interface{ Cleanup(func()) }, f func()) {
	interrupting = f
	t.Cleanup(func() { interrupting = func() {} })
}
