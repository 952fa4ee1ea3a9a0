//go:build linux && !(386 || s390x)

package poll

import "syscall"

const (
	sysBind        = syscall.SYS_BIND
	sysConnect     = syscall.SYS_CONNECT
	sysAccept4     = syscall.SYS_ACCEPT4
	sysGetsockname = syscall.SYS_GETSOCKNAME
	sysGetpeername = syscall.SYS_GETPEERNAME
)
