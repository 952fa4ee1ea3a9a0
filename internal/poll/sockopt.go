package poll

import (
	"syscall"
	"unsafe"
)

// Setsockopt is setsockopt(2), with the option's value as the bytes it consists of.
func Setsockopt(fd, level, name int, value []byte) error {
	return syscall.SetsockoptString(fd, level, name, string(value))
}

// Getsockopt is getsockopt(2): it puts the option's value into buf, as much of it as
// fits, and returns how many bytes that is. Package syscall has it for values of
// certain lengths only.
func Getsockopt(fd, level, name int, buf []byte) (int, error) {
	size := uint32(len(buf))
	start := unsafe.Pointer(unsafe.SliceData(buf))
	_, _, errno := syscall.Syscall6(sysGetsockopt, uintptr(fd), uintptr(level), uintptr(name), uintptr(start), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return min(int(size), len(buf)), nil
}
