package process

import "syscall"

var sysCloseRange = firstNumber() + 436

// closeRange is close_range(2) with CLOSE_RANGE_CLOEXEC, which Linux has since 5.11.
func closeRange(first int) error {
	const closeOnExec = 1 << 2
	_, _, errno := syscall.RawSyscall(sysCloseRange, uintptr(first), uintptr(^uint32(0)), closeOnExec)
	if errno != 0 {
		return errno
	}
	return nil
}
