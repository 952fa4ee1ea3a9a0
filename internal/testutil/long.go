package testutil

import "os"

// Long reports whether tests run for as long as they are meant to. It is set by the
// environment variable CURIO_LONG, as .ci/run sets it: without it, a run of all tests is to
// take a minute.
var Long = os.Getenv("CURIO_LONG") != ""

// Times is how often a race is run: n times in a long run, and a tenth of that otherwise.
func Times(n int) int {
	if Long {
		return n
	}
	return max(n/10, 1)
}
