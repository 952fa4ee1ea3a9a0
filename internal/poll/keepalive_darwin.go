package poll

import "syscall"

const (
	tcpKeepIdle     = syscall.TCP_KEEPALIVE
	tcpKeepInterval = 0x101
	tcpKeepCount    = 0x102
)
