package socket

import "syscall"

// Numbers of options. Those that are written out here are not in package syscall, or
// not for every processor.
const (
	soProtocol = missing
	soDomain   = missing

	tcpKeepIdle     = syscall.TCP_KEEPALIVE
	tcpKeepIdleName = "TCP_KEEPALIVE"
	tcpKeepInterval = 0x101
	tcpKeepCount    = 0x102
	tcpFastOpen     = 0x105
	tcpCongestion   = missing

	ipPacketInfo       = syscall.IP_RECVPKTINFO
	ipv6RecvPacketInfo = 0x3d
)
