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

// Flags of RecvFlags, SendFlags and their like, and of a Message: recv(2), send(2). They
// are joined by "|". Linux has some more.
const (
	MSG_CTRUNC    = syscall.MSG_CTRUNC    // received: there was no room for all ancillary data
	MSG_DONTROUTE = syscall.MSG_DONTROUTE // send to hosts that are connected directly only
	MSG_DONTWAIT  = syscall.MSG_DONTWAIT  // return syscall.EAGAIN instead of waiting
	MSG_EOR       = syscall.MSG_EOR       // end of a record
	MSG_OOB       = syscall.MSG_OOB       // out-of-band data
	MSG_PEEK      = syscall.MSG_PEEK      // receive, and leave it there for the next to receive
	MSG_TRUNC     = syscall.MSG_TRUNC     // received: the message was longer than the buffer
	MSG_WAITALL   = syscall.MSG_WAITALL   // on a stream: receive until the buffer is full
)

// What Shutdown ends.
const (
	ShutRD   = syscall.SHUT_RD
	ShutWR   = syscall.SHUT_WR
	ShutRDWR = syscall.SHUT_RDWR
)
