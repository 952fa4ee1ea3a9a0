package socket

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// This file is about the groups that a datagram socket belongs to, and the interface
// through which it sends to groups. MulticastTTL and MulticastLoop are Options.

// JoinGroup makes the socket receive what is sent to the IPv4 or IPv6 multicast address group on
// the network of ifi: MCAST_JOIN_GROUP, RFC 3678. If ifi is nil, the zone of an IPv6 address
// selects the interface; without a zone the system chooses. The socket must be bound to the port.
// Several sockets that are to receive the same datagrams set ReuseAddr or ReusePort first. On Linux
// a socket that is not bound to the group's address also receives what is sent to groups that other
// sockets on this machine have joined.
func (s *Socket) JoinGroup(group netip.Addr, ifi *net.Interface) error {
	return s.membership("join", mcastJoinGroup, group, nil, ifi)
}

// LeaveGroup undoes a JoinGroup with the same arguments: MCAST_LEAVE_GROUP. Close leaves all
// groups.
func (s *Socket) LeaveGroup(group netip.Addr, ifi *net.Interface) error {
	return s.membership("leave", mcastLeaveGroup, group, nil, ifi)
}

// JoinSourceGroup makes the socket receive what source, and no other host, sends to group:
// MCAST_JOIN_SOURCE_GROUP. It can be called for several sources. ifi is as for JoinGroup.
func (s *Socket) JoinSourceGroup(group, source netip.Addr, ifi *net.Interface) error {
	return s.membership("join", mcastJoinSourceGroup, group, &source, ifi)
}

// LeaveSourceGroup undoes a JoinSourceGroup with the same arguments:
// MCAST_LEAVE_SOURCE_GROUP.
func (s *Socket) LeaveSourceGroup(group, source netip.Addr, ifi *net.Interface) error {
	return s.membership("leave", mcastLeaveSourceGroup, group, &source, ifi)
}

// membership makes a struct group_req, or, with a source, a struct group_source_req: the
// number of an interface and one or two addresses.
func (s *Socket) membership(op string, code int, group netip.Addr, source *netip.Addr, ifi *net.Interface) error {
	addr := &net.IPAddr{IP: group.AsSlice(), Zone: group.Zone()}
	if err := s.usable(); err != nil {
		return s.failedAt(op, addr, err)
	}
	index, err := s.checkGroup(group, source, ifi)
	if err != nil {
		return s.failedAt(op, addr, err)
	}
	group = group.Unmap()
	level := syscall.IPPROTO_IPV6
	if group.Is4() {
		level = syscall.IPPROTO_IP
	}
	request := make([]byte, groupOffset, groupOffset+2*storageSize)
	binary.NativeEndian.PutUint32(request, index)
	request = appendStorage(request, group, index)
	if source != nil {
		request = appendStorage(request, source.Unmap(), index)
	}
	err = s.fd.Control(func(fd int) error { return poll.Setsockopt(fd, level, code, request) })
	if err != nil {
		return s.failedAt(op, addr, called("setsockopt", err))
	}
	return nil
}

// checkGroup finds what the system has no good words for, and returns the number of the
// interface.
func (s *Socket) checkGroup(group netip.Addr, source *netip.Addr, ifi *net.Interface) (uint32, error) {
	is4 := group.Unmap().Is4()
	switch {
	case !group.Unmap().IsMulticast():
		return 0, &net.AddrError{Err: "not a multicast address", Addr: group.String()}
	case s.family != AF_INET && s.family != AF_INET6:
		return 0, &net.AddrError{Err: "Internet address, on a socket of another family", Addr: group.String()}
	case !is4 && s.family == AF_INET:
		return 0, &net.AddrError{Err: "not an IPv4 address, on an AF_INET socket", Addr: group.String()}
	case source != nil && (!source.IsValid() || source.Unmap().Is4() != is4 || source.Unmap().IsMulticast()):
		return 0, &net.AddrError{Err: "not a source for the group " + group.String(), Addr: source.String()}
	case ifi != nil && (ifi.Index < 0 || !poll.FitsInt(ifi.Index)):
		return 0, &net.AddrError{Err: "no such interface", Addr: strconv.Itoa(ifi.Index)}
	case ifi != nil:
		return uint32(ifi.Index), nil
	}
	index, err := zoneID(group.Zone())
	if err != nil {
		return 0, &net.AddrError{Err: err.Error(), Addr: group.String()}
	}
	return index, nil
}

