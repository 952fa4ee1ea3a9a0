package poll

import (
	"strings"
	"syscall"
)

const (
	bsd          = false
	noSignal     = syscall.MSG_NOSIGNAL
	closedOnExec = syscall.MSG_CMSG_CLOEXEC // descriptors that come with a message
)

func (n *Name) setInet4() *syscall.RawSockaddrInet4 {
	sa := n.inet4()
	*sa = syscall.RawSockaddrInet4{Family: syscall.AF_INET}
	n.n = syscall.SizeofSockaddrInet4
	return sa
}

func (n *Name) setInet6() *syscall.RawSockaddrInet6 {
	sa := n.inet6()
	*sa = syscall.RawSockaddrInet6{Family: syscall.AF_INET6}
	n.n = syscall.SizeofSockaddrInet6
	return sa
}

// setUnix makes n a path or, if name begins with "@", an abstract name, which has a zero
// byte in place of the "@" and none at its end. A path that takes all the room has no zero
// byte at its end either.
func (n *Name) setUnix(name string) bool {
	sa := n.unix()
	*sa = syscall.RawSockaddrUnix{Family: syscall.AF_UNIX}
	abstract := len(name) > 0 && name[0] == '@'
	end := 1
	if abstract || len(name) == len(sa.Path) {
		end = 0
	}
	if len(name)+end > len(sa.Path) || !abstract && strings.IndexByte(name, 0) >= 0 {
		return false
	}
	for i := range len(name) {
		sa.Path[i] = int8(name[i])
	}
	switch {
	case abstract:
		sa.Path[0] = 0
	case name == "":
		end = 0
	}
	n.n = uint32(pathOffset + len(name) + end)
	return true
}

// unixName is setUnix the other way round.
func (n *Name) unixName() string {
	path := n.path()
	switch {
	case len(path) > 0 && path[0] == 0:
		return "@" + string(path[1:])
	case len(path) > 0 && path[0] == '@':
		return "./" + untilZero(path) // the file, not the abstract name
	}
	return untilZero(path)
}
