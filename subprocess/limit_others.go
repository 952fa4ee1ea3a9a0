//go:build !linux

package subprocess

import (
	"errors"

	"github.com/curio-go/curio/internal/process"
)

// limit is not reached: limits are refused before the start.
func (s *settings) limit(*child, process.Mask) error { return errors.ErrUnsupported }
