//go:build !darwin

package poll

import "syscall"

const (
	tcpKeepIdle     = syscall.TCP_KEEPIDLE
	tcpKeepInterval = syscall.TCP_KEEPINTVL
	tcpKeepCount    = syscall.TCP_KEEPCNT
)
