package socket

import "syscall"

// Numbers of options. Those that are written out here are not in package syscall.
const (
	soProtocol = syscall.SO_PROTOCOL
	soDomain   = 0x1019

	tcpKeepIdle     = syscall.TCP_KEEPIDLE
	tcpKeepIdleName = "TCP_KEEPIDLE"
	tcpKeepInterval = syscall.TCP_KEEPINTVL
	tcpKeepCount    = syscall.TCP_KEEPCNT
	tcpFastOpen     = 0x401
	tcpCongestion   = syscall.TCP_CONGESTION

	ipPacketInfo       = missing
	ipv6RecvPacketInfo = syscall.IPV6_RECVPKTINFO
)
