//go:build !linux

package disk

import "syscall"

// ReadNoWait is refused: only Linux can tell what is in memory.
func ReadNoWait(fd int, p []byte, off int64) (n int, errno syscall.Errno) { return 0, syscall.ENOSYS }

// OpenCached opens nothing.
func OpenCached(name string, flags int) (fd int, ok bool) { return -1, false }

// MountOf knows no mounts.
func MountOf(path string) (Mount, bool) { return Mount{}, false }

// ClassOf knows no devices.
func ClassOf(dev uint64) (c Class, ok bool) { return Other, false }

// Believable knows no devices.
func Believable(dev uint64) bool { return false }

// AskClass knows no classes.
func AskClass(fd int) Class { return Other }

// Locate knows no mounts.
func Locate(path string) (Mount, bool) { return Mount{}, false }
