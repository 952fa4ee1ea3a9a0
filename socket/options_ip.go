package socket

import "syscall"

// Options of IPv4 and IPv6. Where there is one of each, the socket's family says which is
// meant. An AF_INET6 socket that sends to IPv4 addresses sends these packets with IPv4's
// settings, which can be reached by number.
var (
	// TTL is IP_TTL and IPV6_UNICAST_HOPS: through how many routers a packet may go, up to
	// 255. For multicast see MulticastTTL.
	TTL = Option[int]{ofIP("IP_TTL", syscall.IP_TTL, "IPV6_UNICAST_HOPS", syscall.IPV6_UNICAST_HOPS, integer)}

	// TOS is IP_TOS and IPV6_TCLASS: the byte of each packet by which routers tell how to
	// treat it.
	TOS = Option[int]{ofIP("IP_TOS", syscall.IP_TOS, "IPV6_TCLASS", ipv6TrafficClass, integer)}

	// RecvPacketInfo is IP_PKTINFO and IPV6_RECVPKTINFO: each datagram received has the address
	// that it was sent to and the interface that it came in at with it, as ancillary data.
	// FreeBSD has it for IPv6 only.
	RecvPacketInfo = Option[bool]{ofIP("IP_PKTINFO", ipPacketInfo, "IPV6_RECVPKTINFO", ipv6RecvPacketInfo, boolean)}

	// Transparent is IP_TRANSPARENT and IPV6_TRANSPARENT: the socket may be bound to
	// addresses that are others', as a proxy nobody sees has to. It needs the capability
	// CAP_NET_ADMIN. Linux.
	Transparent = Option[bool]{ofIP("IP_TRANSPARENT", ipTransparent, "IPV6_TRANSPARENT", ipv6Transparent, boolean)}

	// FreeBind is IP_FREEBIND and IPV6_FREEBIND: the socket may be bound to an address that
	// is not there yet. Linux.
	FreeBind = Option[bool]{ofIP("IP_FREEBIND", ipFreeBind, "IPV6_FREEBIND", ipv6FreeBind, boolean)}

	// BindAddressNoPort is IP_BIND_ADDRESS_NO_PORT: Bind to an address with port 0 leaves the
	// choice of the port to Connect, so that connections to different servers can have the
	// same. Linux.
	BindAddressNoPort = Option[bool]{onIPv4("IP_BIND_ADDRESS_NO_PORT", ipBindAddressNoPort, boolean)}

	// MTUDiscover is IP_MTU_DISCOVER and IPV6_MTU_DISCOVER: one of IP_PMTUDISC_DONT and so
	// on. Linux.
	MTUDiscover = Option[int]{ofIP("IP_MTU_DISCOVER", ipMTUDiscover, "IPV6_MTU_DISCOVER", ipv6MTUDiscover, integer)}

	// MTU is IP_MTU and IPV6_MTU: the largest packet in bytes, headers included, that gets
	// through to where the socket is connected; syscall.ENOTCONN if it is not. Linux.
	MTU = ReadOnly[int]{ofIP("IP_MTU", ipMTU, "IPV6_MTU", ipv6MTU, integer)}

	// V6Only is IPV6_V6ONLY: whether a socket of AF_INET6 has nothing to do with IPv4. What
	// it is from the beginning depends on the system. It is for before Bind.
	V6Only = Option[bool]{onIPv6("IPV6_V6ONLY", syscall.IPV6_V6ONLY, boolean)}

	// MulticastTTL is IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS: TTL for what is sent to a
	// group. It is 1 from the beginning, which is as far as the local network; 0 is this
	// machine.
	MulticastTTL = Option[int]{ofIP("IP_MULTICAST_TTL", syscall.IP_MULTICAST_TTL, "IPV6_MULTICAST_HOPS", syscall.IPV6_MULTICAST_HOPS, integer)}

	// MulticastLoop is IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP: whether what is sent to a
	// group reaches members on this machine. It is on from the beginning.
	MulticastLoop = Option[bool]{ofIP("IP_MULTICAST_LOOP", syscall.IP_MULTICAST_LOOP, "IPV6_MULTICAST_LOOP", syscall.IPV6_MULTICAST_LOOP, boolean)}
)

// What MTUDiscover can be set to, on Linux: whether packets may be cut in pieces on the
// way.
const (
	IP_PMTUDISC_DONT  = 0 // they may
	IP_PMTUDISC_WANT  = 1 // the system decides
	IP_PMTUDISC_DO    = 2 // never: what is too large is syscall.EMSGSIZE
	IP_PMTUDISC_PROBE = 3 // never, whatever the system thinks gets through
)

func onIPv4[T any](name string, code int, f *form[T]) option[T] {
	n := number{name, syscall.IPPROTO_IP, code}
	return option[T]{n, n, f}
}

func onIPv6[T any](name string, code int, f *form[T]) option[T] {
	n := number{name, syscall.IPPROTO_IPV6, code}
	return option[T]{n, n, f}
}
