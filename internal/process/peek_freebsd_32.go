//go:build freebsd && !(amd64 || arm64 || riscv64)

package process

import "errors"

// peek is not possible: how wait6(2) takes its arguments differs from one 32-bit processor to the other.
func (h Handle) peek(int) (info siginfo, err error) { return info, errors.ErrUnsupported }
