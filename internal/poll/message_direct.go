//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package poll

// untold is the size of a message up to which a call goes without telling the
// scheduler: see direct.
const untold = direct

// ordered is for the race detector.
func ordered(bool) {}
