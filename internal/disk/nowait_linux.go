package disk

import (
	"runtime"
	"syscall"
	"unsafe"
)

const rwfNoWait = 0x8 // RWF_NOWAIT

// preadv2 is the number of the system call, 0 where it is not known.
func preadv2() uintptr {
	switch runtime.GOARCH {
	case "amd64":
		return 327
	case "386":
		return 378
	case "arm64", "riscv64", "loong64":
		return 286
	case "arm":
		return 392
	case "ppc64", "ppc64le":
		return 380
	case "s390x":
		return 376
	}
	return 0
}

// ReadNoWait reads from offset off of fd what is in the page cache: preadv2(2) with RWF_NOWAIT. If that
// is nothing, errno is EAGAIN, and the system begins to read ahead. Fewer bytes than fit into p, and 0,
// do not mean the end of the file: some systems returned 0 where data followed. See Refused.
func ReadNoWait(fd int, p []byte, off int64) (n int, errno syscall.Errno) {
	trap := preadv2()
	switch {
	case off < 0: // -1 would mean the descriptor's own offset, and move it
		return 0, syscall.EINVAL
	case trap == 0:
		return 0, syscall.ENOSYS
	case len(p) == 0:
		return 0, 0
	}
	low, high := uintptr(off), uintptr(0)
	if unsafe.Sizeof(low) == 4 {
		high = uintptr(off >> 32)
	}
	v := syscall.Iovec{Base: unsafe.SliceData(p)}
	v.SetLen(len(p))
	for {
		k, _, errno := syscall.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&v)), 1, low, high, rwfNoWait)
		switch errno {
		case 0:
			runtime.KeepAlive(p)
			return int(k), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
