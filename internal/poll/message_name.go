package poll

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"
)

// A Name is a socket address in the system's form. It is a value: inside of a Message it
// costs no allocation. The zero value is no address.
type Name struct {
	raw syscall.RawSockaddrAny
	n   uint32 // how much of raw it takes
}

func (n *Name) pointer() *byte { return (*byte)(unsafe.Pointer(&n.raw)) }
func (n *Name) inet4() *syscall.RawSockaddrInet4 {
	return (*syscall.RawSockaddrInet4)(unsafe.Pointer(&n.raw))
}

func (n *Name) inet6() *syscall.RawSockaddrInet6 {
	return (*syscall.RawSockaddrInet6)(unsafe.Pointer(&n.raw))
}

func (n *Name) unix() *syscall.RawSockaddrUnix {
	return (*syscall.RawSockaddrUnix)(unsafe.Pointer(&n.raw))
}

// portOf returns the bytes of a port field, which is in network order.
func portOf(field *uint16) []byte { return (*[2]byte)(unsafe.Pointer(field))[:] }

// SetAddrPort makes n the Internet address addr, for a socket of AF_INET6 or AF_INET.
// zone is the number of addr's zone. It reports false if a socket of AF_INET cannot
// have such an address.
func (n *Name) SetAddrPort(addr netip.AddrPort, inet6 bool, zone uint32) bool {
	if inet6 {
		sa := n.setInet6()
		sa.Addr, sa.Scope_id = addr.Addr().As16(), zone
		binary.BigEndian.PutUint16(portOf(&sa.Port), addr.Port())
		return true
	}
	ip := addr.Addr().Unmap()
	if !ip.Is4() {
		return false
	}
	sa := n.setInet4()
	sa.Addr = ip.As4()
	binary.BigEndian.PutUint16(portOf(&sa.Port), addr.Port())
	return true
}

// AddrPort is n, if it is an Internet address, without its zone, and the number of that.
// A mapped IPv4 address is given as IPv4.
func (n *Name) AddrPort() (addr netip.AddrPort, zone uint32) {
	switch {
	case n.n < syscall.SizeofSockaddrInet4:
	case n.raw.Addr.Family == syscall.AF_INET:
		sa := n.inet4()
		addr = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), binary.BigEndian.Uint16(portOf(&sa.Port)))
	case n.raw.Addr.Family == syscall.AF_INET6 && n.n >= syscall.SizeofSockaddrInet6:
		sa := n.inet6()
		addr = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), binary.BigEndian.Uint16(portOf(&sa.Port)))
		zone = sa.Scope_id
	}
	return addr, zone
}

// Set makes n any address. It reports false for one that it does not know.
func (n *Name) Set(sa syscall.Sockaddr) bool {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return n.SetAddrPort(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), false, 0)
	case *syscall.SockaddrInet6:
		return n.SetAddrPort(netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), true, sa.ZoneId)
	case *syscall.SockaddrUnix:
		return n.setUnix(sa.Name)
	}
	return false
}

// Family returns the family of the address, such as AF_INET, or -1 if there is no address.
func (n *Name) Family() int {
	if int(n.n) < pathOffset {
		return -1
	}
	return int(n.raw.Addr.Family)
}

func (n *Name) isUnix() bool { return n.Family() == syscall.AF_UNIX }

// An Inet is an Internet address, which takes less memory than a Name. The zero value is no
// address.
type Inet struct {
	ip   [16]byte
	Zone uint32
	Port uint16
	n    uint8 // how much of ip it takes
}

// IsValid reports whether a is an address.
func (a *Inet) IsValid() bool { return a.n > 0 }

// IP returns the bytes in the system's form: an IPv4 address that is mapped into IPv6 stays
// mapped.
func (a *Inet) IP() []byte { return append([]byte(nil), a.ip[:a.n]...) }

// Inet returns n as an Inet, or the zero Inet if n is of another family.
func (n *Name) Inet() (a Inet) {
	switch {
	case n.n < syscall.SizeofSockaddrInet4:
	case n.raw.Addr.Family == syscall.AF_INET:
		sa := n.inet4()
		a.n, a.Port = uint8(copy(a.ip[:], sa.Addr[:])), binary.BigEndian.Uint16(portOf(&sa.Port))
	case n.raw.Addr.Family == syscall.AF_INET6 && n.n >= syscall.SizeofSockaddrInet6:
		sa := n.inet6()
		a.n, a.Port = uint8(copy(a.ip[:], sa.Addr[:])), binary.BigEndian.Uint16(portOf(&sa.Port))
		a.Zone = sa.Scope_id
	}
	return a
}

// SetUnix makes n the name of a Unix domain socket, in the form of package net: a path or,
// on Linux, an abstract name after an "@". It reports false if there can be no such name,
// for example because it is too long, or a path with a zero byte, which would be another
// path to the system.
func (n *Name) SetUnix(name string) bool { return n.setUnix(name) }

// Unix returns n, an address of the Unix domain, in the form that SetUnix takes, or "" if
// the socket has no name.
func (n *Name) Unix() string {
	if !n.isUnix() {
		return ""
	}
	return n.unixName()
}

// Sockaddr is n in the form of package syscall, nil if it is empty, has no name, or is
// of an unknown kind.
func (n *Name) Sockaddr() syscall.Sockaddr {
	if int(n.n) < pathOffset {
		return nil
	}
	switch n.raw.Addr.Family {
	case syscall.AF_INET:
		if addr, _ := n.AddrPort(); addr.IsValid() {
			return &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
		}
	case syscall.AF_INET6:
		if addr, zone := n.AddrPort(); addr.IsValid() {
			return &syscall.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: zone}
		}
	case syscall.AF_UNIX:
		if name := n.unixName(); name != "" {
			return &syscall.SockaddrUnix{Name: name}
		}
	}
	return nil
}

// pathOffset is where the path of a Unix address begins.
const pathOffset = int(unsafe.Offsetof(syscall.RawSockaddrUnix{}.Path))

// path is what there is of a Unix address's path.
func (n *Name) path() []byte {
	all := n.unix().Path[:]
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&all[0])), len(all))
	return bytes[:min(max(int(n.n)-pathOffset, 0), len(all))]
}

func untilZero(path []byte) string {
	for i, b := range path {
		if b == 0 {
			return string(path[:i])
		}
	}
	return string(path)
}
