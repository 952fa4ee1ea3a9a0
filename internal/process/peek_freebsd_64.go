//go:build freebsd && (amd64 || arm64 || riscv64)

package process

import (
	"syscall"
	"unsafe"
)

func (h Handle) peek(options int) (info siginfo, err error) {
	err = ignoreEINTR(func() syscall.Errno {
		info = siginfo{}
		var status int32
		_, _, errno := syscall.Syscall6(syscall.SYS_WAIT6, byPid, uintptr(h.Pid), uintptr(unsafe.Pointer(&status)),
			uintptr(options|wNoHang|wNoWait), 0, uintptr(unsafe.Pointer(&info)))
		return errno
	})
	return info, err
}
