package testutil

import (
	"syscall"
	"time"
)

// ProcessorTime returns how much processor time the process has used, 0 if that is not known.
// Unlike the time on the wall it does not depend on what else the machine does.
func ProcessorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
