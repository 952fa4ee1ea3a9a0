package socket

import "syscall"

// Options of IPv4 and IPv6. Where both have an option, the socket's family decides which one is
// used. Packets that an AF_INET6 socket sends to IPv4 addresses use the IPv4 options, which can be
// set by number.
var (
	// TTL is IP_TTL and IPV6_UNICAST_HOPS: the maximum number of hops of a packet, up to 255. For
	// multicast see MulticastTTL.
	TTL = Option[int]{ofIP("IP_TTL", syscall.IP_TTL, "IPV6_UNICAST_HOPS", syscall.IPV6_UNICAST_HOPS, integer)}

	// TOS is IP_TOS and IPV6_TCLASS: the byte of each packet that tells routers how to treat it,
	// the traffic class.
	TOS = Option[int]{ofIP("IP_TOS", syscall.IP_TOS, "IPV6_TCLASS", ipv6TrafficClass, integer)}

	// RecvPacketInfo is IP_PKTINFO and IPV6_RECVPKTINFO: each received datagram comes with its
	// destination address and the interface it arrived on, as ancillary data. FreeBSD has this for
	// IPv6 only.
	RecvPacketInfo = Option[bool]{ofIP("IP_PKTINFO", ipPacketInfo, "IPV6_RECVPKTINFO", ipv6RecvPacketInfo, boolean)}

	// Transparent is IP_TRANSPARENT and IPV6_TRANSPARENT: the socket may be bound to addresses that
	// do not belong to this machine, as a transparent proxy needs. It requires CAP_NET_ADMIN. Linux
	// only.
	Transparent = Option[bool]{ofIP("IP_TRANSPARENT", ipTransparent, "IPV6_TRANSPARENT", ipv6Transparent, boolean)}

	// FreeBind is IP_FREEBIND and IPV6_FREEBIND: the socket may be bound to an address that does
	// not exist yet. Linux only.
	FreeBind = Option[bool]{ofIP("IP_FREEBIND", ipFreeBind, "IPV6_FREEBIND", ipv6FreeBind, boolean)}

	// BindAddressNoPort is IP_BIND_ADDRESS_NO_PORT: Bind to an address with port 0 leaves the
	// choice of the port to Connect, so that connections to different servers can use the same
	// local port. Linux only.
	BindAddressNoPort = Option[bool]{onIPv4("IP_BIND_ADDRESS_NO_PORT", ipBindAddressNoPort, boolean)}

	// MTUDiscover is IP_MTU_DISCOVER and IPV6_MTU_DISCOVER: path MTU discovery, one of
	// IP_PMTUDISC_DONT and so on. Linux only.
	MTUDiscover = Option[int]{ofIP("IP_MTU_DISCOVER", ipMTUDiscover, "IPV6_MTU_DISCOVER", ipv6MTUDiscover, integer)}

	// MTU is IP_MTU and IPV6_MTU: the largest packet, in bytes and including headers, that gets
	// through to the connected peer. The error is syscall.ENOTCONN if the socket is not connected.
	// Linux only.
	MTU = ReadOnly[int]{ofIP("IP_MTU", ipMTU, "IPV6_MTU", ipv6MTU, integer)}

	// V6Only is IPV6_V6ONLY: whether an AF_INET6 socket is limited to IPv6. The default depends on
	// the system. Set it before Bind.
	V6Only = Option[bool]{onIPv6("IPV6_V6ONLY", syscall.IPV6_V6ONLY, boolean)}

	// MulticastTTL is IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS: the maximum number of hops of a
	// multicast packet. The default is 1, which reaches the local network; with 0 packets stay on
	// this machine.
	MulticastTTL = Option[int]{ofIP("IP_MULTICAST_TTL", syscall.IP_MULTICAST_TTL, "IPV6_MULTICAST_HOPS", syscall.IPV6_MULTICAST_HOPS, integer)}

	// MulticastLoop is IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP: whether members of a group on
	// this machine receive what the socket sends to the group. The default is on.
	MulticastLoop = Option[bool]{ofIP("IP_MULTICAST_LOOP", syscall.IP_MULTICAST_LOOP, "IPV6_MULTICAST_LOOP", syscall.IPV6_MULTICAST_LOOP, boolean)}
)

// Values of [MTUDiscover] on Linux: whether packets may be fragmented.
const (
	IP_PMTUDISC_DONT  = 0 // fragment packets
	IP_PMTUDISC_WANT  = 1 // the system decides
	IP_PMTUDISC_DO    = 2 // never fragment: sending a larger packet fails with syscall.EMSGSIZE
	IP_PMTUDISC_PROBE = 3 // never fragment, and ignore the path MTU
)

func onIPv4[T any](name string, code int, f *form[T]) option[T] {
	n := number{name, syscall.IPPROTO_IP, code}
	return option[T]{n, n, f}
}

func onIPv6[T any](name string, code int, f *form[T]) option[T] {
	n := number{name, syscall.IPPROTO_IPV6, code}
	return option[T]{n, n, f}
}
