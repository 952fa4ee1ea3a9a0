//go:build !linux

package poll

// noteWake does nothing: here the runtime knows of all our system calls. See monitor_linux.go.
func noteWake() {}
