package curiotest

import "fmt"

// A moment is when a run is disturbed, and how: at the nth operation that reaches a
// stage.
//
// Operations are numbered for each stage by itself. Whether one parks can depend on who
// is faster, so the fifth to begin need not be the fifth to park; but what is counted
// when it parks did park.
type moment struct {
	at     stage
	n      int
	expire bool // a timeout around the function expires; else its task is cancelled
}

// A stage is how far an operation has come.
type stage int

const (
	entering stage = iota
	parked
	never // for runs that nothing disturbs
)

// String says what is done to the function, and at which of its waits.
func (m moment) String() string {
	how := "cancelled"
	if m.expire {
		how = "timed out"
	}
	if m.at == entering {
		return fmt.Sprintf("%s at the entry of wait %d", how, m.n)
	}
	return fmt.Sprintf("%s in wait %d of those that block", how, m.n)
}
