//go:build !linux

package disk

import "syscall"

// CanCopyRange reports whether there is CopyRange.
func CanCopyRange() bool { return false }

// CopyRange is for Linux.
func CopyRange(to, from int, off int64, n int) (int, error) { return 0, syscall.ENOSYS }
