package poll

import (
	"syscall"
	"unsafe"
)

// These are the system calls that take a Name or return one. Package syscall has them, too,
// but its Unix domain names end at the first zero byte, and it cannot tell a socket that
// has no name from one with an empty name.

// Bind is bind(2).
func Bind(fd int, n *Name) error { return n.give(sysBind, fd) }

func connect(fd int, n *Name) error { return n.give(sysConnect, fd) }

func (n *Name) give(trap uintptr, fd int) error {
	_, _, errno := syscall.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&n.raw)), uintptr(n.n))
	if errno != 0 {
		return errno
	}
	return nil
}

// LocalName is getsockname(2).
func LocalName(fd int) (Name, error) { return nameFrom(sysGetsockname, fd) }

// RemoteName is getpeername(2).
func RemoteName(fd int) (Name, error) { return nameFrom(sysGetpeername, fd) }

func nameFrom(trap uintptr, fd int) (Name, error) {
	n := Name{n: syscall.SizeofSockaddrAny}
	_, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&n.raw)), uintptr(unsafe.Pointer(&n.n)))
	if errno != 0 {
		return Name{}, errno
	}
	return n, nil
}

// accept is accept4(2). It puts the peer's address into peer.
func accept(fd int, peer *Name) (int, error) {
	peer.n = syscall.SizeofSockaddrAny
	n, _, errno := syscall.Syscall6(sysAccept4, uintptr(fd), uintptr(unsafe.Pointer(&peer.raw)), uintptr(unsafe.Pointer(&peer.n)), atBirth, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return aboveStdio(int(n))
}
