package debug

import "github.com/curio-go/curio/internal/events"

// A Recording selects which events are kept when there is no trace.
type Recording int

// What can be recorded. See [SetRecording].
const (
	RecordTasks   Recording = iota // when tasks begin and end, and what is cancelled or expires
	RecordWaits                    // the same, and when they wait, and for what
	RecordNothing                  // nothing
)

// SetRecording sets which of the last events of the process are kept in memory, and returns the
// previous setting. The default is RecordTasks. RecordWaits costs each wait about a hundred
// nanoseconds. RecordNothing saves about as much in each spawn. Traces get what they need in any
// case.
func SetRecording(r Recording) (before Recording) {
	sets := map[Recording]events.Set{
		RecordTasks: events.Tasks, RecordWaits: events.Tasks | events.Pauses, RecordNothing: 0,
	}
	set, known := sets[r]
	if !known {
		panic("debug: SetRecording of something unknown")
	}
	was := events.Base(set)
	for r, set := range sets {
		if set == was {
			before = r
		}
	}
	return before
}
