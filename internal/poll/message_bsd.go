//go:build darwin || freebsd

package poll

import (
	"strings"
	"syscall"
)

const bsd = true

func (n *Name) setInet4() *syscall.RawSockaddrInet4 {
	sa := n.inet4()
	*sa = syscall.RawSockaddrInet4{Len: syscall.SizeofSockaddrInet4, Family: syscall.AF_INET}
	n.n = syscall.SizeofSockaddrInet4
	return sa
}

func (n *Name) setInet6() *syscall.RawSockaddrInet6 {
	sa := n.inet6()
	*sa = syscall.RawSockaddrInet6{Len: syscall.SizeofSockaddrInet6, Family: syscall.AF_INET6}
	n.n = syscall.SizeofSockaddrInet6
	return sa
}

func (n *Name) setUnix(name string) bool {
	sa := n.unix()
	if name == "" || len(name) >= len(sa.Path) || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	n.n = uint32(pathOffset + len(name) + 1)
	*sa = syscall.RawSockaddrUnix{Len: uint8(n.n), Family: syscall.AF_UNIX}
	for i := range len(name) {
		sa.Path[i] = int8(name[i])
	}
	return true
}

func (n *Name) unixName() string { return untilZero(n.path()) }
