//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package poll

import (
	"syscall"
	"unsafe"
)

// direct is the size of a buffer up to which a call goes without telling the
// scheduler. A scheduler that is not told can neither lend the processor to another
// goroutine nor, while the call lasts, stop the world for the collector.
//
// Measured over loopback TCP: telling costs 0.2 µs and more, which is 5 to 10 % of a
// call from 64 B (3.3 µs with what the kernel does for the other side) to 64 KiB
// (4.6 µs to send, 7.8 µs to receive). So up to there the world waits for less than
// 10 µs; stopping it took no longer than it does beside calls that tell. 256 KiB
// would be 10 to 25 µs, and 1 MiB was seen to treble the time of a stop.
const direct = 64 << 10

// recv and send are recvfrom(2) and sendto(2) without an address, which is a shorter
// way through the kernel than read(2) and write(2). They never wait: the descriptor is
// non-blocking, and MSG_DONTWAIT is for when somebody who shares it has changed that. A
// scheduler that was not told could not bear it. MSG_NOSIGNAL spares the runtime a
// SIGPIPE.

func recv(fd int, p []byte) (int, syscall.Errno) {
	return transfer(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

func send(fd int, p []byte) (int, syscall.Errno) {
	return transfer(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func transfer(trap uintptr, fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	start := unsafe.Pointer(unsafe.SliceData(p))
	for {
		var n uintptr
		var errno syscall.Errno
		if len(p) <= direct {
			n, _, errno = syscall.RawSyscall6(trap, uintptr(fd), uintptr(start), uintptr(len(p)), flags, 0, 0)
		} else {
			n, _, errno = syscall.Syscall6(trap, uintptr(fd), uintptr(start), uintptr(len(p)), flags, 0, 0)
		}
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
