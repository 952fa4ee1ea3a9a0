//go:build darwin || freebsd

package wait

// Nothing tells, and nothing depends on it.
func onFirstThread() bool { return false }
