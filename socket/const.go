package socket

import "syscall"

// Address families, types and option levels by the names of the system's manual.
const (
	AF_INET  = syscall.AF_INET
	AF_INET6 = syscall.AF_INET6
	AF_UNIX  = syscall.AF_UNIX

	SOCK_STREAM    = syscall.SOCK_STREAM
	SOCK_DGRAM     = syscall.SOCK_DGRAM
	SOCK_RAW       = syscall.SOCK_RAW
	SOCK_SEQPACKET = syscall.SOCK_SEQPACKET

	SOL_SOCKET   = syscall.SOL_SOCKET
	IPPROTO_IP   = syscall.IPPROTO_IP
	IPPROTO_IPV6 = syscall.IPPROTO_IPV6
	IPPROTO_TCP  = syscall.IPPROTO_TCP
	IPPROTO_UDP  = syscall.IPPROTO_UDP

	IPPROTO_ICMP   = syscall.IPPROTO_ICMP
	IPPROTO_ICMPV6 = syscall.IPPROTO_ICMPV6
)

// Flags for RecvFlags, SendFlags and the other methods with a flags parameter, and in
// Message.Flags: recv(2), send(2). Combine them with "|". Linux has some more.
const (
	MSG_CTRUNC    = syscall.MSG_CTRUNC    // on receipt: ancillary data was truncated
	MSG_DONTROUTE = syscall.MSG_DONTROUTE // send only to hosts on directly connected networks
	MSG_DONTWAIT  = syscall.MSG_DONTWAIT  // return syscall.EAGAIN instead of waiting
	MSG_EOR       = syscall.MSG_EOR       // end of a record
	MSG_OOB       = syscall.MSG_OOB       // out-of-band data
	MSG_PEEK      = syscall.MSG_PEEK      // receive without removing the data
	MSG_TRUNC     = syscall.MSG_TRUNC     // on receipt: the message was longer than the buffer
	MSG_WAITALL   = syscall.MSG_WAITALL   // on a stream: receive until the buffer is full
)

// Directions for [Socket.Shutdown]: receiving, sending, or both.
const (
	ShutRD   = syscall.SHUT_RD
	ShutWR   = syscall.SHUT_WR
	ShutRDWR = syscall.SHUT_RDWR
)
