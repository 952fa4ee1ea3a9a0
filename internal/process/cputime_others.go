//go:build !linux

package process

import (
	"errors"
	"syscall"
	"time"
)

// ProcessorTimeOf is not for this system.
func ProcessorTimeOf(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

// A CPUTimer sends a signal to this process when it has used some processor time.
type CPUTimer struct{}

// NewCPUTimer fails: there are no such timers here.
func NewCPUTimer(syscall.Signal) (*CPUTimer, error) { return nil, errors.ErrUnsupported }

// Set fails.
func (t *CPUTimer) Set(_, _ time.Duration) error { return errors.ErrUnsupported }
