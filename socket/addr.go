package socket

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// LocalAddr returns the socket's own address: getsockname(2). It is nil if it has
// none that is known, and does not fail.
func (s *Socket) LocalAddr() net.Addr {
	if s.usable() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrLocked(&s.local, syscall.Getsockname)
}

// RemoteAddr returns the address of the other side: getpeername(2). It is nil if the
// socket is not connected, and does not fail.
func (s *Socket) RemoteAddr() net.Addr {
	if s.usable() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrLocked(&s.remote, syscall.Getpeername)
}

// LocalAddrPort is LocalAddr for a socket of the Internet families, whatever its type.
// It is the zero AddrPort if the socket is of another family or has no port.
func (s *Socket) LocalAddrPort() netip.AddrPort { return addrPort(s.LocalAddr()) }

// RemoteAddrPort is RemoteAddr for a socket of the Internet families, whatever its type.
// It is the zero AddrPort if the socket is of another family or not connected.
func (s *Socket) RemoteAddrPort() netip.AddrPort { return addrPort(s.RemoteAddr()) }

// addrPort gives an IPv4 address as such, although package net maps it into IPv6.
func addrPort(addr net.Addr) netip.AddrPort {
	a, ok := addr.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (s *Socket) addrLocked(known *net.Addr, ask func(fd int) (syscall.Sockaddr, error)) net.Addr {
	if unnamed(*known) {
		_ = s.fd.Control(func(fd int) error {
			sa, err := ask(fd)
			if addr := s.netAddr(sa); err == nil && (*known == nil || !unnamed(addr)) {
				*known = addr
			}
			return err
		})
	}
	return *known
}

// unnamed reports whether the system may still choose a port or a name, as it does when a
// socket that is not bound first sends. It tells nobody when it has.
func unnamed(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.Port == 0
	case *net.UDPAddr:
		return a.Port == 0
	case *net.UnixAddr:
		return a.Name == "" || a.Name == "@"
	}
	return addr == nil
}

// forget is for after what has changed an address.
func (s *Socket) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local, s.remote = nil, nil
}

var errMissing = &net.AddrError{Err: "missing address"}

// sockaddr is addr as the system wants it, for a socket of this family and type.
func (s *Socket) sockaddr(addr net.Addr) (syscall.Sockaddr, error) {
	switch a := addr.(type) {
	case nil:
		return nil, errMissing
	case *net.TCPAddr:
		if a == nil {
			return nil, errMissing
		}
		return s.inetSockaddr(SOCK_STREAM, a.IP, a.Port, a.Zone, a)
	case *net.UDPAddr:
		if a == nil {
			return nil, errMissing
		}
		return s.inetSockaddr(SOCK_DGRAM, a.IP, a.Port, a.Zone, a)
	case *net.IPAddr:
		if a == nil {
			return nil, errMissing
		}
		return s.inetSockaddr(SOCK_RAW, a.IP, 0, a.Zone, a)
	case *net.UnixAddr:
		if a == nil {
			return nil, errMissing
		}
		return s.unixSockaddr(a)
	}
	return nil, &net.AddrError{Err: fmt.Sprintf("unexpected type %T of address", addr), Addr: addr.String()}
}

// inetAddr is addr as an address of the type that this socket has, nil if it is none.
func (s *Socket) inetAddr(addr netip.AddrPort) net.Addr {
	if !addr.IsValid() || s == nil {
		return nil
	}
	return s.typed(net.IP(addr.Addr().AsSlice()), int(addr.Port()), addr.Addr().Zone())
}

