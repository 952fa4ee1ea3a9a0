package socket

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// LocalAddr returns the socket's own address: getsockname(2). It returns nil if the socket has no
// address or the address is not known. For a closed socket it returns the last known address.
//
// The result can be passed to Bind or Connect and means the same there. For a Unix domain socket
// without a name it is an empty [*net.UnixAddr]. An abstract name of Linux begins with "@"; a path
// that begins with "@" is returned with "./" in front. A relative path is returned as it was given,
// relative to the working directory at that time.
func (s *Socket) LocalAddr() net.Addr {
	if s.usable() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrLocked(&s.local, poll.LocalName)
}

// RemoteAddr returns the peer's address: getpeername(2). It returns nil if the socket is not
// connected. Everything else is as for LocalAddr.
func (s *Socket) RemoteAddr() net.Addr {
	if s.usable() != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrLocked(&s.remote, poll.RemoteName)
}

// An end is one of the addresses of a socket. They are all kept, for use after Close,
// although nobody asks for most of them: so a net.Addr is made only when somebody does.
type end struct {
	addr     net.Addr  // as it has been returned, nil until then
	inet     poll.Inet // the address if addr is nil, in the Internet families
	nameless bool      // if addr is nil: it is an empty name of the Unix domain
}

// keep makes e the address n of s.
func (e *end) keep(s *Socket, n *poll.Name) {
	inet := n.Inet()
	switch {
	case inet.IsValid():
		*e = end{inet: inet}
	case n.Family() == AF_UNIX && n.Unix() == "":
		*e = end{nameless: true}
	default:
		*e = end{addr: s.netAddr(n)}
	}
}

// tell returns the address, or nil if it is not known.
func (e *end) tell(s *Socket) net.Addr {
	switch {
	case e.addr != nil:
	case e.inet.IsValid():
		e.addr = s.inetName(&e.inet)
	case e.nameless:
		e.addr = &net.UnixAddr{Net: s.network()}
	}
	return e.addr
}

// certain reports whether e is known and final, so that the system need not be asked.
func (e *end) certain(s *Socket) bool {
	if e.addr == nil && e.inet.IsValid() {
		return e.inet.Port != 0 || s.fd.Type() == SOCK_RAW
	}
	return !unnamed(e.addr)
}

// remember asks for the addresses while the system can still be asked. fd is the
// descriptor.
func (s *Socket) remember(fd int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.local.certain(s) {
		if name, err := poll.LocalName(fd); err == nil {
			s.local.keep(s, &name)
		}
	}
	if !s.remote.certain(s) {
		if name, err := poll.RemoteName(fd); err == nil {
			s.remote.keep(s, &name)
		}
	}
}

// LocalAddrPort returns the socket's own address as a [netip.AddrPort], for sockets of the Internet
// families of any type. It returns the zero AddrPort if the socket is of another family or has no
// port.
func (s *Socket) LocalAddrPort() netip.AddrPort { return addrPort(s.LocalAddr()) }

// RemoteAddrPort returns the peer's address as a [netip.AddrPort], for sockets of the Internet
// families of any type. It returns the zero AddrPort if the socket is of another family or is not
// connected.
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

func (s *Socket) addrLocked(known *end, ask func(fd int) (poll.Name, error)) net.Addr {
	if !known.certain(s) {
		_ = s.fd.Control(func(fd int) error {
			name, err := ask(fd)
			if addr := s.netAddr(&name); err == nil && (known.tell(s) == nil || !unnamed(addr)) {
				known.addr = addr
			}
			return err
		})
	}
	return known.tell(s)
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
		return a.Name == ""
	}
	return addr == nil
}

// forget is for after what has changed an address.
func (s *Socket) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local, s.remote = end{}, end{}
}

var errMissing = &net.AddrError{Err: "missing address"}

// setAddr makes n the address addr, for a socket of this family and type.
func (s *Socket) setAddr(n *poll.Name, addr net.Addr) error {
	switch a := addr.(type) {
	case nil:
		return errMissing
	case *net.TCPAddr:
		if a == nil {
			return errMissing
		}
		return s.setInet(n, SOCK_STREAM, a.IP, a.Port, a.Zone, a)
	case *net.UDPAddr:
		if a == nil {
			return errMissing
		}
		return s.setInet(n, SOCK_DGRAM, a.IP, a.Port, a.Zone, a)
	case *net.IPAddr:
		if a == nil {
			return errMissing
		}
		return s.setInet(n, SOCK_RAW, a.IP, 0, a.Zone, a)
	case *net.UnixAddr:
		if a == nil {
			return errMissing
		}
		return s.setUnix(n, a)
	}
	return &net.AddrError{Err: fmt.Sprintf("unexpected type %T of address", addr), Addr: addr.String()}
}

