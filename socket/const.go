package socket

import "syscall"

// Address families, types and option levels by the names of the system's manual.
const (
	AF_INET  = syscall.AF_INET
	AF_INET6 = syscall.AF_INET6
	AF_UNIX  = syscall.AF_UNIX

	SOCK_STREAM = syscall.SOCK_STREAM

	SOL_SOCKET   = syscall.SOL_SOCKET
	IPPROTO_IP   = syscall.IPPROTO_IP
	IPPROTO_IPV6 = syscall.IPPROTO_IPV6
	IPPROTO_TCP  = syscall.IPPROTO_TCP
)

// What Shutdown ends.
const (
	ShutRD   = syscall.SHUT_RD
	ShutWR   = syscall.SHUT_WR
	ShutRDWR = syscall.SHUT_RDWR
)