// inetSockaddr makes the address of a socket of the Internet families. A missing ip
// is that of all interfaces. On an AF_INET6 socket an IPv4 address is a mapped one.
// typ is the type of socket that addr is for.
func (s *Socket) inetSockaddr(typ int, ip net.IP, port int, zone string, addr net.Addr) (syscall.Sockaddr, error) {
	if s.typ != typ && s.family != AF_UNIX {
		return nil, &net.AddrError{
			Err:  fmt.Sprintf("unexpected type %T of address, on a socket of network %s", addr, s.network()),
			Addr: addr.String(),
		}
	}
	if port < 0 || port > 0xffff {
		return nil, &net.AddrError{Err: "invalid port", Addr: addr.String()}
	}
	switch s.family {
	case AF_INET:
		if len(ip) == 0 {
			ip = net.IPv4zero
		}
		ip4 := ip.To4()
		if ip4 == nil || zone != "" {
			return nil, &net.AddrError{Err: "no IPv4 address, on an AF_INET socket", Addr: addr.String()}
		}
		return &syscall.SockaddrInet4{Port: port, Addr: [4]byte(ip4)}, nil
	case AF_INET6:
		if len(ip) == 0 {
			ip = net.IPv6zero
		}
		ip16 := ip.To16()
		if ip16 == nil {
			return nil, &net.AddrError{Err: "no IP address", Addr: addr.String()}
		}
		id, err := zoneID(zone)
		if err != nil {
			return nil, &net.AddrError{Err: err.Error(), Addr: addr.String()}
		}
		return &syscall.SockaddrInet6{Port: port, Addr: [16]byte(ip16), ZoneId: id}, nil
	}
	return nil, &net.AddrError{Err: "Internet address, on a socket of another family", Addr: addr.String()}
}

// maxPath is the length of sun_path, with the zero byte at its end that abstract
// names do not have.
const maxPath = len(syscall.RawSockaddrUnix{}.Path)

func (s *Socket) unixSockaddr(addr *net.UnixAddr) (syscall.Sockaddr, error) {
	abstract := len(addr.Name) > 0 && addr.Name[0] == '@'
	switch {
	case s.family != AF_UNIX:
		return nil, &net.AddrError{Err: "Unix domain address, on a socket of another family", Addr: addr.String()}
	case addr.Net != "" && addr.Net != s.network():
		return nil, &net.AddrError{Err: "address of network " + addr.Net + ", on a socket of network " + s.network(), Addr: addr.String()}
	case len(addr.Name) > maxPath, len(addr.Name) == maxPath && !abstract:
		return nil, &net.AddrError{Err: fmt.Sprintf("path longer than %d bytes", maxPath-1), Addr: addr.String()}
	}
	return &syscall.SockaddrUnix{Name: addr.Name}, nil
}

// netAddr is sa in the types of package net, nil for what it does not know.
func (s *Socket) netAddr(sa syscall.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return s.typed(net.IP(sa.Addr[:]), sa.Port, "")
	case *syscall.SockaddrInet6:
		return s.typed(net.IP(sa.Addr[:]), sa.Port, zoneName(sa.ZoneId))
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: s.network()}
	}
	return nil
}

// typed is an address of the type that this socket has.
func (s *Socket) typed(ip net.IP, port int, zone string) net.Addr {
	switch s.typ {
	case SOCK_DGRAM:
		return &net.UDPAddr{IP: ip, Port: port, Zone: zone}
	case SOCK_RAW:
		return &net.IPAddr{IP: ip, Zone: zone}
	}
	return &net.TCPAddr{IP: ip, Port: port, Zone: zone}
}

// setName makes n the address addr, for a socket of this family, without allocating
// anything.
func (s *Socket) setName(n *poll.Name, addr netip.AddrPort) error {
	if s.family == AF_UNIX {
		return &net.AddrError{Err: "Internet address, on a socket of another family", Addr: addr.String()}
	}
	id, err := zoneID(addr.Addr().Zone())
	if err != nil {
		return &net.AddrError{Err: err.Error(), Addr: addr.String()}
	}
	if id != 0 && s.family == AF_INET || !n.SetAddrPort(addr, s.family == AF_INET6, id) {
		return &net.AddrError{Err: "no IPv4 address, on an AF_INET socket", Addr: addr.String()}
	}
	return nil
}

// nameAddrPort is n, with its zone.
func nameAddrPort(n *poll.Name) netip.AddrPort {
	addr, zone := n.AddrPort()
	if zone != 0 {
		addr = netip.AddrPortFrom(addr.Addr().WithZone(zoneName(zone)), addr.Port())
	}
	return addr
}
