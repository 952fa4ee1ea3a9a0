package testutil

import "os"

// Long reports whether tests run for as long as they are meant to. It is set by the
// environment variable CURIO_LONG, as .ci/run sets it: without it, a run of all tests is to
// take a minute.
var Long = os.Getenv("CURIO_LONG") != ""

// Times is how often a race is run: n times in a long run, a sixth of that under the race
// detector, which makes each round five to ten times as long, and a tenth without Long.
func Times(n int) int {
	switch {
	case Long && Race:
		return max(n/6, 1)
	case Long:
		return n
	}
	return max(n/10, 1)
}

// Starts is Times for rounds each of which starts a process. Under the race detector that takes
// a tenth of a second of processor time, so there it is a tenth in a long run too.
func Starts(n int) int {
	if Race {
		return max(n/10, 1)
	}
	return Times(n)
}

// LongStarts is Long for what starts hundreds of processes: not under the race detector.
var LongStarts = Long && !Race
