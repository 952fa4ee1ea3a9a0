//go:build darwin || freebsd

package poll

import "syscall"

// Bind is bind(2).
func Bind(fd int, n *Name) error { return syscall.Bind(fd, n.Sockaddr()) }

func connect(fd int, n *Name) error { return syscall.Connect(fd, n.Sockaddr()) }

// LocalName is getsockname(2).
func LocalName(fd int) (Name, error) { return nameFrom(syscall.Getsockname(fd)) }

// RemoteName is getpeername(2).
func RemoteName(fd int) (Name, error) { return nameFrom(syscall.Getpeername(fd)) }

// nameFrom returns sa as a Name, or the zero Name if Name does not know its family.
func nameFrom(sa syscall.Sockaddr, err error) (n Name, _ error) {
	if u, ok := sa.(*syscall.SockaddrUnix); ok && u.Name == "" {
		n.setFamily(syscall.AF_UNIX)
		return n, err
	}
	n.Set(sa)
	return n, err
}

func (n *Name) setFamily(family uint16) {
	*n = Name{n: uint32(pathOffset)}
	setNumber(&n.raw.Addr.Family, family)
}

// setNumber sets a field whose type depends on the system.
func setNumber[T uint8 | uint16](field *T, n uint16) { *field = T(n) }
