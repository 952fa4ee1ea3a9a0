package poll

import (
	"syscall"
	"unsafe"
)

// pollRDHup says that the other side has ended the connection, or this side has: nothing
// can come that is not there already.
const pollRDHup = 0x2000

func hungUp(fd int) bool {
	p := pollfd{fd: int32(fd), events: pollRDHup}
	for {
		n, errno := pollNow(&p)
		if errno != syscall.EINTR {
			return errno == 0 && n > 0
		}
	}
}

// queued returns how many bytes there are to receive, in all messages: SIOCINQ.
func queued(fd int) int {
	var n int32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int(n)
}
