//go:build amd64 || arm64

package poll

import (
	"syscall"
	"unsafe"
)

// callBatch is recvmmsg(2) or sendmmsg(2). As callMessage they never wait, and need no
// timeout. They tell the scheduler, however short the messages
// are, for there may be a thousand of them.
func callBatch(trap uintptr, fd int, headers batchHeaders, flags int) (int, syscall.Errno) {
	flags |= syscall.MSG_DONTWAIT
	ordered(trap == sysSendmmsg)
	start := unsafe.Pointer(unsafe.SliceData(headers))
	for {
		n, _, errno := syscall.Syscall6(trap, uintptr(fd), uintptr(start), uintptr(len(headers)), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			ordered(false)
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
