//go:build !linux

package process

import (
	"errors"
	"syscall"
)

// Here a child cannot be stopped at exec and changed from outside.

// A Mask is a set of signals.
type Mask struct{}

// HoldSignals does nothing.
func HoldSignals() Mask { return Mask{} }

// RestoreSignals does nothing.
func RestoreSignals(Mask) {}

// ErrGone is the error if the child has ended meanwhile.
var ErrGone = errors.New("it was ended before its first instruction")

// AwaitExec fails.
func AwaitExec(int) (owed syscall.Signal, err error) { return 0, errors.ErrUnsupported }

// ReleaseAtExec fails.
func ReleaseAtExec(int, Mask, syscall.Signal) error { return errors.ErrUnsupported }

// SetLimit fails.
func SetLimit(int, int, uint64, uint64) error { return errors.ErrUnsupported }
