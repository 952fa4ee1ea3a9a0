//go:build darwin || freebsd

package socket

import "syscall"

// Options that only Linux has.
const (
	soRecvTimeoutNew = missing
	soSendTimeoutNew = missing
	soTimestampNS    = missing
	soPassCred       = missing
	soPeerCred       = missing
	soPriority       = missing
	soMark           = missing
	soBindToDevice   = missing
	soIncomingCPU    = missing
	soBusyPoll       = missing

	tcpQuickAck        = missing
	tcpUserTimeout     = missing
	tcpDeferAccept     = missing
	tcpFastOpenConnect = missing
	tcpInfo            = missing

	ipTransparent       = missing
	ipFreeBind          = missing
	ipBindAddressNoPort = missing
	ipMTUDiscover       = missing
	ipMTU               = missing
	ipv6Transparent     = missing
	ipv6FreeBind        = missing
	ipv6MTUDiscover     = missing
	ipv6MTU             = missing
)

// Numbers of options that are the same on these systems.
const (
	soAcceptConn = syscall.SO_ACCEPTCONN

	tcpCork     = syscall.TCP_NOPUSH
	tcpCorkName = "TCP_NOPUSH"

	ipv6TrafficClass = syscall.IPV6_TCLASS

	// Package syscall does not have these.
	mcastJoinGroup        = 80
	mcastLeaveGroup       = 81
	mcastJoinSourceGroup  = 82
	mcastLeaveSourceGroup = 83
)