// storageSize is the size of a struct sockaddr_storage.
const storageSize = 128

// appendStorage appends the struct sockaddr_storage of an address without a port.
func appendStorage(b []byte, addr netip.Addr, zone uint32) []byte {
	storage := make([]byte, storageSize)
	if addr.Is4() {
		putFamily(storage, AF_INET, syscall.SizeofSockaddrInet4)
		copy(storage[4:], addr.AsSlice())
	} else {
		putFamily(storage, AF_INET6, syscall.SizeofSockaddrInet6)
		copy(storage[8:], addr.AsSlice())
		if addr.IsLinkLocalMulticast() || addr.IsLinkLocalUnicast() || addr.IsInterfaceLocalMulticast() {
			binary.NativeEndian.PutUint32(storage[24:], zone)
		}
	}
	return append(b, storage...)
}

// SetMulticastInterface sets the interface through which the socket sends to multicast groups:
// IP_MULTICAST_IF and IPV6_MULTICAST_IF. If ifi is nil, the routing table decides.
func (s *Socket) SetMulticastInterface(ifi *net.Interface) error {
	index := 0
	if ifi != nil {
		index = ifi.Index
	}
	if s.usable() == nil && s.family == AF_INET6 {
		return multicastInterface6.set(s, index)
	}
	return multicastInterface4.set(s, mreqn{addressOf(ifi), index})
}

// MulticastInterface returns the interface through which the socket sends to multicast groups, or
// nil if the routing table decides. For IPv4 the system may know only the interface's address;
// MulticastInterface then returns the first interface that has this address.
func (s *Socket) MulticastInterface() (*net.Interface, error) {
	if s.usable() == nil && s.family == AF_INET6 {
		index, err := multicastInterface6.get(s)
		if err != nil || index == 0 {
			return nil, err
		}
		return s.interfaceFound(net.InterfaceByIndex(index))
	}
	found, err := multicastInterface4.get(s)
	switch {
	case err != nil:
		return nil, err
	case found.index != 0:
		return s.interfaceFound(net.InterfaceByIndex(found.index))
	case found.address.IsUnspecified():
		return nil, nil
	}
	return s.interfaceFound(interfaceOf(found.address))
}

func (s *Socket) interfaceFound(ifi *net.Interface, err error) (*net.Interface, error) {
	if err != nil {
		return nil, s.failed("getsockopt", err)
	}
	return ifi, nil
}

var (
	multicastInterface4 = onIPv4("IP_MULTICAST_IF", syscall.IP_MULTICAST_IF, outgoing)
	multicastInterface6 = onIPv6("IPV6_MULTICAST_IF", syscall.IPV6_MULTICAST_IF, integer)
)

// An mreqn is a struct ip_mreqn without the group.
type mreqn struct {
	address netip.Addr
	index   int
}

// outgoing is given as a struct ip_mreqn, of which the system returns the address, or all.
var outgoing = &form[mreqn]{12, func(m mreqn) ([]byte, error) {
	if m.index < 0 || !poll.FitsInt(m.index) {
		return nil, syscall.EINVAL
	}
	b := append(make([]byte, 4), m.address.AsSlice()...)
	return binary.NativeEndian.AppendUint32(b, uint32(m.index)), nil
}, func(b []byte) mreqn {
	switch {
	case len(b) >= 12:
		return mreqn{netip.AddrFrom4([4]byte(b[4:])), intOf(b[8:])}
	case len(b) >= 4:
		return mreqn{netip.AddrFrom4([4]byte(b)), 0}
	}
	return mreqn{netip.IPv4Unspecified(), 0}
}}

// addressOf is the first IPv4 address of an interface, that of none if it has none.
func addressOf(ifi *net.Interface) netip.Addr {
	if ifi != nil {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
				return prefix.Addr()
			}
		}
	}
	return netip.IPv4Unspecified()
}

func interfaceOf(address netip.Addr) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, ifi := range all {
		if addressOf(&ifi) == address {
			return &ifi, nil
		}
	}
	return nil, &net.AddrError{Err: "no interface has the address", Addr: address.String()}
}
