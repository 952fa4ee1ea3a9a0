//go:build !linux

package subprocess

import "syscall"

// setSystemAttr has nothing to ask for.
func setSystemAttr(*syscall.SysProcAttr, *fork) {}
