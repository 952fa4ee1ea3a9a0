package process

import (
	"errors"
	"syscall"
)

// SignalAtParentsDeath is not for this system.
func SignalAtParentsDeath(syscall.Signal) error { return errors.ErrUnsupported }
