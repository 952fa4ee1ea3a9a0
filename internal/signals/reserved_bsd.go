//go:build darwin || freebsd

package signals

import "syscall"

// isReserved reports whether a signal is one of those that the thread library keeps to itself, or
// above all that package os/signal knows.
func isReserved(sig syscall.Signal) bool { return sig >= 32 }
