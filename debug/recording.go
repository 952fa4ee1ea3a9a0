package debug

import "github.com/curio-go/curio/internal/events"

// A Recording says which events are kept when nobody traces.
type Recording int

// What can be recorded. See [SetRecording].
const (
	RecordTasks   Recording = iota // when tasks begin and end, and what is cancelled or expires
	RecordWaits                    // also when they wait, and for what
	RecordNothing                  // nothing
)

// SetRecording says which of the last events of the process are kept in memory, and returns what it was before:
// RecordTasks, if nobody has changed it. RecordWaits costs each wait about a hundred nanoseconds; RecordNothing saves
// about as much of each spawn. Traces see what they want in any case.
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
