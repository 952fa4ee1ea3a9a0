package signals

import "syscall"

// isReserved reports whether a signal is one of those that the C library keeps to itself, or
// above all that there are.
func isReserved(sig syscall.Signal) bool { return sig >= 32 && sig <= 34 || sig > 64 }
