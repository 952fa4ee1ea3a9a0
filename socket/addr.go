package socket

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
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

func (s *Socket) addrLocked(known *net.Addr, ask func(fd int) (syscall.Sockaddr, error)) net.Addr {
	if *known == nil {
		_ = s.fd.Control(func(fd int) error {
			sa, err := ask(fd)
			if err == nil {
				*known = netAddr(sa)
			}
			return err
		})
	}
	return *known
}

// forget is for after what has changed an address.
func (s *Socket) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local, s.remote = nil, nil
}

// sockaddr is addr as the system wants it, for a socket of this family.
func (s *Socket) sockaddr(addr net.Addr) (syscall.Sockaddr, error) {
	switch a := addr.(type) {
	case nil:
		return nil, &net.AddrError{Err: "missing address"}
	case *net.TCPAddr:
		if a == nil {
			return nil, &net.AddrError{Err: "missing address"}
		}
		return inetSockaddr(s.family, a.IP, a.Port, a.Zone, a)
	case *net.UnixAddr:
		if a == nil {
			return nil, &net.AddrError{Err: "missing address"}
		}
		return unixSockaddr(s.family, a)
	}
	return nil, &net.AddrError{Err: fmt.Sprintf("unexpected type %T of address", addr), Addr: addr.String()}
}

// inetSockaddr makes the address of a socket of the Internet families. A missing ip
// is that of all interfaces. On an AF_INET6 socket an IPv4 address is a mapped one.
func inetSockaddr(family int, ip net.IP, port int, zone string, addr net.Addr) (syscall.Sockaddr, error) {
	if port < 0 || port > 0xffff {
		return nil, &net.AddrError{Err: "invalid port", Addr: addr.String()}
	}
	switch family {
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

func unixSockaddr(family int, addr *net.UnixAddr) (syscall.Sockaddr, error) {
	abstract := len(addr.Name) > 0 && addr.Name[0] == '@'
	switch {
	case family != AF_UNIX:
		return nil, &net.AddrError{Err: "Unix domain address, on a socket of another family", Addr: addr.String()}
	case addr.Net != "" && addr.Net != "unix":
		return nil, &net.AddrError{Err: "address of a " + addr.Net + " socket, on a stream socket", Addr: addr.String()}
	case len(addr.Name) > maxPath, len(addr.Name) == maxPath && !abstract:
		return nil, &net.AddrError{Err: fmt.Sprintf("path longer than %d bytes", maxPath-1), Addr: addr.String()}
	}
	return &syscall.SockaddrUnix{Name: addr.Name}, nil
}

// netAddr is sa in the types of package net, nil for what it does not know.
func netAddr(sa syscall.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: net.IP(sa.Addr[:]), Port: sa.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: net.IP(sa.Addr[:]), Port: sa.Port, Zone: zoneName(sa.ZoneId)}
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return nil
}

// zoneID is the index of an IPv6 zone, the interface of a link-local address: it goes
// by the interface's name or by its number.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if found, err := net.InterfaceByName(zone); err == nil {
		return uint32(found.Index), nil
	}
	id, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("unknown zone %q", zone)
	}
	return uint32(id), nil
}

func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	if found, err := net.InterfaceByIndex(int(id)); err == nil {
		return found.Name
	}
	return strconv.FormatUint(uint64(id), 10)
}
