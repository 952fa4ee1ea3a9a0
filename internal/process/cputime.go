package process

import (
	"syscall"
	"time"
)

// ProcessorTime returns how much processor time this process has used, without its children.
func ProcessorTime() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, err
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