// inetAddr is addr as an address of the type that this socket has, nil if it is none.
func (s *Socket) inetAddr(addr netip.AddrPort) net.Addr {
	if !addr.IsValid() || s == nil {
		return nil
	}
	return s.typed(net.IP(addr.Addr().AsSlice()), int(addr.Port()), addr.Addr().Zone())
}

// setInet makes n an address for a socket of the Internet families. A missing ip stands for
// all interfaces. On an AF_INET6 socket, an IPv4 address becomes a mapped one. typ is the
// type of socket that addr is for.
func (s *Socket) setInet(n *poll.Name, typ int, ip net.IP, port int, zone string, addr net.Addr) error {
	if s.fd.Type() != typ && s.family != AF_UNIX {
		return &net.AddrError{
			Err:  fmt.Sprintf("unexpected type %T of address, on a socket of network %s", addr, s.network()),
			Addr: addr.String(),
		}
	}
	if port < 0 || port > 0xffff {
		return &net.AddrError{Err: "invalid port", Addr: addr.String()}
	}
	switch s.family {
	case AF_INET:
		if len(ip) == 0 {
			ip = net.IPv4zero
		}
		ip4 := ip.To4()
		if ip4 == nil || zone != "" {
			return &net.AddrError{Err: "not an IPv4 address, on an AF_INET socket", Addr: addr.String()}
		}
		n.SetAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip4)), uint16(port)), false, 0)
		return nil
	case AF_INET6:
		if len(ip) == 0 {
			ip = net.IPv6zero
		}
		ip16 := ip.To16()
		if ip16 == nil {
			return &net.AddrError{Err: "not an IP address", Addr: addr.String()}
		}
		id, err := zoneID(zone)
		if err != nil {
			return &net.AddrError{Err: err.Error(), Addr: addr.String()}
		}
		n.SetAddrPort(netip.AddrPortFrom(netip.AddrFrom16([16]byte(ip16)), uint16(port)), true, id)
		return nil
	}
	return &net.AddrError{Err: "Internet address, on a socket of another family", Addr: addr.String()}
}

// maxPath is the length of sun_path. On Linux a path may fill it, without a zero byte at
// the end.
const maxPath = len(syscall.RawSockaddrUnix{}.Path)

func (s *Socket) setUnix(n *poll.Name, addr *net.UnixAddr) error {
	switch {
	case s.family != AF_UNIX:
		return &net.AddrError{Err: "Unix domain address, on a socket of another family", Addr: addr.String()}
	case addr.Net != "" && addr.Net != s.network():
		return &net.AddrError{Err: "address of network " + addr.Net + ", on a socket of network " + s.network(), Addr: addr.String()}
	case n.SetUnix(addr.Name):
		return nil
	case addr.Name == "":
		return errMissing
	case len(addr.Name) <= maxPath && strings.IndexByte(addr.Name, 0) >= 0:
		return &net.AddrError{Err: "path with a zero byte", Addr: strconv.Quote(addr.Name)}
	}
	return &net.AddrError{Err: fmt.Sprintf("path longer than %d bytes", maxPath), Addr: addr.String()}
}

// netAddr returns n as a net.Addr, or nil if it does not know its family.
func (s *Socket) netAddr(n *poll.Name) net.Addr {
	switch n.Family() {
	case AF_INET, AF_INET6:
		if inet := n.Inet(); inet.IsValid() {
			return s.inetName(&inet)
		}
	case AF_UNIX:
		return &net.UnixAddr{Name: n.Unix(), Net: s.network()}
	}
	return nil
}

// inetName returns a as a net.Addr.
func (s *Socket) inetName(a *poll.Inet) net.Addr {
	return s.typed(a.IP(), int(a.Port), zoneName(a.Zone))
}

// sender returns the address n that a message came from as a net.Addr, or nil if the sender
// has no name.
func (s *Socket) sender(n *poll.Name) net.Addr {
	if n.Family() == AF_UNIX && n.Unix() == "" {
		return nil
	}
	return s.netAddr(n)
}

// typed is an address of the type that this socket has.
func (s *Socket) typed(ip net.IP, port int, zone string) net.Addr {
	switch s.fd.Type() {
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
		return &net.AddrError{Err: "not an IPv4 address, on an AF_INET socket", Addr: addr.String()}
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
