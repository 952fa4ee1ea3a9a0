package poll

import (
	"syscall"
	"unsafe"
)

// receive is recvmsg(2), as m says.
func receive(fd int, m *Message) (int, syscall.Errno) {
	if closedOnExec == 0 && len(m.Control) > 0 {
		// Nobody may start a process that would inherit descriptors before they
		// are marked.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		n, errno := callMessage(sysRecvmsg, fd, &m.hdr, m.Flags, m.size)
		if errno == 0 {
			for _, fd := range Descriptors(m.Control[:m.hdr.Controllen]) {
				syscall.CloseOnExec(int(*fd))
			}
		}
		return n, errno
	}
	return callMessage(sysRecvmsg, fd, &m.hdr, m.Flags|closedOnExec, m.size)
}

// send1 is sendmsg(2). MSG_NOSIGNAL spares the runtime a SIGPIPE.
func send1(fd int, m *Message) (int, syscall.Errno) {
	return callMessage(sysSendmsg, fd, &m.hdr, m.Flags|noSignal, m.size)
}

// callMessage never waits: the descriptor is non-blocking, and MSG_DONTWAIT is for when
// somebody who shares it has changed that.
func callMessage(trap uintptr, fd int, hdr *syscall.Msghdr, flags, size int) (int, syscall.Errno) {
	flags |= syscall.MSG_DONTWAIT
	ordered(trap == sysSendmsg)
	for {
		var n uintptr
		var errno syscall.Errno
		if size <= untold {
			n, _, errno = syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(hdr)), uintptr(flags))
		} else {
			n, _, errno = syscall.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(hdr)), uintptr(flags))
		}
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

// AppendControl appends one piece of ancillary data to b, with the padding that
// belongs between two.
func AppendControl(b []byte, level, typ int, data []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, syscall.CmsgSpace(len(data)))...)
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&b[start]))
	h.Level, h.Type = int32(level), int32(typ)
	h.SetLen(syscall.CmsgLen(len(data)))
	copy(b[start+syscall.CmsgLen(0):], data)
	return b
}
