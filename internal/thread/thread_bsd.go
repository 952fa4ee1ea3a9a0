//go:build darwin || freebsd

package thread

// Nothing tells, and nothing depends on it.
func onFirstThread() bool { return false }
