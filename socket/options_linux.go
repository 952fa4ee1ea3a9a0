package socket

import "syscall"

// Numbers of options. Those that are written out here are not in package syscall.
const (
	soRecvTimeoutNew = 66
	soSendTimeoutNew = 67
	soTimestampNS    = syscall.SO_TIMESTAMPNS
	soPassCred       = syscall.SO_PASSCRED
	soPeerCred       = syscall.SO_PEERCRED
	soPriority       = syscall.SO_PRIORITY
	soMark           = syscall.SO_MARK
	soBindToDevice   = syscall.SO_BINDTODEVICE
	soIncomingCPU    = 49
	soBusyPoll       = 46
	soProtocol       = syscall.SO_PROTOCOL
	soDomain         = syscall.SO_DOMAIN
	soAcceptConn     = syscall.SO_ACCEPTCONN

	tcpCork            = syscall.TCP_CORK
	tcpCorkName        = "TCP_CORK"
	tcpQuickAck        = syscall.TCP_QUICKACK
	tcpKeepIdle        = syscall.TCP_KEEPIDLE
	tcpKeepIdleName    = "TCP_KEEPIDLE"
	tcpKeepInterval    = syscall.TCP_KEEPINTVL
	tcpKeepCount       = syscall.TCP_KEEPCNT
	tcpUserTimeout     = 18
	tcpDeferAccept     = syscall.TCP_DEFER_ACCEPT
	tcpFastOpen        = 23
	tcpFastOpenConnect = 30
	tcpCongestion      = syscall.TCP_CONGESTION
	tcpInfo            = syscall.TCP_INFO

	ipPacketInfo        = syscall.IP_PKTINFO
	ipTransparent       = syscall.IP_TRANSPARENT
	ipFreeBind          = syscall.IP_FREEBIND
	ipBindAddressNoPort = 24
	ipMTUDiscover       = syscall.IP_MTU_DISCOVER
	ipMTU               = syscall.IP_MTU
	ipv6TrafficClass    = syscall.IPV6_TCLASS
	ipv6RecvPacketInfo  = syscall.IPV6_RECVPKTINFO
	ipv6Transparent     = 75
	ipv6FreeBind        = 78
	ipv6MTUDiscover     = syscall.IPV6_MTU_DISCOVER
	ipv6MTU             = syscall.IPV6_MTU

	mcastJoinGroup        = 42
	mcastLeaveGroup       = 45
	mcastJoinSourceGroup  = 46
	mcastLeaveSourceGroup = 47
)
